// Where the names in a chart stand: on no other name, and on no line as long as there is room elsewhere.

const CELL = 3 // pixels of a field, which a line crosses or not
const PLACES = 24 // along a curve
const GAPS = [4, 10, 17, 25, 34, 46, 60, 76, 96, 120, 146] // pixels between a curve and its name
const LED = 14 // a name further away than this is led to its curve by a thin line
const BETWEEN = 5 // pixels between two names in a row, which would be read as one
const NEAR = 6 // pixels between a name and another curve that would be taken for its own
// What is worse, in pixels of distance: each field of a line behind the name, a curve nearer than its own, a place where
// another curve runs together with its own, a step along the curve away from where the name was wanted, or among marks
// away from the one where it was, a side that is not the first one.
const COSTS = { crossed: 160, mistaken: 22, shared: 60, along: 60, mark: 12, side: 1.5 }
const SIDES = [
  [0, -1], // above, in the middle
  [0, 1],
  [1, -1],
  [-1, -1],
  [1, 1],
  [-1, 1],
  [1, 0], // to the right
  [-1, 0],
]

const canvas = document.createElement('canvas').getContext('2d')

/** How wide words are in a font, without laying out the page. */
export function widthOf(words, font) {
  canvas.font = font
  return canvas.measureText(words).width
}

/** How wide the widest of some words is, set as those in a part of a picture are. */
export function widest(part, all) {
  const text = part.append('text')
  const widths = all.map((words) => text.text(words).node().getComputedTextLength())
  text.remove()
  return Math.max(...widths)
}

/** Which fields of a picture are crossed; how many are, within a rectangle, is a sum of four numbers. */
class Fields {
  constructor(width, height) {
    this.columns = Math.ceil(width / CELL) + 1
    this.rows = Math.ceil(height / CELL) + 1
    this.crossed = new Uint8Array(this.columns * this.rows)
  }

  mark(x, y) {
    const [column, row] = [Math.floor(x / CELL), Math.floor(y / CELL)]
    if (column >= 0 && column < this.columns && row >= 0 && row < this.rows)
      this.crossed[row * this.columns + column] = 1
  }

  line(points) {
    for (let i = 1; i < points.length; i++) {
      const [[x, y], [toX, toY]] = [points[i - 1], points[i]]
      const many = Math.max(1, Math.ceil((2 * Math.max(Math.abs(toX - x), Math.abs(toY - y))) / CELL))
      for (let j = 0; j <= many; j++) this.mark(x + ((toX - x) * j) / many, y + ((toY - y) * j) / many)
    }
  }

  fill([left, top, right, bottom]) {
    for (let y = top; y < bottom + CELL; y += CELL)
      for (let x = left; x < right + CELL; x += CELL) this.mark(Math.min(x, right), Math.min(y, bottom))
  }

  add() {
    const { columns, rows, crossed } = this
    const sums = (this.sums = new Uint32Array((columns + 1) * (rows + 1)))
    for (let row = 0; row < rows; row++)
      for (let column = 0, sum = 0; column < columns; column++) {
        sum += crossed[row * columns + column]
        sums[(row + 1) * (columns + 1) + column + 1] = sums[row * (columns + 1) + column + 1] + sum
      }
  }

  count([left, top, right, bottom]) {
    const wide = this.columns + 1
    const inside = (value, most) => Math.max(0, Math.min(most, Math.floor(value / CELL)))
    const [from, to] = [inside(left, this.columns), inside(right + CELL, this.columns)]
    const [up, down] = [inside(top, this.rows), inside(bottom + CELL, this.rows)]
    const { sums } = this
    return sums[down * wide + to] - sums[up * wide + to] - sums[down * wide + from] + sums[up * wide + from]
  }
}

/** The point at a share of the way along a line. */
function pointAt(points, share) {
  const at = share * (points.length - 1)
  const i = Math.min(points.length - 1, Math.floor(at))
  const [x, y] = points[i]
  const [toX, toY] = points[Math.min(points.length - 1, i + 1)]
  return [x + (toX - x) * (at - i), y + (toY - y) * (at - i)]
}

/** How high a line that runs from left to right is at x; undefined beside it. */
function heightAt(points, x) {
  let [low, high] = [0, points.length - 1]
  if (!(x >= points[low][0] && x <= points[high][0])) return undefined
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (points[middle][0] <= x) low = middle
    else high = middle
  }
  const [[fromX, from], [toX, to]] = [points[low], points[high]]
  return toX === fromX ? from : from + ((to - from) * (x - fromX)) / (toX - fromX)
}

/** The square around a place that is this far away from it. */
export const around = ([x, y], far) => [x - far, y - far, x + far, y + far]

