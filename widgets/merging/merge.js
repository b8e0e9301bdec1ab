import { decode, peak } from '../kit/arrays.js'
import { rounder } from './precision.js'

/** One layer and two adapters as Python ships them (__init__.py), merged and taken out in any precision. */
export class Merge {
  constructor(arrays) {
    Object.assign(this, arrays)
    const { out, in: into, r } = this.common
    Object.assign(this, { shape: [out, into], r })
    const named = (values) => Object.fromEntries(values.map((value, i) => [arrays.fields[i], value]))
    const states = Object.entries(arrays.states).map(([key, values]) => [key, named(values)])
    this.states = Object.fromEntries(states)
    for (const name of ['W', 'lora_A', 'lora_B', 'second_A', 'second_B', 'x'])
      this[name] = decode(arrays[name])
    this.delta = this.product(this.lora_B, this.lora_A)
    this.other = this.product(this.second_B, this.second_A)
  }

  /** scaling * lora_B @ lora_A in fp32: pattern by pattern in float64, as compute/experiments/merging.py adds them. */
  product(lora_B, lora_A) {
    const [rows, columns] = this.shape
    const { r, scaling } = this
    return Float32Array.from({ length: rows * columns }, (_, at) => {
      const [y, x] = [Math.floor(at / columns), at % columns]
      let sum = 0
      for (let i = 0; i < r; i++) sum += lora_B[y * r + i] * lora_A[i * columns + x]
      return scaling * sum
    })
  }

  /** All numbers that a sentence may use; __init__.py makes them. */
  values(precision, strength) {
    return { ...this.common, ...this.states[`${precision}-${strength}`] }
  }

  /** What the pictures of each step show, entry by entry as NumPy has it, of what shape, and where the scales end. */
  at(precision, strength) {
    const round = rounder(this.precisions[precision])
    const each = (make) => Float64Array.from(this.W, (_, i) => make(i))
    const turned = (delta) => Float32Array.from(delta, (value) => Math.fround(strength) * value)
    const [one, two] = [turned(this.delta), turned(this.other)]
    const W = each((i) => round(this.W[i]))
    const plus = (left, right) => each((i) => round(left[i] + round(right[i])))
    const minus = (left, right) => each((i) => round(left[i] - round(right[i])))
    const less = (left, right) => Float64Array.from(left, (value, i) => value - right[i])
    const merged = plus(W, one)
    const stacked = plus(merged, two)
    const [back, peeled] = [minus(merged, one), minus(stacked, one)]
    const [beside, through] = [this.beside(W, strength), this.through(merged)]
    const missed = (left, right, result) => each((i) => result[i] - left[i] - right[i])
    const weights = Math.max(...[W, merged, stacked].map(peak))
    const deltas = Math.max(peak(one), peak(two))
    const matrices = { first: weights, second: deltas, result: weights }
    const outputs = Math.max(peak(beside), peak(through))
    const factor = Math.max(peak(this.lora_A), peak(this.lora_B))
    const { lora_A, lora_B, shape } = this
    const stages = [
      { first: W, lora_B, lora_A, tops: { first: weights, lora_B: factor, lora_A: factor } },
      { first: W, second: one, result: merged, difference: missed(W, one, merged), tops: matrices },
      {
        first: beside,
        second: through,
        difference: less(through, beside),
        shape: [this.x.length / shape[1], shape[0]],
        tops: { first: outputs, second: outputs },
      },
      { first: merged, second: one, result: back, difference: less(back, W), tops: matrices },
      {
        first: merged,
        second: two,
        result: stacked,
        difference: missed(merged, two, stacked),
        tops: matrices,
      },
      {
        first: stacked,
        second: one,
        result: peeled,
        difference: less(peeled, plus(W, two)),
        tops: matrices,
      },
    ]
    return stages.map((stage) => ({ shape, ...stage }))
  }

  /** x @ W.T for each token. */
  through(W) {
    return this.times(this.x, W, this.shape[0], this.shape[1])
  }

  /** x @ W.T with the adapter beside it. */
  beside(W, strength) {
    const [out, into] = this.shape
    const inner = this.times(this.x, this.lora_A, this.r, into)
    const added = this.times(inner, this.lora_B, out, this.r)
    return this.through(W).map((value, i) => value + strength * this.scaling * added[i])
  }

  /** left (n, inner) times the transpose of right (rows, inner). */
  times(left, right, rows, inner) {
    const product = new Float64Array((left.length / inner) * rows)
    for (let at = 0; at < product.length; at++) {
      const [n, row] = [Math.floor(at / rows), at % rows]
      for (let i = 0; i < inner; i++) product[at] += left[n * inner + i] * right[row * inner + i]
    }
    return product
  }
}
