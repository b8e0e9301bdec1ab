import { scaleLinear, scaleLog } from './d3.js'
import { freshId } from './dom.js'
import { Plot, path } from './plot.js'

const HEIGHT = 14.4 // in rem, as the distance of labels
const LABEL_GAP = 0.85

export const RING = 'M-5,0A5,5 0 1 0 5,0A5,5 0 1 0 -5,0Z'
const SHAPES = { guess: 'M0,-6L6,0L0,6L-6,0Z', embeddings: 'M-5,-5H5V5H-5Z' }

/**
 * Where along a line its name stands: where the others are furthest away, `margin` points off the ends;
 * [place, distance].
 */
export function clearest(
  { at, values },
  others,
  margin = at.length > 2 ? Math.max(1, Math.floor(at.length / 6)) : 0,
) {
  let [best, widest] = [0, -1]
  for (let i = margin; i < at.length - margin; i++) {
    const near = others.map((other) =>
      Math.abs((other.values[other.at.indexOf(at[i])] ?? Infinity) - values[i]),
    )
    const away = Math.min(...near)
    if (away > widest) [best, widest] = [i, away]
  }
  return [best / at.length, widest]
}

/**
 * Curves over the ranks 0..k as SVG: a band of the control behind, lines or bars, rules and marks, one line at the
 * present rank, and a probe that mouse and arrow keys move (a slider to a screen reader).
 */
export class Chart extends Plot {
  /** words: {title, x}; format: of the y axis; probe(i): the sentence for rank i; choose(i): a rank was picked. */
  constructor(words, { format, ...told }) {
    super(words, { height: HEIGHT, ...told })
    Object.assign(this, { format, clip: freshId('clip'), k: 1 })
  }

  /**
   * content: {k, y: [low, high], bands: [{low, high, middle, label}], lines: [{values, at, label, kind}], bars, rules,
   * marks, tick, ticks}. The values of a line stand at the places `at`, or at 0, 1, 2, ...; `tick(i)` names a place.
   * `ticks` makes a log axis of y and stands on it. A label stands `along` its curve and has it in its middle, or
   * where `anchor` says.
   */
  draw(content) {
    const { k, bands = [], lines = [], bars, rules = [], marks = [] } = (this.content = content)
    this.now = null
    if (!this.clear()) return
    const { svg, box } = this
    const x = (this.x = scaleLinear([0, k], [box.left, box.right]))
    const up = content.ticks ? scaleLog : scaleLinear
    const y = (this.y = up(content.y, [box.bottom, box.top]).clamp(!!content.ticks))
    this.k = k
    const whole = x.ticks(Math.min(8, k)).filter(Number.isInteger)
    this.axes([whole, content.tick ?? String], [content.ticks ?? y.ticks(5), this.format], this.words.x)
    const points = (values, shift, at) => Array.from(values, (v, i) => [x(at ? at[i] : i + shift), y(v)])
    for (const { low, high, middle, shift = 0, kind } of bands) {
      const edge = (values) => Array.from(middle, (_, i) => [x(i + shift), y(values[i])])
      svg
        .append('path')
        .attr('class', `band ${kind}`)
        .attr('d', path([...edge(high), ...edge(low).reverse()], 'Z'))
      svg
        .append('path')
        .attr('class', `middle ${kind}`)
        .attr('d', path(points(middle, shift)))
    }
    if (bars) this.bars(bars)
    for (const rule of rules) this.rule(rule)
    for (const { values, at, kind } of lines)
      svg
        .append('path')
        .attr('class', `curve ${kind}`)
        .attr('d', path(points(values, 0, at)))
    this.endLabels([...bands.map((b) => ({ ...b, values: b.middle })), ...lines])
    for (const mark of marks) this.mark(mark)
    this.now = svg.append('line').attr('class', 'now').attr('y1', box.top).attr('y2', box.bottom)
    this.dots = lines.map(({ kind, dot = 4 }) =>
      svg.append('circle').attr('class', `dot ${kind}`).attr('r', dot),
    )
    this.needle = svg
      .append('line')
      .attr('class', 'needle')
      .attr('y1', box.top)
      .attr('y2', box.bottom)
      .attr('visibility', 'hidden')
    this.move(Math.min(this.at, k))
    this.show(this.probed)
  }

