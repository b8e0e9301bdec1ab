import { fill } from '../kit/text.js'

const Z = 1.96 // standard deviations on each side of a mean that hold 95 % of a normal distribution

/** Wilson's 95 % interval of a share; compute/numbers/interval.py says why. */
export function wilson(count, number) {
  const p = count / number
  const z = (Z * Z) / number
  const middle = (p + z / 2) / (1 + z)
  const half = Math.sqrt(p * (1 - p) * z + (z * z) / 4) / (1 + z)
  return [Math.max(0, middle - half), Math.min(1, middle + half)]
}

/** What was measured of two adapters, as Python ships it (__init__.py). */
export class Mixes {
  constructor(arrays) {
    Object.assign(this, arrays)
    this.kind = this.second === null ? 'alone' : 'pair'
  }

  /** The settings of the weights; without a second adapter the other stands at 0. */
  at(w1, w2) {
    const setting = (weight) => Math.floor(weight / this.stride)
    return [setting(w1), this.second === null ? 0 : setting(w2)]
  }

  /** What was measured there; concatenation is the sum of the products in another shape. */
  mix(method, [i, j]) {
    return (this.mixes[method] ?? this.mixes.products)[i][j]
  }

  count(mix, voice) {
    return mix.counts[this.voices.indexOf(voice)]
  }

  share(mix, voice) {
    return this.count(mix, voice) / this.sentences
  }

  /** All numbers that a sentence about a way of mixing may use; __init__.py makes the same. */
  values(method, [i, j]) {
    const mix = this.mix(method, [i, j])
    const { label, said, rank } = this.methods[method]
    const own = (place, voice, k) => {
      const [low, high] = wilson(this.count(mix, voice), this.sentences)
      const [loss, alone] = [mix.losses[k], this.alone[k].losses[k]]
      return {
        [place]: voice,
        [`share_${place}`]: this.share(mix, voice),
        [`low_${place}`]: low,
        [`high_${place}`]: high,
        [`loss_${place}`]: loss,
        [`alone_${place}`]: alone,
        [`more_${place}`]: loss - alone,
      }
    }
    return {
      w1: this.settings[i],
      w2: this.settings[j],
      full: this.settings.at(-1),
      method: said,
      way: label,
      sentences: this.sentences,
      share_none: this.share(mix, this.none),
      loss_base: mix.losses[2],
      ...own('first', this.first, 0),
      ...(this.second === null
        ? {}
        : { ...own('second', this.second, 1), cosine: this.cosine, off: mix.off, rank }),
    }
  }

  /** What the question is about: sentences in another voice than those of the adapters, at half weight each. */
  guessed({ one, two }) {
    const { first, second, half } = this
    const mix = this.mix('products', [half, second === null ? 0 : half])
    const ours = this.count(mix, first) + (second === null ? 0 : this.count(mix, second))
    const others = this.sentences - ours
    const [low, high] = wilson(others, this.sentences)
    const told = { first, second, half: this.settings[half] }
    return {
      mixture: fill(second === null ? one : two, told),
      others: others / this.sentences,
      low_others: low,
      high_others: high,
    }
  }

  /** One row for each voice, as `Shares` draws it and the table writes it. */
  rows_at(method, place, names) {
    const mix = this.mix(method, place)
    return (voice) => {
      const count = this.count(mix, voice)
      const [low, high] = wilson(count, this.sentences)
      return {
        voice: names[voice] ?? voice,
        count,
        share: count / this.sentences,
        low,
        high,
        base: this.share(this.base, voice),
        alone: this.alone.map((each) => this.share(each, voice)),
      }
    }
  }

  /** What the code needs, written as Python writes it. */
  code(method, [i, j]) {
    const { first, second, settings, sentences, seed } = this
    const pair = second !== null
    const weights = (pair ? [i, j] : [i]).map((k) => settings[k])
    return {
      first,
      method,
      sentences,
      seed,
      adapters: `[${(pair ? [first, second] : [first]).map((name) => `'${name}'`).join(', ')}]`,
      weights: `[${weights.map((w) => (Number.isInteger(w) ? w.toFixed(1) : w)).join(', ')}]`,
    }
  }
}
