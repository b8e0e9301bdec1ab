// Singular values of a product of two thin factors. The product is never formed: with B = Q_B R_B and A.T = Q_A R_A
// they are those of R_B R_A.T, a matrix of r x r numbers. compute/matrices/svd.py does the same.

import { pause } from './pause.js'

const GRAM_WORK = 4e6 // multiplications between two pauses
const PIVOT = 1e-4 // of a column of unit length, what is not along those before it: 1e-16 over it is rounding
const SWEEPS = 40 // of Jacobi's method; ten are usual
const TINY = 1e-300 // one over it is a number
const LEAST = 8 // rows, in the rounding of a dot product
const BISECTIONS = 60 // halve an interval to the last bit

/** Sum of products, in four sums that do not wait for each other. */
export function dot(one, other) {
  const n = one.length
  let [a, b, c, d] = [0, 0, 0, 0]
  let i = 0
  for (; i + 3 < n; i += 4) {
    a += one[i] * other[i]
    b += one[i + 1] * other[i + 1]
    c += one[i + 2] * other[i + 2]
    d += one[i + 3] * other[i + 3]
  }
  for (; i < n; i++) a += one[i] * other[i]
  return a + b + (c + d)
}

/** Length of a column; where its squares would under- or overflow, by way of its largest number. */
function norm(column) {
  const square = dot(column, column)
  if (square > 1e-280 && square < 1e280) return Math.sqrt(square)
  let top = 0
  for (let i = 0; i < column.length; i++) top = Math.max(top, Math.abs(column[i]))
  if (!top || !Number.isFinite(top)) return top
  let sum = 0
  for (let i = 0; i < column.length; i++) sum += (column[i] / top) ** 2
  return top * Math.sqrt(sum)
}

/** A column times a number, in its place. */
function scale(column, by) {
  for (let i = 0; i < column.length; i++) column[i] *= by
  return column
}

/**
 * A thin factor, n long and r wide, as it is stored. `columns` are r arrays of n numbers, made when they are asked for, and
 * whoever asks may change them; `values` are what is stored, as long as nobody has asked.
 */
class Factor {
  constructor(n, r, values, across) {
    Object.assign(this, { n, r, values, across })
  }

  get columns() {
    const { n, r, values, across } = this
    if (values) {
      const column = (j) => {
        if (!across) return Float64Array.from(values.subarray(j * n, (j + 1) * n))
        const made = new Float64Array(n)
        for (let i = 0, at = j; i < n; i++, at += r) made[i] = values[at]
        return made
      }
      this.made = Array.from({ length: r }, (_, j) => column(j))
      this.values = null
    }
    return this.made
  }
}

/** A factor from numbers by rows, (n, r). */
export const byRows = (values, n, r) => new Factor(n, r, values, true)

/** A factor from numbers by columns, (r, n): lora_A is stored by rows, which are the columns of A.T. */
export const byColumns = (values, n, r) => new Factor(n, r, values, false)

/** The inner products of all columns of a factor as it is stored, of those with j <= k: a list of r rows. */
async function gram({ n, r, values, across }) {
  const found = Array.from({ length: r }, () => new Float64Array(r))
  if (!across) {
    const column = (j) => values.subarray(j * n, (j + 1) * n)
    for (let j = 0; j < r; j++) {
      for (let k = j; k < r; k += 4)
        fourWith(
          column(j),
          Array.from({ length: 4 }, (_, l) => column(Math.min(k + l, r - 1))),
          found[j],
          k,
        )
      await pause()
    }
    return found
  }
  const step = Math.max(4, 4 * Math.floor(GRAM_WORK / (4 * r * r))) // rows between two pauses
  for (let from = 0; from < n; from += step) {
    fourRows(values, r, from, Math.min(n, from + step), found)
    await pause()
  }
  return found
}

/** Inner products of a column with four others, into row[k] and what follows. */
function fourWith(x, [one, two, three, four], row, k) {
  let [a, b, c, d] = [0, 0, 0, 0]
  for (let i = 0; i < x.length; i++) {
    const by = x[i]
    a += by * one[i]
    b += by * two[i]
    c += by * three[i]
    d += by * four[i]
  }
  row.set([a, b, c, d].slice(0, row.length - k), k)
}

