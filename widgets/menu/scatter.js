import {
  symbol,
  symbolCircle,
  symbolCross,
  symbolDiamond,
  symbolSquare,
  symbolStar,
  symbolTriangle,
  symbolWye,
} from 'd3-shape'
import { path } from '../kit/chart.js'
import { axisBottom, axisLeft, create, scaleLinear, scaleLog } from '../kit/d3.js'
import { freshId, rem } from '../kit/dom.js'

// In rem, so that a projector's large letters find room.
const MARGIN = { top: 0.9, right: 0.75, bottom: 2.5, left: 2.9 }
const HEIGHT = 24
const REACH = 2 // how near a click must be to a mark
const AREA = 0.36 // of a mark, in square rem; a merged one is smaller
const SMALL = 0.4
const HIGH = 0.9 // of a name
const ROOM = { linear: 0.06, log: 1.12 } // above and below what is drawn: a share of it, or a factor
const WIDE = 3 // times the lowest: where the marks span more, the axis is logarithmic
const TICKS = [0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10] // of such an axis
const SHAPES = [
  symbolCircle,
  symbolSquare,
  symbolDiamond,
  symbolTriangle,
  symbolTriangle,
  symbolStar,
  symbolCross,
  symbolWye,
]
const UPSIDE_DOWN = 4 // the second triangle

/**
 * Series of marks over a logarithmic axis, each series with a shape and a name; one mark is chosen. Arrow keys and the
 * mouse go from mark to mark (a slider to a screen reader).
 */
export class Scatter {
  /** `probe(i)` is the sentence about mark i, `choose(i)` is told that it was picked. */
  constructor({ probe, choose }) {
    const id = freshId('scatter')
    Object.assign(this, { probe, choose, words: { title: '' }, at: 0, probed: null })
    this.figure = create('figure').attr('class', 'chart scatter')
    this.caption = this.figure.append('figcaption').attr('id', id)
    this.svg = this.figure
      .append('svg')
      .attr('tabindex', 0)
      .attr('role', 'slider')
      .attr('aria-labelledby', id)
    this.said = this.figure.append('p').attr('class', 'probe').html('&nbsp;')
    this.element = this.figure.node()
    this.svg
      .on('keydown', (event) => this.key(event))
      .on('focus', () => this.show(this.at))
      .on('blur', () => this.show(null))
      .on('pointermove', (event) => this.show(this.nearest(event)))
      .on('pointerleave', () => this.show(null))
      .on('click', (event) => this.nearest(event) !== null && this.choose(this.nearest(event)))
    this.watcher = new ResizeObserver(() => this.content && this.draw(this.content))
    this.watcher.observe(this.element)
  }

  /**
   * content: {title, x, formatX, format, marks: [{series, x, y, from, to, merged}], names: [text], at, rules: [{y,
   * label}]}. The first series is the control. A line goes from `from` to `to`; `merged` is the height of a second,
   * smaller mark.
   */
  draw(content) {
    const { title, marks, rules, names, at } = (this.content = content)
    this.words.title = title
    this.caption.text(title)
    const width = this.element.clientWidth
    const unit = (this.unit = rem())
    const box = (this.box = {
      left: MARGIN.left * unit,
      right: width - MARGIN.right * unit,
      top: MARGIN.top * unit,
      bottom: (HEIGHT - MARGIN.bottom) * unit,
      height: HEIGHT * unit,
    })
    this.places = null
    if (box.right <= box.left) return // not laid out
    const numbers = marks.map(({ x }) => x)
    this.x = scaleLog([Math.min(...numbers) / 1.6, Math.max(...numbers) * 1.6], [box.left, box.right])
    this.y = this.upwards([box.bottom, box.top])
    const { svg, x, y } = this
    svg
      .attr('viewBox', `0 0 ${width} ${box.height}`)
      .attr('width', width)
      .attr('height', box.height)
      .selectAll('*')
      .remove()
    this.axes()
    for (const rule of rules) this.rule(rule)
    this.places = marks.map((mark) => [x(mark.x), y(mark.y)])
    const series = names.map((_, s) => marks.flatMap((mark, i) => (mark.series === s ? [i] : [])))
    for (const [s, members] of series.entries())
      svg
        .append('path')
        .attr('class', `joined ${this.kind(s)}`)
        .attr('d', path(members.map((i) => this.places[i])))
    marks.forEach((mark, i) => this.mark(mark, i))
    this.name(series)
    this.needle = svg
      .append('circle')
      .attr('class', 'needle around')
      .attr('r', 0.75 * unit)
    svg.attr('aria-valuemin', 0).attr('aria-valuemax', marks.length - 1)
    this.at = at
    this.show(this.probed)
  }

  /** The scale from the lowest to the highest that is drawn, with room. */
  upwards(range) {
    const { marks, rules } = this.content
    const drawn = [
      ...marks.flatMap(({ y, from, to, merged }) => [y, from, to, merged]),
      ...rules.map(({ y }) => y),
    ]
    const known = drawn.filter((value) => value != null)
    const [low, high] = [Math.min(...known), Math.max(...known)]
    this.wide = high > WIDE * low
    if (this.wide) return scaleLog([low / ROOM.log, high * ROOM.log], range)
    const room = ROOM.linear * (high - low)
    return scaleLinear([low - room, high + room], range)
  }

