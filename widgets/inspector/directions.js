// Where the change of one layer points in its weight: amplification, and intruder dimensions. The weight is only multiplied
// by vectors, so that it may be large. compute/adapters/formats/beside.py decomposes it instead.

import { changing, matched, weightOf } from './base.js'
import { directions } from './compared.js'
import { changeOf } from './layers.js'
import { decomposed, dot, factorized } from './linear.js'
import { uniform } from './noise.js'
import { pause } from './pause.js'

const LARGEST = 2 ** 26 // numbers of a weight: a product with it takes a tenth of a second, and hundreds are made
export const EPSILON = 0.5 // this, and the next two, as in compute/matrices/intruders.py
const TOP = 10
const FAINT = 1e-6 // of the largest singular value: directions that do not count
const NUMERICAL = 1e-9 // of the largest: what is below is rounding, as in compute/adapters/formats/contents.py
const SETTLED = 1e-6 // of the largest: what may be left of a singular value that is found
const LOST = 1e-13 // of the largest: rounding, where a space has no more directions
const [FIRST_CHECK, NEXT_CHECK, MOST_STEPS] = [8, 1.1, 240]
// A direction that is spread over many of the weight's is told in some steps; of one that is not, few show that much lies
// between two neighbours.
const [FEW_STEPS, SOME_STEPS, HELD] = [16, 48, 0.5]
const BETWEEN = 2 ** 17 // numbers of the weight between two pauses
const MOST_TURNS = 60 // of the QL steps for an eigenvalue; two are usual

/** A column times a number, added to another. */
function add(into, by, column) {
  for (let i = 0; i < into.length; i++) into[i] += by * column[i]
  return into
}

/** Rows from..to of a matrix times x, into y: four at once, so that x is read once for them. */
function timesRows(W, into, x, y, from, to) {
  let i = from
  for (; i + 3 < to; i += 4) {
    let [a, b, c, d] = [0, 0, 0, 0]
    const one = i * into
    const [two, three, four] = [one + into, one + 2 * into, one + 3 * into]
    for (let j = 0; j < into; j++) {
      const value = x[j]
      a += W[one + j] * value
      b += W[two + j] * value
      c += W[three + j] * value
      d += W[four + j] * value
    }
    y[i] = a
    y[i + 1] = b
    y[i + 2] = c
    y[i + 3] = d
  }
  for (; i < to; i++) y[i] = dot(W.subarray(i * into, (i + 1) * into), x)
}

/** The same rows, each times a number of y, added to x: four at once, so that x is read and written once for them. */
function turnedRows(W, into, y, x, from, to) {
  let i = from
  for (; i + 3 < to; i += 4) {
    const one = i * into
    const [two, three, four] = [one + into, one + 2 * into, one + 3 * into]
    const [a, b, c, d] = [y[i], y[i + 1], y[i + 2], y[i + 3]]
    for (let j = 0; j < into; j++)
      x[j] += a * W[one + j] + b * W[two + j] + (c * W[three + j] + d * W[four + j])
  }
  for (; i < to; i++) add(x, y[i], W.subarray(i * into, (i + 1) * into))
}

/** What a matrix by rows, (out, into), makes of vectors. */
function matrix(W, out, into) {
  const step = 4 * Math.max(1, Math.floor(BETWEEN / (4 * into)))
  const each = async (rows, from, found) => {
    for (let i = 0; i < out; i += step) {
      rows(W, into, from, found, i, Math.min(out, i + step))
      await pause()
    }
    return found
  }
  return {
    out,
    into,
    times: (x) => each(timesRows, x, new Float64Array(out)),
    turned: (y) => each(turnedRows, y, new Float64Array(into)),
  }
}