/** What some rows add to the inner products of columns: four rows at once, so that each sum is read once for them. */
function fourRows(values, r, from, to, found) {
  let i = from
  for (; i + 3 < to; i += 4) {
    const [p, q, s, t] = [i * r, (i + 1) * r, (i + 2) * r, (i + 3) * r]
    for (let j = 0; j < r; j++) {
      const row = found[j]
      const [a, b, c, d] = [values[p + j], values[q + j], values[s + j], values[t + j]]
      for (let k = j; k < r; k++)
        row[k] += a * values[p + k] + b * values[q + k] + (c * values[s + k] + d * values[t + k])
    }
  }
  for (; i < to; i++)
    for (let j = 0; j < r; j++)
      for (let k = j; k < r; k++) found[j][k] += values[i * r + j] * values[i * r + k]
}

/**
 * The triangle of a factor from the inner products of its columns, by Cholesky: {sizes, L} with the columns of unit length
 * as rows of L; null where this would lose digits, since columns are nearly dependent, zero, or no numbers.
 */
function cholesky(products) {
  const r = products.length
  const sizes = products.map((row, j) => Math.sqrt(row[j]))
  if (!sizes.every((size) => size > 1e-140 && size < 1e140)) return null // whose squares are numbers
  const L = products.map(() => new Float64Array(r))
  for (let j = 0; j < r; j++)
    for (let k = j; k < r; k++) {
      let rest = products[j][k] / sizes[j] / sizes[k]
      for (let l = 0; l < j; l++) rest -= L[j][l] * L[k][l]
      if (k === j && !(rest > PIVOT)) return null
      L[k][j] = k === j ? Math.sqrt(rest) : rest / L[j][j]
    }
  return { sizes, L }
}

/**
 * The singular values of B A.T, null where a number is not finite. Where the columns of each factor are well apart, the
 * triangles come from inner products, which takes half the work and reads what is stored as it lies; rounding there is
 * 1e-16 over PIVOT of the largest value at most. Otherwise by `factorized`, which uses the factors up.
 */
export async function spectrum(B, A) {
  if (B.values && A.values && B.r <= Math.min(B.n, A.n)) {
    const left = cholesky(await gram(B))
    const right = left && cholesky(await gram(A))
    if (right) {
      const sized = right.L.map((row, j) => row.map((value) => value * left.sizes[j] * right.sizes[j]))
      return (await decomposed(product(left.L, sized))).s
    }
  }
  return (await factorized(B, A)).s
}

/**
 * Both factors scaled in their place so that the j-th columns are equally long, without pairs of which one is zero; null
 * where a number is not finite.
 */
export function balanced(B, A) {
  const [left, right] = [[], []]
  for (const [j, b] of B.columns.entries()) {
    const a = A.columns[j]
    const [long, other] = [norm(b), norm(a)]
    if (!Number.isFinite(long + other)) return null
    if (!long || !other) continue
    const by = Math.sqrt(other) / Math.sqrt(long)
    left.push(scale(b, by))
    right.push(scale(a, 1 / by))
  }
  return [
    { n: B.n, columns: left },
    { n: A.n, columns: right },
  ]
}

/**
 * The triangle R of a factor as its columns, by modified Gram-Schmidt; the factor itself where it is wider than long.
 * Its columns are used up: they become those of Q.
 */
export async function triangle({ n, columns }) {
  const r = columns.length
  if (n <= r) return columns
  const R = columns.map(() => new Float64Array(r))
  for (let j = 0; j < r; j++) {
    const q = columns[j]
    const long = (R[j][j] = norm(q))
    if (!long) continue
    if (long > TINY) scale(q, 1 / long)
    else for (let i = 0; i < n; i++) q[i] /= long
    let k = j + 1
    for (; k + 3 < r; k += 4) fourFrom(q, columns, R, j, k)
    for (; k < r; k++) {
      const other = columns[k]
      const along = (R[k][j] = dot(q, other))
      for (let i = 0; i < n; i++) other[i] -= along * q[i]
    }
    await pause()
  }
  return R
}

/** Take the direction q out of four columns at once, since that reads q once. */
function fourFrom(q, columns, R, j, k) {
  const [one, two, three, four] = [columns[k], columns[k + 1], columns[k + 2], columns[k + 3]]
  const n = q.length
  let [a, b, c, d] = [0, 0, 0, 0]
  for (let i = 0; i < n; i++) {
    const by = q[i]
    a += by * one[i]
    b += by * two[i]
    c += by * three[i]
    d += by * four[i]
  }
  for (let i = 0; i < n; i++) {
    const by = q[i]
    one[i] -= a * by
    two[i] -= b * by
    three[i] -= c * by
    four[i] -= d * by
  }
  R[k][j] = a
  R[k + 1][j] = b
  R[k + 2][j] = c
  R[k + 3][j] = d
}

