import { axisBottom, axisLeft } from 'd3-axis'
import { scaleLinear } from 'd3-scale'
import { create, select } from 'd3-selection'
import { area, line } from 'd3-shape'
import { freshId } from './dom.js'

const MARGIN = { top: 14, right: 12, bottom: 40, left: 46 }
const HEIGHT = 230
const LABEL_GAP = 13

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
    this.svg = this.figure.append('svg').attr('tabindex', 0).attr('role', 'slider').attr('aria-labelledby', id)
    this.said = this.figure.append('p').attr('class', 'probe').html('&nbsp;')
    this.element = this.figure.node()
    this.svg.on('keydown', (event) => this.key(event))
      .on('focus', () => this.show(this.at))
      .on('blur', () => this.show(null))
      .on('pointermove', (event) => this.show(this.rankAt(event)))
      .on('pointerleave', () => this.show(null))
      .on('click', (event) => this.choose(this.rankAt(event)))
    this.watcher = new ResizeObserver(() => this.content && this.draw(this.content))
    this.watcher.observe(this.element)
  }

  /** content: {k, y: [low, high], bands: [{low, high, middle, label}], lines: [{values, label, kind}], bars, rules, marks} */
  draw(content) {
    const width = this.element.clientWidth
    if (width < MARGIN.left + MARGIN.right) { this.content = content; return } // not laid out yet
    const { k, bands = [], lines = [], bars, rules = [], marks = [] } = (this.content = content)
    this.k = k
    this.x = scaleLinear([0, k], [MARGIN.left, width - MARGIN.right])
    this.y = scaleLinear(content.y, [HEIGHT - MARGIN.bottom, MARGIN.top])
    const { svg, x, y } = this
    svg.attr('viewBox', `0 0 ${width} ${HEIGHT}`).attr('width', width).attr('height', HEIGHT).selectAll('*').remove()
    this.axes(width)
    const up = (values, shift) => line((v, i) => x(i + shift), (v) => y(v))(values)
    for (const { low, high, middle, shift = 0, kind } of bands) {
      svg.append('path').attr('class', `band ${kind}`).attr('d', area((v, i) => x(i + shift), (v, i) => y(low[i]), (v, i) => y(high[i]))(middle))
      svg.append('path').attr('class', `middle ${kind}`).attr('d', up(middle, shift))
    }
    if (bars) this.bars(bars)
    for (const rule of rules) this.rule(rule)
    for (const { values, kind } of lines) svg.append('path').attr('class', `curve ${kind}`).attr('d', up(values, 0))
    this.endLabels([...bands.map((b) => ({ ...b, values: b.middle })), ...lines])
    for (const mark of marks) this.mark(mark)
    this.now = svg.append('line').attr('class', 'now').attr('y1', MARGIN.top).attr('y2', HEIGHT - MARGIN.bottom)
    this.dots = lines.map(({ kind }) => svg.append('circle').attr('class', `dot ${kind}`).attr('r', 4))
    this.needle = svg.append('line').attr('class', 'needle').attr('y1', MARGIN.top).attr('y2', HEIGHT - MARGIN.bottom).attr('visibility', 'hidden')
    svg.attr('aria-valuemin', 0).attr('aria-valuemax', k)
    this.move(Math.min(this.at, k))
    this.show(this.probed)
  }

  axes(width) {
    const { svg, x, y } = this
    const whole = x.ticks(Math.min(8, this.k)).filter(Number.isInteger)
    svg.append('g').attr('class', 'axis').attr('transform', `translate(0,${HEIGHT - MARGIN.bottom})`).call(axisBottom(x).tickValues(whole).tickFormat(String).tickSizeOuter(0))
    svg.append('g').attr('class', 'axis').attr('transform', `translate(${MARGIN.left},0)`).call(axisLeft(y).ticks(5).tickFormat(this.format).tickSizeOuter(0))
    svg.append('text').attr('class', 'title').attr('x', width - MARGIN.right).attr('y', HEIGHT - 6).attr('text-anchor', 'end').text(this.words.x)
  }

  /** Bars of the values, filled up to the present rank: two copies of one path, each clipped at the rank. */
  bars(values) {
    const { svg, x, y } = this
    const wide = Math.max(0.5, (x(1) - x(0)) * 0.76)
    const bottom = y(this.content.y[0])
    let path = ''
    for (let i = 0; i < values.length; i++) path += `M${(x(i + 0.5) - wide / 2).toFixed(2)},${bottom}V${y(values[i]).toFixed(2)}h${wide.toFixed(2)}V${bottom}Z`
    const clip = (name) => svg.append('clipPath').attr('id', `${this.clip}-${name}`).append('rect').attr('y', 0).attr('height', HEIGHT)
    this.kept = clip('kept')
    this.dropped = clip('dropped')
    for (const name of ['kept', 'dropped']) svg.append('path').attr('class', `bars ${name}`).attr('d', path).attr('clip-path', `url(#${this.clip}-${name})`)
  }

  rule({ at, label, kind, low }) {
    const { svg, x, y } = this
    const upright = at.x !== undefined
    if (upright && at.x > this.k) return
    const rule = svg.append('line').attr('class', `rule ${kind}`)
    if (upright) rule.attr('x1', x(at.x)).attr('x2', x(at.x)).attr('y1', MARGIN.top).attr('y2', HEIGHT - MARGIN.bottom)
    else rule.attr('x1', x.range()[0]).attr('x2', x.range()[1]).attr('y1', y(at.y)).attr('y2', y(at.y))
    const text = svg.append('text').attr('class', `label ${kind}`).text(label)
    const left = upright && x(at.x) > (x.range()[0] + x.range()[1]) / 2
    if (upright) text.attr('x', x(at.x) + (left ? -5 : 5)).attr('y', low ? HEIGHT - MARGIN.bottom - 8 : MARGIN.top + 4).attr('text-anchor', left ? 'end' : 'start')
    else text.attr('x', x.range()[1]).attr('y', y(at.y) - 4).attr('text-anchor', 'end')
  }

  mark({ x, y, label, kind, lift = 8 }) {
    const group = this.svg.append('g').attr('class', `mark ${kind}`).attr('transform', `translate(${this.x(x)},${this.y(y)})`)
    group.append('path').attr('d', kind === 'guess' ? 'M0,-6L6,0L0,6L-6,0Z' : 'M-5,0A5,5 0 1 0 5,0A5,5 0 1 0 -5,0Z')
    const left = this.x(x) > (this.x.range()[0] + this.x.range()[1]) / 2
    group.append('text').attr('x', left ? -9 : 9).attr('y', -lift).attr('text-anchor', left ? 'end' : 'start').text(label)
  }

  /** Name each curve near where it runs, two thirds along, and push labels apart that would overlap. */
  endLabels(curves) {
    const named = curves.filter(({ label }) => label).map((curve) => {
      const i = Math.round(curve.values.length * (curve.along ?? 0.66))
      return { ...curve, i, place: this.y(curve.values[Math.min(i, curve.values.length - 1)]) - 6 }
    }).sort((a, b) => a.place - b.place)
    let last = -Infinity
    for (const { label, kind, i, place, shift = 0 } of named) {
      const inside = Math.max(MARGIN.top + 2, Math.min(place, HEIGHT - MARGIN.bottom - 3))
      last = Math.max(inside, last + LABEL_GAP)
      this.svg.append('text').attr('class', `label ${kind}`).attr('x', this.x(i + shift)).attr('y', last).attr('text-anchor', 'middle').text(label)
    }
  }

  /** Put the line of the present rank at r. */
  move(r) {
    this.at = r
    if (!this.now) return
    const at = this.x(r)
    this.now.attr('transform', `translate(${at},0)`)
    this.content.lines?.forEach(({ values }, i) => this.dots[i].attr('transform', `translate(${at},${this.y(values[r])})`))
    if (this.content.bars) {
      this.kept.attr('width', at)
      this.dropped.attr('x', at).attr('width', this.x.range()[1] + MARGIN.right - at)
    }
    this.svg.attr('aria-valuenow', r).attr('aria-valuetext', this.probe(r))
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
    if (i === null) return
    this.needle.attr('transform', `translate(${this.x(i)},0)`)
    this.svg.attr('aria-valuenow', i).attr('aria-valuetext', this.probe(i))
  }

  key(event) {
    const from = this.probed ?? this.at
    const to = { ArrowRight: from + 1, ArrowUp: from + 1, ArrowLeft: from - 1, ArrowDown: from - 1, Home: 0, End: this.k }[event.key]
    if (event.key === 'Enter' || event.key === ' ') this.choose(from)
    else if (to === undefined) return
    else this.show(Math.max(0, Math.min(this.k, to)))
    event.preventDefault()
  }
}

export const svgOf = (chart) => select(chart.element).select('svg').node()
