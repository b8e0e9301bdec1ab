import { Chart } from '../kit/chart.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts, inCase } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const EVERY_MS = 900 // while it plays
const TOP = 1.06 // above all facts, so that a line there is seen

/** How many new facts each rank holds, and what is left of the old ones. */
class Capacity extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.tick(this.place)
  }

  /** Which of the numbers of facts. */
  get place() {
    return this.stepper.value
  }

  build({ facts }) {
    const { text, frame } = this
    this.arrays = read(this.model, 'arrays')
    const { counts, note } = this.arrays
    this.stepper = this.slider('facts', text.factsLabel, {
      everyMs: EVERY_MS,
      told: (i) => fill(text.facts, { count: counts[i] }),
    })
    const [low, high] = facts.bounds
    this.stepper.set({ low, high, value: this.model.get('facts'), start: low })
    const chart = (name) =>
      new Chart(text.charts[name], {
        format: format('.0%'),
        choose: () => {},
        probe: (i) => fill(text.charts[name].probe, this.arrays.cells[this.place][i]),
      })
    this.charts = { right: chart('right'), old: chart('old') }
    this.readouts = new Readouts(text)
    frame.root.append(
      h('p', { class: 'note' }, note),
      this.stepper.element,
      h('div', { class: 'charts' }, this.charts.right.element, ...frame.part('old', this.charts.old.element)),
      ...frame.part('readouts', this.readouts.element),
      frame.sentence,
    )
  }

  /** Every number that the sentence may use; __init__.py makes the same. */
  values() {
    const { counts, cells, full, before, enough } = this.arrays
    const [of, whole] = [cells[this.place], full[this.place]]
    const most = of.reduce((best, cell) => (cell.right > best.right ? cell : best))
    const found = of.find((cell) => cell.right >= enough) ?? most
    return {
      ...found,
      count: counts[this.place],
      held: (found.bits * found.numbers) / counts[this.place],
      before,
      first_right: of[0].right,
      full_right: whole.right,
      full_old: whole.old,
    }
  }

  get verdict() {
    const { right, r } = this.values()
    if (right < this.arrays.enough) return 'never'
    return r === this.arrays.ranks[0] ? 'first' : 'held'
  }

  sentence() {
    return fill(this.text.sentences[this.verdict], this.values())
  }

  /** Follow the number of facts: both charts, the read-outs, the sentence. */
  tick(place) {
    this.stepper.show(place)
    const { arrays, charts, text } = this
    const { counts, ranks, cells, full, before, mixed } = arrays
    const { right, old } = text.charts
    const values = this.values()
    const of = (name) => cells[place].map((cell) => cell[name])
    const common = { k: ranks.length - 1, y: [0, TOP], tick: (i) => ranks[i] }
    charts.right.draw({
      ...common,
      bands: [{ low: of('low'), middle: of('right'), high: of('high'), kind: 'spread' }],
      lines: [
        ...counts.flatMap((_, i) =>
          i === place
            ? []
            : [{ values: cells[i].map((cell) => cell.right), label: '', kind: 'kept thin', dot: 0 }],
        ),
        { values: of('right'), label: fill(right.curve, values), kind: 'kept', along: 0.3 },
      ],
      rules: [{ at: { y: full[place].right }, label: right.full, kind: 'control-1' }],
    })
    const lines = [{ values: of('old'), label: old.curve, kind: 'lost', along: 0.5 }]
    if (counts[place] === mixed.count)
      lines.push({ values: mixed.old, label: old.mixed, kind: 'lost squared', along: 0.5 })
    charts.old.draw({
      ...common,
      lines,
      rules: [
        { at: { y: full[place].old }, label: old.full, kind: 'control-1', left: true },
        { at: { y: before }, label: old.before, kind: 'control-1' },
      ],
    })
    for (const chart of Object.values(charts)) chart.move(ranks.indexOf(values.r))
    this.readouts.show(values, inCase(this.verdict))
    this.frame.update()
  }

  snippet() {
    return fill(this.arrays.snippet, this.values())
  }

  table() {
    const { cells, full } = this.arrays
    const rows = [...cells[this.place], { ...full[this.place], r: this.text.full }]
    return {
      head: this.text.tableHead,
      rows: rows.map((row) => this.text.tableRow.map((cell) => fill(cell, row))),
    }
  }

  get stem() {
    return 'capacity'
  }

  saves() {
    return {
      curves: () => ['facts.csv', this.asCsv()],
      picture: () => ['facts.svg', this.asPicture()],
    }
  }

  asCsv() {
    const { counts, cells, full } = this.arrays
    const names = ['numbers', 'right', 'low', 'high', 'old', 'stories', 'bits', 'rate']
    const lines = counts.flatMap((count, i) =>
      [...cells[i], { ...full[i], r: 'full' }].map((cell) => [
        count,
        cell.r,
        ...names.map((name) => cell[name]),
      ]),
    )
    return csv([['new_facts', 'r', ...names], ...lines])
  }
}

export default rendering(Capacity)
