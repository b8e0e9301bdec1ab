import { abreast } from '../kit/controls.js'
import { scaleLinear } from '../kit/d3.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { Scatter } from '../menu/scatter.js'
import { csv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const CHOSEN = ['task', 'shown', 'across', 'way']
const OF = { 'base-loss': 'base_loss' } // names that an address spells otherwise
const SHARES = ['facts', 'stories', 'right']
const ROOM = 1.06 // above the highest value

/** Runs as marks: those of one series are not joined, since five seeds stand at one rate. */
class Runs extends Scatter {
  get joins() {
    return false
  }

  upwards(range) {
    return scaleLinear(this.content.range, range)
  }

  kind(series) {
    const { marks, at, controls } = this.content
    return `${controls.includes(series) ? 'control' : 'kept'}${marks[at].series === series ? ' chosen' : ''}`
  }
}

/** What runs forget, against the size of their change. */
class Forgetting extends Instrument {
  constructor(model, el) {
    super(model, el)
    for (const name of CHOSEN) model.on(`change:${name}`, () => this.draw())
    this.draw()
  }

  build() {
    const { text, frame } = this
    this.arrays = read(this.model, 'arrays')
    for (const task of Object.values(this.arrays.tasks)) {
      const named = (mark) => Object.fromEntries(task.columns.map((name, i) => [name, mark[i]]))
      task.runs = task.marks.map(named)
    }
    this.controls = this.choosers(...CHOSEN)
    this.note = h('p', { class: 'note' })
    this.chart = new Runs({
      probe: (i) => this.said(i),
      choose: (i) => frame.shown('choices') && this.choose('way', this.task.slugs[this.task.runs[i].series]),
    })
    this.readouts = new Readouts(text)
    frame.root.append(
      ...frame.part('choices', abreast(this.controls)),
      ...frame.part('chart', this.chart.element),
      frame.sentence,
      ...frame.part('readouts', this.readouts.element),
      this.note,
    )
  }

  get task() {
    return this.arrays.tasks[this.model.get('task')]
  }

  /** What the height of a mark says. */
  get shown() {
    const name = this.model.get('shown')
    return OF[name] ?? name
  }

  /** Its name, as the choice has it. */
  get title() {
    const { options } = this.frame.spec.choices.shown
    return options.find(([value]) => value === this.model.get('shown'))[1]
  }

  /** Every number that the sentence may use; __init__.py makes the same. */
  values() {
    return this.task.ways[this.model.get('way')]
  }

  /** What the probe says of a run. */
  said(i) {
    const run = this.task.runs[i]
    return fill(this.text.probe, { ...run, label: this.task.names[run.series] })
  }

  draw() {
    const { model, controls, task, text, shown } = this
    for (const [name, { input }] of Object.entries(controls)) input.value = model.get(name)
    const values = this.values()
    const across = model.get('across')
    const series = task.slugs.indexOf(model.get('way'))
    const heights = task.runs.map((run) => run[shown])
    const before = task.before[shown]
    const marks = task.runs.map((run) => ({ series: run.series, x: run[across], y: run[shown] }))
    const highest = SHARES.includes(shown) ? 1 : Math.max(...heights)
    this.chart.draw({
      title: this.title,
      x: text.x[across],
      formatX: format(across === 'size' ? '.0%' : '~g'),
      format: format(SHARES.includes(shown) ? '.0%' : '~g'),
      range: [0, highest * ROOM],
      marks,
      controls: task.controls,
      names: task.names,
      at: task.runs.findIndex((run) => run.series === series && run.rate === values.at_rate),
      rules: before === undefined ? [] : [{ y: before, label: text.base }],
    })
    this.readouts.show(values)
    this.note.textContent = values.note
    this.frame.update()
  }

  sentence() {
    const values = this.values()
    return fill(this.text.sentences[values.case], values)
  }

  snippet() {
    return fill(this.arrays.snippet, this.values())
  }

  table() {
    return { head: this.text.tableHead, rows: this.task.rows }
  }

  get stem() {
    return `forgetting-${this.model.get('task')}`
  }

  saves() {
    return { runs: () => ['runs.csv', this.asCsv()] }
  }

  asPicture() {
    return super.asPicture([this.chart])
  }

  asCsv() {
    const { columns, runs, names } = this.task
    const [, ...measured] = columns
    const line = (run) => [names[run.series], ...measured.map((name) => run[name])]
    return csv([['what_learns', ...measured], ...runs.map(line)])
  }
}

export default rendering(Forgetting)
