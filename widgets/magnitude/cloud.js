import { axisBottom, axisLeft, create, scaleLinear } from '../kit/d3.js'
import { freshId, rem } from '../kit/dom.js'

// In rem, so that a projector's large letters find room.
const MARGIN = { top: 0.9, right: 0.9, bottom: 2.5, left: 3.6 }
const HEIGHT = 14.4
const ROOM = 1.08 // beyond the farthest point
const TICKS = 4

/** Points in a plane in groups, one of which stands out, and the line through all of them. Both axes begin at zero. */
export class Cloud {
  /** words: {x, y}; format: of both axes. */
  constructor(words, format) {
    const id = freshId('cloud')
    Object.assign(this, { words: { ...words }, format })
    this.figure = create('figure').attr('class', 'chart cloud')
    this.title = this.figure.append('figcaption').attr('id', id)
    this.svg = this.figure.append('svg').attr('role', 'img').attr('aria-labelledby', id)
    this.element = this.figure.node()
    this.watcher = new ResizeObserver(() => this.content && this.draw(this.content))
    this.watcher.observe(this.element)
  }

  /** content: {title, kind, groups: [[[x, y, name]]], line: {slope, through: [x, y]}}. */
  draw(content) {
    const { title, kind, groups, line } = (this.content = content)
    this.title.text((this.words.title = title))
    const unit = rem()
    const width = this.element.clientWidth
    const height = HEIGHT * unit
    const [left, right] = [MARGIN.left * unit, width - MARGIN.right * unit]
    const [top, bottom] = [MARGIN.top * unit, height - MARGIN.bottom * unit]
    if (right <= left) return // not laid out
    const { svg } = this
    svg.attr('viewBox', `0 0 ${width} ${height}`).attr('width', width).attr('height', height)
    svg.selectAll('*').remove()
    const points = groups.flat()
    const most = (i) => Math.max(...points.map((point) => point[i])) * ROOM
    const x = scaleLinear([0, most(0)], [left, right])
    const y = scaleLinear([0, most(1)], [bottom, top])
    const axis = (make, scale, at) =>
      svg
        .append('g')
        .attr('class', 'axis')
        .attr('transform', `translate(${at})`)
        .call(make(scale).ticks(TICKS).tickFormat(this.format).tickSizeOuter(0))
    axis(axisBottom, x, [0, bottom])
    axis(axisLeft, y, [left, 0])
    const name = (text, at, anchor) =>
      svg
        .append('text')
        .attr('class', 'title')
        .attr('x', at[0])
        .attr('y', at[1])
        .attr('text-anchor', anchor)
        .text(text)
    name(this.words.x, [right, height - 0.35 * unit], 'end')
    name(this.words.y, [left + 0.4 * unit, top], 'start')
    this.through(line, x, y, kind)
    this.groups = groups.map((group) => {
      const all = svg.append('g').attr('class', `points ${kind}`)
      for (const [a, b, text] of group)
        all.append('circle').attr('cx', x(a)).attr('cy', y(b)).attr('r', 4).append('title').text(text)
      return all
    })
    this.stand(this.out ?? 0)
  }

  /** The line, as far as it lies inside the picture. */
  through({ slope, through: [a, b] }, x, y, kind) {
    const inside = y.domain()
    const at = (value) => b + slope * (value - a)
    const meets = slope === 0 ? [] : inside.map((value) => a + (value - b) / slope)
    const ends = [...x.domain(), ...meets]
      .filter((value) => value >= x.domain()[0] && value <= x.domain()[1])
      .filter((value) => at(value) >= inside[0] - 1e-12 && at(value) <= inside[1] * (1 + 1e-9))
    const [low, high] = [Math.min(...ends), Math.max(...ends)]
    this.svg
      .append('line')
      .attr('class', `fitted ${kind}`)
      .attr('x1', x(low))
      .attr('x2', x(high))
      .attr('y1', y(at(low)))
      .attr('y2', y(at(high)))
  }

  /** Let one group stand out. */
  stand(i) {
    this.out = i
    this.groups?.forEach((group, place) => group.classed('out', place === i))
  }
}
