import { create } from '../kit/d3.js'
import { h, rem } from '../kit/dom.js'
import { fill } from '../kit/text.js'

// From top to bottom, as a text passes them; a projection stands before the place that it writes.
const ROWS = [
  'into',
  'norm_1',
  'q',
  'k',
  'v',
  'attention',
  'mixed',
  'o',
  'middle',
  'norm_2',
  'up',
  'gelu',
  'down',
  'out',
]
const STREAM = ['into', 'middle', 'out']
// Who reads what, along the lane beside the buttons, and what is added to the stream.
const READS = { norm_1: ['q', 'k', 'v'], mixed: ['o'], norm_2: ['up'], gelu: ['down'] }
const ADDED = { o: 'middle', down: 'out' }
const ARROW = 'l-6,-3.5v7Z'

/** Paint numbers into a canvas of one pixel each. */
function paint(canvas, rows, columns, values, top, scale) {
  canvas.width = columns
  canvas.height = rows
  const context = canvas.getContext('2d')
  const image = context.createImageData(columns, rows)
  const pixels = new Uint32Array(image.data.buffer)
  const middle = (scale.length - 1) / 2
  for (let i = 0; i < pixels.length; i++)
    pixels[i] = scale[Math.round(middle + (top ? (values[i] / top) * middle : 0))]
  context.putImageData(image, 0, 0)
}

/** A block from its input down to its output: what stands at each place, and a button for each projection. */
export class Diagram {
  /** words: {stage, places, strip, heads}; writers: {place: projection}; `choose(projection)` is told what was pressed. */
  constructor(words, writers, choose) {
    Object.assign(this, { words, writers, buttons: {}, strips: {}, cells: {} })
    this.svg = create('svg').attr('aria-hidden', 'true')
    this.element = h('div', {
      class: 'diagram',
      role: 'group',
      'aria-label': words.stage,
      keydown: (e) => this.key(e),
    })
    this.element.append(this.svg.node())
    for (const name of ROWS) this.element.append(...this.row(name, choose))
    this.watcher = new ResizeObserver(() => this.connect())
    this.watcher.observe(this.element)
  }

  row(name, choose) {
    const projection = this.writers[name]
    const place = this.words.places[name]
    this.strips[name] = h('div', { class: 'strip' })
    this.cells[name] = projection
      ? (this.buttons[projection] = h(
          'button',
          { type: 'button', 'aria-pressed': 'false', click: () => choose(projection) },
          projection,
        ))
      : h('span', { class: STREAM.includes(name) ? 'stream' : '' }, place)
    this.cells[name].classList.add('at')
    return [this.cells[name], this.strips[name]]
  }

