import { Chart, clearest } from '../kit/chart.js'
import { abreast } from '../kit/controls.js'
import { format } from '../kit/d3.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts, inCase } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill } from '../kit/text.js'

const EVERY_MS = 1200 // while it plays: four stages, and a sentence to read at each
const ROOM = 1.08 // above the highest value of a curve
const APART = 0.05 // of a chart's height: lines nearer to each other cannot be told apart by name

/** Three tasks learned one after the other in four ways: what is left of each, and of the base's own voices. */
class Sequence extends Instrument {
  constructor(model, el) {
    super(model, el)
    model.on('change:order', () => this.turn())
    model.on('change:measure', () => this.draw())
    model.on('change:guess', () => this.reveal())
    this.draw()
  }

  get stage() {
    return this.stepper.value
  }

  get measure() {
    return this.model.get('measure')
  }

  get values() {
    return this.shown.values[this.measure][this.stage]
  }

  build({ stage }) {
    const { text, frame } = this
    this.arrays = read(this.model, 'arrays')
    this.controls = this.choosers('order', 'measure')
    this.stepper = this.slider('stage', text.stageLabel, {
      everyMs: EVERY_MS,
      told: (at) => fill(text.stages[at], this.shown.values.share[0]),
    })
    const [low, high] = stage.bounds
    this.range = { low, high, start: low }
    this.guess = new Guess(text.guess, this.choosing('guess'))
    const chart = (place) =>
      new Chart(
        { title: '', x: text.x },
        {
          format: (value) => format(this.isShare(place) ? '.0%' : '.1f')(value),
          choose: (at) => this.stepper.go(at),
          probe: (at) => this.probed(place, at),
        },
      )
    this.charts = {
      first: chart(0),
      second: chart(1),
      third: chart(2),
      base: chart(3),
    }
    this.readouts = new Readouts(text)
    for (const { value } of this.readouts.rows) value.removeAttribute('class') // its `full` is no cost
    const elements = Object.values(this.charts).map(({ element }) => element)
    this.drawn = h('div', { class: 'charts' }, ...elements)
    this.numbers = h('div', {}, ...frame.part('readouts', this.readouts.element))
    frame.root.append(
      ...frame.part('choices', abreast(this.controls)),
      ...frame.part('guess', this.guess.element),
      this.stepper.element,
      this.drawn,
      this.numbers,
      frame.sentence,
      h('p', { class: 'note' }, fill(text.recorded, this.arrays)),
    )
  }

  /** The last place is that of the base's own voices, which have a loss only. */
  isShare(place) {
    return place < 3 && this.measure === 'share'
  }

  linesOf(place) {
    return place < 3 ? this.shown.lines[this.measure][place] : this.shown.base
  }

  /** Another order is chosen. */
  turn() {
    this.goOn()
    this.draw()
  }

  /** What no tick changes: the curves. */
  draw() {
    const { model, arrays, controls } = this
    const shown = (this.shown = arrays.orders[model.get('order')])
    for (const [name, { input }] of Object.entries(controls)) input.value = model.get(name)
    this.stepper.set({ ...this.range, value: model.get('stage') })
    const losses = shown.lines.loss.flatMap((lines) => Object.values(lines).flat())
    const high = this.measure === 'share' ? 1 : Math.max(...losses) * ROOM
    Object.values(this.charts).forEach((chart, place) => this.curves(chart, place, high))
    this.reveal()
  }

  /** One chart; those of the three tasks share their scale. */
  curves(chart, place, high) {
    const { text, shown, arrays, measure } = this
    const lines = Object.entries(this.linesOf(place)).map(([key, values]) => {
      const [label, kind] = arrays.ways[key]
      return { values, at: values.map((_, i) => i), label, kind }
    })
    const top = place < 3 ? high : Math.max(...lines.flatMap(({ values }) => values)) * ROOM
    const [low, most] = place < 3 ? shown.spans[measure][place] : shown.baseSpan
    const named = lines.map((line) => {
      const others = lines.filter((other) => other !== line)
      const [along, away] = clearest(line, others, 0) // there are four points only
      return { ...line, along, label: away < APART * top ? '' : line.label }
    })
    const title = place < 3 ? text.titles[measure] : text.titles.base
    const told = fill(title, { place: text.places[place], voice: shown.voices[place] })
    chart.element.querySelector('figcaption').textContent = chart.words.title = told
    chart.draw({
      k: shown.values.share.length - 1,
      y: [0, top],
      bands: [{ low, middle: low, high: most, kind: 'spread' }],
      lines: named,
      tick: (i) => text.ticks[i],
    })
  }

  /** The values of one chart at a stage, by way. */
  probed(place, at) {
    const { text, shown, arrays } = this
    if (!shown) return ''
    const template = text.probe[this.isShare(place) ? 'share' : 'loss']
    const each = Object.entries(this.linesOf(place)).map(([key, values]) =>
      fill(template, { name: arrays.ways[key][0], value: values[at] }),
    )
    return fill(text.probe.all, { told: text.ticks[at], each: each.join(', ') })
  }

  /** Show or veil what the guess is about. */
  reveal() {
    const { truth, values } = this.shown
    this.guess.show(this.guessed, { ...values.share[0], truth, high: 100 })
    for (const part of [this.drawn, this.numbers]) part.classList.toggle('waiting', this.guessed === 'ask')
    this.tick(this.stage)
  }

  /** Follow the slider. */
  tick(stage) {
    this.stepper.show(stage)
    for (const chart of Object.values(this.charts)) chart.move(stage)
    this.readouts.show(this.values, inCase(this.measure))
    this.frame.update()
  }

  sentence() {
    const { text, values, measure } = this
    return fill(this.guessed === 'ask' ? text.veiled : text.sentences[measure], values)
  }

  snippet() {
    return fill(this.shown.snippet, { stage: this.stage, measure: this.measure })
  }

  table() {
    return { head: this.shown.head[this.measure], rows: this.shown.rows[this.measure] }
  }

  get stem() {
    return this.model.get('order')
  }

  saves() {
    const { head, rows } = this.table()
    return { stages: () => [`${this.measure}.csv`, csv([head, ...rows])] }
  }
}

export default rendering(Sequence)
