/** The spectra of one source as Python ships them (sources.py), one of its layers in view. */
export class Spectra {
  constructor(arrays) {
    Object.assign(this, arrays)
  }

  /** Show a layer, or the first one where this source has none of that name; say which it is. */
  show(name) {
    const named = (wanted) => this.layers.find((layer) => layer.name === wanted)
    const layer = (this.layer = named(name) ?? named(this.first))
    this.band = this.noise[layer.shape.join('x')]
    this.k = layer.s.length
    const squares = layer.s.map((value) => value * value)
    const total = squares.reduce((sum, square) => sum + square, 0)
    this.share = layer.s.map((value) => value / Math.sqrt(total))
    let kept = 0
    this.energy = [0, ...squares.map((square) => (kept += square) / total)]
    return layer.name
  }

  /** All numbers that a sentence about the first i directions may use; __init__.py makes the same. */
  values(i) {
    const { layer, band, label, level, k } = this
    const last = Math.max(0, i - 1)
    return {
      label: this.layers.length > 1 ? `${label}, ${layer.name}` : label,
      k,
      level,
      r90: layer.r90,
      stable: layer.stable,
      entropy: layer.entropy,
      noise_name: band.name,
      noise_r90: band.ranks.r90,
      noise_stable: band.ranks.stable,
      noise_entropy: band.ranks.entropy,
      i,
      s: this.share[last],
      energy: this.energy[i],
      noise_low: band.s[0][last],
      noise_s: band.s[1][last],
      noise_high: band.s[2][last],
      noise_energy: band.energy[1][i],
      law: band.law?.s[last],
    }
  }

  /** Which sentence fits once the guess is made. */
  get case() {
    return this.layer.r90 < this.band.ranks.low ? 'below' : 'like'
  }
}