/** The same of the weight with its change: rows or columns of W + left right.T, stretched where the layer is a DoRA. */
function merged(W, { left, right, byOutput, byInput }) {
  const stretched = (x, by) => (by ? x.map((value, i) => value * by[i]) : x)
  const through = (product, before, from, to, after) => async (x) => {
    const given = stretched(x, before)
    const y = await product(given)
    from.forEach((column, k) => add(y, dot(column, given), to[k]))
    return stretched(y, after)
  }
  return {
    ...W,
    times: through(W.times, byInput, right, left, byOutput),
    turned: through(W.turned, byOutput, left, right, byInput),
  }
}

const less = (one, other) => ({
  ...one,
  times: async (x) => add(await one.times(x), -1, await other.times(x)),
  turned: async (y) => add(await one.turned(y), -1, await other.turned(y)),
})

/**
 * A matrix on the directions that it reaches from a start among its outputs, one more each step: a small lower bidiagonal
 * matrix L, whose singular values become those of the matrix (Golub, Van Loan 2013, section 10.4.1; every new direction is
 * made orthogonal to all before).
 */
class Reached {
  constructor(whole, start) {
    Object.assign(this, { whole, left: [start], right: [], diagonal: [], beside: [], ended: false })
    unit(start)
  }

  async step() {
    const { whole, left, right, diagonal, beside } = this
    const v = cleaned(await whole.turned(left.at(-1)), right)
    diagonal.push(unit(v))
    right.push(v)
    const u = cleaned(await whole.times(v), left)
    beside.push(unit(u))
    left.push(u)
    this.ended = !(beside.at(-1) > LOST * Math.max(...diagonal))
    await pause()
  }

  /** Step until the next check is due. */
  async grow() {
    const until = Math.max(FIRST_CHECK, Math.ceil(NEXT_CHECK * this.right.length))
    while (this.right.length < until && !this.ended) await this.step()
  }

  /**
   * Of each singular value of L, descending: {s, square, settled, squares}: that of the cosine between its left vector and the
   * start, whether it is one of the matrix, up to what is left of it, and the same as `square` for each of `others`, given as
   * inner products with the directions on the left.
   */
  small(others = []) {
    const { diagonal, beside, ended } = this
    const squares = diagonal.map((value, j) => value ** 2 + (j ? beside[j - 1] ** 2 : 0))
    const [first, last] = [new Float64Array(squares.length), new Float64Array(squares.length)]
    first[0] = last[squares.length - 1] = 1
    const rows = others.map((other) => Float64Array.from(squares, (_, j) => other[j]))
    const values = eigen(
      squares,
      diagonal.slice(0, -1).map((value, j) => value * beside[j]),
      [first, last, ...rows],
    ) // of L L.T
    const found = values.map((value, i) => ({
      value,
      first: first[i],
      last: last[i],
      squares: rows.map((row) => row[i] ** 2),
    }))
    const top = Math.sqrt(Math.max(...found.map(({ value }) => value)))
    return found
      .map(({ value, first: own, last: end, squares: all }) => {
        const s = Math.sqrt(Math.max(0, value))
        const rest = s ? (beside.at(-1) * diagonal.at(-1) * Math.abs(end)) / s : 0
        return { s, square: own ** 2, settled: ended || rest <= SETTLED * top, squares: all }
      })
      .sort((one, other) => other.s - one.s)
  }

  /** The first k singular values of L with what they are of the matrix: its directions. */
  async first(k) {
    const { left, right, diagonal, beside } = this
    const columns = diagonal.map((value, j) => {
      const column = new Float64Array(diagonal.length)
      column.set(j + 1 < diagonal.length ? [value, beside[j]] : [value], j)
      return column
    })
    const { s, U, V } = await decomposed(columns)
    const on = (columns) => (weights) =>
      weights.reduce((sum, by, j) => add(sum, by, columns[j]), new Float64Array(columns[0].length))
    return { s: s.slice(0, k), left: U.slice(0, k).map(on(left)), right: V.slice(0, k).map(on(right)) }
  }
}

/**
 * Eigenvalues of a symmetric matrix with a diagonal d and e beside it; each of `rows` becomes what it is on the vectors: QL
 * steps with shifts, which are not carried out explicitly (Golub and Welsch 1969; imtql2 of EISPACK).
 */
