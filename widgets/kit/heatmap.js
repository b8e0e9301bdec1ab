import { freshId, h } from './dom.js'

/** Height over width of a picture with square cells, as far as that does not make it extreme. */
export const squareness = (rows, columns) => Math.min(2, Math.max(0.25, rows / columns))

/** A matrix as a canvas with one pixel a cell, a caption, and a cell cursor that mouse, touch and arrow keys move. */
export class Heatmap {
  /** `onCell(row, column)` is told where the cursor goes; null, null when it leaves. */
  constructor(className, onCell) {
    const id = freshId('heatmap')
    this.canvas = h('canvas', { width: 1, height: 1 })
    this.cursor = h('span', { class: 'cursor', hidden: true })
    this.title = h('figcaption', { id })
    this.frame = h(
      'div',
      { class: 'cells', tabindex: 0, role: 'application', 'aria-labelledby': id },
      this.canvas,
      this.cursor,
    )
    this.element = h('figure', { class: `heatmap ${className}` }, this.title, this.frame)
    this.context = this.canvas.getContext('2d')
    this.rows = this.columns = 0
    this.cell = null
    this.onCell = onCell
    this.frame.addEventListener('pointermove', (event) => this.point(event))
    this.frame.addEventListener('pointerdown', (event) => this.point(event))
    this.frame.addEventListener('pointerleave', () => onCell(null, null))
    this.frame.addEventListener('focus', () => onCell(...(this.cell ?? [0, 0])))
    this.frame.addEventListener('blur', () => onCell(null, null))
    this.frame.addEventListener('keydown', (event) => this.key(event))
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect()
    const place = (at, start, size, count) =>
      Math.min(count - 1, Math.max(0, Math.floor(((at - start) / size) * count)))
    this.onCell(
      place(event.clientY, box.top, box.height, this.rows),
      place(event.clientX, box.left, box.width, this.columns),
    )
  }

  key(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key]
    if (!step) return
    event.preventDefault()
    const [y, x] = this.cell ?? [0, 0]
    const inside = (v, count) => Math.min(count - 1, Math.max(0, v))
    this.onCell(inside(y + step[0], this.rows), inside(x + step[1], this.columns))
  }

  /** Show the cursor on a cell; null hides it. */
  mark(y, x) {
    this.cell = y == null ? this.cell : [y, x]
    this.cursor.hidden = y == null || y >= this.rows || x >= this.columns
    if (this.cursor.hidden) return
    this.cursor.style.width = `${100 / this.columns}%`
    this.cursor.style.height = `${100 / this.rows}%`
    this.cursor.style.left = `${(100 * x) / this.columns}%`
    this.cursor.style.top = `${(100 * y) / this.rows}%`
  }

  /**
   * Set the number of cells; the canvas is cleared. `wide` and `high` are the size of the picture in units of the
   * column it stands in; by default cells are square, as far as that does not make a picture extreme.
   */
  resize(rows, columns, wide = 1, high = Math.min(2, Math.max(0.25, rows / columns))) {
    this.frame.style.width = `${100 * wide}%`
    this.canvas.style.aspectRatio = `${wide / high}`
    if (rows === this.rows && columns === this.columns) return
    Object.assign(this, { rows, columns, cell: null })
    this.canvas.width = columns
    this.canvas.height = rows
    this.image = this.context.createImageData(columns, rows)
    this.pixels = new Uint32Array(this.image.data.buffer)
    this.cursor.hidden = true
  }

  /**
   * Paint values (rows, columns) between -top and top with the packed colours of `scale`. Cells from row
   * `kept.rows` and column `kept.columns` on stay empty.
   */
  paint(values, top, scale, kept = {}) {
    const { pixels, rows, columns } = this
    const keptRows = kept.rows ?? rows
    const keptColumns = kept.columns ?? columns
    const middle = (scale.length - 1) / 2
    const gain = top > 0 ? middle / top : 0
    pixels.fill(0)
    for (let y = 0; y < keptRows; y++) {
      for (let x = 0; x < keptColumns; x++) {
        const i = y * columns + x
        pixels[i] = scale[Math.min(scale.length - 1, Math.max(0, (values[i] * gain + middle + 0.5) | 0))]
      }
    }
    this.context.putImageData(this.image, 0, 0)
  }
}
