import { create, scaleLinear } from '../kit/d3.js'
import { h } from '../kit/dom.js'
import { written } from '../kit/text.js'

const [WIDE, HIGH, DOT, ROOM] = [160, 16, 3.5, 6] // of a strip, in its own units

/** A row for each start at its own best learning rate: a dot for each seed, their mean, and how far it is from another. */
export class Ends {
  constructor({ title, heads }) {
    this.body = h('tbody', {})
    const head = h('tr', {}, ...heads.map((each) => h('th', { scope: 'col' }, each)))
    const table = h('table', {}, h('thead', {}, head), this.body)
    this.note = h('p', { class: 'note' })
    const scrolled = h('div', { class: 'table', tabindex: 0, role: 'region', 'aria-label': title }, table)
    this.element = h('div', { class: 'ways ends' }, h('h3', {}, title), scrolled, this.note)
  }

  draw({ inits, endsNote, init: chosen }) {
    const rows = Object.entries(inits).filter(([, { ends }]) => ends)
    const all = rows.flatMap(([, { ends }]) => ends.loss.filter((loss) => loss !== null))
    const x = scaleLinear([Math.min(...all), Math.max(...all)], [ROOM, WIDE - ROOM])
    this.note.textContent = endsNote
    this.body.replaceChildren(
      ...rows.map(([init, { label, ends }]) =>
        h(
          'tr',
          init === chosen ? { 'aria-current': 'true' } : {},
          h('th', { scope: 'row' }, label),
          h('td', {}, written(ends.rate)),
          h('td', {}, this.strip(ends.loss, x, init === chosen)),
          h('td', {}, ends.told),
          h('td', {}, ends.against),
        ),
      ),
    )
  }

  /** The seeds of a start as dots on the axis that all rows share; one that was given up has none. */
  strip(losses, x, chosen) {
    const svg = create('svg').attr('viewBox', `0 0 ${WIDE} ${HIGH}`).attr('aria-hidden', 'true')
    const line = svg.append('line').attr('class', 'axis-line')
    line
      .attr('x1', 0)
      .attr('x2', WIDE)
      .attr('y1', HIGH / 2)
      .attr('y2', HIGH / 2)
    for (const loss of losses.filter((each) => each !== null))
      svg
        .append('circle')
        .attr('class', chosen ? 'dot kept' : 'dot control-0')
        .attr('cx', x(loss))
        .attr('cy', HIGH / 2)
        .attr('r', DOT)
    return svg.node()
  }
}
