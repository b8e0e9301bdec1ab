import { Bars } from './bars.js'
import { Chart } from '../kit/chart.js'
import { Cost } from './cost.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill } from '../kit/text.js'

const EVERY_MS = 120 // while it plays
const MOST = 999999 // a guess
const APART = 3 // times as many: two lines in the chart whose names do not meet
const ROOM = 0.2 // above and below the curve, in powers of ten
const SELECTS = ['model', 'targets', 'precision', 'batch', 'context', 'scale']
const RAISED = '⁰¹²³⁴⁵⁶⁷⁸⁹'

/** A power of ten, where the axis has a whole one. */
const power = (exponent) =>
  Number.isInteger(exponent) ? `10${[...String(exponent)].map((digit) => RAISED[digit]).join('')}` : ''

/** What full finetuning, LoRA and QLoRA train and keep in memory, for published models. */
class Counting extends Instrument {
  constructor(model, el) {
    super(model, el)
    for (const name of SELECTS) model.on(`change:${name}`, () => this.tick(this.r))
    model.on('change:guess', () => this.reveal())
    const { k } = this.cost.arrays
    this.stepper.set({ low: 1, high: k, value: Math.min(model.get('r'), k), start: 1 })
    this.tick(this.r)
    this.reveal()
  }

  get r() {
    return this.stepper.value
  }

  build({ r }) {
    const { text, frame } = this
    this.cost = new Cost(read(this.model, 'arrays'))
    this.controls = this.choosers(...SELECTS)
    const row = (...names) =>
      h('div', { class: 'controls' }, ...names.map((name) => this.controls[name].element))
    this.note = h('p', { class: 'note' })
    this.stepper = this.slider('r', r.label, { everyMs: EVERY_MS })
    this.guess = new Guess(text.guess, this.choosing('guess'))
    this.readouts = new Readouts(text)
    this.said = h('div', {}, this.readouts.element, frame.sentence)
    this.bars = new Bars(text.bars)
    this.memory = h('div', { class: 'memory' }, this.bars.element, row('batch', 'context', 'scale'))
    this.chart = new Chart(text.chart, {
      format: power,
      probe: (i) => (this.state ? fill(text.chart.probe, this.atRank(Math.round(2 ** i))) : ''),
      choose: (i) => this.stepper.go(Math.round(2 ** i)),
    })
    frame.root.append(
      ...frame.part('model', row('model', 'targets', 'precision')),
      this.note,
      this.stepper.element,
      ...frame.part('guess', this.guess.element),
      ...frame.part('memory', this.memory),
      ...frame.part('numbers', this.chart.element),
      this.said,
    )
  }

  /** What the reader has chosen, and rank r. */
  chosen(r) {
    const choice = (name) => [name, this.model.get(name)]
    return this.cost.at({ ...Object.fromEntries(SELECTS.map(choice)), r })
  }

  atRank(rank) {
    const { model, target } = this.state
    const trained = rank * target.per_rank
    return { ...this.values, rank, rank_trained: trained, rank_share: trained / model.total }
  }

  /** Follow any choice: all of it is arithmetic on the sizes that are here. */
  tick(r) {
    const { text, cost } = this
    this.stepper.show(r)
    for (const [name, { input }] of Object.entries(this.controls)) input.value = this.model.get(name)
    const before = this.state
    const state = (this.state = this.chosen(r))
    this.values = cost.values(state)
    this.rows = cost.bars(state, text.methods)
    this.note.textContent = state.model.note + (state.cut ? fill(text.shorter, this.values) : '')
    this.readouts.show(this.values)
    this.drawBars()
    if (before?.target !== state.target) this.drawNumbers()
    this.chart.move(Math.log2(r))
    if (this.model.get('guess') === 'ask') this.reveal()
    this.frame.update()
  }

  drawBars() {
    const { cards } = this.cost.arrays
    const longest = Math.max(...this.rows.map(({ sum }) => sum))
    const ofCards = this.model.get('scale') === 'cards'
    const rows = this.rows.map((row) => ({
      label: this.card(this.text.bars, row),
      parts: {
        weights: row.weights,
        gradients: row.gradients,
        optimiser: row.optimiser,
        activations: row.extra,
      },
    }))
    this.bars.draw({ rows, rules: cards, top: ofCards ? cards.at(-1) * 1.1 : longest * 1.02 })
  }

  /** Say which card is large enough, or how many it takes. */
  card(words, row) {
    return fill(row.card === null ? words.needs : words.fits, row)
  }

  /** Numbers trained over r by factors of two, beyond the break-even rank. */
  drawNumbers() {
    const { model, target } = this.state
    const { even } = this.values
    const { curve, full, matrices, even: breakEven } = this.text.chart
    const { k } = this.cost.arrays
    const end = Math.ceil(Math.log2(even) + 0.4)
    const ranks = Array.from({ length: k }, (_, i) => i + 1).concat(2 ** end)
    const values = ranks.map((rank) => Math.log10(rank * target.per_rank))
    const top = Math.max(values.at(-1), Math.log10(model.total))
    const level = (numbers, label, kind) => ({ at: { y: Math.log10(numbers) }, label, kind, left: true })
    this.chart.draw({
      k: end,
      y: [values[0] - ROOM, top + ROOM],
      lines: [{ values, at: ranks.map(Math.log2), label: curve, kind: 'cost', along: 0.03 }],
      rules: [
        level(model.total, full, 'control-1'),
        ...(model.total > APART * target.adapted ? [level(target.adapted, matrices, 'control-0')] : []),
        { at: { x: Math.log2(even) }, label: fill(breakEven, this.values), kind: 'cost', low: true },
      ],
      tick: (i) => (i < end && i % 2 === 0 ? String(2 ** i) : ''), // at the very end it would be cut
    })
  }

  /** Show or veil what the guess is about. */
  reveal() {
    const guess = this.guessed
    this.guess.show(guess, { ...this.values, truth: Math.round(this.values.less), high: MOST })
    for (const part of [this.said, this.memory]) part.classList.toggle('waiting', guess === 'ask')
  }

  sentence() {
    return fill(this.text.sentence, this.values)
  }

  snippet() {
    return fill(this.cost.arrays.snippet, this.cost.code(this.state))
  }

  table() {
    const { tableHead, tableRow, tableCard } = this.text
    const line = (row) => [...tableRow.map((cell) => fill(cell, row)), this.card(tableCard, row)]
    return { head: tableHead, rows: this.rows.map(line) }
  }

  get stem() {
    return `${this.model.get('model')}-${this.model.get('targets')}-r${this.r}`
  }

  saves() {
    return {
      memory: () => ['memory.csv', this.memoryAsCsv()],
      numbers: () => ['numbers.csv', this.numbersAsCsv()],
    }
  }

  asPicture() {
    return super.asPicture([this.bars, this.chart])
  }

  /** In bytes. */
  memoryAsCsv() {
    const head = ['method', 'trained', 'weights', 'gradients', 'optimiser_states', 'activations_estimate']
    const { model, trained, activations } = this.state
    const line = ([name, { weights, gradients, optimiser }]) => [
      name,
      name === 'full' ? model.total : trained,
      weights,
      gradients,
      optimiser,
      activations,
    ]
    return csv([head, ...Object.entries(this.cost.states(this.state)).map(line)])
  }

  numbersAsCsv() {
    const { weights, target } = this.state
    const line = (_, i) => [i + 1, (i + 1) * target.per_rank, (i + 1) * target.per_rank * weights]
    return csv([['r', 'trained', 'adapter_bytes'], ...Array.from({ length: this.cost.arrays.k }, line)])
  }
}

export default rendering(Counting)
