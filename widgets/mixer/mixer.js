import { Stepper, abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Mixes } from './mixes.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { Shares } from './shares.js'
import { table } from '../kit/table.js'
import { fill } from '../kit/text.js'

const ALL = 100 // when guessing
const KEYED = ['primary', 'second']
const SELECTS = [...KEYED, 'method']
const WEIGHTS = ['w1', 'w2']

/** Two adapters in one model, and what that model was measured to write and to answer. */
class Mixer extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits(...KEYED)
    model.on('change:method', () => this.tick())
    for (const name of WEIGHTS)
      model.on(`change:${name}`, () => {
        if (model.get(name) === this.weights[name].value) return
        this.weights[name].show(model.get(name))
        this.tick()
      })
    model.on('change:guess', () => this.reveal())
    this.load()
  }

  build(rules) {
    const { text, frame } = this
    this.controls = this.choosers(...SELECTS)
    this.note = h('p', { class: 'note' })
    const stepper = (name) => [
      name,
      new Stepper(
        { ...text, label: rules[name].label },
        { onTick: () => this.tick(), onSettled: this.choosing(name), buttons: false },
      ),
    ]
    this.weights = Object.fromEntries(WEIGHTS.map(stepper))
    this.guess = new Guess(text.guess, this.choosing('guess'))
    this.shares = new Shares()
    this.readouts = new Readouts(text)
    this.ways = h('div', { class: 'table', tabindex: 0, role: 'region', 'aria-label': text.ways.title })
    this.compared = h(
      'div',
      { class: 'ways' },
      h('h3', {}, text.ways.title),
      this.ways,
      h('p', { class: 'note' }, text.ways.note),
    )
    this.samples = h('ul', {})
    this.said = h(
      'div',
      { class: 'measured' },
      ...frame.part('shares', this.shares.element),
      frame.sentence,
      this.readouts.element,
      ...frame.part('ways', this.compared),
      ...frame.part(
        'samples',
        h('section', { class: 'sample adapted' }, h('h3', {}, text.samples), this.samples),
      ),
    )
    frame.root.append(
      ...frame.part('task', abreast(this.controls)),
      this.note,
      ...Object.values(this.weights).map(({ element }) => element),
      ...frame.part('guess', this.guess.element),
      this.said,
    )
  }

  load() {
    const before = this.mixes
    const mixes = (this.mixes = new Mixes(read(this.model, 'arrays')))
    const { weights, note, compared } = this
    for (const name of KEYED) this.controls[name].input.value = this.model.get(name)
    note.textContent = mixes.note
    for (const name of WEIGHTS)
      weights[name].set({
        low: 0,
        high: (mixes.settings.length - 1) * mixes.stride,
        value: this.model.get(name),
        start: 0,
        stride: mixes.stride,
      })
    weights.w2.element.hidden = mixes.kind === 'alone'
    compared.hidden = mixes.kind === 'alone'
    this.controls.method.element.hidden = mixes.kind === 'alone'
    const pair = ({ first, second }) => `${first} ${second}`
    if (before && pair(before) !== pair(mixes)) this.goOn()
    this.lay()
    this.reveal()
    this.tick()
  }

  /** Where the weights stand. */
  get place() {
    return this.mixes.at(this.weights.w1.value, this.weights.w2.value)
  }

  /** Follow the weights and the method: all of it was measured and is here. */
  tick() {
    const { mixes, text, place, weights, controls } = this
    const method = this.model.get('method')
    controls.method.input.value = method
    for (const stepper of Object.values(weights)) stepper.show(stepper.value)
    const values = (this.values = mixes.values(method, place, text.did))
    this.shares.move(this.bars(method))
    const known = (name) => ['old', 'forgotten'].includes(name) || mixes.kind === 'pair'
    this.readouts.show(values, (template, name) => (known(name) ? template : null))
    if (mixes.kind === 'pair') this.compare(method)
    this.samples.replaceChildren(...mixes.mix(method, place).samples.map((sample) => h('li', {}, sample)))
    this.frame.update()
  }

  /** Lay out what stays while the weights move: the rows of the bars, their controls, and the table of the ways. */
  lay() {
    const { mixes, text, ways, place } = this
    const { title, x, interval, value, ...marks } = text.shares
    const known = ['base', 'first', ...(mixes.kind === 'pair' ? ['second'] : [])]
    const words = {
      title: fill(title, mixes),
      x,
      interval,
      marks: Object.fromEntries(known.map((name) => [name, fill(marks[name], mixes.names)])),
    }
    const kind = (name) =>
      name === mixes.none ? 'lost' : name === mixes.first || name === mixes.second ? 'kept' : 'other'
    const rows = mixes.rowsAt('products', place, text.rows).map(({ row, base, alone }, k) => {
      const shares = [base, ...alone]
      return {
        label: row,
        kind: kind(mixes.rows[k]),
        marks: Object.fromEntries(known.map((name, i) => [name, shares[i]])),
      }
    })
    this.shares.draw({ words, rows }, this.bars('products'))
    const head = text.ways.head.map((cell) => fill(cell, mixes.names))
    const names = Object.keys(mixes.methods)
    ways.replaceChildren(...table({ head, rows: names.map(() => text.ways.row) }, ''))
    this.lines = [...ways.querySelectorAll('tbody tr')].map((line, i) => [names[i], line])
  }

  /** The shares that the bars show. */
  bars(method) {
    const { mixes, text, place } = this
    return mixes.rowsAt(method, place, text.rows).map(({ share, low, high }) => ({
      share,
      low,
      high,
      said: fill(text.shares.value, { share }),
    }))
  }

  /** The ways of mixing side by side; the one that is shown above is marked. */
  compare(method) {
    const { mixes, text, place } = this
    for (const [name, line] of this.lines) {
      const values = mixes.values(name, place, text.did)
      text.ways.row.forEach((cell, i) => (line.cells[i].textContent = fill(cell, values)))
      if (name === method) line.setAttribute('aria-current', 'true')
      else line.removeAttribute('aria-current')
    }
  }

  /** Show or veil what the guess is about. */
  reveal() {
    const guess = this.guessed
    const { guessed } = this.mixes
    const said = Number(guess) / ALL
    const within = guessed.low_guessed <= said && said <= guessed.high_guessed
    const truth = within ? Number(guess) : Math.round(guessed.guessed * ALL)
    this.guess.show(guess, { ...guessed, truth, high: ALL })
    this.said.classList.toggle('waiting', guess === 'ask')
  }

  sentence() {
    return fill(this.text.sentence[this.mixes.kind], this.values)
  }

  snippet() {
    return fill(this.mixes.snippet, this.mixes.code(this.model.get('method'), this.place))
  }

  table() {
    return this.tableOf(this.mixes.rowsAt(this.model.get('method'), this.place, this.text.rows))
  }

  get stem() {
    return this.mixes.key
  }

  saves() {
    return {
      shares: () => ['mixes.csv', this.asCsv()],
    }
  }

  asPicture() {
    return super.asPicture([this.shares])
  }

  /** Every setting of every method that was measured: shares, and losses in nats. */
  asCsv() {
    const { mixes } = this
    const { rows, settings } = mixes
    const head = [
      'method',
      'w1',
      'w2',
      ...rows,
      'can_be_said',
      'old_facts',
      'loss_first',
      'loss_second',
      'loss_base',
    ]
    const lines = Object.entries(mixes.mixes).flatMap(([method, all]) =>
      all.flatMap((row, i) =>
        row.map((mix, j) => [
          method,
          settings[i],
          settings[j],
          ...mix.rows.map(([share]) => share),
          mix.true[0],
          mix.old,
          ...mix.losses,
        ]),
      ),
    )
    return csv([head, ...lines])
  }
}

export default rendering(Mixer)
