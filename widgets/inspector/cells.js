import { h } from '../kit/dom.js'
import { fill } from '../kit/text.js'

// A model of many experts has more, which the choice of a layer holds.
const [MOST, WIDEST] = [6000, 400] // cells, columns
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }

/** A table of layers, block by matrix, each shaded by what is measured in it; mouse and arrow keys choose one. */
export class Cells {
  /** `choose(name)` is told which layer was chosen, `point(name)` which one the mouse is over, or null. */
  constructor(text, choose, point) {
    Object.assign(this, { text, choose, point })
    this.grid = h('table', { class: 'heat cells-of-layers', role: 'grid', 'aria-label': text.label })
    this.element = h('div', { class: 'scrolled' }, this.grid)
    this.grid.addEventListener('keydown', (event) => this.key(event))
    this.grid.addEventListener('click', ({ target }) => target.dataset.name && choose(target.dataset.name))
    this.grid.addEventListener('pointerover', ({ target }) => point(target.dataset.name ?? null))
    this.grid.addEventListener('pointerleave', () => point(null))
  }

  /** Place the layers anew. */
  place(layers) {
    const columns = [...new Set(layers.map(({ block }) => block))].slice(0, WIDEST)
    const rows = [...new Set(layers.map(({ matrix }) => matrix))].slice(0, Math.ceil(MOST / columns.length))
    const at = new Map(layers.map((layer) => [`${layer.matrix}\n${layer.block}`, layer]))
    this.table = rows.map((matrix) => columns.map((block) => at.get(`${matrix}\n${block}`) ?? null))
    const last = (block) => /(\d+)\D*$/.exec(block)?.[1] ?? block
    const alone = new Set(columns.map(last)).size === columns.length
    const short = (block) => (alone ? last(block) : (block.match(/\d+/g)?.join('.') ?? block))
    const head = columns.map((block) => h('th', { scope: 'col', title: block }, short(block)))
    this.cells = new Map()
    const body = this.table.map((line, i) =>
      h(
        'tr',
        {},
        h('th', { scope: 'row', title: rows[i] }, rows[i]),
        ...line.map((layer) => {
          if (!layer) return h('td', { class: 'none' })
          const cell = h('td', { role: 'gridcell', tabindex: -1, 'data-name': layer.name })
          this.cells.set(layer.name, cell)
          return cell
        }),
      ),
    )
    const top = h('tr', {}, h('th', { scope: 'col' }, this.text.corner), ...head)
    this.grid.replaceChildren(h('thead', {}, top), h('tbody', {}, ...body))
  }

  /** Shade the cells: `measure(layer)` is a number or null, `told(layer)` what is said of it. Returns the largest number. */
  shade(layers, measure, told) {
    const values = layers.map(measure)
    const top = values.reduce((most, value) => Math.max(most, value ?? 0), 0)
    layers.forEach((layer, i) => {
      const cell = this.cells.get(layer.name)
      if (!cell) return
      const share = values[i] === null || !top ? 0 : values[i] / top
      cell.style.setProperty('--share', share.toFixed(3)) // a page's policy takes no style written as an attribute
      cell.classList.toggle('unknown', values[i] === null)
      cell.setAttribute('aria-label', told(layer))
    })
    return top
  }

  mark(name) {
    for (const [own, cell] of this.cells) {
      const chosen = own === name
      if (chosen === (cell.getAttribute('aria-selected') === 'true')) continue
      cell.setAttribute('aria-selected', String(chosen))
      cell.tabIndex = chosen ? 0 : -1
    }
  }

  key(event) {
    const step = STEPS[event.key]
    const { name } = event.target.dataset
    if (!step || !name) return
    event.preventDefault()
    let y = this.table.findIndex((line) => line.some((layer) => layer?.name === name))
    let x = this.table[y].findIndex((layer) => layer?.name === name)
    for (;;) {
      y += step[0]
      x += step[1]
      const inside = y >= 0 && y < this.table.length && x >= 0 && x < this.table[0].length
      if (!inside) return
      const layer = this.table[y][x]
      if (!layer) continue
      this.choose(layer.name)
      this.cells.get(layer.name).focus()
      return
    }
  }
}

/** What is said of a cell. */
export const cellTold = (text, layer, template, values) =>
  fill(template ? text.cell : text.unknown, {
    name: layer.name,
    shape: layer.shape.join(' × '),
    told: template ? fill(template, values) : '',
  })
