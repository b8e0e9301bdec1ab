import { svgOf } from './lib/chart.js'
import { Stepper, select } from './lib/controls.js'
import { h } from './lib/dom.js'
import { Frame, read } from './lib/frame.js'
import { Guess } from './lib/guess.js'
import { Mixes } from './lib/mixes.js'
import { csv, picture } from './lib/share.js'
import { Shares } from './lib/shares.js'
import { table } from './lib/table.js'
import { fill } from './lib/text.js'

const ALL = 100 // of the sentences, when guessing; and the largest weight
const KEYED = ['primary', 'second']
const SELECTS = [...KEYED, 'method']
const WEIGHTS = ['w1', 'w2']

/** Two adapters in one model, and the voices in which that model was measured to write. */
class Mixer {
  constructor(model, el) {
    this.model = model
    this.frame = new Frame(model, el, {
      sentence: () => fill(this.text.sentence[this.mixes.kind], this.values),
      table: () => this.table(),
      snippet: () => fill(this.mixes.snippet, this.mixes.code(this.model.get('method'), this.place)),
      files: this.files(read(model, 'spec').text),
    })
    this.text = this.frame.spec.text
    this.build(this.frame.spec.choices)
    for (const name of KEYED) model.on(`change:${name}`, () => this.wait(name))
    model.on('change:arrays', () => this.load())
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

  choose(name, value) {
    this.model.set(name, value)
    this.model.save_changes()
  }

  build(rules) {
    const { text, frame } = this
    const choose = (name) => (value) => this.choose(name, value)
    const control = (name) => [name, select(rules[name].label, rules[name].options, choose(name))]
    this.controls = Object.fromEntries(SELECTS.map(control))
    this.note = h('p', { class: 'note' })
    const stepper = (name) => [
      name,
      new Stepper(
        { ...text, label: rules[name].label },
        { onTick: () => this.tick(), onSettled: choose(name), buttons: false },
      ),
    ]
    this.weights = Object.fromEntries(WEIGHTS.map(stepper))
    this.guess = new Guess(text.guess, choose('guess'))
    this.shares = new Shares()
    this.readouts = Object.keys(text.readouts).map((name) => [
      name,
      h('dt', {}),
      h('dd', { class: `of-${name}` }),
    ])
    const readout = ([, term, value]) => h('div', {}, term, value)
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
      h('dl', { class: 'readouts' }, ...this.readouts.map(readout)),
      ...frame.part('ways', this.compared),
      ...frame.part(
        'samples',
        h('section', { class: 'sample adapted' }, h('h3', {}, text.samples), this.samples),
      ),
    )
    frame.root.append(
      ...frame.part(
        'task',
        h('div', { class: 'controls' }, ...Object.values(this.controls).map(({ element }) => element)),
      ),
      this.note,
      ...Object.values(this.weights).map(({ element }) => element),
      ...frame.part('guess', this.guess.element),
      this.said,
      frame.announced,
      frame.drawers,
    )
  }

  /** Other adapters were chosen: show them as coming until their arrays are here. */
  wait(name) {
    this.controls[name].input.value = this.model.get(name)
    this.frame.root.setAttribute('aria-busy', 'true')
  }

