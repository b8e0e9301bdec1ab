/** A matrix as Python ships it (__init__.py): its errors over the rank, and where they meet each tolerance. */
export class Tolerated {
  constructor(arrays) {
    Object.assign(this, arrays)
    this.squared = this.error.map((error) => error ** 2)
    this.share = this.s.map((value) => value / this.norm) // of the norm, so that noise can stand beside it
  }

  /** [rank, verdict] at a tolerance in percent. */
  found(measure, percent) {
    return this.knees[measure][percent - 1]
  }

  /** The smallest tolerance in percent that rank r meets, or the largest there is. */
  meeting(measure, r) {
    const knees = this.knees[measure]
    const i = knees.findIndex(([rank]) => rank <= r)
    return i < 0 ? knees.length : i + 1
  }

  /** Every number that a row about rank r may use; __init__.py makes the same. */
  at(r) {
    const noiseError = this.noise.error[1][r]
    return {
      r,
      error: this.error[r],
      squared: this.squared[r],
      s: r ? this.s[r - 1] : 0,
      share: r ? this.share[r - 1] : 0,
      stored: r * this.per,
      total: this.total,
      noise_error: noiseError,
      noise_squared: noiseError ** 2,
      noise_s: r ? this.noise.s[1][r - 1] : 0,
    }
  }

  /** Every number that the sentence may use; __init__.py makes the same. */
  values(measure, percent, names) {
    const [knee] = this.found(measure, percent)
    const other = Object.keys(names).find((name) => name !== measure)
    const there = this.at(knee)
    return {
      ...there,
      label: this.label,
      measure: names[measure],
      other_measure: names[other],
      tolerance: percent / 100,
      k: this.k,
      even: this.even,
      knee,
      other: this.found(other, percent)[0],
      noise: this.noise.knees[measure][percent - 1],
      times: this.total / there.stored,
    }
  }
}