function eigen(d, beside, rows) {
  const n = d.length
  const e = [...beside, 0]
  for (let low = 0; low < n; low++)
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      let high = low
      while (Math.abs(e[high]) > Number.EPSILON * (Math.abs(d[high]) + Math.abs(d[high + 1]))) high++
      if (high === low) break
      const half = (d[low + 1] - d[low]) / (2 * e[low])
      let g = d[high] - d[low] + e[low] / (half + (half < 0 ? -1 : 1) * Math.hypot(half, 1))
      let [sine, cosine, shift] = [1, 1, 0]
      let i = high - 1
      for (; i >= low; i--) {
        const [f, b] = [sine * e[i], cosine * e[i]]
        const long = (e[i + 1] = Math.hypot(f, g))
        if (!long) break
        sine = f / long
        cosine = g / long
        g = d[i + 1] - shift
        const turned = (d[i] - g) * sine + 2 * cosine * b
        shift = sine * turned
        d[i + 1] = g + shift
        g = cosine * turned - b
        for (const row of rows) {
          const [one, other] = [row[i], row[i + 1]]
          row[i + 1] = sine * one + cosine * other
          row[i] = cosine * one - sine * other
        }
      }
      if (i >= low) d[i + 1] -= shift
      else {
        d[low] -= shift
        e[low] = g
      }
      e[high] = 0
    }
  return d
}

/** Make a column one of length 1 in its place and return what its length was; zero stays. */
function unit(column) {
  const long = Math.sqrt(dot(column, column))
  for (let i = 0; long && i < column.length; i++) column[i] /= long
  return long
}

/** A column without what lies along others; again where little was left, of which rounding is a part that counts. */
function cleaned(column, others) {
  for (let before = Infinity, left = dot(column, column); left < before / 2;) {
    before = left
    for (const other of others) add(column, -dot(other, column), other)
    left = dot(column, column)
  }
  return column
}

/** The first k directions of a matrix on both sides, with its singular values, and which of them are exact. */
async function firstOf(whole, k) {
  const next = uniform(1)
  const space = new Reached(
    whole,
    Float64Array.from({ length: whole.out }, () => next() - 0.5),
  )
  for (;;) {
    await space.grow()
    const found = space.small()
    const settled = found.slice(0, k).map((one) => one.settled)
    const done = found.length >= k && settled.every(Boolean)
    if (done || space.ended || found.length >= MOST_STEPS) return { ...(await space.first(k)), settled }
  }
}

/**
 * Whether any left singular vector of a matrix has a cosine of EPSILON or more with a direction, null where that is not
 * settled. The squares of its cosines are a measure on the singular values. That of one that is settled is known, and
 * between two neighbours of the small matrix lies at most the measure of both (Chebyshev, Markov and Stieltjes; Szegő 1975,
 * *Orthogonal Polynomials*, section 3.41). `enough(steps, held)` says when to give up, `held` being the most that lies between
 * two neighbours.
 */
async function resembled(whole, direction, enough) {
  const space = new Reached(whole, direction.slice())
  for (;;) {
    await space.grow()
    const found = space
      .small()
      .map(({ s, square, ...one }, i, [{ s: top }]) => ({ ...one, square: s > FAINT * top ? square : 0 }))
    if (found.some(({ square, settled }) => settled && square >= EPSILON ** 2)) return true
    const open = found.map(({ square, settled }) => (settled ? 0 : square))
    const held = Math.max(...open.map((square, i) => square + (open[i + 1] ?? 0)))
    if (held < EPSILON ** 2) return false
    if (enough(found.length, held)) return null
  }
}

/**
 * The same of several directions from one space, which their sum begins: what they have in common is looked for once. What
 * does not lie in vectors that are settled is known only in all, and decides where it is little.
 */