  load() {
    const before = this.mixes
    const mixes = (this.mixes = new Mixes(read(this.model, 'arrays')))
    const { weights, text, note, compared } = this
    for (const name of KEYED) this.controls[name].input.value = this.model.get(name)
    note.textContent = mixes.note
    for (const name of WEIGHTS)
      weights[name].set({
        low: 0,
        high: ALL,
        value: this.model.get(name),
        start: 0,
        stride: mixes.stride,
      })
    weights.w2.element.hidden = mixes.kind === 'alone'
    compared.hidden = mixes.kind === 'alone'
    this.controls.method.element.hidden = mixes.kind === 'alone'
    this.frame.root.removeAttribute('aria-busy')
    const pair = ({ first, second }) => `${first} ${second}`
    if (before && pair(before) !== pair(mixes) && this.model.get('guess') !== 'ask')
      this.choose('guess', 'skip')
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
    const values = (this.values = mixes.values(method, place))
    this.shares.move(this.bars(method))
    for (const [name, term, value] of this.readouts) {
      const known = name === 'forgotten' || mixes.kind === 'pair'
      term.parentElement.hidden = !known
      if (!known) continue
      term.textContent = fill(text.readouts[name], values)
      value.textContent = fill(text.readoutValues[name], values)
    }
    if (mixes.kind === 'pair') this.compare(method)
    const item = ([voice, sentence]) =>
      h(
        'li',
        {},
        h('span', { class: 'voice' }, fill(text.sampleVoice, { voice: text.voices[voice] ?? voice })),
        ` ${sentence}`,
      )
    this.samples.replaceChildren(...mixes.mix(method, place).samples.map(item))
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
      marks: Object.fromEntries(known.map((name) => [name, fill(marks[name], mixes)])),
    }
    const kind = (voice) =>
      voice === mixes.none ? 'lost' : voice === mixes.first || voice === mixes.second ? 'kept' : 'other'
    const row = mixes.rows_at('products', place, text.voices)
    const rows = mixes.rows.map((voice) => {
      const { voice: label, base, alone } = row(voice)
      const shares = [base, ...alone]
      return {
        label,
        kind: kind(voice),
        marks: Object.fromEntries(known.map((name, i) => [name, shares[i]])),
      }
    })
    this.shares.draw({ words, rows }, this.bars('products'))
    const head = text.ways.head.map((cell) => fill(cell, mixes))
    const names = Object.keys(mixes.methods)
    ways.replaceChildren(...table({ head, rows: names.map(() => text.ways.row) }, ''))
    this.lines = [...ways.querySelectorAll('tbody tr')].map((line, i) => [names[i], line])
  }

  /** The shares that the bars show. */
  bars(method) {
    const { mixes, text, place } = this
    const row = mixes.rows_at(method, place, text.voices)
    return mixes.rows.map(row).map(({ share, low, high }) => ({
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
      const values = mixes.values(name, place)
      text.ways.row.forEach((cell, i) => (line.cells[i].textContent = fill(cell, values)))
      if (name === method) line.setAttribute('aria-current', 'true')
      else line.removeAttribute('aria-current')
    }
  }

  /** Show or veil what the guess is about. */
  reveal() {
    const guess = this.frame.shown('guess') ? this.model.get('guess') : 'skip'
    const told = this.mixes.guessed(this.text.guess)
    const { others, low_others: low, high_others: high } = told
    const said = Number(guess) / ALL
    const within = low <= said && said <= high
    this.guess.show(guess, { ...told, truth: within ? Number(guess) : Math.round(others * ALL), high: ALL })
    this.said.classList.toggle('waiting', guess === 'ask')
  }

  table() {
    const { mixes, text, place } = this
    const row = mixes.rows_at(this.model.get('method'), place, text.voices)
    const line = (voice) => text.tableRow.map((cell) => fill(cell, row(voice)))
    return { head: text.tableHead, rows: mixes.voices.map(line) }
  }

  files({ downloads }) {
    const name = (what) => () => `${this.mixes.key}-${what}`
    return [
      { label: downloads.shares, name: name('mixes.csv'), type: 'text/csv', text: () => this.asCsv() },
      {
        label: downloads.picture,
        name: name('picture.svg'),
        type: 'image/svg+xml',
        text: () => this.asPicture(),
      },
    ]
  }

  /** Every setting of every method that was measured: counts, and losses in nats. */
  asCsv() {
    const { mixes } = this
    const { voices, settings, sentences } = mixes
    const head = ['method', 'w1', 'w2', 'sentences', ...voices, 'loss_first', 'loss_second', 'loss_base']
    const lines = Object.entries(mixes.mixes).flatMap(([method, rows]) =>
      rows.flatMap((row, i) =>
        row.map(({ counts, losses }, j) => [
          method,
          settings[i],
          settings[j],
          sentences,
          ...counts,
          ...losses,
        ]),
      ),
    )
    return csv([head, ...lines])
  }

  asPicture() {
    const drawn = [this.shares].filter(({ element }) => element.clientWidth)
    const charts = drawn.map((chart) => ({ title: chart.words.title, svg: svgOf(chart) }))
    return picture(this.frame.root, this.frame.sentence.textContent, [], charts)
  }
}

function render({ model, el }) {
  new Mixer(model, el)
}

export default { render }
