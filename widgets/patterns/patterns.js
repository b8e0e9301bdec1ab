import { divergingScale, onColours } from '../kit/colour.js'
import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Heatmap } from '../kit/heatmap.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Matrix } from '../kit/matrix.js'
import { csv } from '../kit/share.js'
import { fill, short } from '../kit/text.js'

const MATRICES = ['pattern', 'sum', 'target']
const EVERY_MS = 1200 // while it plays: time enough to see what a pattern adds

/** A matrix built up one pattern at a time: a column times a row, and the sum of the patterns so far. */
class Patterns extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits('task')
    this.stop = onColours(() => this.colour())
    this.load()
  }

  get r() {
    return this.stepper.value
  }

  build({ r }) {
    const { frame } = this
    this.at = null
    this.controls = this.choosers('task')
    this.stepper = this.slider('r', r.label, { everyMs: EVERY_MS })
    const make = (name) => [name, new Heatmap(name, (y, x) => this.point(y, x))]
    this.maps = Object.fromEntries(['row', 'column', ...MATRICES].map(make))
    const { row, column, pattern, sum, target } = this.maps
    this.plus = h('span', { class: 'sign', 'aria-hidden': 'true' })
    const arrow = h('span', { class: 'sign', 'aria-hidden': 'true' }, '→')
    const product = h('div', { class: 'product' }, row.element, column.element, pattern.element)
    this.said = h('p', { class: 'cell', role: 'status' })
    frame.root.append(
      ...frame.part('matrix', abreast(this.controls)),
      this.stepper.element,
      h('div', { class: 'build' }, product, this.plus, sum.element, arrow, target.element),
      this.said,
      frame.sentence,
    )
  }

  load() {
    const matrix = (this.matrix = new Matrix(read(this.model, 'arrays')))
    const [rows, columns] = matrix.drawn
    this.controls.task.input.value = this.model.get('task')
    this.stepper.set({ low: 1, high: matrix.k, value: Math.min(this.model.get('r'), matrix.k), start: 1 })
    this.maps.column.resize(rows, 1)
    this.maps.row.resize(1, columns)
    for (const name of MATRICES) this.maps[name].resize(rows, columns)
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

  snippet() {
    return fill(this.matrix.snippet, { r: this.r })
  }

  table() {
    return this.tableOf(Array.from(this.matrix.s, (_, i) => this.matrix.values(i + 1)))
  }

  get stem() {
    return `${this.matrix.key}-${this.r}`
  }

  saves() {
    return {
      patterns: () => ['patterns.csv', this.asCsv()],
    }
  }

  asPicture() {
    const shown = MATRICES.map((name) => this.maps[name])
    const heatmaps = shown.map(({ title, canvas }) => ({ title: title.textContent, canvas }))
    return super.asPicture([], heatmaps)
  }

  asCsv() {
    const { s, energy } = this.matrix
    return csv([
      ['pattern', 's', 'energy_so_far'],
      ...Array.from(s, (value, i) => [i + 1, value, energy[i + 1]]),
    ])
  }
}

export default rendering(Patterns)