  /** Arrow keys walk from button to button. */
  key(event) {
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key]
    const all = Object.values(this.buttons)
    const from = all.indexOf(document.activeElement)
    if (!by || from < 0) return
    event.preventDefault()
    all[Math.max(0, Math.min(all.length - 1, from + by))].focus()
  }

  /** Fill the strips with what stands there in one of the models. */
  draw(passage, model, scale) {
    const { tokens, n_head, strips } = passage
    this.element.style.setProperty('--tokens', tokens)
    for (const name of ROWS) {
      const { columns, [model]: numbers } = strips[name]
      const { values, top } = numbers
      const told = { place: this.words.places[name], columns, tokens }
      const canvases = name === 'attention' ? n_head : 1
      const each = values.length / canvases
      const pictures = Array.from({ length: canvases }, (_, i) => {
        const label = canvases > 1 ? fill(this.words.heads, { head: i + 1 }) : fill(this.words.strip, told)
        const canvas = h('canvas', { role: 'img', 'aria-label': label })
        paint(canvas, tokens, each / tokens, values.subarray(i * each, (i + 1) * each), top, scale)
        return h('div', { class: 'picture' }, canvas)
      })
      this.strips[name].replaceChildren(...pictures)
    }
    this.connect()
  }

  /** The chosen projection: its button is down, its adapter's path thick. */
  press(projection) {
    this.pressed = projection
    for (const [name, button] of Object.entries(this.buttons))
      button.setAttribute('aria-pressed', String(name === projection))
    this.svg.selectAll('.side').classed('chosen', (name) => name === projection)
  }

  /** Mark the row of a token in every strip. */
  at(token) {
    this.element.style.setProperty('--token', token)
  }

  /** Draw the lines between what has found its place. */
  connect() {
    const { element, svg, cells, strips } = this
    const [width, height] = [element.clientWidth, element.clientHeight]
    if (!width) return
    const unit = rem()
    svg.attr('viewBox', `0 0 ${width} ${height}`).attr('width', width).attr('height', height)
    svg.selectAll('*').remove()
    const box = (node) => {
      const { offsetLeft: left, offsetTop: top, offsetWidth: wide, offsetHeight: high } = node
      return { left, right: left + wide, top, bottom: top + high, y: top + high / 2 }
    }
    const cell = Object.fromEntries(ROWS.map((name) => [name, box(cells[name])]))
    const strip = Object.fromEntries(ROWS.map((name) => [name, box(strips[name])]))
    const [stream, lane] = [0.55 * unit, cell.q.left - 0.75 * unit]
    const line = (d, kind = 'flow') => svg.append('path').attr('class', kind).attr('d', d)
    const arrow = (way, { left, y }) => {
      line(`${way}H${left}`)
      line(`M${left},${y}${ARROW}`, 'flow head')
    }
    const plus = (x, y) => {
      svg
        .append('circle')
        .attr('class', 'plus')
        .attr('cx', x)
        .attr('cy', y)
        .attr('r', 0.36 * unit)
      line(`M${x - 0.22 * unit},${y}h${0.44 * unit}M${x},${y - 0.22 * unit}v${0.44 * unit}`, 'flow sign')
    }
    line(`M${stream},${cell.into.y}V${cell.out.y}`, 'flow residual')
    for (const name of STREAM) line(`M${stream},${cell[name].y}H${cell[name].left}`, 'flow residual')
    for (const name of ['norm_1', 'norm_2']) arrow(`M${stream},${cell[name].y}`, cell[name])
    for (const [from, readers] of Object.entries(READS))
      for (const to of readers)
        arrow(
          `M${cell[from].left + unit},${cell[from].bottom}v${0.15 * unit}H${lane}V${cell[to].y}`,
          cell[to],
        )
    for (const [from, to] of [
      ['attention', 'mixed'],
      ['up', 'gelu'],
    ]) {
      const x = (strip[from].left + strip[from].right) / 2
      line(`M${x},${strip[from].bottom}V${strip[to].top}`)
    }
    const edge = strip.q.right + 0.45 * unit
    for (const name of ['q', 'k', 'v'])
      line(`M${strip[name].right},${strip[name].y}H${edge}V${strip.attention.y}H${strip.attention.right}`)
    for (const [from, to] of Object.entries(ADDED)) {
      const y = (strip[from].bottom + strip[to].top) / 2
      line(`M${strip[from].left + unit},${strip[from].bottom}V${y}H${stream}`)
      plus(stream, y)
    }
    for (const [place, projection] of Object.entries(this.writers))
      this.side(projection, cell[place], strip[place], unit, line, plus)
    this.press(this.pressed)
  }

  /** The adapter's path around a frozen layer: lora_A, then lora_B, then the sum. */
  side(projection, cell, strip, unit, line, plus) {
    const [start, sum] = [cell.left - 0.5 * unit, (cell.right + strip.left) / 2]
    const over = cell.top - 0.28 * unit
    line(`M${cell.right},${cell.y}H${strip.left}`)
    const path = line(`M${start},${cell.y}V${over}H${sum}V${cell.y - 0.36 * unit}`, 'side').datum(projection)
    const mark = (x, wide, high) =>
      this.svg
        .append('rect')
        .datum(projection)
        .attr('class', 'side factor')
        .attr('x', x - (wide * unit) / 2)
        .attr('y', over - (high * unit) / 2)
        .attr('width', wide * unit)
        .attr('height', high * unit)
    const third = (sum - start) / 3
    mark(start + third, 0.9, 0.22)
    mark(start + 2 * third, 0.22, 0.6)
    path.lower()
    plus(sum, cell.y)
  }
}
