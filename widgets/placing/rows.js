import { axisBottom, create, scaleLinear, scaleLog } from '../kit/d3.js'
import { freshId, rem } from '../kit/dom.js'

// In rem, so that a projector's large letters find room.
const MARGIN = { top: 1.3, right: 1, bottom: 2.6 }
const HIGHER = 1.1 // where the names of the controls would meet, they stand one above the other
const BETWEEN = 0.5 // two names in a row, at least
const NAMES = 9.6
const ROW = 1.45
const TICK = 5
const ROOM = 0.04 // of what the axis spans, at both ends
const NEAR = 0.3 // of what the rows span: a control further off is named, not drawn
const DOT = 4 // pixels

/** Of these values those that lie in a domain, evenly thinned to the most that there may be. */
const few = (values, [low, high], most) => {
  const inside = values.filter((value) => value > low && value < high)
  return inside.filter((_, i) => i % Math.ceil(inside.length / most) === 0)
}

/** A row for each thing measured a few times: from the lowest to the highest, and the mean, with upright lines as controls. */
export class Rows {
  /** `choose(code)` is told which row a reader picks. */
  constructor(words, choose) {
    const id = freshId('rows')
    Object.assign(this, { words, choose })
    this.figure = create('figure').attr('class', 'rows-chart')
    this.figure.append('figcaption').attr('id', id).text(words.title)
    this.svg = this.figure.append('svg').attr('role', 'img')
    this.element = this.figure.node()
    new ResizeObserver(() => this.content && this.draw(this.content)).observe(this.element)
  }

  /** content: {rows: [{code, label, values, mean}], rules: [{at, label}], x, format, tick, ticks, chosen}; with `ticks` a log axis. */
  draw(content) {
    const { rows, rules, x, format, tick, ticks: log } = (this.content = content)
    const unit = (this.unit = rem())
    const width = this.element.clientWidth
    const [left, right] = [NAMES * unit, width - MARGIN.right * unit]
    if (right <= left) return // not laid out
    const all = rows.flatMap(({ values }) => values)
    const reach = NEAR * (Math.max(...all) - Math.min(...all))
    const near = rules.map(({ at }) => at).filter((at) => at < Math.max(...all) + reach)
    const [low, high] = [Math.min(...all, ...near), Math.max(...all, ...near)]
    const room = log ? (high / low) ** ROOM : ROOM * (high - low)
    this.x = log
      ? scaleLog([low / room, high * room], [left, right])
      : scaleLinear([low - room, high + room], [left, right])
    const { svg } = this
    svg.selectAll('*').remove()
    const controls = rules.map((rule, i) => this.control(rule, `control-${i}`, [left, right]))
    const boxes = controls.map(({ name }) => name.node().getBBox())
    const meet = boxes.some((one, i) =>
      boxes
        .slice(i + 1)
        .some(
          (other) => Math.max(one.x - other.x - other.width, other.x - one.x - one.width) < BETWEEN * unit,
        ),
    )
    const higher = meet ? HIGHER : 0
    const top = (MARGIN.top + higher) * unit
    const bottom = top + ROW * rows.length * unit
    const height = bottom + MARGIN.bottom * unit
    this.box = { left, width }
    const told = rows.map(({ label, mean }) => `${label} ${format(mean)}`)
    svg.attr('viewBox', `0 0 ${width} ${height}`).attr('width', width).attr('height', height)
    svg.attr('aria-label', [this.words.title, ...told].join('. '))
    controls.forEach(({ line, name }, i) => {
      line?.attr('y1', top).attr('y2', bottom)
      name.attr('y', top - (0.5 + higher * i) * unit)
    })
    rows.forEach((row, i) => this.row(row, top + (i + 0.5) * ROW * unit))
    const most = Math.max(2, Math.floor((right - left) / (TICK * unit)))
    const axis = axisBottom(this.x).ticks(most).tickFormat(tick).tickSizeOuter(0)
    if (log) axis.tickValues(few(log, this.x.domain(), most))
    svg.append('g').attr('class', 'axis').attr('transform', `translate(0,${bottom})`).call(axis)
    svg
      .append('text')
      .attr('class', 'title')
      .attr('x', right)
      .attr('y', height - 0.35 * unit)
      .attr('text-anchor', 'end')
      .text(x)
  }

  /** An upright line through all rows, and its name; one that lies beyond the rows is named with its value instead. */
  control({ at, label }, kind, [left, right]) {
    const { svg, x } = this
    const inside = at <= x.domain()[1]
    const place = inside ? x(at) : right
    const line = inside
      ? svg.append('line').attr('class', `rule ${kind}`).attr('x1', place).attr('x2', place)
      : null
    const name = svg
      .append('text')
      .attr('class', `label ${kind}`)
      .attr('x', place)
      .attr('text-anchor', place > (left + right) / 2 ? 'end' : 'start')
      .text(inside ? label : `${label} ${this.content.format(at)} →`)
    return { line, name }
  }

  row({ code, label, values, mean }, y) {
    const { x, unit } = this
    const { left, width } = this.box
    const row = this.svg.append('g').attr('class', code === this.content.chosen ? 'row chosen' : 'row')
    row.on('click', () => this.choose(code))
    row
      .append('rect')
      .attr('class', 'ground')
      .attr('width', width)
      .attr('y', y - 0.5 * ROW * unit)
      .attr('height', ROW * unit)
    const end = left - 0.7 * unit
    const named = row
      .append('text')
      .attr('x', end)
      .attr('y', y + 0.28 * unit)
      .attr('text-anchor', 'end')
    named.text(label)
    if (named.node().getComputedTextLength() > end)
      named.attr('textLength', end).attr('lengthAdjust', 'spacingAndGlyphs') // a language of long words
    const [from, to] = [Math.min(...values), Math.max(...values)].map(x)
    const high = DOT + 1
    row
      .append('path')
      .attr('class', 'span')
      .attr('d', `M${from},${y}H${to}M${from},${y - high}v${2 * high}M${to},${y - high}v${2 * high}`)
    row.append('circle').attr('cx', x(mean)).attr('cy', y).attr('r', DOT)
  }
}
