import { Chart, MARK, RING } from './chart.js'
import { around } from './names.js'

/** A chart with one level across that the reader moves, and marks that follow it: no tick draws the chart again. */
export class LevelChart extends Chart {
  draw(content) {
    super.draw(content)
    this.line = null
    if (!this.now) return
    this.line = this.svg.insert('line', ':first-child').attr('class', 'rule lost') // behind the names
    this.line.attr('x1', this.box.left).attr('x2', this.box.right)
    this.moved = this.svg.append('g')
    this.settled = this.names.taken.length // names that do not move
    if (this.given) this.set(this.given)
  }

  /** given: {y, label, left, marks: [{x, y, label, kind}]}; a level without y is not drawn, its marks are. */
  set(given) {
    this.given = given
    if (!this.line) return
    const { x, y, box, moved, names } = this
    const { label, left, marks } = given
    const drawn = given.y !== undefined
    this.line.attr('visibility', drawn ? 'visible' : 'hidden')
    moved.selectAll('*').remove()
    names.taken.length = this.settled
    const places = marks.map((mark) => ({ ...mark, points: [[x(mark.x), y(mark.y)]] }))
    for (const { kind, points } of places) {
      names.taken.push(around(points[0], MARK))
      const sign = moved
        .append('g')
        .attr('class', `mark ${kind}`)
        .attr('transform', `translate(${points[0]})`)
      sign.append('path').attr('d', RING)
    }
    const named = [...places]
    if (drawn) {
      const height = y(given.y)
      this.line.attr('y1', height).attr('y2', height)
      const points = [box.left, box.right].map((end) => [end, height])
      named.push({ label, kind: 'lost', points, along: Number(!left) })
    }
    this.name(named, moved)
  }
}
