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
import { scaleLinear, scaleLog } from '../kit/d3.js'
import { around } from '../kit/names.js'
import { Plot, path } from '../kit/plot.js'

const HEIGHT = 24 // in rem
const REACH = 2 // how near a click must be to a mark
const AREA = 0.36 // of a mark, in square rem; a merged one is smaller
const SMALL = 0.4
const HALF = 0.55 // of the widest mark, in rem
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
  symbolCross,
  symbolWye,
]
const TURNED = { 4: 180, 8: 45, 9: 180 } // degrees: the second triangle, cross and wye

/**
 * Series of marks over a logarithmic axis, each series with a shape and a name; one mark is chosen. Arrow keys and the
 * mouse go from mark to mark (a slider to a screen reader).
 */
export class Scatter extends Plot {
  /** `probe(i)` is the sentence about mark i, `choose(i)` is told that it was picked. */
  constructor(told) {
    super({ title: '' }, { height: HEIGHT, ...told })
    this.figure.classed('scatter', true)
  }

  /**
   * content: {title, x, formatX, format, linear, marks: [{series, x, y, from, to, merged}], names: [text], at, rules:
   * [{y, label}]}. The first series is the control. A line goes from `from` to `to`; `merged` is the height of a second,
   * smaller mark.
   */
  draw(content) {
    const { title, marks, rules, names, at } = (this.content = content)
    this.words.title = title
    this.caption.text(title)
    if (!this.clear()) return
    const { svg, box, unit } = this
    const numbers = marks.map(({ x }) => x)
    const ends = [Math.min(...numbers) / 1.6, Math.max(...numbers) * 1.6]
    const x = (this.x = scaleLog(ends, [box.left, box.right]))
    const y = (this.y = this.upwards([box.bottom, box.top]))
    const powers = x.ticks().filter((value) => Number.isInteger(Math.log10(value)))
    const [low, high] = y.domain()
    const ticks = this.wide ? TICKS.filter((tick) => tick >= low && tick <= high) : y.ticks(6)
    this.axes([powers, content.formatX], [ticks, content.format], content.x)
    const ruled = rules.map(({ y, label }) => this.rule({ at: { y }, label, kind: 'control-1', left: true }))
    this.places = marks.map((mark) => [x(mark.x), y(mark.y)])
    const series = names.map((_, s) => marks.flatMap((mark, i) => (mark.series === s ? [i] : [])))
    const of = (members) => members.map((i) => this.places[i])
    if (this.joins)
      for (const [s, members] of series.entries())
        svg
          .append('path')
          .attr('class', `joined ${this.kind(s)}`)
          .attr('d', path(of(members)))
    this.boxes = [] // on which no name may stand
    marks.forEach((mark, i) => this.mark(mark, i))
    const named = series.map((members, s) => ({
      label: names[s],
      kind: this.kind(s),
      points: of(members),
      others: of(marks.flatMap((mark, i) => (mark.series === s ? [] : [i]))),
      along: 1,
    }))
    this.spare([...(this.joins ? series.map(of) : []), ...ruled.map(({ points }) => points)], this.boxes)
    this.name([...named, ...ruled])
    this.needle = svg
      .append('circle')
      .attr('class', 'needle around')
      .attr('r', 0.75 * unit)
    this.at = at
    this.show(this.probed)
  }

  /** Whether the marks of a series are joined. */
  get joins() {
    return true
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
    this.wide = !this.content.linear && high > WIDE * low
    if (this.wide) return scaleLog([low / ROOM.log, high * ROOM.log], range)
    const room = ROOM.linear * (high - low)
    return scaleLinear([low - room, high + room], range)
  }

  /** The class of a series: the control, the chosen one, or another. */
  kind(series) {
    const { marks, at } = this.content
    return `${series === 0 ? 'control' : 'kept'}${marks[at].series === series ? ' chosen' : ''}`
  }

  mark({ series, from, to, merged }, i) {
    const { svg, y, unit, content } = this
    const [left, top] = this.places[i]
    const group = svg.append('g').attr('class', `point ${this.kind(series)}${i === content.at ? ' at' : ''}`)
    const shape = (size) => symbol(SHAPES[series], size * AREA * unit ** 2)()
    const turned = TURNED[series] ? ` rotate(${TURNED[series]})` : ''
    this.boxes.push(around([left, top], HALF * unit))
    if (to > from) {
      group
        .append('path')
        .attr('class', 'interval')
        .attr('d', `M${left},${y(from)}V${y(to)}`)
      this.boxes.push([left - 1, y(to), left + 1, y(from)])
    }
    if (merged) {
      const low = y(merged)
      this.boxes.push(around([left, low], HALF * unit), [
        left - 1,
        Math.min(top, low),
        left + 1,
        Math.max(top, low),
      ])
      group.append('path').attr('class', 'interval merging').attr('d', `M${left},${top}V${low}`)
      const small = group.append('path').attr('class', 'shape merged').attr('d', shape(SMALL))
      small.attr('transform', `translate(${left},${low})${turned}`)
    }
    group
      .append('path')
      .attr('class', 'shape')
      .attr('d', shape(1))
      .attr('transform', `translate(${left},${top})${turned}`)
  }

  get last() {
    return this.content.marks.length - 1
  }

  pointed(event) {
    if (!this.needle) return null
    const { left, top } = this.svg.node().getBoundingClientRect()
    const away = this.places.map(([x, y]) => Math.hypot(event.clientX - left - x, event.clientY - top - y))
    const least = Math.min(...away)
    return least < REACH * this.unit ? away.indexOf(least) : null
  }

  spot(i) {
    return this.places[i]
  }
}
