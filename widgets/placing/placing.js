import { abreast, button, select } from '../kit/controls.js'
import { freshId, h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Places, labAddress } from './placed.js'
import { Readouts } from '../kit/readouts.js'
import { Rows } from './rows.js'
import { csv } from '../kit/share.js'
import { fill } from '../kit/text.js'

const BLOCKS = [0, 1, 2]

/** A matrix of boxes: which matrices of which blocks have an adapter, under one budget, and what was measured there. */
class Placing extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits('task')
    for (const name of ['places', 'family']) model.on(`change:${name}`, () => this.show())
    model.on('change:guess', () => this.reveal())
    model.on('change:links', () => this.lead())
    this.load()
  }

  build() {
    const { text, frame } = this
    this.controls = this.choosers('task', 'family')
    this.preset = select(text.presets, [], (code) => code && this.choose('places', code))
    this.guess = new Guess(text.guess, this.choosing('guess'))
    this.matrix = h('div', { class: 'places' })
    this.rows = new Rows(text.charts.sets, (code) => this.choose('places', code))
    this.charts = { sets: this.rows }
    this.readouts = new Readouts(text)
    this.link = h('a', { target: '_top' }, text.live)
    this.live = h('p', { class: 'note' }, this.link)
    this.about = h('p', { class: 'note' })
    const { task, family } = this.controls
    this.drawn = h('div', {}, abreast({ family }), this.rows.element, ...frame.part('paper', this.paper()))
    frame.root.append(
      ...frame.part('choices', abreast({ task, preset: this.preset })),
      ...frame.part('guess', this.guess.element),
      h(
        'div',
        { class: 'placing' },
        h(
          'div',
          { class: 'ticked' },
          ...frame.part('matrix', this.matrix),
          ...frame.part('live', this.live),
          frame.sentence,
          ...frame.part('readouts', this.readouts.element),
        ),
        ...frame.part('chart', this.drawn),
      ),
      this.about,
    )
  }

  /** The table that LoRA's authors printed, beside ours. */
  paper() {
    const { title, heads, rows, source } = this.text.paper
    const cells = (all) => all.map((cell) => h('td', {}, cell))
    this.printed = rows.map(([code, name, ...others]) => ({
      code,
      row: h('tr', {}, h('th', { scope: 'row' }, name), ...cells(others)),
    }))
    const head = h('tr', {}, ...heads.map((each) => h('th', { scope: 'col' }, each)))
    const body = h('tbody', {}, ...this.printed.map(({ row }) => row))
    return h(
      'div',
      { class: 'ways paper' },
      h('h3', {}, title),
      h('table', {}, h('thead', {}, head), body),
      h('p', { class: 'note' }, source),
    )
  }

  load() {
    const before = this.places
    const places = (this.places = new Places(read(this.model, 'arrays'), this.text))
    this.about.textContent = places.about
    const named = ({ code, label }) => h('option', { value: code }, label)
    this.preset.input.replaceChildren(h('option', { value: '' }, this.text.own), ...places.sets.map(named))
    this.boxes()
    if (before && before.key !== places.key) this.goOn()
    this.reveal()
  }

  /** The matrix: a box for each place, and one for each row and column. */
  boxes() {
    const { text, places } = this
    const free = this.frame.shown('choices')
    const set = (names, blocks) => (event) =>
      this.choose('places', places.changed(names, blocks, event.target.checked))
    const box = (label, names, blocks) => {
      const input = h('input', {
        type: 'checkbox',
        'aria-label': label,
        change: set(names, blocks),
        disabled: !free,
      })
      return { input, names, blocks }
    }
    const [corner, ...heads] = text.heads
    const one = heads.pop()
    const columns = heads.map((head, block) => box(fill(text.allOf, { name: head }), places.names, [block]))
    const lines = places.names.map((name) => ({
      name,
      whole: box(fill(text.allOf, { name }), [name], BLOCKS),
      cells: heads.map((block, b) => box(fill(text.cell, { name, block }), [name], [b])),
      size: h('td', { class: 'size' }),
    }))
    this.lines = lines
    this.ticks = [...columns, ...lines.flatMap(({ whole, cells }) => [whole, ...cells])]
    const id = freshId('places')
    const top = h(
      'tr',
      {},
      h('th', { scope: 'col' }, corner),
      ...heads.map((head, b) => h('th', { scope: 'col' }, h('span', {}, head), columns[b].input)),
      h('th', { scope: 'col' }, one),
    )
    const line = ({ name, whole, cells, size }) =>
      h(
        'tr',
        {},
        h('th', { scope: 'row' }, h('label', {}, whole.input, h('code', {}, name))),
        ...cells.map(({ input }) => h('td', {}, input)),
        size,
      )
    this.matrix.replaceChildren(
      h(
        'table',
        { 'aria-labelledby': id },
        h('caption', { id }, text.matrix),
        h('thead', {}, top),
        h('tbody', {}, ...lines.map(line)),
      ),
    )
  }

  /** Veil what the guess is about. */
  reveal() {
    const { label, budget, truth, worst, best } = this.places
    this.guess.show(this.guessed, { label, budget, truth, worst, best })
    this.drawn.classList.toggle('waiting', this.guessed === 'ask')
    this.show()
  }

  /** Show what is ticked: the boxes, the numbers, the row of the chart. */
  show() {
    const { places, model, text } = this
    places.choose(model.get('places'))
    for (const [name, { input }] of Object.entries(this.controls)) input.value = model.get(name)
    const recorded = places.recorded[places.code]
    this.preset.input.value = recorded ? places.code : ''
    for (const { input, names, blocks } of this.ticks) {
      const on = names.flatMap((name) => blocks.map((block) => places.has(name, block)))
      input.checked = on.every(Boolean)
      input.indeterminate = !input.checked && on.some(Boolean)
    }
    const r = places.rank(places.code)
    for (const { name, size } of this.lines) {
      const [out, into] = places.shapes[name]
      const ticked = BLOCKS.some((block) => places.has(name, block))
      size.textContent = ticked
        ? fill(text.shape, { out, into, r, numbers: places.each(name, r) })
        : `${out} × ${into}`
    }
    this.says(recorded, r)
    for (const { code, row } of this.printed ?? []) row.toggleAttribute('aria-current', code === places.code)
    const family = model.get('family')
    this.rows.draw({
      rows: places.sets
        .filter((set) => set.family.includes(family))
        .map(({ code, label, finals, others }) => ({ code, label, values: finals, others })),
      rules: [
        { at: places.start, label: text.base },
        { at: places.full, label: text.full },
      ],
      chosen: places.code,
    })
    this.lead()
    this.frame.update()
  }

  says(recorded, r) {
    const measured = recorded && this.guessed !== 'ask'
    const [slower, faster] = recorded?.others ?? []
    const shown = {
      rank: r > 0,
      trained: r > 0,
      final: measured,
      other_rates: measured && recorded.others.length > 0,
    }
    const values = { ...this.places.values(), slower, faster }
    this.readouts.show(values, (template, name) => (shown[name] ? template : null))
  }

  /** Lead to the live lab with these settings, where there is one and it can run them. */
  lead() {
    const settings = this.places?.settings()
    const address = labAddress(read(this.model, 'links').link, settings)
    this.link.hidden = !address
    if (address) this.link.href = address
    this.live.hidden = !address && (settings || !this.places?.rank(this.places.code))
    this.live.replaceChildren(address ? this.link : this.text.notLive)
  }

  sentence() {
    const { places, text } = this
    const values = places.values()
    const kind = !values.r ? 'none' : this.guessed === 'ask' ? 'veiled' : values.apart ? 'other' : 'recorded'
    return fill(text.sentences[kind], values)
  }

  snippet() {
    const { places } = this
    const { r } = places.values()
    return r ? fill(places.snippet, { ...places.values(), ...places.peft() }) : places.nothing
  }

  table() {
    return this.tableOf(this.places.sets.map(({ code }) => this.places.values(code)))
  }

  get stem() {
    return `placing-${this.places.key}`
  }

  saves() {
    return { sets: () => ['losses.csv', this.asCsv()] }
  }

  asCsv() {
    const { places } = this
    const line = ({ code, finals }) => {
      const r = places.rank(code)
      return [places.where(code), code, r, places.numbers(code, r), ...finals]
    }
    return csv([['adapters_in', 'code', 'r', 'numbers', 'seed_0', 'seed_1'], ...places.sets.map(line)])
  }
}

export default rendering(Placing)
