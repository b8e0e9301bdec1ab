import { Chart, RING } from './chart.js'

/** A chart with one level across that the reader moves, and marks that follow it: no tick draws the chart again. */
export class LevelChart extends Chart {
  draw(content) {
    super.draw(content)
    this.line = null
    if (!this.now) return
    this.line = this.svg.insert('line', ':first-child').attr('class', 'rule lost') // behind the names
    this.line.attr('x1', this.box.left).attr('x2', this.box.right)
    this.name = this.svg.append('text').attr('class', 'label lost')
    this.places = this.svg.append('g')
    if (this.given) this.set(this.given)
  }

  /** given: {y, label, left, marks: [{x, y, label, kind, lift}]}; a level without y is not drawn, its marks are. */
  set(given) {
    this.given = given
    if (!this.line) return
    const { x, y, box, unit, places } = this
    const { label, left, marks } = given
    const drawn = given.y !== undefined
    this.line.attr('visibility', drawn ? 'visible' : 'hidden')
    this.name.attr('visibility', drawn ? 'visible' : 'hidden')
    if (drawn) {
      const height = y(given.y)
      this.line.attr('y1', height).attr('y2', height)
      this.name
        .attr('x', left ? box.left + 4 : box.right)
        .attr('y', Math.max(height - 4, box.top + 0.7 * unit))
        .attr('text-anchor', left ? 'start' : 'end')
        .text(label)
    }
    const groups = places.selectAll('g').data(marks)
    groups.exit().remove()
    const added = groups.enter().append('g')
    added.append('path').attr('d', RING)
    added.append('text')
    const all = added.merge(groups)
    all
      .attr('class', (mark) => `mark ${mark.kind}`)
      .attr('transform', (mark) => `translate(${x(mark.x)},${y(mark.y)})`)
    const back = (mark) => mark.x > this.k / 2
    all
      .select('text')
      .attr('x', (mark) => (back(mark) ? -9 : 9))
      .attr('y', (mark) => -(mark.lift ?? 0.5) * unit)
      .attr('text-anchor', (mark) => (back(mark) ? 'end' : 'start'))
      .text((mark) => mark.label)
  }
}
