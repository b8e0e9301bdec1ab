import { axisBottom, create, scaleLinear } from '../kit/d3.js'
import { freshId, rem } from '../kit/dom.js'
import { widest } from '../kit/names.js'

// In rem, so that a projector's large letters find room.
const MARGIN = { left: 0.7, right: 4, bottom: 2.6 } // left of the bars after the longest name
const LINE = 1.35 // of text
const BAR = 1.05
const ROW = 2.1
const MARK = 0.28 // half the size of a mark
const LEAST_TICK = 3.5
const SHAPES = {
  base: (s) => `M${-s},0A${s},${s} 0 1 0 ${s},0A${s},${s} 0 1 0 ${-s},0Z`,
  first: (s) => `M0,${-s}L${1.1 * s},${s}L${-1.1 * s},${s}Z`,
  second: (s) => `M${-s},${-s}H${s}V${s}H${-s}Z`,
}

/** Lying bars of measured shares, 0 to 1, each with its interval and below it the marks of the controls. */
export class Shares {
  constructor() {
    this.id = freshId('shares')
    this.figure = create('figure').attr('class', 'shares-chart')
    this.caption = this.figure.append('figcaption').attr('id', this.id)
    this.svg = this.figure.append('svg').attr('role', 'img')
    this.element = this.figure.node()
    this.words = {}
    this.watcher = new ResizeObserver(() => this.content && this.draw(this.content, this.values))
    this.watcher.observe(this.element)
  }

  /**
   * What stays while the shares move: {words: {title, x, interval, marks: {name: text}}, rows: [{label, kind,
   * marks: {name: share}}]}. Then the shares themselves, as `move` takes them.
   */
  draw(content, values) {
    const { words, rows } = Object.assign(this, { content, values }).content
    this.words = words
    this.caption.text(words.title)
    const width = this.element.clientWidth
    const unit = (this.unit = rem())
    const { svg } = this
    svg.attr('width', width).selectAll('*').remove()
    const names = rows.map(({ label }) => label)
    const [left, right] = [widest(svg, names) + MARGIN.left * unit, width - MARGIN.right * unit]
    this.drawn = null
    if (right <= left) return // not laid out
    this.x = scaleLinear([0, 1], [left, right])
    const above = this.legend(width)
    const bottom = above + rows.length * ROW * unit
    const height = bottom + MARGIN.bottom * unit
    svg.attr('viewBox', `0 0 ${width} ${height}`).attr('height', height)
    this.drawn = rows.map((row, i) => this.row(row, above + i * ROW * unit))
    this.axis(bottom, height, right)
    this.move(values)
  }

  /** Follow a tick: [{share, low, high, said}], one for each row. */
  move(values) {
    this.values = values
    if (!this.drawn) return
    const { x, unit, words, content } = this
    const told = values.map(({ said }, i) => `${content.rows[i].label} ${said}`)
    this.svg.attr('aria-label', [words.title, ...told].join('. '))
    values.forEach(({ share, low, high, said }, i) => {
      const { bar, lines, value, middle } = this.drawn[i]
      bar.attr('width', x(share) - x(0))
      for (const line of lines) line.attr('d', this.stops(x(low), x(high), middle))
      value.attr('x', x(high) + 0.4 * unit).text(said)
    })
  }

  text(x, y, words, anchor = 'start', kind = 'bar-name') {
    return this.svg
      .append('text')
      .attr('class', kind)
      .attr('x', x)
      .attr('y', y)
      .attr('text-anchor', anchor)
      .text(words)
  }

  shape(name, x, y) {
    this.svg
      .append('path')
      .attr('class', `control-mark ${name}`)
      .attr('d', SHAPES[name](MARK * this.unit))
      .attr('transform', `translate(${x},${y})`)
  }

  /** A line with a stop at each end. */
  stops(from, to, y) {
    const high = 0.25 * this.unit
    return `M${from},${y - high}v${2 * high}M${from},${y}H${to}M${to},${y - high}v${2 * high}`
  }

  /** Two lines for an interval: the first one is a halo that sets it off from the bar. */
  interval() {
    return ['interval halo', 'interval'].map((kind) => this.svg.append('path').attr('class', kind))
  }

  /** What the marks are, in as many lines as it takes; return where the rows begin. */
  legend(width) {
    const { unit, words } = this
    let [x, y] = [0.3 * unit, 0.7 * unit]
    const entry = (words_, draw) => {
      const text = this.text(0, 0, words_, 'start', 'label')
      const wide = 1.6 * unit + text.node().getComputedTextLength()
      if (x > unit && x + wide > width) [x, y] = [0.3 * unit, y + LINE * unit]
      draw(x + 0.6 * unit, y)
      text.attr('x', x + 1.6 * unit).attr('y', y + 0.27 * unit)
      x += wide + 1.2 * unit
    }
    entry(words.interval, (at, y) => {
      for (const line of this.interval()) line.attr('d', this.stops(at - 0.5 * unit, at + 0.5 * unit, y))
    })
    for (const [name, text] of Object.entries(words.marks)) entry(text, (at, y) => this.shape(name, at, y))
    return y + 1.2 * unit
  }

  row({ label, kind, marks }, y) {
    const { svg, unit, x } = this
    const middle = y + (BAR / 2) * unit
    this.text(x(0) - 0.5 * unit, middle + 0.28 * unit, label, 'end')
    const bar = svg.append('rect').attr('class', `share ${kind}`)
    bar
      .attr('x', x(0))
      .attr('y', y)
      .attr('height', BAR * unit)
    for (const [name, at] of Object.entries(marks)) this.shape(name, x(at), y + (BAR + 0.4) * unit)
    const value = this.text(0, middle + 0.28 * unit, '', 'start', 'label')
    return { bar, lines: this.interval(), value, middle }
  }

  axis(bottom, height, right) {
    const { svg, unit, x, words } = this
    const ticks = Math.max(2, Math.min(10, Math.floor((right - x(0)) / (LEAST_TICK * unit))))
    svg
      .append('g')
      .attr('class', 'axis')
      .attr('transform', `translate(0,${bottom})`)
      .call(
        axisBottom(x)
          .ticks(ticks)
          .tickFormat((share) => Math.round(100 * share))
          .tickSizeOuter(0),
      )
    this.text(right, height - 0.35 * unit, words.x, 'end', 'title')
  }
}
