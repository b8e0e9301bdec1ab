import { Chart, clearest } from '../kit/chart.js'
import { abreast } from '../kit/controls.js'
import { format } from '../kit/d3.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill } from '../kit/text.js'

const EVERY_MS = 900 // while it plays: there are few places, and a sentence to read at each
const ROOM = 1.1 // above the highest value of a curve
const OWN = { task: 'validation', base: 'base' } // what the failure itself does, by chart

/** Five failures, each over one knob: the losses on the task and on the base's own voices. */
class Failures extends Instrument {
  constructor(model, el) {
    super(model, el)
    model.on('change:failure', () => this.turn())
    model.on('change:guess', () => this.reveal())
    this.draw()
  }

  /** The place of the knob; another failure may have had more. */
  get place() {
    return this.stepper.value
  }

  get values() {
    return this.shown.values[this.place]
  }

  build() {
    const { text, frame } = this
    this.arrays = read(this.model, 'arrays')
    this.controls = this.choosers('failure')
    this.stepper = this.slider('place', text.knobLabel, {
      everyMs: EVERY_MS,
      told: (at) => fill(this.shown.of, this.shown.values[at]),
    })
    this.guess = new Guess(text.guess, this.choosing('guess'))
    const chart = (name) =>
      new Chart(
        { ...text.charts[name] },
        { format: format('.1f'), choose: (at) => this.stepper.go(at), probe: (at) => this.probed(name, at) },
      )
    this.charts = { task: chart('task'), base: chart('base') }
    this.readouts = new Readouts(text)
    this.note = h('p', { class: 'note' })
    this.about = h('p', { class: 'note' }, fill(text.recorded, this.arrays))
    const { task, base } = this.charts
    this.drawn = h('div', { class: 'charts' }, task.element, ...frame.part('base', base.element))
    this.numbers = h('div', {}, ...frame.part('readouts', this.readouts.element))
    frame.root.append(
      ...frame.part('failure', abreast(this.controls)),
      this.note,
      ...frame.part('guess', this.guess.element),
      this.stepper.element,
      this.drawn,
      this.numbers,
      frame.sentence,
      this.about,
    )
  }

  /** Another failure is chosen: its knob begins where it can. */
  turn() {
    this.goOn()
    this.draw()
  }

  /** What no tick changes: curves, knob, note, guess. */
  draw() {
    const { model, arrays, controls } = this
    const shown = (this.shown = arrays.failures[model.get('failure')])
    controls.failure.input.value = model.get('failure')
    this.note.textContent = shown.note
    const last = shown.values.length - 1
    this.stepper.set({ low: 0, high: last, value: Math.min(model.get('place'), last), start: 0 })
    for (const name of Object.keys(this.charts)) this.curves(name, last)
    this.reveal()
  }

  /** Draw the lines of one chart; a line of one point is a mark, as is the place that stands apart. */
  curves(name, last) {
    const { text, shown } = this
    const all = Object.entries(shown.lines[name]).map(([key, [label, kind]]) => {
      const at = shown.values.map((_, i) => i).filter((i) => shown.values[i][key] !== null)
      return { key, label, kind, at, values: at.map((i) => shown.values[i][key]) }
    })
    const { apart } = shown
    const lines = all
      .filter(({ at }) => at.length > 1)
      .map(({ at, values, ...line }) => ({
        ...line,
        at: at.filter((i) => i !== apart),
        values: values.filter((_, i) => at[i] !== apart),
      }))
    const own = OWN[name]
    const span = shown.spans[own]
    const kind = `spread ${shown.lines[name][own][1]}`
    const broken = shown.values.findIndex((values) => values[own] === null)
    const marks = all
      .filter(({ at }) => at.length === 1)
      .map(({ at, values, label }) => ({ x: at[0], y: values[0], kind: 'embeddings', label, lift: -1.1 }))
    for (const { key, kind } of apart === null ? [] : all)
      marks.push({ x: apart, y: shown.values[apart][key], label: '', kind: `point ${kind}` })
    const high = Math.max(...all.flatMap(({ values }) => values), ...(span ? span[1] : [])) * ROOM
    this.charts[name].words.x = shown.knob
    this.charts[name].draw({
      k: last,
      y: [0, high],
      bands: span ? [{ low: span[0], middle: span[0], high: span[1], kind }] : [],
      lines: lines.map((line) => ({ ...line, along: this.along(line, lines) })),
      rules: broken < 0 ? [] : [{ at: { x: broken }, label: text.diverged, kind: 'lost', low: true }],
      marks,
      tick: (i) => shown.ticks[i],
    })
  }

  /** Where along a line its name can be told from those of the others. */
  along(line, lines) {
    const others = lines.filter((other) => other !== line)
    return clearest(line, others)[0]
  }

  /** The values of one chart at a place, by name. */
  probed(name, at) {
    const { text, shown } = this
    if (!shown) return ''
    const each = Object.entries(shown.lines[name])
      .filter(([key]) => shown.values[at][key] !== null)
      .map(([key, [label]]) => fill(text.probe.each, { name: label, loss: shown.values[at][key] }))
    return fill(text.probe.all, { of: fill(shown.of, shown.values[at]), each: each.join(', ') })
  }

  /** Show or veil what the guess is about. */
  reveal() {
    const { ask, truth, from, to } = this.shown
    this.guess.show(this.guessed, { ask, truth, from, to })
    for (const part of [this.drawn, this.numbers]) part.classList.toggle('waiting', this.guessed === 'ask')
    this.tick(this.place)
  }

  /** Follow the knob. */
  tick(place) {
    this.stepper.show(place)
    for (const chart of Object.values(this.charts)) {
      chart.move(this.place) // a larger one is another failure's
      chart.content?.lines.forEach(({ at }, i) =>
        chart.dots?.[i].attr('visibility', at.includes(this.place) ? 'visible' : 'hidden'),
      )
    }
    const { values, text } = this
    this.readouts.show(values, (template, name) => {
      if (values[name] !== null) return template
      return values.validation === null ? text.diverged : null
    })
    this.frame.update()
  }

  sentence() {
    const { text, shown, values } = this
    if (this.guessed === 'ask') return fill(text.veiled, shown)
    return fill(values.validation === null ? shown.diverged : shown.sentence, values)
  }

  snippet() {
    return fill(this.shown.snippet, { place: this.place })
  }

  table() {
    return { head: this.shown.head, rows: this.shown.rows }
  }

  get stem() {
    return this.model.get('failure')
  }

  saves() {
    return {
      losses: () => ['losses.csv', csv([this.shown.head, ...this.shown.rows])],
    }
  }
}

export default rendering(Failures)
