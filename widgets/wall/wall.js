import { abreast } from '../kit/controls.js'
import { format } from '../kit/d3.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { LevelChart } from '../kit/level.js'
import { Readouts, inCase } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill } from '../kit/text.js'

const EVERY_MS = 250
const ROOM = 1.08 // above the highest value of a curve
const BELOW = -0.14 // of the highest value: room for names under the floor

/** How far LoRA's final loss stays above that of full finetuning, over r and for all tasks. */
class Wall extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits('task')
    this.load()
  }

  /** In hundredths of a nat. */
  get tolerance() {
    return this.stepper.value
  }

  build({ tolerance }) {
    const { text, frame } = this
    this.controls = this.choosers('task')
    const [low, high] = tolerance.bounds
    this.stepper = this.slider('tolerance', text.toleranceLabel, {
      everyMs: EVERY_MS,
      told: (value) => fill(text.tolerance, { tolerance: value / 100 }),
    })
    this.stepper.set({ low, high, value: this.model.get('tolerance'), start: tolerance.default })
    this.note = h('p', { class: 'note' })
    const chart = (name, spec) =>
      new LevelChart(text.charts[name], {
        format: format(spec),
        choose: (i) => this.stepper.go(this.meeting(i)),
        probe: (i) => (this.arrays ? fill(text.charts[name].probe, this.at(i)) : ''),
      })
    this.charts = { gap: chart('gap', '.1f'), cost: chart('cost', '~s') }
    this.readouts = new Readouts(text)
    frame.root.append(
      ...frame.part('task', abreast(this.controls)),
      this.note,
      this.stepper.element,
      h(
        'div',
        { class: 'charts wide' },
        this.charts.gap.element,
        ...frame.part('cost', this.charts.cost.element),
      ),
      this.readouts.element,
      frame.sentence,
    )
  }

  /** The smallest tolerance that the i-th r or a smaller one meets, or the largest there is. */
  meeting(i) {
    const { knees, key, ranks } = this.arrays
    const found = knees[key].findIndex((r) => r !== null && r <= ranks[i])
    return found < 0 ? knees[key].length : found + 1
  }

  /** Every number that a probe of the i-th r may use; __init__.py makes the same. */
  at(i) {
    const { ranks, label, losses, full, key, trainable, full_trainable } = this.arrays
    return {
      r: ranks[i],
      label,
      loss: losses[key][i],
      full: full[key],
      trainable: trainable[i],
      full_trainable,
    }
  }

  /** The place of the knee of a task at the present tolerance, -1 if there is none. */
  knee(task) {
    return this.arrays.ranks.indexOf(this.arrays.knees[task][this.tolerance - 1])
  }

  /** The knee of the task, or else the r that comes closest. */
  get place() {
    const { losses, key } = this.arrays
    const knee = this.knee(key)
    return knee < 0 ? losses[key].indexOf(Math.min(...losses[key])) : knee
  }

  /** Every number that the sentence may use; __init__.py makes the same. */
  values() {
    const { key, with_rank, with_trainable, with: learned } = this.arrays
    const values = { ...this.at(this.place), tolerance: this.tolerance / 100 }
    return key in learned ? { ...values, with_rank, with_loss: learned[key], with_trainable } : values
  }

  get verdict() {
    return this.knee(this.arrays.key) < 0 ? 'wall' : 'knee'
  }

  sentence() {
    const { sentences, embeddings } = this.text
    const more = this.arrays.key in this.arrays.with ? embeddings : ''
    return fill(sentences[this.verdict] + more, this.values())
  }

  /** Draw what no tick changes: the curves, the floor, the runs whose embeddings learned too. */
  load() {
    const arrays = (this.arrays = read(this.model, 'arrays'))
    const { charts, text } = this
    const { key, ranks, losses, full, trainable, full_trainable, with: learned } = arrays
    this.controls.task.input.value = this.model.get('task')
    this.note.textContent = arrays.note
    const k = ranks.length - 1
    const tick = (i) => ranks[i]
    const gaps = Object.entries(losses).map(([task, values]) => [
      task,
      values.map((loss) => loss - full[task]),
    ])
    this.gaps = Object.fromEntries(gaps)
    const highest = Math.max(...gaps.flatMap(([, values]) => values))
    const at = ranks.indexOf(arrays.with_rank)
    const marks = Object.entries(learned).map(([task, loss]) => ({
      x: at,
      y: loss - full[task],
      kind: 'embeddings',
      label: task === key ? text.marks.embeddings : '',
      lift: -1.1,
    }))
    gaps.sort(([one], [other]) => (one === key) - (other === key)) // the chosen one is drawn last, on top
    charts.gap.draw({
      k,
      y: [highest * BELOW, highest * ROOM],
      lines: gaps.map(([task, values]) => ({
        values,
        label: text.names[task],
        kind: task === key ? 'kept' : 'kept thin',
        along: 1,
        anchor: 'end',
        dot: task === key ? 4 : 0,
      })),
      rules: [{ at: { y: 0 }, label: text.charts.gap.full, kind: 'control-1', below: true }],
      marks,
      tick,
    })
    charts.cost.draw({
      k,
      y: [0, full_trainable * ROOM],
      lines: [{ values: trainable, label: text.charts.cost.curve, kind: 'cost', along: 1, anchor: 'end' }],
      rules: [
        {
          at: { y: full_trainable },
          label: text.charts.cost.full,
          kind: 'control-1',
          left: true,
          below: true,
        },
      ],
      marks: arrays.with_trainable
        ? [{ x: at, y: arrays.with_trainable, kind: 'embeddings', label: text.marks.embeddings }]
        : [],
      tick,
    })
    this.tick(this.tolerance)
  }

  /** Follow the tolerance: its line, the knees, the read-outs, the sentence. */
  tick(tolerance) {
    this.stepper.show(tolerance)
    const { arrays, charts, text, gaps, place, verdict } = this
    const values = this.values()
    const label = fill(text.marks[verdict], values)
    const others = Object.keys(gaps).filter((task) => task !== arrays.key && this.knee(task) >= 0)
    const marks = others.map((task) => {
      const x = this.knee(task)
      return { x, y: gaps[task][x], kind: 'knee thin', label: '' }
    })
    const kind = verdict === 'wall' ? 'knee absent' : 'knee'
    // At the first r the name of the tolerance stands on the left, so that of the knee goes below.
    marks.push({ x: place, y: gaps[arrays.key][place], kind, label, lift: place ? 0.5 : -1.1 })
    charts.gap.set({ y: values.tolerance, label: fill(text.tolerance, values), left: true, marks })
    charts.cost.set({ marks: [{ x: place, y: values.trainable, label: '', kind: 'cost' }] })
    for (const chart of Object.values(charts)) chart.move(place)
    this.readouts.show(values, inCase(verdict))
    this.frame.update()
  }

  snippet() {
    return fill(this.arrays.snippet, { tolerance: this.tolerance / 100 })
  }

  table() {
    return { head: this.text.tableHead, rows: this.arrays.rows }
  }

  get stem() {
    return 'real-knee'
  }

  saves() {
    return {
      curves: () => ['losses.csv', this.asCsv()],
      picture: () => [`${this.model.get('task')}.svg`, this.asPicture()],
    }
  }

  asCsv() {
    const { ranks, losses, full, trainable, full_trainable } = this.arrays
    const tasks = Object.keys(losses)
    const line = (r, i) => [r, trainable[i], ...tasks.map((task) => losses[task][i])]
    return csv([
      ['r', 'numbers_trained', ...tasks],
      ...ranks.map(line),
      ['full', full_trainable, ...tasks.map((task) => full[task])],
    ])
  }
}

export default rendering(Wall)
