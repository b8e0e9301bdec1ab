import { Chart } from '../kit/chart.js'
import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { asCsv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const EVERY_MS = 900 // while it plays: there are few places, and a sentence to read at each
const TOP = 1.04 // a little above all of them right

/** Two failures, each over one knob: how many answers are right. */
class Failures extends Instrument {
  constructor(model, el) {
    super(model, el)
    model.on('change:failure', () => this.turn())
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
    const right = new Chart(
      { ...text.charts.right },
      { format: format('.0%'), choose: (at) => this.stepper.go(at), probe: (at) => this.probed(at) },
    )
    this.charts = { right }
    this.readouts = new Readouts(text)
    this.note = h('p', { class: 'note' })
    frame.root.append(
      ...frame.part('failure', abreast(this.controls)),
      this.note,
      this.stepper.element,
      ...frame.part('chart', h('div', { class: 'charts' }, right.element)),
      ...frame.part('readouts', this.readouts.element),
      frame.sentence,
      h('p', { class: 'note' }, this.arrays.about),
    )
  }

  /** Another failure is chosen: its knob begins where it can. */
  turn() {
    this.goOn()
    this.draw()
  }

  /** What no tick changes: curves, knob, note. */
  draw() {
    const { model, arrays, controls } = this
    const shown = (this.shown = arrays.failures[model.get('failure')])
    controls.failure.input.value = model.get('failure')
    this.note.textContent = shown.note
    const last = shown.values.length - 1
    this.stepper.set({ low: 0, high: last, value: Math.min(model.get('place'), last), start: 0 })
    const lines = Object.entries(shown.lines).map(([key, [label, kind]]) => {
      const values = shown.values.map((found) => found[key])
      return { label, kind, values, at: values.map((_, i) => i) }
    })
    const [low, high] = shown.span
    this.charts.right.words.x = shown.knob
    this.charts.right.draw({
      k: last,
      y: [0, TOP],
      bands: [{ low, middle: low, high, kind: 'spread' }],
      lines,
      tick: (i) => shown.ticks[i],
    })
    this.tick(this.place)
  }

  /** The shares at a place, by name. */
  probed(at) {
    const { text, shown } = this
    if (!shown) return ''
    const each = Object.entries(shown.lines).map(([key, [name]]) =>
      fill(text.probe.each, { name, share: shown.values[at][key] }),
    )
    return fill(text.probe.all, { of: fill(shown.of, shown.values[at]), each: each.join(', ') })
  }

  /** Follow the knob. */
  tick(place) {
    this.stepper.show(place)
    const { values } = this
    this.charts.right.move(this.place) // a larger one is another failure's
    this.readouts.show(values, (template, name) => (name in values ? template : null))
    this.frame.update()
  }

  sentence() {
    return fill(this.shown.sentence, this.values)
  }

  snippet() {
    return fill(this.shown.snippet, { place: this.place })
  }

  table() {
    const { head, of, lines, values } = this.shown
    const percent = format('.1%')
    const row = (each) => [fill(of, each), ...Object.keys(lines).map((name) => percent(each[name]))]
    return { head, rows: values.map(row) }
  }

  get stem() {
    return this.model.get('failure')
  }

  saves() {
    return { shares: () => ['shares.csv', asCsv(this.table())] }
  }
}

export default rendering(Failures)
