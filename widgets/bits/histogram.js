import { axisBottom, create, scaleLinear } from '../kit/d3.js'
import { freshId, rem } from '../kit/dom.js'
import { format } from '../kit/text.js'

const BINS = 80
// In rem, so that a projector's large letters find room.
const [HEIGHT, SIDE, TOP, BOTTOM, TEETH] = [14.4, 0.75, 0.6, 2.5, 1.1]

/** How many values from -1 to 1 there are of each size, and two rows of levels below them. */
export class Histogram {
  /** words: {title, x}. */
  constructor(words) {
    this.words = words
    const id = freshId('histogram')
    this.figure = create('figure').attr('class', 'chart histogram')
    this.figure.append('figcaption').attr('id', id).text(words.title)
    this.svg = this.figure.append('svg').attr('role', 'img')
    this.element = this.figure.node()
    this.watcher = new ResizeObserver(() => this.content && this.draw(this.content))
    this.watcher.observe(this.element)
  }

  /** content: {values, levels: [those of the format, those of its control], said}. */
  draw(content) {
    const { values, levels, said } = (this.content = content)
    const width = this.element.clientWidth
    const unit = rem()
    const height = HEIGHT * unit
    const [left, right] = [SIDE * unit, width - SIDE * unit]
    const axis = height - BOTTOM * unit
    const ground = axis - 2 * TEETH * unit
    if (right <= left) return // not laid out
    const { svg } = this
    svg
      .attr('viewBox', `0 0 ${width} ${height}`)
      .attr('width', width)
      .attr('height', height)
      .attr('aria-label', `${this.words.title}. ${said}`)
      .selectAll('*')
      .remove()
    const counts = Array(BINS).fill(0)
    for (const value of values) counts[Math.min(BINS - 1, Math.floor(((value + 1) / 2) * BINS))]++
    const x = scaleLinear([-1, 1], [left, right])
    const y = scaleLinear([0, Math.max(...counts)], [ground, TOP * unit])
    const edge = (i) => x(-1 + (2 * i) / BINS).toFixed(2)
    const steps = counts.map((count, i) => `V${y(count).toFixed(2)}H${edge(i + 1)}`)
    svg
      .append('path')
      .attr('class', 'counts')
      .attr('d', `M${edge(0)},${ground}${steps.join('')}V${ground}Z`)
    levels.forEach((row, i) => {
      const kind = i ? 'control' : 'kept'
      const from = ground + i * TEETH * unit
      const teeth = row.map((level) => `M${x(level).toFixed(2)},${from + 2}v${(TEETH * unit - 4).toFixed(2)}`)
      svg.append('path').attr('class', `teeth ${kind}`).attr('d', teeth.join(''))
    })
    svg
      .append('g')
      .attr('class', 'axis')
      .attr('transform', `translate(0,${axis})`)
      .call(axisBottom(x).ticks(5).tickFormat(format('~g')).tickSizeOuter(0))
    svg
      .append('text')
      .attr('class', 'title')
      .attr('x', right)
      .attr('y', height - 0.35 * unit)
      .attr('text-anchor', 'end')
      .text(this.words.x)
  }
}