  /** Bars of the values, filled up to the present rank: two copies of one path, each clipped at the rank. */
  bars(values) {
    const { svg, x, y } = this
    const wide = Math.max(0.5, (x(1) - x(0)) * 0.76)
    const bottom = y(this.content.y[0])
    let shape = ''
    for (let i = 0; i < values.length; i++)
      shape += `M${(x(i + 0.5) - wide / 2).toFixed(2)},${bottom}V${y(values[i]).toFixed(2)}h${wide.toFixed(2)}V${bottom}Z`
    const clip = (name) =>
      svg
        .append('clipPath')
        .attr('id', `${this.clip}-${name}`)
        .append('rect')
        .attr('y', 0)
        .attr('height', this.box.height)
    this.kept = clip('kept')
    this.dropped = clip('dropped')
    for (const name of ['kept', 'dropped'])
      svg
        .append('path')
        .attr('class', `bars ${name}`)
        .attr('d', shape)
        .attr('clip-path', `url(#${this.clip}-${name})`)
  }

  /** A line across, or up at a rank, whose label then stands on the side that has more room. */
  rule(rule) {
    const { at, label, kind, low } = rule
    if (at.x === undefined) return super.rule(rule)
    if (at.x > this.k) return
    const { svg, box, unit } = this
    const x = this.x(at.x)
    const line = svg.append('line').attr('class', `rule ${kind}`)
    line.attr('x1', x).attr('x2', x).attr('y1', box.top).attr('y2', box.bottom)
    const back = at.x > this.k / 2
    svg
      .append('text')
      .attr('class', `label ${kind}`)
      .attr('text-anchor', back ? 'end' : 'start')
      .attr('x', x + (back ? -5 : 5))
      .attr('y', low ? box.bottom - 0.5 * unit : box.top + 0.25 * unit)
      .text(label)
  }

  mark({ x, y, label, kind, lift = 0.5 }) {
    const group = this.svg
      .append('g')
      .attr('class', `mark ${kind}`)
      .attr('transform', `translate(${this.x(x)},${this.y(y)})`)
    group.append('path').attr('d', SHAPES[kind] ?? RING)
    const left = x > this.k / 2
    group
      .append('text')
      .attr('x', left ? -9 : 9)
      .attr('y', -lift * this.unit)
      .attr('text-anchor', left ? 'end' : 'start')
      .text(label)
  }

  /** Name each curve where it runs, two thirds along or at `along`, and push labels apart that would overlap. */
  endLabels(curves) {
    const named = curves
      .filter(({ label }) => label)
      .map((curve) => {
        const { values, at, shift = 0, along = 0.66 } = curve
        const i = Math.min(Math.round(values.length * along), values.length - 1)
        return { ...curve, i: at ? at[i] : i + shift, place: this.y(values[i]) - 6 }
      })
      .sort((a, b) => a.place - b.place)
    const { box, unit } = this
    let last = -Infinity
    const placed = named.map(({ label, kind, i, place, anchor }) => {
      const inside = Math.max(box.top + 2, Math.min(place, box.bottom - 3))
      last = Math.max(inside, last + LABEL_GAP * unit)
      const text = this.svg.append('text').attr('class', `label ${kind}`).attr('y', last).text(label)
      return { text, i, side: anchor ?? (i > 0.8 * this.k ? 'end' : 'middle') }
    })
    // All names are measured at once, since each look at a length lays the page out again; a long one stays inside.
    const halves = placed.map(({ text, side }) =>
      side === 'middle' ? text.node().getComputedTextLength() / 2 : 0,
    )
    placed.forEach(({ text, i, side }, n) =>
      text.attr('text-anchor', side).attr('x', Math.min(this.x(i), box.right - halves[n])),
    )
  }

  /** Put the line of the present rank at r. */
  move(r) {
    this.at = r
    if (!this.now) return
    const at = this.x(r)
    this.now.attr('transform', `translate(${at},0)`)
    this.content.lines?.forEach(({ values, at: places }, i) => {
      const last = places ? places.findLastIndex((place) => place <= r) : r
      this.dots[i].attr('transform', `translate(${at},${this.y(values[Math.max(0, last)])})`)
    })
    if (this.content.bars) {
      this.kept.attr('width', at)
      this.dropped.attr('x', at).attr('width', this.box.right - at + 1)
    }
    this.tell(r)
  }

  get last() {
    return this.k
  }

  pointed(event) {
    const box = this.svg.node().getBoundingClientRect()
    return Math.max(0, Math.min(this.k, Math.round(this.x.invert(event.clientX - box.left))))
  }

  spot(i) {
    return [this.x(i), 0]
  }
}
