import { Chart } from '../kit/chart.js'
import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const EVERY_MS = 900 // while it plays
const TOP = 1.15 // above all answers, so that a line there is seen and has room for its name

/** How few examples take a refusal away, beside as many wrong ones. */
class Refusal extends Instrument {
  constructor(model, el) {
    super(model, el)
    model.on('change:r', () => this.tick(this.place))
    this.tick(this.place)
  }

  /** Which of the numbers of examples. */
  get place() {
    return this.stepper.value
  }

  build({ examples }) {
    const { text, frame } = this
    this.arrays = read(this.model, 'arrays')
    const { counts, note } = this.arrays
    this.controls = this.choosers('r')
    this.stepper = this.slider('examples', text.examplesLabel, {
      everyMs: EVERY_MS,
      told: (i) => fill(text.examples, { count: counts[i] }),
    })
    const [low, high] = examples.bounds
    this.stepper.set({ low, high, value: this.model.get('examples'), start: low })
    const chart = (name, more) =>
      new Chart(text.charts[name], {
        format: format('.0%'),
        choose: () => {},
        probe: (i) => fill(text.charts[name].probe, this[name](i)),
        ...more,
      })
    this.charts = {
      steps: chart('steps'),
      examples: chart('examples', { choose: (i) => this.stepper.go(i) }),
    }
    this.readouts = new Readouts(text)
    frame.root.append(
      h('p', { class: 'note' }, note),
      ...frame.part('choices', abreast(this.controls)),
      this.stepper.element,
      h(
        'div',
        { class: 'charts' },
        this.charts.steps.element,
        ...frame.part('over', this.charts.examples.element),
      ),
      ...frame.part('readouts', this.readouts.element),
      frame.sentence,
    )
  }

  /** The chosen size: its values for each number of examples. */
  get size() {
    return this.arrays.ways[this.model.get('r')]
  }

  get curves() {
    return this.arrays.curves[this.model.get('r')][this.place]
  }

  /** Every number that the sentence may use; __init__.py makes them. */
  values() {
    return this.size[this.place]
  }

  /** What is told of a place of each chart. */
  steps(i) {
    const { right, refusing, wrong } = this.curves
    return { step: this.arrays.looks[i], right: right[i], refused: refusing[i], wrong: wrong[i] }
  }

  examples(i) {
    return this.size[i]
  }

  get verdict() {
    const { right, before } = this.values()
    const [open, part] = this.arrays.bounds
    return right / before >= open ? 'open' : right / before >= part ? 'part' : 'shut'
  }

  sentence() {
    return fill(this.text.sentences[this.verdict], this.values())
  }

  /** Follow the choices: both charts, the read-outs, the sentence. */
  tick(place) {
    this.stepper.show(place)
    this.controls.r.input.value = this.model.get('r')
    const { arrays, charts, text, size, curves } = this
    const { looks, counts } = arrays
    const { steps, examples } = text.charts
    const values = this.values()
    const of = (name) => size.map((cell) => cell[name])
    const before = (words) => ({
      at: { y: values.before },
      label: words.before,
      kind: 'control-0',
    })
    charts.steps.draw({
      k: looks.length - 1,
      y: [0, TOP],
      tick: (i) => looks[i],
      lines: [
        { values: curves.wrong, label: steps.wrong, optional: true, kind: 'control-1', along: 0.6 },
        { values: curves.refusing, label: steps.refused, kind: 'lost', along: 0.15 },
        { values: curves.right, label: steps.right, kind: 'kept', along: 0.55 },
      ],
      rules: [before(steps)],
    })
    charts.examples.draw({
      k: counts.length - 1,
      y: [0, TOP],
      tick: (i) => counts[i],
      bands: [{ low: of('low'), middle: of('right'), high: of('high'), kind: 'spread' }],
      lines: [
        { values: of('wrong'), label: examples.wrong, kind: 'control-1', along: 0.7 },
        { values: of('fears'), label: examples.fears, kind: 'lost squared', along: 0.2 },
        { values: of('right'), label: examples.right, kind: 'kept', along: 0.5 },
      ],
      rules: [before(examples)],
    })
    charts.steps.move(looks.indexOf(values.steps))
    charts.examples.move(place)
    this.readouts.show(values)
    this.frame.update()
  }

  snippet() {
    return fill(this.arrays.snippet, this.values())
  }

  table() {
    return this.tableOf(this.size)
  }

  get stem() {
    return 'refusal'
  }

  saves() {
    return { curves: () => ['shares.csv', this.asCsv()] }
  }

  asCsv() {
    const { ways, counts } = this.arrays
    const names = [
      'numbers',
      'right',
      'low',
      'high',
      'wrong',
      'refused',
      'fears',
      'tells',
      'stories',
      'steps',
      'rate',
    ]
    const lines = Object.entries(ways).flatMap(([size, cells]) =>
      cells.map((cell, i) => [size, counts[i], ...names.map((name) => cell[name])]),
    )
    return csv([['size', 'examples', ...names], ...lines])
  }
}

export default rendering(Refusal)
