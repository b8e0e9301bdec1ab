import { scaleLinear, scaleLog } from './d3.js'
import { freshId } from './dom.js'
import { around } from './names.js'
import { Plot, path } from './plot.js'

const HEIGHT = 14.4 // in rem, as the distance of labels
const GROWN = 1.2 // times as long: a curve whose name is to be put anew
export const MARK = 6 // pixels around the middle of a mark
const DOT = 4 // pixels: the radius of one
const FEW = 8 // places of a slider

export const RING = 'M-5,0A5,5 0 1 0 5,0A5,5 0 1 0 -5,0Z'
const SHAPES = { guess: 'M0,-6L6,0L0,6L-6,0Z', embeddings: 'M-5,-5H5V5H-5Z' }

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
   * `ticks` makes a log axis of y and stands on it. A label stands `along` its curve, as far as there is room; one that
   * is `optional` is left out where it could be taken for another's.
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
    this.axes(
      [whole, content.tick ?? String],
      [content.ticks ?? y.ticks(Math.min(5, (box.bottom - box.top) / (1.3 * this.unit))), this.format],
      this.words.x,
    )
    const points = (this.points = (values, shift, at) =>
      Array.from(values, (v, i) => [x(at ? at[i] : i + shift), y(v)]))
    this.boxes = [] // of what no name may stand on, beside the lines
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
    const ruled = rules.map((rule) => this.rule(rule)).filter(Boolean)
    const drawn = lines.map((line) => ({ ...line, points: points(line.values, 0, line.at) }))
    this.curves = drawn.map(({ kind, points }) =>
      svg.append('path').attr('class', `curve ${kind}`).attr('d', path(points)),
    )
    const marked = marks.map((mark) => this.mark(mark))
    const middles = bands
      .filter(({ label }) => label)
      .map((band) => ({ ...band, points: points(band.middle, band.shift ?? 0) }))
    // Where the slider has few places a dot comes to stand at each of them, and stays.
    if (k <= FEW) for (const { points } of drawn) this.boxes.push(...points.map((at) => around(at, DOT)))
    const all = [...marked, ...middles, ...drawn, ...ruled]
    this.spare(
      all.map((each) => each.points).filter(({ length }) => length > 1),
      this.boxes,
    )
    this.now = svg.append('line').attr('class', 'now').attr('y1', box.top).attr('y2', box.bottom)
    this.name(all) // over the line that moves: their halo keeps it off
    this.dots = lines.map(({ kind, dot = DOT }) =>
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

  /** Draw curves that go on: they alone are new, as long as the axes stay and the names are not far behind. */
  drawOn(content) {
    const { content: before, now, named } = this
    const { k, y, lines } = content
    const longest = Math.max(0, ...lines.map(({ values }) => values.length))
    const same = now && before.k === k && before.y[1] === y[1] && before.lines.length === lines.length
    if (!same || longest > GROWN * named || longest < named || longest >= k) {
      this.named = longest
      return this.draw(content)
    }
    this.content = content
    lines.forEach(({ values, at }, i) => this.curves[i].attr('d', path(this.points(values, 0, at))))
  }

  /** Bars of the values, filled up to the present rank: two copies of one path, each clipped at the rank. */
  bars(values) {
    const { svg, x, y } = this
    const wide = Math.max(0.5, (x(1) - x(0)) * 0.76)
    const bottom = y(this.content.y[0])
    let shape = ''
    for (let i = 0; i < values.length; i++) {
      const [left, top] = [x(i + 0.5) - wide / 2, y(values[i])]
      shape += `M${left.toFixed(2)},${bottom}V${top.toFixed(2)}h${wide.toFixed(2)}V${bottom}Z`
      this.boxes.push([left, top, left + wide, bottom])
    }
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

  /** A ring or another sign at a place: for its name. */
  mark({ x, y, label, kind }) {
    const at = [this.x(x), this.y(y)]
    const sign = this.svg.append('g').attr('class', `mark ${kind}`).attr('transform', `translate(${at})`)
    sign.append('path').attr('d', SHAPES[kind] ?? RING)
    this.boxes.push(around(at, MARK))
    return { points: [at], label, kind }
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
