import { axisBottom } from 'd3-axis'
import { format } from 'd3-format'
import { scaleLinear } from 'd3-scale'
import { create } from 'd3-selection'
import { freshId } from './dom.js'
import { fill } from './text.js'

// In rem, so that a projector's large letters find room.
const NAME = 5.6
const ROW = 1.9
const BAR = 0.9
const RIGHT = 0.9
const BELOW = 2.6
const LEAST_TICK = 4

/** Lying bars beside their names, circles for repeats, and a grey line for the control, which may reach below zero. */
export class Effects {
  /** words: {title, x, row}; spec: of the numbers on the axis. */
  constructor(words, spec) {
    Object.assign(this, { words, format: format(spec) })
    this.figure = create('figure').attr('class', 'effects-chart')
    this.figure.append('figcaption').attr('id', freshId('effects')).text(words.title)
    this.svg = this.figure.append('svg').attr('role', 'img')
    this.element = this.figure.node()
    this.watcher = new ResizeObserver(() => this.rows && this.draw(this.rows, this.chosen))
    this.watcher.observe(this.element)
  }

  /** rows: [{name, value, points, low, high}]; the chosen one's name is set off. */
  draw(rows, chosen) {
    Object.assign(this, { rows, chosen })
    const width = this.element.clientWidth
    const unit = parseFloat(getComputedStyle(document.documentElement).fontSize)
    const [left, right] = [NAME * unit, width - RIGHT * unit]
    if (right <= left) return // not laid out
    const { svg, words } = this
    const bottom = rows.length * ROW * unit
    const height = bottom + BELOW * unit
    svg.attr('width', width).attr('height', height).attr('viewBox', `0 0 ${width} ${height}`)
    svg.selectAll('*').remove()
    const told = rows.map((row) => fill(words.row, { ...row, projection: row.name }))
    svg.attr('aria-label', [words.title, ...told].join('. '))
    const ends = rows.flatMap(({ value, points, low, high }) => [value, low, high, ...points])
    const x = scaleLinear([Math.min(0, ...ends), Math.max(...ends)], [left, right])
    svg
      .append('g')
      .attr('class', 'axis')
      .attr('transform', `translate(0,${bottom})`)
      .call(
        axisBottom(x)
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
    rows.forEach((row, i) => this.row(row, x, (i + 0.5) * ROW * unit, unit))
  }

  row({ name, value, points, low, high }, x, y, unit) {
    const { svg } = this
    const group = svg.append('g').attr('class', name === this.chosen ? 'effect chosen' : 'effect')
    const half = (BAR / 2) * unit
    group
      .append('text')
      .attr('x', (NAME - 0.5) * unit)
      .attr('y', y + 0.3 * unit)
      .attr('text-anchor', 'end')
      .text(name)
    const [from, to] = [Math.min(x(0), x(value)), Math.max(x(0), x(value))]
    group
      .append('rect')
      .attr('class', 'gain')
      .attr('x', from)
      .attr('y', y - half)
      .attr('width', to - from)
      .attr('height', 2 * half)
    for (const point of points)
      group.append('circle').attr('class', 'repeat').attr('cx', x(point)).attr('cy', y).attr('r', 3.5)
    const wide = Math.max(3, x(high) - x(low)) // of one value a short upright mark
    const middle = (x(low) + x(high)) / 2
    for (const kind of ['random halo', 'random'])
      group
        .append('rect')
        .attr('class', kind)
        .attr('x', middle - wide / 2)
        .attr('y', y - half * 1.25)
        .attr('width', wide)
        .attr('height', 2.5 * half)
  }
}
