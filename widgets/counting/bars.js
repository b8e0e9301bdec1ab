import { axisBottom, create, scaleLinear } from '../kit/d3.js'
import { freshId, rem } from '../kit/dom.js'
import { written } from '../kit/text.js'

// In rem, so that a projector's large letters find room.
const MARGIN = { left: 0.7, right: 0.9, bottom: 2.6 }
const SWATCH = 1.2
const LINE = 1.35 // of text
const BAR = 1.5
const GAP = 0.75
const APART = 1.5 // between the labels of two upright lines
const LEAST_TICK = 4.5

/** Lying bars made of parts, each under its name, upright lines through all of them, and what the parts are. */
export class Bars {
  /** words: {title, x, parts: {kind: name}}; a part of a kind has the classes `part <kind>`. */
  constructor(words) {
    const id = freshId('bars')
    Object.assign(this, { words, hatch: freshId('hatch') })
    this.figure = create('figure').attr('class', 'bars-chart')
    this.figure.append('figcaption').attr('id', id).text(words.title)
    this.svg = this.figure.append('svg').attr('role', 'img')
    this.element = this.figure.node()
    this.watcher = new ResizeObserver(() => this.content && this.draw(this.content))
    this.watcher.observe(this.element)
  }

  /** content: {rows: [{label, parts: {kind: value}}], rules: [value], top}; what is longer than top is cut. */
  draw(content) {
    const { rows, rules, top } = (this.content = content)
    const width = this.element.clientWidth
    const unit = (this.unit = rem())
    const [left, right] = [MARGIN.left * unit, width - MARGIN.right * unit]
    if (right <= left) return // not laid out
    const { svg } = this
    svg.attr('width', width).selectAll('*').remove()
    svg.attr('aria-label', [this.words.title, ...rows.map(({ label }) => label)].join('. '))
    this.pattern()
    this.x = scaleLinear([0, top], [left, right])
    const above = this.legend(left, right) + LINE * unit
    const bottom = above + rows.length * (LINE + BAR + GAP) * unit
    const height = bottom + MARGIN.bottom * unit
    svg.attr('viewBox', `0 0 ${width} ${height}`).attr('height', height)
    this.rules(rules, above, bottom)
    rows.forEach((row, i) => this.row(row, above + i * (LINE + BAR + GAP) * unit, right))
    this.axis(bottom, right, height, width)
  }

  /** The hatching of the gradients: a part can be told without its colour. */
  pattern() {
    const size = 0.45 * this.unit
    const pattern = this.svg
      .append('defs')
      .append('pattern')
      .attr('id', this.hatch)
      .attr('width', size)
      .attr('height', size)
      .attr('patternUnits', 'userSpaceOnUse')
      .attr('patternTransform', 'rotate(45)')
    pattern.append('rect').attr('class', 'hatch-ground').attr('width', size).attr('height', size)
    pattern
      .append('rect')
      .attr('class', 'hatch')
      .attr('width', size / 2)
      .attr('height', size)
  }

  rectangle(kind, x, y, wide, high) {
    const part = this.svg.append('rect').attr('class', `part ${kind}`)
    part.attr('x', x).attr('y', y).attr('width', wide).attr('height', high)
    if (kind === 'gradients') part.attr('fill', `url(#${this.hatch})`)
  }

  /** What each kind of part is, in as many lines as it takes; return where it ends. */
  legend(left, right) {
    const { svg, unit } = this
    let [x, y] = [left, 0.2 * unit]
    for (const [kind, name] of Object.entries(this.words.parts)) {
      const text = svg.append('text').text(name)
      const wide = (SWATCH + 0.4) * unit + text.node().getComputedTextLength()
      if (x > left && x + wide > right) [x, y] = [left, y + LINE * unit]
      this.rectangle(kind, x + 1, y, SWATCH * unit, 0.8 * unit)
      text.attr('x', x + (SWATCH + 0.4) * unit).attr('y', y + 0.72 * unit)
      x += wide + 1.1 * unit
    }
    return y + (LINE + 0.3) * unit
  }

  /** Upright lines with their value above; of two whose labels would meet the larger stays. */
  rules(values, above, bottom) {
    const { svg, unit } = this
    let last = Infinity
    for (const value of [...values].reverse()) {
      const at = this.x(value)
      if (value > this.content.top || last - at < APART * unit) continue
      last = at
      svg
        .append('line')
        .attr('class', 'rule card')
        .attr('x1', at)
        .attr('x2', at)
        .attr('y1', above)
        .attr('y2', bottom)
      svg
        .append('text')
        .attr('class', 'label card')
        .attr('text-anchor', 'middle')
        .attr('x', at)
        .attr('y', above - 0.3 * unit)
        .text(value)
    }
  }

  row({ label, parts }, y, right) {
    const { svg, unit, x } = this
    const [start, high] = [y + LINE * unit, BAR * unit]
    svg
      .append('text')
      .attr('class', 'bar-name')
      .attr('x', x(0))
      .attr('y', y + 0.95 * unit)
      .text(label)
    let sum = 0
    for (const [kind, value] of Object.entries(parts)) {
      const from = Math.min(x(sum), right)
      const to = Math.min(x((sum += value)), right)
      if (to > from) this.rectangle(kind, from, start, to - from, high)
    }
    if (sum <= this.content.top) return
    const tooth = high / 4
    const torn = `M${right + 2},${start - 1}h${-tooth}l${tooth / 2},${tooth}l${-tooth},${tooth}l${tooth},${tooth}l${-tooth},${tooth}v2h${1.5 * tooth}Z`
    svg.append('path').attr('class', 'torn').attr('d', torn)
  }

  axis(bottom, right, height, width) {
    const { svg, unit, x, words } = this
    const ticks = Math.max(2, Math.floor(width / (LEAST_TICK * unit)))
    svg
      .append('g')
      .attr('class', 'axis')
      .attr('transform', `translate(0,${bottom})`)
      .call(
        axisBottom(x)
          .ticks(ticks)
          .tickFormat((at) => written(x.tickFormat(ticks)(at)))
          .tickSizeOuter(0),
      )
    svg
      .append('text')
      .attr('class', 'title')
      .attr('x', right)
      .attr('y', height - 0.35 * unit)
      .attr('text-anchor', 'end')
      .text(words.x)
  }
}
