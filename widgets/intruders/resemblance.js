import { decode, row } from '../kit/arrays.js'

/** Cosines that were shipped in thousandths, a row for each of the layers. */
function inOnes(packed, names) {
  const all = decode(packed)
  const ones = (i) => Array.from(row(all, all.length / names.length, i), (cosine) => cosine / 1000)
  return Object.fromEntries(names.map((name, i) => [name, ones(i)]))
}

/** How much each singular vector after a run resembles one of the base, as Python ships it (__init__.py). */
export class Resemblance {
  constructor(arrays) {
    Object.assign(this, arrays)
    this.names = Object.keys(this.layers)
    const unpacked = ({ cosines, random, ...run }) => ({
      ...run,
      cosines: cosines.map((seed) => inOnes(seed, this.names)),
      random: inOnes(random, this.names),
    })
    this.runs = Object.fromEntries(Object.entries(arrays.runs).map(([name, run]) => [name, unpacked(run)]))
  }

  /** Intruders among the first `top` of every layer. */
  count(cosines, top, epsilon) {
    let found = 0
    for (const name of this.names) for (let i = 0; i < top; i++) if (cosines[name][i] < epsilon) found++
    return found
  }

  /** Each run as a row of bars. */
  rows(top, epsilon) {
    return Object.entries(this.runs).map(([key, { label, cosines, random, full, facts, loss }]) => {
      const [value, ...points] = cosines.map((seed) => this.count(seed, top, epsilon))
      const low = this.count(random, top, epsilon)
      const others = points.join(', ') || '–'
      const kind = full ? 'plain' : 'gain'
      return { key, name: label, value, points, others, low, high: low, kind, facts, loss }
    })
  }

  /** All numbers that the sentence may use; __init__.py makes the same. */
  values(run, layer, top, epsilon) {
    const rows = this.rows(top, epsilon)
    const of = (key) => rows.find((row) => row.key === key)
    const { value, low, facts } = of(run)
    const { label: run_label, code: run_name, rate } = this.runs[run]
    return {
      ...this.task,
      epsilon,
      top,
      matrices: this.names.length,
      of: this.names.length * top,
      run_label,
      run_name,
      rate,
      layer_label: this.layers[layer],
      count: value,
      random: low,
      full: of('full').value,
      facts,
      full_facts: of('full').facts,
      before: this.before,
    }
  }

  /** What is guessed: LoRA beside random changes, where the figure opens. */
  guessed() {
    const { top, epsilon, run } = this.usual
    const { value: lora, low: random } = this.rows(top, epsilon).find(({ key }) => key === run)
    return { lora, random, truth: lora > random ? 'lora' : random > lora ? 'random' : 'same' }
  }
}
