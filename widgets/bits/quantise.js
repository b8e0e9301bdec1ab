import { decode } from '../kit/arrays.js'

const sumOfSquares = (values) => values.reduce((sum, value) => sum + value * value, 0)

/** A matrix as Python ships it (__init__.py), and what is left of it in each format; compute/numbers/quantising.py does the same. */
export class FewBits {
  constructor({ weights, ...arrays }) {
    Object.assign(this, arrays)
    this.weights = Float64Array.from(decode(weights))
    this.known = new Map()
  }

  /** The matrix in a format, with blocks of the i-th size; made once. */
  in(format, i) {
    const key = `${format} ${i}`
    if (!this.known.has(key)) this.known.set(key, this.quantise(format, i))
    return this.known.get(key)
  }

  /** The weights, each divided by the largest of its block, and these largest. */
  normal(i) {
    const { weights, blocks } = this
    const key = `normal ${i}`
    if (this.known.has(key)) return this.known.get(key)
    const size = blocks[i]
    const absmax = Float64Array.from({ length: weights.length / size }, (_, b) =>
      weights.subarray(b * size, (b + 1) * size).reduce((top, value) => Math.max(top, Math.abs(value)), 0),
    )
    const values = weights.map((value, at) => value / (absmax[Math.floor(at / size)] || 1))
    const made = { absmax, values }
    this.known.set(key, made)
    return made
  }

  quantise(format, i) {
    const { weights } = this
    const { levels } = this.kinds[format]
    const size = this.blocks[i]
    const { absmax, values } = this.normal(i)
    const between = levels.slice(1).map((level, j) => (level + levels[j]) / 2)
    const codes = Uint8Array.from(values, (value) => {
      let code = 0
      while (code < between.length && between[code] < value) code++
      return code
    })
    const copy = weights.map((_, at) => levels[codes[at]] * absmax[Math.floor(at / size)])
    const lost = weights.map((value, at) => value - copy[at])
    const shares = Array(levels.length).fill(0)
    for (const code of codes) shares[code] += 1 / codes.length
    const errors = absmax.map((_, b) => {
      const part = (of) => sumOfSquares(of.subarray(b * size, (b + 1) * size))
      return Math.sqrt(part(lost) / (part(weights) || 1))
    })
    const squared = sumOfSquares(lost) / sumOfSquares(weights)
    return { levels, absmax, codes, copy, lost, shares, errors, squared }
  }

  /** Every number about the matrix in a format; __init__.py makes the same. */
  numbers(format, i) {
    const { name, bits, double, levels } = this.kinds[format]
    const { squared, shares } = this.in(format, i)
    return {
      format: name,
      levels: levels.length,
      bits: bits[i],
      code: bits[i] - 32 / this.blocks[i], // beside its share of a scale
      double: double[i],
      error: Math.sqrt(squared),
      squared,
      least: Math.min(...shares),
      most: Math.max(...shares),
      entropy: -shares.reduce((sum, share) => sum + (share && share * Math.log2(share)), 0),
    }
  }

  /** Rows and columns in which the blocks of the i-th size lie in the matrix. */
  laidOut(i) {
    const [rows, columns] = this.shape
    const across = Math.max(1, columns / this.blocks[i])
    return [(rows * columns) / this.blocks[i] / across, across]
  }
}
