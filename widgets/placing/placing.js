import { abreast, button, select } from '../kit/controls.js'
import { Chart } from '../kit/chart.js'
import { freshId, h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Places, labAddress } from './placed.js'
import { Readouts } from '../kit/readouts.js'
import { Rows } from './rows.js'
import { csv } from '../kit/share.js'
import { fill, format, written } from '../kit/text.js'

const BLOCKS = [0, 1, 2]
const TICKS = [0.01, 0.1, 1].flatMap((unit) => [1, 1.5, 2, 3, 5, 7].map((value) => value * unit)) // on a log axis
const ROOM = 1.15 // above the highest of them and below the lowest

/** A matrix of boxes: which matrices of which blocks have an adapter, under one budget, and what was measured there. */
class Placing extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits('task')
    for (const name of ['places', 'family', 'shown']) model.on(`change:${name}`, () => this.show())
    model.on('change:guess', () => this.reveal())
    model.on('change:links', () => this.lead())
    this.load()
  }

  build() {
    const { text, frame } = this
    this.controls = this.choosers('task', 'family', 'shown')
    this.preset = select(text.presets, [], (code) => code && this.choose('places', code))
    this.guess = new Guess(text.guess, this.choosing('guess'))
    this.matrix = h('div', { class: 'places' })
    const { sets, rates } = text.charts
    this.charts = {
      sets: new Rows(sets, (code) => this.choose('places', code)),
      rates: new Chart(rates, { format: format('~g'), choose: () => {}, probe: (i) => this.tried(i) }),
    }
    this.readouts = new Readouts(text)
    this.link = h('a', { target: '_top' }, text.live)
    this.live = h('p', { class: 'note' }, this.link)
    this.about = h('p', { class: 'note' })
    const { task, family, shown } = this.controls
    const { charts } = this
    // The sets stand below the boxes, or beside them: all else comes after, so that both are in view.
    const compared = h('div', {}, charts.sets.element, abreast({ family, shown }))
    const more = h('div', {}, charts.rates.element, ...frame.part('paper', this.paper()))
    this.drawn = [compared, more]
    frame.root.append(
      ...frame.part('choices', abreast({ task, preset: this.preset })),
      h(
        'div',
        { class: 'placing' },
        ...frame.part('matrix', this.matrix),
        h(
          'div',
          { class: 'beside' },
          ...frame.part('chart', compared),
          ...frame.part('guess', this.guess.element),
          ...frame.part('chart', more),
        ),
        h(
          'div',
          { class: 'told' },
          ...frame.part('live', this.live),
          frame.sentence,
          ...frame.part('readouts', this.readouts.element),
        ),
      ),
      this.about,
    )
  }

  /** The table that LoRA's authors printed, beside ours. */
  paper() {
    const { title, heads, rows, source } = this.text.paper
    const cells = (all) => all.map((cell) => h('td', {}, written(cell)))
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
    const { budget, truth, worst, best } = this.places
    const { label } = this.places.common
    this.guess.show(this.guessed, { label, budget, truth, worst, best })
    for (const part of this.drawn) part.classList.toggle('waiting', this.guessed === 'ask')
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
    this.draw(recorded)
    this.lead()
    this.frame.update()
  }

  /** The sets beside each other, and the curve over the rates of the one that is ticked. */
  draw(recorded) {
    const { places, model, text, charts } = this
    const [family, shown] = [model.get('family'), model.get('shown')]
    const [base, full] = places.controls[shown]
    const loss = shown === 'loss'
    charts.sets.draw({
      rows: places.sets
        .filter((set) => set.family.includes(family))
        .map(({ code, label, seeds, measured }) => ({
          code,
          label,
          values: seeds[shown],
          mean: measured[loss ? 'final' : shown],
        })),
      rules: [
        { at: base, label: text.base },
        { at: full, label: text.full },
      ],
      x: text.charts.sets.x[shown],
      format: format(loss ? '.3f' : '.1%'),
      tick: format(loss ? '~g' : '.0%'),
      ticks: loss && TICKS,
      chosen: places.code,
    })
    const all = places.recorded[places.all]
    const line = ({ label, tried }, kind, along) => {
      const at = places.rates.flatMap((rate, i) => (tried[rate] > 0 ? [i] : []))
      return { values: at.map((i) => tried[places.rates[i]]), at, label, kind, along }
    }
    const others = recorded === all ? [] : [{ ...line(all, 'control-1', 0.9), dot: 0 }]
    const own = recorded ? [line(recorded, 'kept', 0.1)] : []
    const ends = [...others, ...own].flatMap(({ values }) => values)
    const y = [Math.min(...ends) / ROOM, Math.max(...ends) * ROOM]
    charts.rates.draw({
      k: places.rates.length - 1,
      y,
      ticks: TICKS.filter((tick) => tick > y[0] && tick < y[1]),
      tick: (i) => written(places.rates[i]),
      lines: [...others, ...own],
    })
    charts.rates.move(places.rates.indexOf((recorded ?? all).measured.rate))
  }

  /** What the probe says of a rate. */
  tried(i) {
    const { places, text } = this
    const loss = places.recorded[places.code]?.tried[places.rates[i]]
    const kind = loss === undefined ? 'none' : loss === null ? 'diverged' : 'probe'
    return fill(text.charts.rates[kind], { rate: places.rates[i], loss })
  }

  says(recorded, r) {
    const measured = recorded && this.guessed !== 'ask'
    this.readouts.show(this.places.values(), (template, name) =>
      (['rank', 'trained'].includes(name) ? r > 0 : measured) ? template : null,
    )
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
    const kind = !values.r ? 'none' : this.guessed === 'ask' ? 'veiled' : (values.case ?? 'other')
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
    const measures = Object.keys(places.sets[0].seeds)
    const lines = places.sets.flatMap(({ code, seeds, measured }) => {
      const r = places.rank(code)
      const set = [places.where(code), code, r, places.numbers(code, r), measured.rate]
      return seeds.loss.map((_, seed) => [...set, seed, ...measures.map((name) => seeds[name][seed])])
    })
    return csv([['adapters_in', 'code', 'r', 'numbers', 'learning_rate', 'seed', ...measures], ...lines])
  }
}

export default rendering(Placing)
