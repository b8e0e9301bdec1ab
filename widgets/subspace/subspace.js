import { Chart } from '../kit/chart.js'
import { Stepper } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const EVERY_MS = 900 // while it plays: time to see three charts move
const ROOM = 1.05 // above the highest value
const LABEL_AT = 0.22 // of the axis
const OTHER_AT = 0.95 // along the curve of another task: at their ends they are furthest apart
const OTHERS = ['faint', 'control-0'] // each its own dash
const brief = format('~s') // 10k: nine of them fit below a chart

/** The mean of the seeds, as many digits as the record has; __init__.py makes the same. */
const mean = (values) => Math.round((1e4 * values.reduce((sum, x) => sum + x, 0)) / values.length) / 1e4

/** Finetuning with D numbers: how much comes right, and the spectrum of the change that they make. */
class View extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits('task')
    model.on('change:layer', () => this.draw())
    model.on('change:D', () => this.index !== this.at && this.tick(this.index))
    this.load()
  }

  get at() {
    return this.stepper.value
  }

  /** Where the D of the model stands among the recorded ones. */
  get index() {
    return this.data.dimensions.indexOf(Number(this.model.get('D')))
  }

  get layerName() {
    return this.model.get('layer')
  }

  build() {
    const { text, frame } = this
    this.controls = this.choosers('task', 'layer')
    this.stepper = new Stepper(
      { ...text, label: text.sliderLabel },
      {
        onTick: (at) => this.tick(at),
        onSettled: (at) => this.choose('D', String(this.data.dimensions[at])),
        buttons: frame.shown('steps'),
        everyMs: EVERY_MS,
      },
    )
    const chart = (name, spec, values, choose) =>
      new Chart(text.charts[name], {
        format: format(spec),
        choose,
        probe: (i) => (this.data ? fill(text.charts[name].probe, values(i)) : ''),
      })
    const go = (at) => this.stepper.go(at)
    this.charts = {
      right: chart('right', '.0%', (at) => this.values(at), go),
      r90: chart('r90', '~g', (at) => this.values(at), go),
      s: chart(
        's',
        '~g',
        (i) => this.direction(i),
        () => {},
      ),
    }
    this.note = h('p', { class: 'note' })
    this.readouts = new Readouts(text, text.readoutControls)
    const { right, r90, s } = this.charts
    frame.root.append(
      h(
        'div',
        { class: 'controls' },
        ...frame.part('task', this.controls.task.element),
        this.controls.layer.element,
      ),
      this.note,
      this.stepper.element,
      h(
        'div',
        { class: 'charts' },
        ...frame.part('right', right.element),
        ...frame.part('r90', r90.element),
        ...frame.part('values', s.element),
      ),
      frame.sentence,
      this.readouts.element,
    )
  }

  load() {
    this.data = read(this.model, 'arrays')
    const high = this.data.dimensions.length - 1
    this.controls.task.input.value = this.model.get('task')
    this.note.textContent = this.data.note
    this.stepper.set({ low: 0, high, value: this.index, start: 0 })
    this.draw()
  }

  /** All numbers that a sentence about the at-th D may use; __init__.py makes the same. */
  values(at) {
    const { data, layerName } = this
    const { label, measure, weights, level, seeds, before, floor, before_loss, floor_loss } = data
    const layer = data.layers[layerName]
    const [rights, losses] = [data.right[at], data.loss[at]]
    return {
      ...{ label, measure, weights, level, seeds, before, floor, before_loss, floor_loss },
      D: data.dimensions[at],
      rate: data.rates[at],
      right: mean(rights),
      right_low: Math.min(...rights),
      right_high: Math.max(...rights),
      loss: mean(losses),
      layer: layerName,
      k: layer.full.length,
      rank: layer.rank[at],
      r90: layer.r90[at],
      noise_r90: layer.noise_r90,
      full_r90: layer.full_r90,
    }
  }

  /** What the chart of singular values says of the i-th direction. */
  direction(i) {
    const layer = this.data.layers[this.layerName]
    const last = Math.max(0, i - 1)
    const noise_s = this.data.noise[layer.shape][1][last]
    return { i, s: layer.spectra[this.at][last], noise_s, full_s: layer.full[last] }
  }

  /** Draw what does not change with D. */
  draw() {
    const { data, charts, text } = this
    this.controls.layer.input.value = this.layerName
    const k = data.dimensions.length - 1
    const every = data.dimensions.map((_, at) => this.values(at))
    const of = (name) => every.map((values) => values[name])
    const { noise_r90, full_r90, k: directions } = every[0]
    const tick = (at) => brief(data.dimensions[at])
    const curve = { label: text.curve, kind: 'kept', along: 0.75 }
    const { before, floor, others } = data
    charts.right.draw({
      k,
      tick,
      y: [0, 1],
      bands: [{ low: of('right_low'), high: of('right_high'), middle: of('right'), kind: 'kept' }],
      lines: [
        ...others.map(({ label, right }, i) => ({ values: right, label, kind: OTHERS[i], along: OTHER_AT })),
        { values: of('right'), label: text.curve, kind: 'kept', along: 0.3 },
      ],
      rules: [
        { at: { y: before }, label: text.base, kind: 'control-0' },
        { at: { y: floor }, label: text.full, kind: 'control-1', left: true },
      ],
    })
    charts.r90.draw({
      k,
      tick,
      y: [0, directions],
      lines: [{ values: of('r90'), ...curve, along: 0.15 }],
      rules: [
        { at: { y: noise_r90 }, label: text.noise, kind: 'control-0' },
        { at: { y: full_r90 }, label: text.full, kind: 'control-1', left: true },
      ],
    })
    this.tick(this.at)
  }

  /** Follow the slider: the line in the curves, the singular values, the numbers. */
  tick(at) {
    const { data, charts, text, stepper } = this
    const values = this.values(at)
    stepper.show(at)
    stepper.output.value = fill(text.shown, values)
    stepper.slider.setAttribute('aria-valuetext', fill(text.shown, values))
    for (const name of ['right', 'r90']) charts[name].move(at)
    const layer = data.layers[this.layerName]
    const share = layer.spectra[at]
    const [low, middle, high] = data.noise[layer.shape]
    charts.s.draw({
      k: share.length,
      y: [0, Math.max(layer.full[0], high[0], ...data.layers[this.layerName].spectra.map(([s]) => s)) * ROOM],
      bands: [{ low, middle, high, label: text.noise, kind: 'control-0', shift: 0.5, along: 0.7 }],
      lines: [
        { values: layer.full, at: layer.full.map((_, i) => i + 0.5), kind: 'control-1', dot: 0 },
        // One point, for its label: beside the curve, where no bar is.
        {
          values: [layer.full[1]],
          at: [LABEL_AT * share.length],
          label: text.full,
          kind: 'control-1',
          dot: 0,
        },
      ],
      bars: share,
    })
    charts.s.move(values.r90)
    this.readouts.show(values)
    this.frame.update()
  }

  sentence() {
    return fill(this.text.sentence, this.values(this.at))
  }

  snippet() {
    return fill(this.data.snippet, this.values(this.at))
  }

  table() {
    return this.tableOf(this.data.dimensions.map((_, at) => this.values(at)))
  }

  get stem() {
    return `subspace-${this.data.key}`
  }

  saves() {
    return {
      curves: () => ['curves.csv', this.asCsv()],
    }
  }

  asCsv() {
    const head = ['D', 'rate', 'right', 'right_low', 'right_high', 'loss', 'rank', 'r90']
    const line = (_, at) => head.map((name) => this.values(at)[name])
    return csv([head, ...this.data.dimensions.map(line)])
  }
}

export default rendering(View)
