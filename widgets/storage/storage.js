import { Chart } from '../kit/chart.js'
import { abreast } from '../kit/controls.js'
import { read } from '../kit/frame.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill } from '../kit/text.js'

const GB = 1e9
const MB = 1e6
const EVERY_MS = 30 // while it plays
const ROOM = 0.2 // above and below the curves, in powers of ten
const POINTS = 60 // of a curve: it bends
const CHOSEN = ['model', 'targets', 'r']
const RAISED = '⁰¹²³⁴⁵⁶⁷⁸⁹'

/** A power of ten, where the axis has a whole one. */
const power = (exponent) =>
  Number.isInteger(exponent)
    ? `10${exponent < 0 ? '⁻' : ''}${[...String(Math.abs(exponent))].map((digit) => RAISED[digit]).join('')}`
    : ''

/** One base and an adapter for each task, against a whole model for each. */
class Storage extends Instrument {
  constructor(model, el) {
    super(model, el)
    for (const name of CHOSEN) model.on(`change:${name}`, () => this.load())
    this.stepper.set({ low: 1, high: this.arrays.most, value: model.get('tasks'), start: 1 })
    this.load()
  }

  get tasks() {
    return this.stepper.value
  }

  build({ tasks }) {
    const { text, frame } = this
    this.arrays = read(this.model, 'arrays')
    this.controls = this.choosers(...CHOSEN)
    this.stepper = this.slider('tasks', tasks.label, { everyMs: EVERY_MS })
    this.readouts = new Readouts(text)
    this.chart = new Chart(text.chart, {
      format: power,
      probe: (i) => (this.state ? fill(text.chart.probe, this.probed(this.tasksAt(i))) : ''),
      choose: (i) => this.stepper.go(this.tasksAt(i)),
    })
    frame.root.append(
      ...frame.part('model', abreast(this.controls)),
      this.stepper.element,
      ...frame.part('chart', this.chart.element),
      this.readouts.element,
      frame.sentence,
    )
  }

  /** The chart has ten places for each power of ten. */
  tasksAt(i) {
    return Math.round(10 ** (i / 10))
  }

  /** Another model, targets or rank: all of it is arithmetic on the sizes that are here. */
  load() {
    const choice = (name) => this.model.get(name)
    for (const [name, { input }] of Object.entries(this.controls)) input.value = choice(name)
    const model = this.arrays.models[choice('model')]
    const target = model.targets[choice('targets')]
    this.state = { model, target, r: choice('r'), each: choice('r') * target.per_rank }
    this.draw()
    this.tick(this.tasks)
  }

  /** All numbers that the sentence may use; __init__.py makes the same. */
  values(tasks) {
    const { model, target, r, each } = this.state
    const { bytes } = this.arrays
    const copies = tasks * model.total * bytes
    const adapters = (model.total + tasks * each) * bytes
    return {
      tasks,
      label: model.label,
      r,
      targets: target.said,
      copies: copies / GB,
      adapters: adapters / GB,
      all_adapters: (tasks * each * bytes) / GB,
      ratio: copies / adapters,
      file: (each * bytes) / MB,
      total: model.total,
      each,
      per_rank: target.per_rank,
      bytes,
      limit: model.total / each,
    }
  }

  probed(tasks) {
    const { copies, adapters, ratio } = this.values(tasks)
    return { probed: tasks, probed_copies: copies, probed_adapters: adapters, probed_ratio: ratio }
  }

  draw() {
    const { most } = this.arrays
    const { copies, adapters, even } = this.text.chart
    const k = Math.round(10 * Math.log10(most))
    const at = Array.from({ length: POINTS + 1 }, (_, i) => (i * k) / POINTS)
    const along = at.map((i) => this.values(10 ** (i / 10)))
    const [copied, adapted] = ['copies', 'adapters'].map((name) => along.map((v) => Math.log10(v[name])))
    const rule = { at: { x: 10 * Math.log10(along[0].limit) }, label: even, kind: 'cost' }
    const top = Math.max(copied.at(-1), adapted.at(-1)) + 2 * ROOM // the name of the rule stands there
    this.chart.draw({
      k,
      y: [Math.min(copied[0], adapted[0]) - ROOM, top],
      lines: [
        { values: copied, at, label: copies, kind: 'control-1', along: 0.35 },
        { values: adapted, at, label: adapters, kind: 'cost', along: 0.93 },
      ],
      rules: [rule],
      tick: (i) => (i % 10 === 0 && i < k ? String(10 ** (i / 10)) : ''), // at the very end it would be cut
    })
  }

  /** Follow the slider. */
  tick(tasks) {
    this.stepper.show(tasks)
    const values = this.values(tasks)
    this.readouts.show(values)
    this.chart.move(10 * Math.log10(tasks))
    this.frame.update()
  }

  sentence() {
    return fill(this.text.sentence, this.values(this.tasks))
  }

  table() {
    const stops = [...new Set([...this.arrays.stops, this.tasks])].sort((a, b) => a - b)
    return this.tableOf(stops.map((tasks) => this.probed(tasks)))
  }

  snippet() {
    const { model, target, r } = this.state
    const { snippet, bytes } = this.arrays
    const { layers } = target
    return fill(snippet, { layers, n_layer: model.n_layer, total: model.total, tasks: this.tasks, r, bytes })
  }

  get stem() {
    const [model, targets, r] = CHOSEN.map((name) => this.model.get(name))
    return `${model}-${targets}-r${r}`
  }

  saves() {
    return {
      storage: () => ['storage.csv', this.asCsv()],
    }
  }

  asPicture() {
    return super.asPicture([this.chart])
  }

  /** In bytes, for every number of tasks. */
  asCsv() {
    const { model, each } = this.state
    const { bytes, most } = this.arrays
    const line = (_, i) => [i + 1, (i + 1) * model.total * bytes, (model.total + (i + 1) * each) * bytes]
    return csv([['tasks', 'copies_bytes', 'adapters_bytes'], ...Array.from({ length: most }, line)])
  }
}

export default rendering(Storage)
