import { Chart } from '../kit/chart.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { asCsv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const EVERY_MS = 1200 // while it plays: four stages, and a sentence to read at each
const TOP = 1.04 // a little above all of them right

/** Three sets of facts learned one after the other in five ways: what is left of each, and of what the base knew. */
class Sequence extends Instrument {
  constructor(model, el) {
    super(model, el)
    model.on('change:guess', () => this.reveal())
    this.curves()
    this.reveal()
  }

  get stage() {
    return this.stepper.value
  }

  get values() {
    return this.arrays.values[this.stage]
  }

  build({ stage }) {
    const { text, frame } = this
    this.arrays = read(this.model, 'arrays')
    this.stepper = this.slider('stage', text.stageLabel, { everyMs: EVERY_MS, told: (at) => text.stages[at] })
    const [low, high] = stage.bounds
    this.stepper.set({ low, high, value: this.model.get('stage'), start: low })
    this.guess = new Guess(text.guess, this.choosing('guess'))
    const [first, second, third, old] = text.titles.map(
      (title, place) =>
        new Chart(
          { title, x: text.x },
          {
            format: format('.0%'),
            choose: (at) => this.stepper.go(at),
            probe: (at) => this.probed(place, at),
          },
        ),
    )
    this.charts = { first, second, third, old }
    this.readouts = new Readouts(text)
    for (const { value } of this.readouts.rows) value.removeAttribute('class') // its `full` is no cost
    const elements = Object.values(this.charts).map(({ element }) => element)
    this.drawn = h('div', { class: 'charts' }, ...elements)
    this.numbers = h('div', {}, ...frame.part('readouts', this.readouts.element))
    frame.root.append(
      ...frame.part('guess', this.guess.element),
      this.stepper.element,
      this.drawn,
      this.numbers,
      frame.sentence,
      h('p', { class: 'note' }, this.arrays.about),
    )
  }

  /** What no tick changes. */
  curves() {
    const { text, arrays } = this
    Object.values(this.charts).forEach((chart, place) => {
      const lines = Object.entries(arrays.lines[place]).map(([key, values]) => {
        const [label, kind] = arrays.ways[key]
        return { values, at: values.map((_, i) => i), label, kind, optional: true }
      })
      const [low, high] = arrays.spans[place]
      chart.draw({
        k: arrays.values.length - 1,
        y: [0, TOP],
        bands: [{ low, middle: low, high, kind: 'spread' }],
        lines,
        tick: (i) => text.ticks[i],
      })
    })
  }

  /** The values of one chart at a stage, by way. */
  probed(place, at) {
    const { text, arrays } = this
    const each = Object.entries(arrays.lines[place]).map(([key, values]) =>
      fill(text.probe.each, { name: arrays.ways[key][0], value: values[at] }),
    )
    return fill(text.probe.all, { told: text.ticks[at], each: each.join(', ') })
  }

  /** Show or veil what the guess is about. */
  reveal() {
    const { arrays, values } = this
    this.guess.show(this.guessed, { ...values, truth: arrays.truth, high: 100 })
    for (const part of [this.drawn, this.numbers]) part.classList.toggle('waiting', this.guessed === 'ask')
    this.tick(this.stage)
  }

  /** Follow the slider. */
  tick(stage) {
    this.stepper.show(stage)
    for (const chart of Object.values(this.charts)) chart.move(stage)
    this.readouts.show(this.values)
    this.frame.update()
  }

  sentence() {
    return fill(this.guessed === 'ask' ? this.text.veiled : this.text.sentence, this.values)
  }

  snippet() {
    return fill(this.arrays.snippet, { stage: this.stage })
  }

  table() {
    const percent = format('.1%')
    const row = ([way, seed, at, ...shares]) => [way, seed, at, ...shares.map(percent)]
    return { head: this.text.tableHead, rows: this.arrays.rows.map(row) }
  }

  get stem() {
    return 'sets'
  }

  saves() {
    return { stages: () => ['right.csv', asCsv(this.table())] }
  }
}

export default rendering(Sequence)
