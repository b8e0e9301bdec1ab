import { axisBottom, create, scaleLog } from '../kit/d3.js'
import { freshId, rem } from '../kit/dom.js'
import { fill, format } from '../kit/text.js'

// In rem, so that a projector's large letters find room.
const NAME = 8.6
const ROW = 2.1
const RIGHT = 1.4
const BELOW = 2.6
const ABOVE = 1.3

const SHAPES = {
  ours: 'M-5.5,0A5.5,5.5 0 1 0 5.5,0A5.5,5.5 0 1 0 -5.5,0Z',
  seed: 'M-3,0A3,3 0 1 0 3,0A3,3 0 1 0 -3,0Z',
  chance: 'M-1.5,-9H1.5V9H-1.5Z',
  paper: 'M0,-7L7,0L0,7L-7,0Z',
}

/** Named rows with marks on one logarithmic axis: what was measured, its control, and what somebody else measured. */
export class Dots {
  /** words: {title, x, row}; ticks: the numbers on the axis, whose ends are its ends; spec: how they are written. */
  constructor(words, ticks, spec) {
    Object.assign(this, { words, ticks, format: format(spec) })
    this.figure = create('figure').attr('class', 'dots-chart')
    this.figure.append('figcaption').attr('id', freshId('dots')).text(words.title)
    this.svg = this.figure.append('svg').attr('role', 'img')
    this.element = this.figure.node()
    this.watcher = new ResizeObserver(() => this.content && this.draw(this.content))
    this.watcher.observe(this.element)
  }

  /** content: {rows: [{name, marks: [{kind, value}], told}], chosen, rule: {at, label}}; `told` fills what a screen reader hears. */
  draw(content) {
    const { rows, rule, chosen } = (this.content = content)
    const width = this.element.clientWidth
    const unit = rem()
    const [left, right] = [NAME * unit, width - RIGHT * unit]
    if (right <= left) return // not laid out
    const { svg, words, ticks } = this
    const top = rule ? ABOVE * unit : 0
    const bottom = top + rows.length * ROW * unit
    const height = bottom + BELOW * unit
    svg.attr('width', width).attr('height', height).attr('viewBox', `0 0 ${width} ${height}`)
    svg.selectAll('*').remove()
    svg.attr('aria-label', [words.title, ...rows.map(({ told }) => fill(words.row, told))].join('. '))
    const x = scaleLog([ticks[0], ticks.at(-1)], [left, right]).clamp(true)
    const axis = axisBottom(x).tickValues(ticks).tickFormat(this.format).tickSizeOuter(0)
    svg.append('g').attr('class', 'axis').attr('transform', `translate(0,${bottom})`).call(axis)
    svg
      .append('text')
      .attr('class', 'title')
      .attr('x', right)
      .attr('y', height - 0.35 * unit)
      .attr('text-anchor', 'end')
      .text(words.x)
    if (rule) {
      const at = x(rule.at)
      svg
        .append('line')
        .attr('class', 'rule cited')
        .attr('x1', at)
        .attr('x2', at)
        .attr('y1', top)
        .attr('y2', bottom)
      svg
        .append('text')
        .attr('class', 'label cited')
        .attr('x', at)
        .attr('y', 0.9 * unit)
        .attr('text-anchor', at > (left + right) / 2 ? 'end' : 'start')
        .text(rule.label)
    }
    rows.forEach(({ name, marks }, i) => {
      const y = top + (i + 0.5) * ROW * unit
      const group = svg.append('g').attr('class', name === chosen ? 'dots chosen' : 'dots')
      group
        .append('line')
        .attr('class', 'lane')
        .attr('x1', left)
        .attr('x2', right)
        .attr('y1', y)
        .attr('y2', y)
      group
        .append('text')
        .attr('x', left - 0.6 * unit)
        .attr('y', y + 0.3 * unit)
        .attr('text-anchor', 'end')
        .text(name)
      for (const { kind, value } of marks)
        group
          .append('path')
          .attr('class', `dot-mark ${kind}`)
          .attr('d', SHAPES[kind])
          .attr('transform', `translate(${x(value)},${y})`)
    })
  }
}
