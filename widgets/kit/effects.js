import { axisBottom, create, scaleLinear } from './d3.js'
import { freshId, rem } from './dom.js'
import { widest } from './names.js'
import { fill, format } from './text.js'

// In rem, so that a projector's large letters find room.
const NAME = 6.2 // at least
const BESIDE = 0.5 // of a name
const ROW = 1.9
const HALF = 0.45 // of a bar's height
const BELOW = 2.6
const LEAST_TICK = 4
const THIN = 3 // pixels of a control that is one value

/** Lying bars beside their names, circles for repeats, and a grey line for the control, which may reach below zero. */
export class Effects {
  /** words: {title, x, row}; spec: of the numbers on the axis; right: room for what stands behind a bar, in rem. */
  constructor(words, spec, right = 0.9) {
    Object.assign(this, { words, right, format: format(spec) })
    this.figure = create('figure').attr('class', 'effects-chart')
    this.title = this.figure.append('figcaption').attr('id', freshId('effects')).text(words.title)
    this.svg = this.figure.append('svg').attr('role', 'img')
    this.element = this.figure.node()
    this.watcher = new ResizeObserver(() => this.rows && this.draw(this.rows, this.given))
    this.watcher.observe(this.element)
  }

  /** rows: [{name, value, points, low, high, kind, behind}]; given: {chosen} has its name set off, {top} ends the axis. */
  draw(rows, given = {}) {
    Object.assign(this, { rows, given, groups: null })
    const width = this.element.clientWidth
    const unit = (this.unit = rem())
    const { svg, words } = this
    svg.attr('width', width).selectAll('*').remove()
    const chosen = svg.append('g').attr('class', 'effect chosen') // the widest way to set a name
    const names = rows.map(({ name }) => name)
    const left = Math.max(NAME * unit, widest(chosen, names) + 2 * BESIDE * unit)
    const right = width - this.right * unit
    if (right <= left) return // not laid out
    const bottom = rows.length * ROW * unit
    const height = bottom + BELOW * unit
    svg.attr('height', height).attr('viewBox', `0 0 ${width} ${height}`)
    const ends = rows.flatMap(({ value, points, low, high }) => [value, low, high, ...points])
    this.x = scaleLinear([Math.min(0, ...ends), given.top ?? Math.max(...ends)], [left, right])
    svg
      .append('g')
      .attr('class', 'axis')
      .attr('transform', `translate(0,${bottom})`)
      .call(
        axisBottom(this.x)
          .ticks(Math.max(2, Math.floor((right - left) / (LEAST_TICK * unit))))
          .tickFormat(this.format)
          .tickSizeOuter(0),
      )
    svg
      .append('text')
      .attr('class', 'title')
      .attr('x', right)
      .attr('y', height - 0.35 * unit)
      .attr('text-anchor', 'end')
      .text(words.x)
    this.groups = rows.map((row, i) => this.row(row, (i + 0.5) * ROW * unit))
    this.set(rows)
  }

  /** The marks of a row; `set` puts them where they belong. */
  row({ name, points, kind = 'gain' }, y) {
    const { svg, unit, given } = this
    const group = svg.append('g').attr('class', name === given.chosen ? 'effect chosen' : 'effect')
    const text = (x, anchor) =>
      group
        .append('text')
        .attr('x', x)
        .attr('y', y + 0.3 * unit)
        .attr('text-anchor', anchor)
    const bar = (kind, high) =>
      group
        .append('rect')
        .attr('class', kind)
        .attr('y', y - high * unit)
        .attr('height', 2 * high * unit)
    text(this.x.range()[0] - BESIDE * unit, 'end').text(name)
    return {
      bar: bar(kind, HALF),
      points: points.map(() =>
        group.append('circle').attr('class', `repeat ${kind}`).attr('cy', y).attr('r', 3.5),
      ),
      controls: ['random halo', 'random'].map((each) => bar(each, 1.25 * HALF)),
      behind: text(0, 'start'),
    }
  }

  /** Move everything to other values; no mark comes or goes. */
  set(rows) {
    this.rows = rows
    const { groups, x, words, unit } = this
    if (!groups) return
    rows.forEach(({ value, points, low, high, behind = '' }, i) => {
      const group = groups[i]
      const [from, to] = [Math.min(x(0), x(value)), Math.max(x(0), x(value))]
      group.bar.attr('x', from).attr('width', to - from)
      group.points.forEach((circle, j) => circle.attr('cx', x(points[j])))
      const wide = Math.max(THIN, x(high) - x(low))
      for (const control of group.controls)
        control.attr('x', (x(low) + x(high) - wide) / 2).attr('width', wide)
      const last = Math.max(to, x(high), ...points.map((point) => x(point)))
      group.behind.attr('x', last + 0.5 * unit).text(behind)
    })
    const told = rows.map((row) => fill(words.row, row))
    this.svg.attr('aria-label', [words.title, ...told].join('. '))
  }
}
