import { Chart, svgOf } from './lib/chart.js'
import { Stepper, integer, select } from './lib/controls.js'
import { h } from './lib/dom.js'
import { Frame, read } from './lib/frame.js'
import { csv, picture } from './lib/share.js'
import { fill } from './lib/text.js'

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
class Storage {
  constructor(model, el) {
    this.model = model
    this.arrays = read(model, 'arrays')
    this.frame = new Frame(model, el, {
      sentence: () => fill(this.text.sentence, this.values(this.tasks)),
      table: () => this.table(),
      snippet: () => this.snippet(),
      files: this.files(read(model, 'spec').text),
    })
    this.text = this.frame.spec.text
    this.build(this.frame.spec.choices)
    for (const name of CHOSEN) model.on(`change:${name}`, () => this.load())
    model.on('change:tasks', () => model.get('tasks') !== this.tasks && this.tick(model.get('tasks')))
    this.stepper.set({ low: 1, high: this.arrays.most, value: model.get('tasks'), start: 1 })
    this.load()
  }

  get tasks() {
    return this.stepper.value
  }

  build({ tasks, ...rules }) {
    const { text, frame } = this
    const choose = (name) => (value) => {
      this.model.set(name, value)
      this.model.save_changes()
    }
    const control = (name) => select(rules[name].label, rules[name].options, choose(name))
    this.controls = {
      model: control('model'),
      targets: control('targets'),
      r: integer(rules.r.label, rules.r.bounds, choose('r')),
    }
    this.stepper = new Stepper(
      { ...text, label: tasks.label },
      {
        onTick: (value) => this.tick(value),
        onSettled: choose('tasks'),
        buttons: frame.shown('steps'),
        everyMs: EVERY_MS,
      },
    )
    this.readouts = Object.keys(text.readouts).map((name) => [name, h('dd', { class: `of-${name}` })])
    const readout = ([name, value]) => h('div', {}, h('dt', {}, text.readouts[name]), value)
    this.chart = new Chart(text.chart, {
      format: power,
      probe: (i) => (this.state ? fill(text.chart.probe, this.probed(this.tasksAt(i))) : ''),
      choose: (i) => this.stepper.go(this.tasksAt(i)),
    })
    const controls = Object.values(this.controls).map(({ element }) => element)
    frame.root.append(
      ...frame.part('model', h('div', { class: 'controls' }, ...controls)),
      this.stepper.element,
      h('dl', { class: 'readouts' }, ...this.readouts.map(readout)),
      frame.sentence,
      ...frame.part('chart', this.chart.element),
      frame.announced,
      frame.drawers,
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

  /** All numbers that the sentence may use; widgets/storage.py makes the same. */
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
    for (const [name, value] of this.readouts) {
      value.textContent = fill(this.text.readoutValues[name], values)
    }
    this.chart.move(10 * Math.log10(tasks))
    this.frame.update()
  }

  table() {
    const stops = [...new Set([...this.arrays.stops, this.tasks])].sort((a, b) => a - b)
    const line = (tasks) => this.text.tableRow.map((cell) => fill(cell, this.probed(tasks)))
    return { head: this.text.tableHead, rows: stops.map(line) }
  }

  snippet() {
    const { model, target, r } = this.state
    const { snippet, bytes } = this.arrays
    const { layers } = target
    return fill(snippet, { layers, n_layer: model.n_layer, total: model.total, tasks: this.tasks, r, bytes })
  }

  files({ downloads }) {
    const chosen = (name) => this.model.get(name)
    const name = (what) => () => `${chosen('model')}-${chosen('targets')}-r${chosen('r')}-${what}`
    return [
      { label: downloads.storage, name: name('storage.csv'), type: 'text/csv', text: () => this.asCsv() },
      {
        label: downloads.picture,
        name: name('picture.svg'),
        type: 'image/svg+xml',
        text: () => this.asPicture(),
      },
    ]
  }

  /** In bytes, for every number of tasks. */
  asCsv() {
    const { model, each } = this.state
    const { bytes, most } = this.arrays
    const line = (_, i) => [i + 1, (i + 1) * model.total * bytes, (model.total + (i + 1) * each) * bytes]
    return csv([['tasks', 'copies_bytes', 'adapters_bytes'], ...Array.from({ length: most }, line)])
  }

  asPicture() {
    const drawn = [this.chart].filter(({ element }) => element.clientWidth)
    const charts = drawn.map((chart) => ({ title: chart.words.title, svg: svgOf(chart) }))
    return picture(this.frame.root, this.frame.sentence.textContent, [], charts)
  }
}

function render({ model, el }) {
  new Storage(model, el)
}

export default { render }
