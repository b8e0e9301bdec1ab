import { axisBottom, axisLeft, create } from './d3.js'
import { freshId, rem } from './dom.js'
import { Names, widthOf } from './names.js'

// In rem, so that a projector's large letters find room.
const MARGIN = { top: 0.9, right: 0.75, bottom: 2.5, left: 2.9 }
const LETTERS = 0.8 // in rem, as .lora svg text
const LINE = 1.2 // times their size: how high a name is
const BASE = 0.8 // of that: where it stands
const HALO = 2 // pixels around letters, as .lora svg text: no axis shall be cut by it
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

  /** A line across, or up at a rank: with its ends, for its name; null where it is outside. */
  rule({ at, label, kind, left, low }) {
    if (at.x > this.last) return null
    const { svg, box } = this
    const [x, y] = [at.x === undefined ? null : this.x(at.x), at.x === undefined ? this.y(at.y) : null]
    const points =
      x === null ? [box.left, box.right].map((end) => [end, y]) : [box.top, box.bottom].map((end) => [x, end])
    const [[x1, y1], [x2, y2]] = points
    const line = svg.append('line').attr('class', `rule ${kind}`)
    line.attr('x1', x1).attr('x2', x2).attr('y1', y1).attr('y2', y2)
    return { points, label, kind, along: x === null ? Number(!left) : Number(Boolean(low)) }
  }

  /** Make room for names: on none of these lines and boxes, as long as there is room elsewhere. */
  spare(lines, boxes) {
    const { svg, unit, width, box } = this
    this.font = `${LETTERS * unit}px ${getComputedStyle(svg.node()).fontFamily}`
    this.names = new Names({
      width,
      height: box.height,
      box: { ...box, left: box.left + HALO, top: 0, right: width - 1 },
      lines,
      bars: boxes,
    })
  }

  /** Write names: of marks, curves and rules, each where it can be read and told whose it is. */
  name(all, into = this.svg) {
    const { names, unit, font } = this
    const height = LETTERS * LINE * unit
    const named = all.filter(({ label, points }) => label && points.length)
    const less = (one, other) => Boolean(one.optional) - Boolean(other.optional)
    for (const { label, kind, points, along = 0.66, optional, others } of named.sort(less)) {
      const text = into.append('text').attr('class', `label ${kind}`).text(label)
      const width = widthOf(label, `${getComputedStyle(text.node()).fontWeight} ${font}`)
      const place = names.put({ points, along, optional, others, width, height })
      if (!place) {
        text.remove()
        continue
      }
      if (place.lead) into.append('path').attr('class', 'lead').attr('d', path(place.lead))
      text.attr('x', place.left).attr('y', place.top + BASE * height)
    }
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
