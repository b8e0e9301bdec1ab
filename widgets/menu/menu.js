import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { Scatter } from './scatter.js'
import { csv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const CHOSEN = ['task', 'shown', 'method', 'size']
const seeds = (name) => [name, `${name}_low`, `${name}_high`]
const timed = (n) => ['time', 'low', 'high', 'merged'].map((name) => `${name}_${n}`)
// What a mark shows: its height, the ends of its line, and the height of the merged form.
const HEIGHTS = {
  right: seeds('right'),
  loss: seeds('loss'),
  forgetting: seeds('facts'),
  'time-1': timed(1),
  'time-32': timed(32),
  step: ['step', 'low_step', 'high_step'],
}
const SHARES = ['right', 'forgetting']
const COLUMNS = [
  'method',
  'place',
  'trainable',
  'rate',
  ...seeds('loss'),
  ...seeds('right'),
  ...seeds('facts'),
  'gap',
  'gap_low',
  'gap_high',
  ...timed(1),
  ...timed(32),
  ...HEIGHTS.step,
]
const CASES = { merged: ({ merged_1 }) => (merged_1 === null ? 'no' : 'yes') }

/** All methods of finetuning on one task, against the numbers that they train. */
class Menu extends Instrument {
  constructor(model, el) {
    super(model, el)
    for (const name of CHOSEN) model.on(`change:${name}`, () => this.draw())
    model.on('change:guess', () => this.reveal())
    this.draw()
    this.reveal()
  }

  build() {
    const { text, frame } = this
    this.arrays = read(this.model, 'arrays')
    this.controls = this.choosers(...CHOSEN)
    this.guess = new Guess(text.guess, this.choosing('guess'))
    this.note = h('p', { class: 'note' })
    this.chart = new Scatter({
      probe: (i) => fill(text.charts[this.model.get('shown')].probe, this.task.points[i]),
      choose: (i) => frame.shown('choices') && this.pick(this.task.points[i]),
    })
    this.drawn = h('div', {}, this.chart.element)
    this.readouts = new Readouts(text)
    this.told = h('div', {}, this.readouts.element)
    this.ranks = h('div', { class: 'ways' })
    frame.root.append(
      ...frame.part('guess', this.guess.element),
      ...frame.part('choices', abreast(this.controls)),
      ...frame.part('chart', this.drawn),
      frame.sentence,
      this.note,
      ...frame.part('readouts', this.told),
      ...frame.part('ranks', this.ranks),
      h('p', { class: 'note' }, this.arrays.about),
    )
  }

  get task() {
    return this.arrays.tasks[this.model.get('task')]
  }

  /** Place of the chosen method and size among the points. */
  get at() {
    const [method, size] = ['method', 'size'].map((name) => this.model.get(name))
    return this.task.points.findIndex((point) => point.method === method && (point.place ?? size) === size)
  }

  /** A mark was picked: its method, and its size where it has one. */
  pick({ method, place }) {
    this.choose('method', method)
    if (place) this.choose('size', place)
  }

  /** Every number that the sentence may use; __init__.py makes the same. */
  values() {
    const { points, rows, ranks, ...task } = this.task
    return { ...points[this.at], ...task }
  }

  draw() {
    const { model, controls } = this
    for (const [name, { input }] of Object.entries(controls)) input.value = model.get(name)
    const values = this.values()
    controls.size.input.disabled = values.place === null
    this.note.textContent = values.note
    this.plot(model.get('shown'))
    this.readouts.show(values, (template, name) => template[CASES[name]?.(values)] ?? template)
    this.left(values)
    this.frame.update()
  }

  /** Show or veil what the guess is about. */
  reveal() {
    const asked = this.guessed === 'ask'
    const { guessed: guess, arrays } = this
    const { rights, numbers, close, lowest } = arrays.guessed
    const truth = close.includes(guess) ? guess : lowest // chance decides among those
    this.guess.show(guess, { ...arrays.guessed, truth, its: rights[guess], its_numbers: numbers[guess] })
    for (const part of [this.drawn, this.told]) part.classList.toggle('waiting', asked)
    this.frame.update()
  }

  /** The marks: their height is a share or a loss, with its seeds, or a time, with half of its rounds. */
  plot(shown) {
    const { text, task } = this
    const names = [...new Set(task.points.map(({ label }) => label))]
    const [y, from, to, merged] = HEIGHTS[shown]
    const marks = task.points.map((point) => ({
      series: names.indexOf(point.label),
      x: point.trainable,
      y: point[y],
      from: point[from],
      to: point[to],
      merged: point[merged],
    }))
    this.chart.draw({
      title: text.charts[shown].title,
      x: text.x,
      formatX: format(',d'),
      format: format(SHARES.includes(shown) ? '.0%' : '.2~f'),
      linear: SHARES.includes(shown),
      marks,
      names,
      at: this.at,
      rules: [{ y: this.ruled(shown), label: text.rules[shown] }],
    })
  }

  /** The height of the grey line: what full finetuning comes to, or what the base does. */
  ruled(shown) {
    const { full, before_right, before_facts } = this.task
    return { loss: full, right: before_right, forgetting: before_facts }[shown] ?? 1
  }

  /** What AdaLoRA left of its directions, where it is the method chosen. */
  left({ method, place }) {
    const { text, task, arrays } = this
    this.ranks.hidden = method !== 'adalora'
    if (this.ranks.hidden) return
    const { title, block, head } = text.ranks
    const blocks = task.ranks[place]
    const line = (layer, i) => {
      const cells = blocks.map((ranks) => h('td', {}, ranks[i]))
      return h('tr', {}, h('th', { scope: 'row' }, layer), ...cells)
    }
    const top = [head, ...blocks.map((_, i) => fill(block, { number: i }))]
    this.ranks.replaceChildren(
      h('h3', {}, fill(title, { start: arrays.start[place] })),
      h(
        'table',
        {},
        h('thead', {}, h('tr', {}, ...top.map((name) => h('th', { scope: 'col' }, name)))),
        h('tbody', {}, ...arrays.layers.map(line)),
      ),
    )
  }

  sentence() {
    const which = this.text[this.guessed === 'ask' ? 'veiled' : 'sentences']
    return fill(which[this.model.get('task')], this.values())
  }

  snippet() {
    return fill(this.arrays.snippet, this.values())
  }

  table() {
    return { head: this.text.tableHead, rows: this.task.rows }
  }

  get stem() {
    return `menu-${this.model.get('task')}`
  }

  saves() {
    return { points: () => ['points.csv', this.asCsv()] }
  }

  asPicture() {
    return super.asPicture([this.chart])
  }

  asCsv() {
    const line = (point) => COLUMNS.map((name) => point[name] ?? '')
    return csv([COLUMNS, ...this.task.points.map(line)])
  }
}

export default rendering(Menu)