/** one @ other.T of two lists of columns, as columns. */
function product(one, other) {
  const [rows, columns] = [one[0]?.length ?? 0, other[0]?.length ?? 0]
  return Array.from({ length: columns }, (_, j) => {
    const sum = new Float64Array(rows)
    for (let k = 0; k < one.length; k++) {
      const by = other[k][j]
      if (by) for (let i = 0; i < rows; i++) sum[i] += by * one[k][i]
    }
    return sum
  })
}

/** Columns turned into rows. */
const turned = (columns) =>
  Array.from({ length: columns[0]?.length ?? 0 }, (_, i) => Float64Array.from(columns, (column) => column[i]))

/**
 * The singular value decomposition of a small matrix, of which columns are given: {s, U, V}, lists of columns, by
 * Jacobi's method from one side: columns are turned in pairs until all are orthogonal (Demmel and Veselic 1992).
 */
export async function decomposed(columns) {
  const wide = columns.length > (columns[0]?.length ?? 0)
  const work = (wide ? turned(columns) : columns).map((column) => Float64Array.from(column))
  const r = work.length
  const V = work.map((_, j) => Float64Array.from({ length: r }, (_, i) => Number(i === j)))
  const small = Number.EPSILON * Math.max(LEAST, work[0]?.length ?? 0) // cosine of two columns that counts as none
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const squares = work.map((column) => dot(column, column)) // rounding adds up within a sweep only
    let turns = 0
    for (let p = 0; p < r; p++) {
      for (let q = p + 1; q < r; q++) {
        const along = dot(work[p], work[q])
        if (!(Math.abs(along) > small * Math.sqrt(squares[p]) * Math.sqrt(squares[q]))) continue
        turns += 1
        const zeta = (squares[q] - squares[p]) / (2 * along)
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta))
        const cosine = 1 / Math.hypot(1, tangent)
        turn(work[p], work[q], cosine, cosine * tangent)
        turn(V[p], V[q], cosine, cosine * tangent)
        squares[p] = Math.max(0, squares[p] - tangent * along)
        squares[q] += tangent * along
      }
      await pause()
    }
    if (!turns) break
  }
  const lengths = work.map(norm)
  const order = lengths.map((_, j) => j).sort((one, other) => lengths[other] - lengths[one])
  const s = Float64Array.from(order, (j) => lengths[j])
  const long = order.map((j) => work[j].map((value) => (lengths[j] ? value / lengths[j] : 0)))
  const short = order.map((j) => V[j])
  return wide ? { s, U: short, V: long } : { s, U: long, V: short }
}

function turn(one, other, cosine, sine) {
  for (let i = 0; i < one.length; i++) {
    const x = one[i]
    const y = other[i]
    one[i] = cosine * x - sine * y
    other[i] = sine * x + cosine * y
  }
}

/**
 * The decomposition of B A.T: {s, Q_B, Q_A, U, V}, where U and V are those of the small matrix R_B R_A.T, and Q is null
 * where it is the identity; `s` is null where a number is not finite. The factors are used up.
 */
export async function factorized(B, A) {
  const both = balanced(B, A)
  if (!both) return { s: null }
  const [left, right] = both
  const k = Math.min(B.n, A.n, B.columns.length)
  const [R_B, R_A] = [await triangle(left), await triangle(right)]
  const { s, U, V } = await decomposed(product(R_B, R_A))
  const Q = (factor) => (factor.n > factor.columns.length ? factor : null)
  return { s: filled(s, k), Q_B: Q(left), Q_A: Q(right), U, V }
}

/** Singular values with zeros for directions that are not there. */
export const filled = (s, k) => Float64Array.from({ length: k }, (_, i) => s[i] ?? 0)

