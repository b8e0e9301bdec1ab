import { axisBottom, axisLeft, create, scaleLinear, scaleLog } from './d3.js'
import { freshId, rem } from './dom.js'

// In rem, so that a projector's large letters find room: margins around the curves, height, distance of labels.
const MARGIN = { top: 0.9, right: 0.75, bottom: 2.5, left: 2.9 }
const HEIGHT = 14.4
const LABEL_GAP = 0.85

export const RING = 'M-5,0A5,5 0 1 0 5,0A5,5 0 1 0 -5,0Z'
const SHAPES = { guess: 'M0,-6L6,0L0,6L-6,0Z', embeddings: 'M-5,-5H5V5H-5Z' }

/** The path through points [x, y]; none through no points. */
export const path = (points, end = '') =>
  points.length ? `M${points.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join('L')}${end}` : null

/**
 * Curves over the ranks 0..k as SVG: a band of the control behind, lines or bars, rules and marks, one line at the
 * present rank, and a probe that mouse and arrow keys move (a slider to a screen reader).
 */
export class Chart {
  /** words: {title, x, y}; format: of the y axis; probe(i): the sentence for rank i; choose(i): a rank was picked. */
  constructor(words, { format, probe, choose }) {
    const id = freshId('chart')
    Object.assign(this, { words, format, probe, choose, clip: freshId('clip'), at: 0, probed: null, k: 1 })
    this.figure = create('figure').attr('class', 'chart')
    this.figure.append('figcaption').attr('id', id).text(words.title)
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
      .on('pointermove', (event) => this.show(this.rankAt(event)))
      .on('pointerleave', () => this.show(null))
      .on('click', (event) => this.choose(this.rankAt(event)))
    this.watcher = new ResizeObserver(() => {
      this.width = this.unit = undefined
      if (this.content) this.draw(this.content)
    })
    this.watcher.observe(this.element)
  }

  /**
   * content: {k, y: [low, high], bands: [{low, high, middle, label}], lines: [{values, at, label, kind}], bars, rules,
   * marks, tick, ticks}. The values of a line stand at the places `at`, or at 0, 1, 2, ...; `tick(i)` names a place.
   * `ticks` makes a log axis of y and stands on it. A label stands `along` its curve and has it in its middle, or
   * where `anchor` says.
   */
  draw(content) {
    const { k, bands = [], lines = [], bars, rules = [], marks = [] } = (this.content = content)
    // Measured once for each size: to ask again would lay the page out anew for each chart of a tick.
    const width = (this.width ??= this.element.clientWidth)
    const unit = (this.unit ??= rem())
    const height = HEIGHT * unit
    const box = (this.box = {
      left: MARGIN.left * unit,
      right: width - MARGIN.right * unit,
      top: MARGIN.top * unit,
      bottom: height - MARGIN.bottom * unit,
      height,
    })
    if (box.right <= box.left) {
      this.now = this.needle = null // not laid out: nothing to move until it is drawn
      return
    }
    this.k = k
    this.x = scaleLinear([0, k], [box.left, box.right])
    this.y = (content.ticks ? scaleLog : scaleLinear)(content.y, [box.bottom, box.top]).clamp(!!content.ticks)
    const { svg, x, y } = this
    svg
      .attr('viewBox', `0 0 ${width} ${height}`)
      .attr('width', width)
      .attr('height', height)
      .selectAll('*')
      .remove()
    this.axes()
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
    svg.attr('aria-valuemin', 0).attr('aria-valuemax', k)
    this.move(Math.min(this.at, k))
    this.show(this.probed)
  }

  axes() {
    const { svg, x, y, box } = this
    const whole = x.ticks(Math.min(8, this.k)).filter(Number.isInteger)
    svg
      .append('g')
      .attr('class', 'axis')
      .attr('transform', `translate(0,${box.bottom})`)
      .call(
        axisBottom(x)
          .tickValues(whole)
          .tickFormat(this.content.tick ?? String)
          .tickSizeOuter(0),
      )
    svg
      .append('g')
      .attr('class', 'axis')
      .attr('transform', `translate(${box.left},0)`)
      .call(
        axisLeft(y)
          .tickValues(this.content.ticks ?? y.ticks(5))
          .tickFormat(this.format)
          .tickSizeOuter(0),
      )
    svg
      .append('text')
      .attr('class', 'title')
      .attr('x', box.right)
      .attr('y', box.height - 0.35 * this.unit)
      .attr('text-anchor', 'end')
      .text(this.words.x)
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

  rule({ at, label, kind, low, left = false, below = false }) {
    const { svg, x, y, box, unit } = this
    const upright = at.x !== undefined
    if (upright && at.x > this.k) return
    const rule = svg.append('line').attr('class', `rule ${kind}`)
    if (upright) rule.attr('x1', x(at.x)).attr('x2', x(at.x)).attr('y1', box.top).attr('y2', box.bottom)
    else rule.attr('x1', box.left).attr('x2', box.right).attr('y1', y(at.y)).attr('y2', y(at.y))
    const text = svg.append('text').attr('class', `label ${kind}`).text(label)
    const back = upright ? at.x > this.k / 2 : !left // whether the text ends, or starts, at its place
    text.attr('text-anchor', back ? 'end' : 'start')
    if (upright)
      text
        .attr('x', x(at.x) + (back ? -5 : 5))
        .attr('y', low ? box.bottom - 0.5 * unit : box.top + 0.25 * unit)
    else text.attr('x', left ? box.left + 4 : box.right).attr('y', y(at.y) + (below ? 0.85 * unit : -4))
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

  rankAt(event) {
    const box = this.svg.node().getBoundingClientRect()
    return Math.max(0, Math.min(this.k, Math.round(this.x.invert(event.clientX - box.left))))
  }

  /** Probe the curves at rank i; null ends it. */
  show(i) {
    this.probed = i
    if (!this.needle) return
    this.needle.attr('visibility', i === null ? 'hidden' : 'visible')
    this.said.text(i === null ? '\u00a0' : this.probe(i))
    if (i !== null) this.needle.attr('transform', `translate(${this.x(i)},0)`)
    this.tell(i ?? this.at)
  }

  /** What a screen reader hears of the chart: the values at rank i. */
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
      End: this.k,
    }[event.key]
    if (event.key === 'Enter' || event.key === ' ') this.choose(from)
    else if (to === undefined) return
    else this.show(Math.max(0, Math.min(this.k, to)))
    event.preventDefault()
  }
}
