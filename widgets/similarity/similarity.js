import { Chart } from '../kit/chart.js'
import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { csv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const EVERY_MS = 700
const LOOKS = {
  ranks: 'kept',
  'seeds small': 'kept second',
  'seeds large': 'kept thin',
  full: 'control-1',
  chance: 'control-0',
}
const ALONG = { ranks: 0.85, 'seeds small': 0.55, 'seeds large': 0.3, full: 0.7, chance: 0.9 }

/** How alike the first directions of two runs are, beside chance. */
class Similarity extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits('task')
    model.on('change:layer', () => this.draw())
    this.load()
  }

  build({ i }) {
    const { text, frame } = this
    this.controls = this.choosers('task', 'layer')
    this.stepper = this.slider('i', text.sliderLabel, {
      everyMs: EVERY_MS,
      told: (value) => fill(text.shown, { i: value }),
    })
    const [low, high] = i.bounds
    this.stepper.set({ low, high, value: this.model.get('i'), start: i.default })
    this.most = high
    this.charts = {
      curves: new Chart(text.chart, {
        format: format('.1f'),
        choose: (at) => this.stepper.go(Math.max(low, at)),
        probe: (at) => (this.data ? fill(text.chart.probe, this.values(Math.max(low, at))) : ''),
      }),
    }
    frame.root.append(
      ...frame.part('choices', abreast(this.controls)),
      this.stepper.element,
      h('div', { class: 'charts' }, ...frame.part('curves', this.charts.curves.element)),
      frame.sentence,
    )
  }

  load() {
    this.data = read(this.model, 'arrays')
    this.controls.task.input.value = this.model.get('task')
    this.draw()
  }

  /** All numbers that the sentence may use; __init__.py makes the same. */
  values(i = this.stepper.value) {
    const layer = this.model.get('layer')
    const { options } = this.frame.spec.choices.layer
    const named = ([name, each]) => [name.replace(' ', '_'), each[i - 1]]
    const found = Object.fromEntries(Object.entries(this.data.layers[layer]).map(named))
    return { ...this.data.told, i, layer_label: Object.fromEntries(options)[layer], ...found }
  }

  /** Draw what the slider does not change. */
  draw() {
    const { model, controls, charts, data, text, most } = this
    controls.layer.input.value = model.get('layer')
    const labels = { ...text.pairs, chance: text.chance }
    const line = ([name, values]) => ({
      values,
      at: values.map((_, i) => i + 1),
      label: labels[name],
      kind: LOOKS[name],
      along: ALONG[name],
    })
    charts.curves.draw({
      k: most,
      y: [0, 1],
      lines: Object.entries(data.layers[model.get('layer')]).map(line),
    })
    this.tick(this.stepper.value)
  }

  /** Follow the slider. */
  tick(i) {
    this.stepper.show(i)
    this.charts.curves.move(i)
    this.frame.update()
  }

  sentence() {
    return fill(this.text.sentence, this.values())
  }

  snippet() {
    return fill(this.data.snippet, this.values())
  }

  every() {
    return Array.from({ length: this.most }, (_, i) => this.values(i + 1))
  }

  table() {
    return this.tableOf(this.every())
  }

  get stem() {
    return `${this.data.key}-similarity`
  }

  saves() {
    return { curves: () => ['curves.csv', this.asCsv()] }
  }

  asCsv() {
    const head = ['i', 'ranks', 'seeds_small', 'seeds_large', 'full', 'chance']
    return csv([head, ...this.every().map((values) => head.map((name) => values[name]))])
  }
}

export default rendering(Similarity)
