import { decode } from './lib/arrays.js'
import { divergingScale, onColours } from './lib/colour.js'
import { Stepper, select } from './lib/controls.js'
import { h } from './lib/dom.js'
import { Frame, read } from './lib/frame.js'
import { Heatmap } from './lib/heatmap.js'
import { LowRank } from './lib/lowrank.js'
import { csv, picture } from './lib/share.js'
import { fill, short } from './lib/text.js'

const MAPS = ['column', 'row', 'pattern', 'sum', 'target']

/** A matrix built up one pattern at a time: a column times a row, and the sum of the patterns so far. */
class Patterns {
  constructor(model, el) {
    this.model = model
    const { text } = read(model, 'spec')
    this.frame = new Frame(model, el, {
      sentence: () => this.sentence(),
      table: () => this.table(),
      snippet: () => fill(this.data.snippet, { r: this.r }),
      files: this.files(text),
    })
    this.text = text
    this.build(this.frame.spec.choices)
    for (const name of ['task', 'r']) model.on(`change:${name}`, () => this.follow(name))
    model.on('change:arrays', () => this.load())
    this.stop = onColours(() => this.colour())
    this.load()
  }

  get r() { return this.stepper.value }

  choose(name, value) {
    this.model.set(name, value)
    this.model.save_changes()
  }

  build(choices) {
    const { frame, text } = this
    const shown = (part, element) => (frame.shown(part) ? element : '')
    this.task = select(choices.task.label, choices.task.options, (value) => this.choose('task', value))
    this.stepper = new Stepper({ ...text, label: choices.r.label }, {
      everyMs: 1200,
      onTick: (r) => this.tick(r),
      onSettled: (r) => this.choose('r', r),
    })
    this.maps = Object.fromEntries(MAPS.map((name) => [name, new Heatmap(name, (y, x) => this.cell(name, y, x))]))
    for (const name of ['row', 'target']) this.maps[name].title.textContent = text.maps[name]
    this.cellSaid = h('p', { class: 'cell', role: 'status' })
    const sign = (mark) => h('span', { class: 'sign', 'aria-hidden': 'true' }, mark)
    this.plus = sign('=')
    frame.root.append(
      shown('matrix', h('div', { class: 'controls' }, this.task.element)),
      this.stepper.element,
      h('div', { class: 'build' },
        h('div', { class: 'product' }, this.maps.row.element, this.maps.column.element, this.maps.pattern.element),
        this.plus, this.maps.sum.element, sign('→'), this.maps.target.element),
      this.cellSaid, frame.sentence, frame.announced, frame.drawers)
  }

  follow(name) {
    if (name === 'task') {
      this.task.input.value = this.model.get('task')
      this.frame.root.setAttribute('aria-busy', 'true')
    } else if (this.model.get('r') !== this.r) this.tick(this.model.get('r'))
  }

  load() {
    const data = read(this.model, 'arrays')
    this.data = data
    data.s = decode(data.s)
    data.energy = decode(data.energy)
    data.U = decode(data.U)
    data.Vh = decode(data.Vh)
    const [rows, columns] = data.drawn
    this.lowrank = new LowRank({ U: data.U, s: data.s, Vh: data.Vh, rows, columns })
    this.task.input.value = this.model.get('task')
    this.stepper.set({ low: 1, high: data.k, value: Math.min(this.model.get('r'), data.k), start: 1 })
    this.maps.column.resize(rows, 1, 1, rows)
    this.maps.row.resize(1, columns, 1, 1 / columns)
    for (const name of MAPS.slice(2)) this.maps[name].resize(rows, columns)
    this.frame.root.removeAttribute('aria-busy')
    this.colour()
  }

  colour() {
    this.scale = divergingScale(this.frame.root)
    this.maps.target.paint(this.lowrank.full, this.lowrank.peak, this.scale)
    this.tick(this.r)
  }

  /** The pattern that rank r adds: (column, row, their product times s). */
  pattern(r) {
    const { U, s, Vh, k, drawn: [rows, columns] } = this.data
    const column = Float64Array.from({ length: rows }, (_, y) => U[y * k + r - 1])
    const row = Float64Array.from({ length: columns }, (_, x) => Vh[(r - 1) * columns + x])
    const product = Float64Array.from({ length: rows * columns }, (_, i) => s[r - 1] * column[Math.floor(i / columns)] * row[i % columns])
    return { column, row, product }
  }

  tick(r) {
    const { maps, lowrank, scale, text } = this
    this.stepper.slider.value = r
    this.stepper.show()
    lowrank.seek(r)
    this.now = this.pattern(r)
    maps.column.paint(this.now.column, 1, scale)
    maps.row.paint(this.now.row, 1, scale)
    maps.pattern.paint(this.now.product, lowrank.peak, scale)
    maps.sum.paint(lowrank.copy, lowrank.peak, scale)
    this.plus.textContent = r === 1 ? '=' : '+ … ='
    const values = this.values(r)
    for (const name of ['pattern', 'sum', 'column']) maps[name].title.textContent = fill(text.maps[name], values)
    if (this.at) this.cell(...this.at)
    else this.cellSaid.textContent = text.noCell
    this.frame.update()
  }

  values(r) {
    const { s, energy, label, shape: [out, into] } = this.data
    return { r, label, out, in: into, s: s[r - 1], energy: energy[r], stored: r * (out + into), total: out * into }
  }

  sentence() {
    const { r } = this
    return fill(this.text.sentences[r === 1 ? 'first' : 'more'], this.values(r))
  }

  /** Show the arithmetic of one cell: strength times column entry times row entry. */
  cell(name, y, x) {
    this.at = y == null ? null : [name, y, x]
    if (y == null) {
      for (const map of MAPS) this.maps[map].mark(null, null)
      this.cellSaid.textContent = this.text.noCell
      return
    }
    const marks = { column: [y, 0], row: [0, x], pattern: [y, x], sum: [y, x], target: [y, x] }
    for (const map of MAPS) this.maps[map].mark(...marks[map])
    const i = y * this.data.drawn[1] + x
    const { column, row, product } = this.now
    this.cellSaid.textContent = fill(this.text.cell, {
      row: y, column: x, s: short(this.data.s[this.r - 1]), u: short(column[y]), v: short(row[x]), product: short(product[i]),
      sum: short(this.lowrank.copy[i]), target: short(this.lowrank.full[i]),
    })
  }

  table() {
    const rows = Array.from(this.data.s, (_, i) => this.text.tableRow.map((cell) => fill(cell, this.values(i + 1))))
    return { head: this.text.tableHead, rows }
  }

  files(text) {
    const name = (what, ending) => () => `patterns-${this.data.key}-r${this.r}.${ending}`
    return [
      { label: text.downloads.patterns, name: name('patterns', 'csv'), type: 'text/csv', text: () => csv(['pattern', 's', 'energy_so_far'], Array.from(this.data.s, (s, i) => [i + 1, s, this.data.energy[i + 1]])) },
      { label: text.downloads.picture, name: name('picture', 'svg'), type: 'image/svg+xml', text: () => picture(this.frame.root, this.sentence(), MAPS.slice(2).map((map) => ({ title: this.maps[map].title.textContent, canvas: this.maps[map].canvas })), []) },
    ]
  }
}

function render({ model, el }) {
  const view = new Patterns(model, el)
  return () => view.stop()
}

export default { render }
