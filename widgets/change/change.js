import { dequantised } from '../kit/arrays.js'
import { divergingScale, onColours } from '../kit/colour.js'
import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Heatmap, squareness } from '../kit/heatmap.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill } from '../kit/text.js'

const MATRICES = ['W', 'after', 'delta_w']

/** A weight matrix before and after full finetuning, and the difference, on one scale or on two. */
class Change extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits('matrix')
    model.on('change:scale', () => this.paint())
    this.stop = onColours(() => this.paint())
    this.load()
  }

  build() {
    const { text, frame } = this
    this.at = null
    this.controls = this.choosers('matrix', 'scale')
    this.readouts = new Readouts(text)
    const make = (name) => [name, new Heatmap(name, (y, x) => this.point(y, x))]
    this.maps = Object.fromEntries(MATRICES.map(make))
    for (const name of MATRICES) this.maps[name].title.textContent = text.maps[name]
    this.ranges = h('dl', {})
    this.said = h('p', { class: 'cell', role: 'status' })
    const legend = h('div', { class: 'legend' }, h('div', { class: 'ramp' }), this.ranges)
    frame.root.append(
      ...frame.part('choices', abreast(this.controls)),
      h('div', { class: 'maps' }, ...Object.values(this.maps).map(({ element }) => element)),
      h('div', { class: 'aside' }, legend, this.said),
      ...frame.part('readouts', this.readouts.element),
      frame.sentence,
    )
  }

  /** Take over the two matrices that Python shipped; the third is their sum. */
  load() {
    const { shape, W, delta_w, values } = (this.arrays = read(this.model, 'arrays'))
    const [before, change] = [W, delta_w].map((each) => dequantised(each).values)
    this.cells = { W: before, after: before.map((value, i) => value + change[i]), delta_w: change }
    for (const map of Object.values(this.maps)) map.resize(...shape, 1, squareness(...shape))
    this.controls.matrix.input.value = this.model.get('matrix')
    this.readouts.show(values)
    this.paint()
  }

  paint() {
    const { text, maps, cells, arrays } = this
    const own = this.model.get('scale') === 'own'
    const { top_W, top_delta } = arrays.values
    const tops = { top_W, top_delta: own ? top_delta : top_W }
    const colours = divergingScale(this.frame.root)
    for (const name of MATRICES)
      maps[name].paint(cells[name], name === 'delta_w' ? tops.top_delta : top_W, colours)
    this.controls.scale.input.value = this.model.get('scale')
    this.ranges.replaceChildren(
      ...Object.entries(text.ranges).map(([name, range]) =>
        h('div', {}, h('dt', {}, text.legend[name]), h('dd', {}, fill(range, tops))),
      ),
    )
    this.say()
    this.frame.update()
  }

  /** The cursor stands on a cell of any picture: mark it in all of them. */
  point(y, x) {
    this.at = y === null ? null : { y, x }
    for (const map of Object.values(this.maps)) map.mark(y, x)
    this.say()
  }

  say() {
    const { text, at, cells, arrays } = this
    if (!at) {
      this.said.textContent = text.noCell
      return
    }
    const i = at.y * arrays.shape[1] + at.x
    const { W, after, delta_w } = cells
    const values = { cell_W: W[i], cell_after: after[i], cell_delta: delta_w[i] }
    this.said.textContent = fill(text.cell, { row: at.y, column: at.x, ...values })
  }

  sentence() {
    return fill(this.text.sentences[this.model.get('scale')], this.arrays.values)
  }

  snippet() {
    return this.arrays.snippet
  }

  table() {
    return this.tableOf(this.arrays.rows)
  }

  get stem() {
    return this.arrays.key
  }

  saves() {
    return {
      change: () => ['delta_w.csv', this.asCsv()],
    }
  }

  asPicture() {
    const heatmaps = Object.values(this.maps).map(({ title, canvas }) => ({
      title: title.textContent,
      canvas,
    }))
    return super.asPicture([], heatmaps)
  }

  asCsv() {
    const [rows, columns] = this.arrays.shape
    const row = (_, y) => this.cells.delta_w.subarray(y * columns, (y + 1) * columns)
    return csv(Array.from({ length: rows }, row))
  }
}

export default rendering(Change)
