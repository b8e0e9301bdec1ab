import { h } from '../kit/dom.js'
import { Heatmap, squareness } from '../kit/heatmap.js'
import { fill, short } from '../kit/text.js'

const MATRICES = ['delta_w', 'copy', 'residual']
const FACTORS = ['lora_B', 'lora_A']
const THINNEST = 0.12 // of the matrix's side: a factor drawn thinner could not be read

/** The matrix, its copy and the residual on one scale, the two factors on another, and one cell cursor for all. */
export class Maps {
  constructor(text, withFactors) {
    Object.assign(this, { text, factorNames: withFactors ? FACTORS : [], at: null })
    const names = [...MATRICES, ...this.factorNames]
    const make = (name) => [name, new Heatmap(name, (y, x) => this.point(name, y, x))]
    this.maps = Object.fromEntries(names.map(make))
    this.element = h('div', { class: 'maps' }, ...Object.values(this.maps).map(({ element }) => element))
    this.ranges = h('dl', {})
    this.said = h('p', { class: 'cell', role: 'status' })
    const legend = h('div', { class: 'legend' }, h('div', { class: 'ramp' }), this.ranges)
    this.aside = h('div', { class: 'aside' }, legend, this.said)
  }

  /** Take over a matrix and draw it in the colours of `scale`. */
  draw(matrix, scale) {
    Object.assign(this, { matrix, scale })
    const [rows, columns] = matrix.drawn
    const [out, into] = matrix.shape
    const { k, tops } = matrix
    const high = squareness(rows, columns)
    for (const name of MATRICES) {
      this.maps[name].resize(rows, columns, 1, high)
      this.maps[name].title.textContent = fill(this.text.maps[name], { out, in: into })
    }
    // As thin beside the matrix as the factors are, as far as that can be read.
    this.maps.lora_B?.resize(rows, k, Math.max(THINNEST, k / into), high)
    this.maps.lora_A?.resize(k, columns, 1, high * Math.max(THINNEST, k / out))
    this.maps.delta_w.paint(matrix.lowrank.full, tops.matrix, scale)
    const range = (name, top) => {
      const numbers = `${short(-top)} … 0 … ${short(top)}`
      return h('div', {}, h('dt', {}, this.text.legend[name]), h('dd', {}, numbers))
    }
    const factors = this.factorNames.length ? [range('factor', tops.factor)] : []
    this.ranges.replaceChildren(range('matrix', tops.matrix), ...factors)
    this.say()
  }

  /** Show what rank r keeps. */
  move(r) {
    const { maps, scale, text } = this
    const { lowrank, factors, tops, shape } = this.matrix
    this.r = r
    lowrank.seek(r)
    maps.copy.paint(lowrank.copy, tops.matrix, scale)
    maps.residual.paint(lowrank.residual, tops.matrix, scale)
    maps.lora_B?.paint(factors.lora_B, tops.factor, scale, { columns: r })
    maps.lora_A?.paint(factors.lora_A, tops.factor, scale, { rows: r })
    const values = { r, out: shape[0], in: shape[1] }
    for (const name of ['copy', ...this.factorNames])
      maps[name].title.textContent = fill(text.maps[name], values)
    if (this.at) this.say()
  }

  /** The cursor stands on a cell of one heatmap, or on none: mark its fellows. */
  point(name, y, x) {
    this.at = y === null ? null : { name, y, x }
    const fellows = MATRICES.includes(name) ? MATRICES : [name]
    for (const [each, map] of Object.entries(this.maps)) {
      if (fellows.includes(each)) map.mark(y, x)
      else map.mark(null, null)
    }
    this.say()
  }

  /** Say the values of the cell. */
  say() {
    const { text, at, matrix } = this
    if (!at) {
      this.said.textContent = text.noCell
      return
    }
    const { name, y, x } = at
    const { lowrank, factors, steps } = matrix
    const i = y * this.maps[name].columns + x
    const values = {
      name,
      row: name === 'lora_A' ? y : y * steps[0],
      column: name === 'lora_B' ? x : x * steps[1],
    }
    if (MATRICES.includes(name)) {
      for (const [each, cells] of Object.entries({
        delta_w: lowrank.full,
        copy: lowrank.copy,
        residual: lowrank.residual,
      })) {
        values[each] = short(cells[i])
      }
      this.said.textContent = fill(text.cells.matrix, values)
    } else {
      const stored = (name === 'lora_A' ? y : x) < this.r
      values[name] = short(factors[name][i])
      this.said.textContent = fill(text.cells[stored ? name : 'unused'], values)
    }
  }

  /** The matrices, for a picture of them. */
  pictures() {
    return MATRICES.map((name) => ({
      title: this.maps[name].title.textContent,
      canvas: this.maps[name].canvas,
    }))
  }
}
