import { axisBottom, axisLeft, create } from './d3.js'
import { freshId, rem } from './dom.js'

// In rem, so that a projector's large letters find room.
const MARGIN = { top: 0.9, right: 0.75, bottom: 2.5, left: 2.9 }
const TICK = 0.3 // between an axis and what stands at it: the first names of two axes shall not meet

/** The path through points [x, y]; none through no points. */
export const path = (points, end = '') =>
  points.length ? `M${points.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join('L')}${end}` : null

/**
 * A picture with two axes and a probe that mouse and arrow keys move from place to place (a slider to a screen reader).
 * One of them adds `draw(content)`, which begins with `clear()` and gives `x`, `y` and the `needle` of the probe; the
 * `last` place, the one that is `pointed(event)` at or null, and the `spot(i)` of the needle.
 */
export class Plot {
  /** words: {title}; height: in rem; probe(i): the sentence for place i; choose(i): it was picked. */
  constructor(words, { height, probe, choose }) {
    const id = freshId('chart')
    Object.assign(this, { words, height, probe, choose, at: 0, probed: null, needle: null })
    this.figure = create('figure').attr('class', 'chart')
    this.caption = this.figure.append('figcaption').attr('id', id).text(words.title)
    this.svg = this.figure
      .append('svg')
      .attr('tabindex', 0)
      .attr('role', 'slider')
      .attr('aria-valuemin', 0)
      .attr('aria-labelledby', id)
    this.said = this.figure.append('p').attr('class', 'probe').html('&nbsp;')
    this.element = this.figure.node()
    this.svg
      .on('keydown', (event) => this.key(event))
      .on('focus', () => this.show(this.at))
      .on('blur', () => this.show(null))
      .on('pointermove', (event) => this.show(this.pointed(event)))
      .on('pointerleave', () => this.show(null))
      .on('click', (event) => this.pointed(event) !== null && this.choose(this.pointed(event)))
    this.watcher = new ResizeObserver(() => {
      this.width = this.unit = undefined
      if (this.content) this.draw(this.content)
    })
    this.watcher.observe(this.element)
  }

  /** Make an empty picture of the present size; say whether there is room for one. */
  clear() {
    // Measured once for each size: to ask again would lay the page out anew for each chart of a tick.
    const width = (this.width ??= this.element.clientWidth)
    const unit = (this.unit ??= rem())
    const height = this.height * unit
    const box = (this.box = {
      left: MARGIN.left * unit,
      right: width - MARGIN.right * unit,
      top: MARGIN.top * unit,
      bottom: height - MARGIN.bottom * unit,
      height,
    })
    this.needle = null
    if (box.right <= box.left) return false // not laid out: nothing to move until it is drawn
    this.svg
      .attr('viewBox', `0 0 ${width} ${height}`)
      .attr('width', width)
      .attr('height', height)
      .selectAll('*')
      .remove()
    return true
  }

  /** The axes: ticks [value] and how they are written, across and upwards, and what stands below. */
  axes(across, up, title) {
    const { svg, x, y, box, unit } = this
    const axis = (side, [values, written], move) =>
      svg
        .append('g')
        .attr('class', 'axis')
        .attr('transform', `translate(${move})`)
        .call(side.tickValues(values).tickFormat(written).tickSizeOuter(0))
    axis(axisBottom(x).tickPadding(TICK * unit), across, [0, box.bottom])
    axis(axisLeft(y), up, [box.left, 0])
    svg
      .append('text')
      .attr('class', 'title')
      .attr('x', box.right)
      .attr('y', box.height - 0.35 * this.unit)
      .attr('text-anchor', 'end')
      .text(title)
  }

  /** A line across at a height, with its label above or below, at the right or at the left. */
  rule({ at, label, kind, left = false, below = false }) {
    const { svg, box, unit } = this
    const y = this.y(at.y)
    const rule = svg.append('line').attr('class', `rule ${kind}`)
    rule.attr('x1', box.left).attr('x2', box.right).attr('y1', y).attr('y2', y)
    svg
      .append('text')
      .attr('class', `label ${kind}`)
      .attr('text-anchor', left ? 'start' : 'end')
      .attr('x', left ? box.left + 4 : box.right)
      .attr('y', y + (below ? 0.85 * unit : -4))
      .text(label)
  }

  /** Probe place i; null ends it. */
  show(i) {
    this.probed = i
    if (!this.needle) return
    this.svg.attr('aria-valuemax', this.last)
    this.needle.attr('visibility', i === null ? 'hidden' : 'visible')
    this.said.text(i === null ? '\u00a0' : this.probe(i))
    if (i !== null) this.needle.attr('transform', `translate(${this.spot(i)})`)
    this.tell(i ?? this.at)
  }

  /** What a screen reader hears: the values at place i. */
  tell(i) {
    this.svg.attr('aria-valuenow', i).attr('aria-valuetext', this.probe(i))
  }

  key(event) {
    const from = this.probed ?? this.at
    const to = {
      ArrowRight: from + 1,
      ArrowUp: from + 1,
      ArrowLeft: from - 1,
      ArrowDown: from - 1,
      Home: 0,
      End: this.last,
    }[event.key]
    if (event.key === 'Enter' || event.key === ' ') this.choose(from)
    else if (to === undefined) return
    else this.show(Math.max(0, Math.min(this.last, to)))
    event.preventDefault()
  }
}
