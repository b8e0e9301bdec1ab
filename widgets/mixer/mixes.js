import { fill } from '../kit/text.js'

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

  /** What each adapter is called in a sentence. */
  get names() {
    return { first: this.said[this.first], second: this.said[this.second] }
  }

  /** All numbers that a sentence about a way of mixing may use; __init__.py makes the same. */
  values(method, [i, j], did) {
    const mix = this.mix(method, [i, j])
    const { label, said, rank } = this.methods[method]
    const own = (place, name, k) => {
      const [share, low, high] = mix.rows[this.rows.indexOf(name)]
      const [loss, alone] = [mix.losses[k], this.aloneLosses[k]]
      const told = { share, low, high, name: this.said[name] }
      return {
        [place]: this.said[name],
        [`share_${place}`]: share,
        [`did_${place}`]: fill(did[name === this.facts ? 'facts' : 'voice'], told),
        [`loss_${place}`]: loss,
        [`alone_${place}`]: alone,
        [`more_${place}`]: loss - alone,
      }
    }
    const spread = (name, [mean, low, high]) => ({
      [name]: mean,
      [`low_${name}`]: low,
      [`high_${name}`]: high,
    })
    return {
      w1: this.settings[i],
      w2: this.settings[j],
      full: this.settings[this.full],
      method: said,
      way: label,
      texts: this.texts,
      share_none: mix.rows[this.rows.indexOf(this.none)][0],
      ...spread('true', mix.true),
      ...spread('more', mix.more),
      old: mix.old,
      loss_base: mix.losses[2],
      ...own('first', this.first, 0),
      ...(this.second === null
        ? {}
        : { ...own('second', this.second, 1), cosine: this.cosine, off: mix.off, rank }),
    }
  }

  /** One row for each bar, as `Shares` draws it and the table writes it. */
  rowsAt(method, place, names) {
    const shares = (measured, i) => measured.rows[i][0]
    return this.mix(method, place).rows.map(([share, low, high], i) => ({
      row: names[this.rows[i]],
      share,
      low,
      high,
      base: shares(this.base, i),
      alone: this.alone.map((each) => shares(each, i)),
    }))
  }

  /** What the code needs, written as Python writes it. */
  code(method, [i, j]) {
    const { first, second, settings } = this
    const pair = second !== null
    const weights = (pair ? [i, j] : [i]).map((k) => settings[k])
    return {
      first,
      method,
      adapters: `[${(pair ? [first, second] : [first]).map((name) => `'${name}'`).join(', ')}]`,
      weights: `[${weights.map((w) => (Number.isInteger(w) ? w.toFixed(1) : w)).join(', ')}]`,
    }
  }
}
