import { Chart } from '../kit/chart.js'
import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { LevelChart } from '../kit/level.js'
import { Readouts, inCase } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'
import { Tolerated } from './tolerated.js'

const CHOOSE_MATRIX = ['task', 'n', 'seed']
const EVERY_MS = 250
const ROOM = 1.05 // above the highest value of a curve

/** Both errors of the best copy over r, the tolerance that the reader chooses, and where it is met. */
class Knee extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits(...CHOOSE_MATRIX)
    model.on('change:measure', () => this.draw())
    model.on('change:guess', () => this.reveal())
    this.load()
  }

  /** In percent. */
  get tolerance() {
    return this.stepper.value
  }

  get measure() {
    return this.model.get('measure')
  }

  /** [rank, verdict] at the present tolerance. */
  get found() {
    return this.data.found(this.measure, this.tolerance)
  }

  values() {
    return this.data.values(this.measure, this.tolerance, this.text.measures)
  }

  build({ tolerance }) {
    const { text, frame } = this
    this.controls = this.choosers(...CHOOSE_MATRIX, 'measure')
    const [low, high] = tolerance.bounds
    this.stepper = this.slider('tolerance', text.toleranceLabel, {
      everyMs: EVERY_MS,
      told: (value) => fill(text.tolerance, { tolerance: value / 100 }),
    })
    this.stepper.set({ low, high, value: this.model.get('tolerance'), start: tolerance.default })
    this.guess = new Guess(text.guess, this.choosing('guess'))
    this.note = h('p', { class: 'note' })
    this.charts = this.makeCharts()
    this.readouts = new Readouts(text)
    this.said = h('div', {}, this.readouts.element, frame.sentence)
    const { error, stored, s } = this.charts
    this.drawn = h(
      'div',
      { class: 'charts' },
      error.element,
      ...frame.part('stored', stored.element),
      ...frame.part('spectrum', s.element),
    )
    frame.root.append(
      ...frame.part('matrix', abreast(this.controls)),
      this.note,
      ...frame.part('guess', this.guess.element),
      this.stepper.element,
      this.drawn,
      this.said,
    )
  }

  makeCharts() {
    const chart = (kind, name, spec) =>
      new kind(this.text.charts[name], {
        format: format(spec),
        choose: (r) => this.stepper.go(this.data.meeting(this.measure, r)),
        probe: (r) => (this.data ? fill(this.text.charts[name].probe, this.data.at(r)) : ''),
      })
    return {
      error: chart(LevelChart, 'error', '.0%'),
      stored: chart(LevelChart, 'stored', ',d'),
      s: chart(Chart, 's', '.2~f'),
    }
  }

  load() {
    const before = this.data
    const data = (this.data = new Tolerated(read(this.model, 'arrays')))
    const idle = this.frame.spec.idle[this.model.get('task')] ?? []
    for (const name of CHOOSE_MATRIX) {
      const { input } = this.controls[name]
      input.disabled = idle.includes(name)
      input.value = input.disabled ? '' : this.model.get(name) // a value that does not apply would be read as one
    }
    this.note.textContent = data.note
    if (before && before.key !== data.key) this.goOn()
    this.reveal()
  }

  /** Show or veil what the guess is about. */
  reveal() {
    const { label, k, guessed } = this.data
    const guess = this.guessed
    const [truth] = this.data.found('norm', guessed)
    this.guess.show(guess, { label, truth, high: k, tolerance: guessed / 100 })
    for (const part of [this.said, this.drawn]) part.classList.toggle('waiting', guess === 'ask')
    this.draw()
  }

  /** Draw what no tick changes: the curves, their control, break-even and the guess. */
  draw() {
    const { data, charts, text, measure } = this
    const { k, share, noise, per, total, even, error, squared } = data
    this.controls.measure.input.value = measure
    const words = text.charts
    const first = (values, level) => values.findIndex((value) => value <= level) / (k + 1) // where a name stands
    const guess = Number(this.model.get('guess'))
    const squares = measure === 'squared'
    const [low, middle, high] = squares
      ? noise.error.map((row) => row.map((value) => value ** 2))
      : noise.error
    const breakEven = { at: { x: even }, label: fill(text.breakEven, data), kind: 'cost' }
    charts.error.draw({
      k,
      y: [0, 1],
      bands: [{ low, middle, high, label: text.noise, kind: 'control-0', along: first(middle, 0.3) }],
      lines: [
        {
          values: squared,
          label: words.error.squared,
          kind: 'lost squared',
          along: first(squared, 0.45),
        },
        {
          values: error,
          label: words.error.norm,
          kind: 'lost',
          along: first(error, 0.85),
        },
      ],
      rules: [breakEven],
      marks:
        guess <= k
          ? [{ x: guess, y: error[guess], kind: 'guess', label: fill(text.guess.guessMark, { guess }) }]
          : [],
    })
    charts.stored.draw({
      k,
      y: [0, k * per * ROOM],
      lines: [{ values: error.map((_, r) => r * per), label: words.stored.curve, kind: 'cost', along: 0.78 }],
      rules: [
        { at: { y: total }, label: words.stored.matrix, kind: 'control-1', left: true },
        { ...breakEven, low: true },
      ],
    })
    const band = { low: noise.s[0], middle: noise.s[1], high: noise.s[2], shift: 0.5 }
    charts.s.draw({
      k,
      y: [0, Math.max(share[0], noise.s[2][0]) * ROOM],
      bands: [{ ...band, label: words.s.noise, kind: 'control-0', along: 0.75 }],
      bars: share,
    })
    this.tick(this.tolerance)
  }

  /** Follow the tolerance: its line, the rank that meets it in all charts, the read-outs, the sentence. */
  tick(tolerance) {
    this.stepper.show(tolerance)
    const { charts, text, measure, data } = this
    const [rank, verdict] = this.found
    const values = this.values()
    const kind = verdict === 'flat' || verdict === 'full' ? 'truth absent' : 'truth'
    const label = fill(text.marks[verdict], values)
    charts.error.set({
      y: values.tolerance,
      label: fill(text.tolerance, values),
      left: rank > data.k / 2,
      marks: [{ x: rank, y: measure === 'norm' ? values.error : values.squared, label, kind }],
    })
    charts.stored.set({ marks: [{ x: rank, y: values.stored, label: '', kind: 'cost' }] })
    for (const chart of Object.values(charts)) chart.move(rank)
    this.readouts.show(values, inCase(verdict))
    this.frame.update()
  }

  sentence() {
    return fill(this.text.sentences[this.found[1]], this.values())
  }

  snippet() {
    return fill(this.data.snippets[this.measure], { tolerance: this.tolerance / 100 })
  }

  table() {
    return this.tableOf(this.data.error.map((_, r) => this.data.at(r)))
  }

  get stem() {
    return `${this.data.key}-knee`
  }

  saves() {
    return {
      curves: () => ['curves.csv', this.curvesAsCsv()],
    }
  }

  curvesAsCsv() {
    const head = ['r', 'relative_error', 'squared_error', 's', 'numbers_stored', 'noise_relative_error']
    const line = (_, r) => {
      const { error, squared, s, stored, noise_error } = this.data.at(r)
      return [r, error, squared, r ? s : '', stored, noise_error]
    }
    return csv([head, ...this.data.error.map(line)])
  }
}

export default rendering(Knee)
