/** Share of the energy that the first directions hold. */
function energyOf(s) {
  const total = s.reduce((sum, value) => sum + value * value, 0)
  let kept = 0
  return [0, ...s.map((value) => (kept += value * value) / total)]
}

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
    const total = layer.s.reduce((sum, value) => sum + value * value, 0)
    this.share = layer.s.map((value) => value / Math.sqrt(total))
    this.energy = energyOf(layer.s)
    this.targetsEnergy = layer.targets && energyOf(layer.targets.s)
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
      ...this.beside(layer, i),
    }
  }

  /** The numbers of the second control of a layer, if there is one. */
  beside({ targets }, i) {
    if (!targets) return {}
    const { s, r90, low, high, ...own } = targets
    return {
      ...own,
      targets_r90: r90,
      targets_low: low,
      targets_high: high,
      targets_s: s[Math.max(0, i - 1)],
      targets_energy: this.targetsEnergy[i],
    }
  }

  /** What a probe says of a layer: r90 of the task, of random targets and of noise. */
  among({ name, shape, targets }) {
    const { own_low: low, own_high: high, low: targets_low, high: targets_high } = targets
    return { name, low, high, targets_low, targets_high, noise_r90: this.noise[shape.join('x')].ranks.r90 }
  }

  /** Which sentence fits once the guess is made. */
  get case() {
    const { targets } = this.layer
    if (targets && targets.own_high < targets.low) return 'fewer'
    if (targets) return targets.own_low > targets.high ? 'more' : 'even'
    return this.layer.r90 < this.band.ranks.low ? 'below' : 'like'
  }
}