/** The rectangle that a lead spans. */
const spanned = ([[x, y], [toX, toY]]) => [
  Math.min(x, toX),
  Math.min(y, toY),
  Math.max(x, toX),
  Math.max(y, toY),
]

/** How far a place is from a rectangle. */
const distance = ([left, top, right, bottom], [x, y]) =>
  Math.hypot(Math.max(left - x, 0, x - right), Math.max(top - y, 0, y - bottom))

const apart = (a, b) => a[0] >= b[2] || b[0] >= a[2] || a[1] >= b[3] || b[1] >= a[3]

/** A picture's lines and bars, and the names that are put between them, one after the other. */
export class Names {
  /** lines: points [x, y] each; bars: rectangles [left, top, right, bottom]; box: where names may stand. */
  constructor({ width, height, box, lines, bars = [] }) {
    Object.assign(this, { box, lines, taken: [], leads: [] })
    this.fields = new Fields(width, height)
    for (const line of lines) this.fields.line(line)
    for (const bar of bars) this.fields.fill(bar)
    this.fields.add()
  }

  /**
   * Put a name of this size at one of `points`, best `along` of the way: {left, top, lead}; `lead` holds the two ends of
   * a thin line to the curve where the name is far from it. A name that is `optional` stands where all is clear, or
   * nowhere: then null. Where `others` are given, points are marks that no curve joins, and others those of which the
   * name is not.
   */
  put({ points, along, width, height, optional, others }) {
    const { box } = this
    let best = null
    const many = others ? points.length - 1 : points.length > 1 ? PLACES : 0
    for (let i = 0; i <= many; i++) {
      const share = many ? i / many : 0
      const [x, y] = pointAt(points, share)
      const away = others
        ? COSTS.mark * Math.abs(share - along)
        : many
          ? COSTS.along * Math.abs(share - along) + COSTS.shared * this.shared(points, [x, y])
          : 0
      if (best && away >= best.cost) continue
      for (const [n, [across, down]] of SIDES.entries())
        for (const gap of GAPS) {
          const cost = away + gap + COSTS.side * n
          if (best && cost >= best.cost) break
          const left =
            across && !down
              ? x + (across > 0 ? gap : -gap - width)
              : Math.max(box.left + 1, Math.min(box.right - width, x + (width * (across - 1)) / 2))
          const top = down ? y + (down > 0 ? gap : -gap - height) : y - height / 2
          const found = this.judge({ left, top, width, height, anchor: [x, y], points, others, cost })
          if (found && (!best || found.cost < best.cost) && !(optional && found.unclear)) best = found
        }
    }
    if (!best) return null
    const [from, top, to, bottom] = best.rectangle
    this.taken.push([from - BETWEEN, top, to + BETWEEN, bottom])
    if (best.lead) this.leads.push(spanned(best.lead))
    return best
  }

  /** Whether another line runs so near to this place of a line that a name there could be that of either. */
  shared(points, [x, y]) {
    return this.lines.some((line) => line !== points && Math.abs(heightAt(line, x) - y) < NEAR)
  }

  /** What a place costs; null where it is taken or outside. */
  judge({ left, top, width, height, anchor, points, others, cost }) {
    const { box, fields, taken, lines } = this
    const rectangle = [left, top, left + width, top + height]
    if (left < box.left || left + width > box.right + 1 || top < box.top || top + height > box.bottom)
      return null
    if (!taken.every((other) => apart(rectangle, other))) return null
    const trim = 0.12 * height // letters do not reach the edges of their line
    const crossed = fields.count([left, top + trim, left + width, top + height - trim])
    const middle = [left + width / 2, top + height / 2]
    const own = others ? undefined : heightAt(points, middle[0])
    const far = others ? distance(rectangle, anchor) : Math.abs((own ?? anchor[1]) - middle[1]) - height / 2
    const mistaken = others
      ? others.some((other) => distance(rectangle, other) < far + NEAR)
      : points.length > 1 &&
        lines.some((line) => {
          const other = line === points ? undefined : heightAt(line, middle[0])
          return other !== undefined && Math.abs(other - middle[1]) - height / 2 < Math.max(NEAR, far)
        })
    const lead =
      far > LED || mistaken
        ? [[Math.max(left, Math.min(left + width, anchor[0])), anchor[1] < top ? top : top + height], anchor]
        : null
    const struck =
      this.leads.filter((other) => !apart(rectangle, other)).length +
      (lead ? taken.filter((other) => !apart(spanned(lead), other)).length : 0)
    return {
      left,
      top,
      rectangle,
      cost: cost + COSTS.crossed * (crossed + struck) + (mistaken ? COSTS.mistaken : 0),
      unclear: crossed > 0 || mistaken,
      lead,
    }
  }
}
