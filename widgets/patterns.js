import { divergingScale, onColours } from './lib/colour.js'
import { Stepper, select } from './lib/controls.js'
import { h } from './lib/dom.js'
import { Frame, read } from './lib/frame.js'
import { Heatmap } from './lib/heatmap.js'
import { Matrix } from './lib/matrix.js'
import { csv, picture } from './lib/share.js'
import { fill, short } from './lib/text.js'

const MATRICES = ['pattern', 'sum', 'target']
const EVERY_MS = 1200 // while it plays: time enough to see what a pattern adds

/** A matrix built up one pattern at a time: a column times a row, and the sum of the patterns so far. */
class Patterns {
  constructor(model, el) {
    this.model = model
    this.frame = new Frame(model, el, {
      sentence: () => this.sentence(),
      table: () => this.table(),
      snippet: () => fill(this.matrix.snippet, { r: this.r }),
      files: this.files(read(model, 'spec').text),
    })
    this.text = this.frame.spec.text
    this.at = null
    this.build(this.frame.spec.choices)
    model.on('change:task', () => this.frame.root.setAttribute('aria-busy', 'true'))
    model.on('change:arrays', () => this.load())
    model.on('change:r', () => model.get('r') !== this.r && this.tick(model.get('r')))
    this.stop = onColours(() => this.colour())
    this.load()
  }

  get r() {
    return this.stepper.value
  }

  build({ task, r }) {
    const { frame, text, model } = this
    const choose = (name) => (value) => {
      model.set(name, value)
      model.save_changes()
    }
    this.task = select(task.label, task.options, choose('task'))
    this.stepper = new Stepper(
      { ...text, label: r.label },
      {
        onTick: (value) => this.tick(value),
        onSettled: choose('r'),
        buttons: frame.shown('steps'),
        everyMs: EVERY_MS,
      },
    )
    const make = (name) => [name, new Heatmap(name, (y, x) => this.point(y, x))]
    this.maps = Object.fromEntries(['row', 'column', ...MATRICES].map(make))
    const { row, column, pattern, sum, target } = this.maps
    this.plus = h('span', { class: 'sign', 'aria-hidden': 'true' })
    const arrow = h('span', { class: 'sign', 'aria-hidden': 'true' }, '→')
    const product = h('div', { class: 'product' }, row.element, column.element, pattern.element)
    this.said = h('p', { class: 'cell', role: 'status' })
    frame.root.append(
      ...frame.part('matrix', h('div', { class: 'controls' }, this.task.element)),
      this.stepper.element,
      h('div', { class: 'build' }, product, this.plus, sum.element, arrow, target.element),
      this.said,
      frame.sentence,
      frame.announced,
      frame.drawers,
    )
  }

  load() {
    const matrix = (this.matrix = new Matrix(read(this.model, 'arrays')))
    const [rows, columns] = matrix.drawn
    this.task.input.value = this.model.get('task')
    this.stepper.set({ low: 1, high: matrix.k, value: Math.min(this.model.get('r'), matrix.k), start: 1 })
    this.maps.column.resize(rows, 1)
    this.maps.row.resize(1, columns)
    for (const name of MATRICES) this.maps[name].resize(rows, columns)
    this.frame.root.removeAttribute('aria-busy')
    this.colour()
  }

  colour() {
    this.scale = divergingScale(this.frame.root)
    this.maps.target.paint(this.matrix.lowrank.full, this.matrix.tops.matrix, this.scale)
    this.tick(this.r)
  }

  /** The r-th pattern: its column, its row, and strength times column times row. */
  pattern(r) {
    const { U, s, Vh, k, drawn } = this.matrix
    const [rows, columns] = drawn
    const column = Float64Array.from({ length: rows }, (_, y) => U[y * k + r - 1])
    const row = Vh.subarray((r - 1) * columns, r * columns)
    const cell = (_, i) => s[r - 1] * column[Math.floor(i / columns)] * row[i % columns]
    return { column, row, product: Float64Array.from({ length: rows * columns }, cell) }
  }

  tick(r) {
    const { maps, matrix, scale, text } = this
    const top = matrix.tops.matrix
    this.stepper.show(r)
    matrix.lowrank.seek(r)
    this.newest = this.pattern(r)
    maps.column.paint(this.newest.column, 1, scale)
    maps.row.paint(this.newest.row, 1, scale)
    maps.pattern.paint(this.newest.product, top, scale)
    maps.sum.paint(matrix.lowrank.copy, top, scale)
    this.plus.textContent = r === 1 ? '=' : '+ … ='
    for (const [name, map] of Object.entries(maps)) map.title.textContent = fill(text.maps[name], { r })
    this.say()
    this.frame.update()
  }

  sentence() {
    return fill(this.text.sentences[this.r === 1 ? 'first' : 'more'], this.matrix.values(this.r))
  }

  /** The cursor stands on a cell of any picture: mark it in all of them. */
  point(y, x) {
    this.at = y === null ? null : { y, x }
    const { row, column } = this.maps
    for (const name of MATRICES) this.maps[name].mark(y, x)
    row.mark(y === null ? null : 0, x)
    column.mark(y, y === null ? null : 0)
    this.say()
  }

  /** Show the arithmetic of the cell: strength times column entry times row entry. */
  say() {
    const { text, at, matrix, newest } = this
    if (!at) {
      this.said.textContent = text.noCell
      return
    }
    const i = at.y * matrix.drawn[1] + at.x
    this.said.textContent = fill(text.cell, {
      row: at.y,
      column: at.x,
      s: short(matrix.s[this.r - 1]),
      u: short(newest.column[at.y]),
      v: short(newest.row[at.x]),
      product: short(newest.product[i]),
      sum: short(matrix.lowrank.copy[i]),
      target: short(matrix.lowrank.full[i]),
    })
  }

  table() {
    const line = (_, i) => this.text.tableRow.map((cell) => fill(cell, this.matrix.values(i + 1)))
    return { head: this.text.tableHead, rows: Array.from(this.matrix.s, line) }
  }

  files({ downloads }) {
    const name = (what) => () => `${this.matrix.key}-${this.r}-${what}`
    return [
      { label: downloads.patterns, name: name('patterns.csv'), type: 'text/csv', text: () => this.asCsv() },
      {
        label: downloads.picture,
        name: name('picture.svg'),
        type: 'image/svg+xml',
        text: () => this.asPicture(),
      },
    ]
  }

  asCsv() {
    const { s, energy } = this.matrix
    return csv([
      ['pattern', 's', 'energy_so_far'],
      ...Array.from(s, (value, i) => [i + 1, value, energy[i + 1]]),
    ])
  }

  asPicture() {
    const shown = MATRICES.map((name) => this.maps[name])
    const pictures = shown.map(({ title, canvas }) => ({ title: title.textContent, canvas }))
    return picture(this.frame.root, this.sentence(), pictures, [])
  }
}

function render({ model, el }) {
  const view = new Patterns(model, el)
  return () => view.stop()
}

export default { render }