  /** The class of a series: the control, the chosen one, or another. */
  kind(series) {
    const { marks, at } = this.content
    return `${series === 0 ? 'control' : 'kept'}${marks[at].series === series ? ' chosen' : ''}`
  }

  axes() {
    const { svg, x, y, box, content, unit } = this
    const group = (move) => svg.append('g').attr('class', 'axis').attr('transform', move)
    const powers = x.ticks().filter((value) => Number.isInteger(Math.log10(value)))
    const across = axisBottom(x).tickValues(powers).tickFormat(content.formatX).tickSizeOuter(0)
    group(`translate(0,${box.bottom})`).call(across)
    const [low, high] = y.domain()
    const ticks = this.wide ? TICKS.filter((tick) => tick >= low && tick <= high) : y.ticks(6)
    const up = axisLeft(y).tickValues(ticks).tickFormat(content.format).tickSizeOuter(0)
    group(`translate(${box.left},0)`).call(up)
    svg
      .append('text')
      .attr('class', 'title')
      .attr('x', box.right)
      .attr('y', box.height - 0.35 * unit)
      .attr('text-anchor', 'end')
      .text(content.x)
  }

  rule({ y: value, label }) {
    const { svg, y, box } = this
    const rule = svg.append('line').attr('class', 'rule control-1')
    rule.attr('x1', box.left).attr('x2', box.right).attr('y1', y(value)).attr('y2', y(value))
    svg
      .append('text')
      .attr('class', 'label control-1')
      .attr('x', box.left + 4)
      .attr('y', y(value) - 4)
      .text(label)
  }

  mark({ series, from, to, merged }, i) {
    const { svg, y, unit, content } = this
    const [left, top] = this.places[i]
    const group = svg.append('g').attr('class', `point ${this.kind(series)}${i === content.at ? ' at' : ''}`)
    const shape = (size) => symbol(SHAPES[series], size * AREA * unit ** 2)()
    const turned = series === UPSIDE_DOWN ? ' rotate(180)' : ''
    if (to > from)
      group
        .append('path')
        .attr('class', 'interval')
        .attr('d', `M${left},${y(from)}V${y(to)}`)
    if (merged) {
      group
        .append('path')
        .attr('class', 'interval merging')
        .attr('d', `M${left},${top}V${y(merged)}`)
      const small = group.append('path').attr('class', 'shape merged').attr('d', shape(SMALL))
      small.attr('transform', `translate(${left},${y(merged)})${turned}`)
    }
    group
      .append('path')
      .attr('class', 'shape')
      .attr('d', shape(1))
      .attr('transform', `translate(${left},${top})${turned}`)
  }

  /** Name each series at one of its marks, where no other name and no mark is in the way. */
  name(series) {
    const { svg, unit, box, places, content } = this
    const half = 0.42 * unit
    const taken = places.map(([x, y]) => [x - half, y - half, x + half, y + half])
    const free = ([left, top, right, bottom]) =>
      left >= box.left && right <= box.right && top >= 0 && bottom <= box.bottom
        ? taken.filter((t) => left < t[2] && right > t[0] && top < t[3] && bottom > t[1]).length
        : Infinity
    for (const [s, members] of series.entries()) {
      const text = svg
        .append('text')
        .attr('class', `label ${this.kind(s)}`)
        .text(content.names[s])
      const wide = text.node().getComputedTextLength()
      const spots = [...members].reverse().flatMap((i) => {
        const [x, y] = places[i]
        return [-0.3, 0.6, -1.1, 1.4, -1.9, 2.2].flatMap((down) =>
          [x + 0.7 * unit, x - 0.7 * unit - wide, x - wide / 2].map((left) => {
            const top = y + (down - HIGH / 2) * unit
            return [left, top, left + wide, top + HIGH * unit]
          }),
        )
      })
      const crowded = spots.map(free)
      const spot = spots[crowded.indexOf(Math.min(...crowded))]
      taken.push(spot)
      text.attr('x', spot[0]).attr('y', spot[3] - 0.15 * unit)
    }
  }

  nearest(event) {
    if (!this.places) return null
    const { left, top } = this.svg.node().getBoundingClientRect()
    const away = this.places.map(([x, y]) => Math.hypot(event.clientX - left - x, event.clientY - top - y))
    const least = Math.min(...away)
    return least < REACH * this.unit ? away.indexOf(least) : null
  }

  /** Probe mark i; null ends it. */
  show(i) {
    this.probed = i
    if (!this.places) return
    this.needle.attr('visibility', i === null ? 'hidden' : 'visible')
    this.said.text(i === null ? '\u00a0' : this.probe(i))
    if (i !== null) this.needle.attr('transform', `translate(${this.places[i]})`)
    const told = i ?? this.at
    this.svg.attr('aria-valuenow', told).attr('aria-valuetext', this.probe(told))
  }

  key(event) {
    const last = this.content.marks.length - 1
    const from = this.probed ?? this.at
    const to = {
      ArrowRight: from + 1,
      ArrowUp: from + 1,
      ArrowLeft: from - 1,
      ArrowDown: from - 1,
      Home: 0,
      End: last,
    }[event.key]
    if (event.key === 'Enter' || event.key === ' ') this.choose(from)
    else if (to === undefined) return
    else this.show(Math.max(0, Math.min(last, to)))
    event.preventDefault()
  }
}