/** Singular values of a matrix that is given whole, by columns: made bidiagonal, then bisected (Golub, Van Loan 8.6.2). */
export async function ofDense(columns) {
  const wide = columns.length > (columns[0]?.length ?? 0)
  const top = columns.reduce(
    (most, column) => column.reduce((top, value) => Math.max(top, Math.abs(value)), most),
    0,
  )
  if (!Number.isFinite(top)) return null
  if (!top) return filled([], Math.min(columns.length, columns[0]?.length ?? 0))
  const work = (wide ? turned(columns) : columns).map((column) => column.map((value) => value / top))
  const n = work.length
  const m = work[0]?.length ?? 0
  const [diagonal, beside] = [new Float64Array(n), new Float64Array(n)]
  const row = new Float64Array(n)
  for (let j = 0; j < n; j++) {
    diagonal[j] = reflected(work[j], j)
    const v = work[j]
    const of = v[j] ? 1 / (v[j] * diagonal[j]) : 0 // what was left there by `reflected`
    for (let k = j + 1; k < n; k++) {
      let sum = 0
      const column = work[k]
      for (let i = j; i < m; i++) sum += v[i] * column[i]
      if (of && (sum *= of)) for (let i = j; i < m; i++) column[i] += sum * v[i]
    }
    if (j + 1 < n) {
      for (let k = j + 1; k < n; k++) row[k] = work[k][j]
      const along = reflected(row, j + 1)
      beside[j + 1] = along
      if (row[j + 1]) {
        const by = 1 / (row[j + 1] * along)
        const sums = new Float64Array(m)
        for (let k = j + 1; k < n; k++) {
          const [column, w] = [work[k], row[k]]
          for (let i = j + 1; i < m; i++) sums[i] += w * column[i]
        }
        for (let k = j + 1; k < n; k++) {
          const [column, w] = [work[k], row[k] * by]
          if (w) for (let i = j + 1; i < m; i++) column[i] += w * sums[i]
        }
      }
    }
    await pause()
  }
  return bisected(diagonal, beside).map((value) => value * top)
}

/**
 * Turn x[from:] into the vector of Householder's reflection and return the one number that is left of it, with its
 * sign: x - alpha e. Then x[from] * alpha = -|v|^2 / 2, so that what is reflected adds v (v.w) / (x[from] alpha).
 */
function reflected(x, from) {
  const long = norm(x.subarray(from))
  if (!long) return 0
  const alpha = x[from] > 0 ? -long : long
  x[from] -= alpha
  return alpha
}

/** Singular values of an upper bidiagonal matrix, descending: eigenvalues of a tridiagonal one, counted by Sturm. */
function bisected(diagonal, beside) {
  const n = diagonal.length
  const squares = [] // of what stands beside the empty diagonal: d0, e1, d1, e2, ...
  for (let j = 0; j < n; j++) {
    if (j) squares.push(beside[j] ** 2)
    squares.push(diagonal[j] ** 2)
  }
  const most = squares.reduce((top, square) => Math.max(top, square), 0)
  if (!most) return new Float64Array(n)
  const tiny = most * Number.EPSILON ** 2
  const below = (x) => {
    let count = 0
    let pivot = -x
    if (Math.abs(pivot) < tiny) pivot = -tiny
    if (pivot < 0) count += 1
    for (const square of squares) {
      pivot = -x - square / pivot
      if (Math.abs(pivot) < tiny) pivot = -tiny
      if (pivot < 0) count += 1
    }
    return count - n // of the values that are not negative
  }
  const top = 2 * Math.sqrt(most)
  return Float64Array.from({ length: n }, (_, i) => {
    let [low, high] = [0, top]
    for (let step = 0; step < BISECTIONS && high - low > Number.EPSILON * top; step++) {
      const middle = (low + high) / 2
      if (below(middle) >= n - i) high = middle
      else low = middle
    }
    return (low + high) / 2
  })
}

const TIE = 1e-9 // as in compute/matrices/spectrum.py

/** What is said of a spectrum: {norm, r90, stable, entropy, used}. */
export function measures(s) {
  const total = s.reduce((sum, value) => sum + (value / (s[0] || 1)) ** 2, 0)
  const none = { norm: 0, r90: 0, stable: 0, entropy: 0, used: 0 }
  if (!s[0] || !Number.isFinite(total)) return s[0] ? { ...none, norm: s[0] } : none
  let [r90, kept, entropy] = [0, 0, 0]
  for (const value of s) {
    const share = (value / s[0]) ** 2 / total
    if (kept < 0.9 - TIE) r90 += 1
    kept += share
    if (share > 0) entropy -= share * Math.log(share)
  }
  const used = s.filter((value) => value > s[0] * USED).length
  return { norm: s[0] * Math.sqrt(total), r90, stable: total, entropy: Math.exp(entropy), used }
}
export const USED = 1e-6 // of the largest singular value: what is below is rounding of the file, no direction

/** Share of energy in the first directions: [0, ..., 1]. */
export function energyOf(s) {
  const top = s[0] || 1
  const total = s.reduce((sum, value) => sum + (value / top) ** 2, 0) || 1
  let kept = 0
  return [0, ...Array.from(s, (value) => (kept += (value / top) ** 2) / total)]
}
