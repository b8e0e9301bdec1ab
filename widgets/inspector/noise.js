// The control: singular values of products of random factors of a layer's shape and rank. The factors are not drawn: R of a
// Gaussian matrix can be (Bartlett's decomposition), as in compute/matrices/controls.py.

import { decomposed, filled, measures } from './linear.js'

const DRAWS = 40
const [CHEAP, FEWEST] = [48, 8] // the largest r of which so many are drawn, since a draw costs its cube; how many of others
const QUANTILES = [0.05, 0.5, 0.95]
const LARGEST = 160 // directions; beyond them one draw takes too long, and draws hardly differ
const SEED = 20210617

/** Numbers between 0 and 1 by a seed: mulberry32. */
export function uniform(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let word = Math.imul(state ^ (state >>> 15), state | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return (((word ^ (word >>> 14)) >>> 0) + 0.5) / 4294967296
  }
}

/** Gaussian numbers, two from two uniform ones. */
function gaussian(next) {
  let kept = null
  return () => {
    if (kept !== null) {
      const value = kept
      kept = null
      return value
    }
    const [long, turn] = [Math.sqrt(-2 * Math.log(next())), 2 * Math.PI * next()]
    kept = long * Math.sin(turn)
    return long * Math.cos(turn)
  }
}

/** The root of a chi-squared number with n degrees of freedom: twice a gamma number (Marsaglia and Tsang 2000). */
function chi(n, normal, next) {
  if (n === 1) return Math.abs(normal())
  const d = n / 2 - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = normal()
    const v = (1 + c * x) ** 3
    if (v > 0 && Math.log(next()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return Math.sqrt(2 * d * v)
  }
}

/** R of a Gaussian matrix (n, r) as columns, min(n, r) long. */
function triangle(n, r, normal, next) {
  const rows = Math.min(n, r)
  return Array.from({ length: r }, (_, j) =>
    Float64Array.from({ length: rows }, (_, i) => (i > j ? 0 : i < j ? normal() : chi(n - i, normal, next))),
  )
}

const bands = new Map()

/** What noise does: {s: [low, median, high] over its norm, r90}, or null where it is not drawn. */
export async function noiseBand([out, into], r) {
  const k = Math.min(out, into, r)
  if (!k || r > LARGEST) return null
  const key = `${out}x${into}x${r}`
  if (bands.has(key)) return bands.get(key)
  const next = uniform(SEED)
  const normal = gaussian(next)
  const drawn = []
  const draws = Math.min(DRAWS, Math.max(FEWEST, Math.round(DRAWS * (CHEAP / r) ** 3)))
  for (let draw = 0; draw < draws; draw++) {
    const [B, A] = [triangle(out, r, normal, next), triangle(into, r, normal, next)]
    const rows = A[0].length
    const product = Array.from({ length: rows }, (_, j) => {
      const sum = new Float64Array(B[0].length)
      for (let l = 0; l < r; l++)
        if (A[l][j]) for (let i = 0; i < sum.length; i++) sum[i] += A[l][j] * B[l][i]
      return sum
    })
    const s = filled((await decomposed(product)).s, k)
    const { norm } = measures(s)
    drawn.push(s.map((value) => value / norm))
  }
  const at = (i) => drawn.map((s) => s[i]).sort((one, other) => one - other)
  const columns = Array.from({ length: k }, (_, i) => at(i))
  const s = QUANTILES.map((q) => columns.map((values) => values[Math.round(q * (draws - 1))]))
  const found = { s, r90: measures(Float64Array.from(s[1])).r90 }
  bands.set(key, found)
  return found
}
