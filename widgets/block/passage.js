import { dequantised, peak } from '../kit/arrays.js'

const sum = (left, right) => left.map((value, i) => value + right[i])

/** A text on its way through one block, as Python ships it: places, projections, what each adapter does by itself. */
export class Passage {
  constructor(arrays) {
    Object.assign(this, arrays)
    this.tokens = this.words.length
    this.strips = Object.fromEntries(
      Object.entries(arrays.places).map(([name, place]) => [name, this.strip(place)]),
    )
    this.taken = {}
  }

  /** A place in the base, with all adapters on, and what they change there; the first two share a scale. */
  strip({ columns, base, change }) {
    const before = dequantised(base)
    const added = dequantised(change)
    const every = sum(before.values, added.values)
    const top = Math.max(before.top, peak(every))
    return { columns, base: { ...before, top }, every: { values: every, top }, change: added }
  }

  /** The number of a word that the slider stands on, which a shorter text may not have. */
  at(word) {
    return Math.min(word, this.tokens - 1)
  }

  /** W, its factors, what they multiply to, and what the projection writes without and with them. */
  take(projection) {
    return (this.taken[projection] ??= this.unpack(projection))
  }

  unpack(projection) {
    const { writes, steps, ...packed } = this.projections[projection]
    const { out, in: into, r, scaling } = this.values[projection]
    const { W, lora_B, lora_A, added } = Object.fromEntries(
      Object.entries(packed).map(([name, each]) => [name, dequantised(each)]),
    )
    const [down, across] = steps
    const [rows, columns] = [Math.ceil(out / down), Math.ceil(into / across)]
    const delta = new Float32Array(rows * columns)
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++) {
        let value = 0
        for (let i = 0; i < r; i++) value += lora_B.values[y * r + i] * lora_A.values[i * columns + x]
        delta[y * columns + x] = scaling * value
      }
    const plain = this.strips[writes].base.values
    const adapted = sum(plain, added.values)
    const written = plain.length / this.tokens
    return {
      steps,
      written, // columns that are drawn of what it writes
      apart: out / written,
      shape: [rows, columns],
      W: W.values,
      delta_w: delta,
      lora_B: lora_B.values,
      lora_A: lora_A.values,
      plain,
      adapted,
      change: added.values,
      tops: {
        W: W.top,
        factor: Math.max(lora_B.top, lora_A.top),
        output: Math.max(peak(plain), peak(adapted)),
        change: added.top,
      },
    }
  }

  /** What each model expects after a word. */
  expected(projection, word) {
    const { words, base, every, alone } = this.next[this.at(word)]
    return { words, base, alone: alone[projection], every }
  }

  /** All numbers that the sentence may use; __init__.py makes the same. */
  told(projection, word) {
    const { words, ...models } = this.expected(projection, word)
    const values = { ...this.values[projection], word: this.words[this.at(word)] }
    for (const [name, shares] of Object.entries(models)) {
      const best = shares.indexOf(Math.max(...shares))
      values[`word_${name}`] = words[best]
      values[`p_${name}`] = shares[best]
    }
    return values
  }

  /** What an adapter alone does to the block's output, and to the loss, beside random matrices. */
  effects() {
    const names = Object.keys(this.falls)
    return {
      block: names.map((name) => {
        const { block_change: value, random_block: random } = this.values[name]
        return { name, value, points: [], low: random, high: random, random }
      }),
      loss: names.map((name) => {
        const { value, seeds, low, high } = this.falls[name]
        return { name, value, points: seeds, low, high }
      }),
    }
  }
}