async function together(whole, directions) {
  const start = directions.reduce((sum, each) => add(sum, 1, each), new Float64Array(whole.out))
  const space = new Reached(whole, start)
  const inner = directions.map(() => [])
  for (;;) {
    await space.grow()
    const { length } = space.right
    directions.forEach((each, i) => {
      while (inner[i].length < length) inner[i].push(dot(space.left[inner[i].length], each))
    })
    const found = space.small(inner).filter(({ settled }) => settled)
    const top = found[0]?.s
    const verdicts = directions.map((_, i) => {
      const held = found.reduce((sum, { squares }) => sum + squares[i], 0)
      if (found.some(({ s, squares }) => s > FAINT * top && squares[i] >= EPSILON ** 2)) return true
      return 1 - held < EPSILON ** 2 ? false : null
    })
    if (!verdicts.includes(null) || space.ended || length >= MOST_STEPS) return verdicts
  }
}

/** Whether each of some directions is resembled by a left singular vector of a matrix; null where that is not settled. */
async function verdictsOf(whole, directions, told) {
  const verdicts = []
  const hopeless = (steps, held) => steps >= SOME_STEPS || (steps >= FEW_STEPS && held > HELD)
  for (const [i, each] of directions.entries()) {
    verdicts.push(await resembled(whole, each, hopeless))
    if (!told(i / 2)) return null
  }
  const open = () => [...directions.keys()].filter((i) => verdicts[i] === null)
  const some = open()
  if (some.length > 1) {
    const found = await together(
      whole,
      some.map((i) => directions[i]),
    )
    some.forEach((i, j) => (verdicts[i] = found[j]))
  }
  for (const i of open()) {
    if (!told((directions.length + i) / 2)) return null
    verdicts[i] = await resembled(whole, directions[i], (steps) => steps >= MOST_STEPS)
  }
  return verdicts
}

/** The directions of a change on both sides, with singular values: of a DoRA the first r of its true change. */
async function ofChange(layer, W, made) {
  if (layer.dora) return firstOf(less(merged(W, made), W), Math.min(layer.r, W.out, W.into))
  const { B, A } = await changeOf(layer)
  const { s, Q_B, Q_A, U, V } = await factorized(B, A)
  return { s, left: directions(Q_B, U, U.length), right: directions(Q_A, V, V.length) }
}

/**
 * Where the change of a layer points, beside {size, size_W} of `beside`: {r, amplification, chance, top, least, most}, of
 * which amplification is null where W has nothing there; between least and most of the `top` first directions of W + delta_w
 * are intruders. Null where the weight is too large or no longer wanted.
 */
export async function pointing(about, layer, weights, { size, size_W }, told = () => {}, still = () => true) {
  const [[, tensor]] = (await matched({ layers: [layer] }, weights)).pairs
  const [out, into] = layer.shape
  if (out * into > LARGEST) return null
  const values = await weightOf(layer, tensor, about.config)
  const W = matrix(values, out, into)
  const made = await changing(layer, values)
  const change = await ofChange(layer, W, made)
  const r = change.s.filter((value) => value > NUMERICAL * change.s[0]).length
  let kept = 0
  for (const v of change.right.slice(0, r)) {
    const y = await W.times(v)
    for (const u of change.left.slice(0, r)) kept += dot(u, y) ** 2
  }
  told(1, TOP + 2)
  const { left, settled } = await firstOf(merged(W, made), Math.min(TOP, out, into))
  const sure = left.filter((_, i) => settled[i])
  const verdicts = await verdictsOf(W, sure, (done) => {
    told(2 + done, TOP + 2)
    return still()
  })
  if (!verdicts) return null
  verdicts.push(...left.slice(sure.length).map(() => null))
  const count = (...which) => verdicts.filter((verdict) => which.includes(verdict)).length
  const times = (other) => (Number.isFinite(size / other) ? size / other : null)
  return {
    r,
    amplification: times(Math.sqrt(kept)),
    chance: times((r / Math.sqrt(out * into)) * size_W),
    top: left.length,
    least: count(false),
    most: count(false, null),
  }
}
