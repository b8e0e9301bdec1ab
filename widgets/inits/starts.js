/** The runs of one problem with one optimiser as Python ships them (__init__.py), and the one that is chosen. */
export class Starts {
  constructor(arrays) {
    Object.assign(this, arrays)
  }

  choose(init, rate) {
    Object.assign(this, { init, rate, run: this.inits[init].runs[rate] })
  }

  /** The start that stands beside the chosen one: the usual one, or its mirror. */
  get other() {
    return this.init === this.usual ? this.mirror : this.usual
  }

  /** The run of another start at the same learning rate. */
  beside(init) {
    return this.inits[init].runs[this.rate]
  }

  /** What the chosen start came to at its best rate, over seeds; null of one that does not learn. */
  get ends() {
    return this.inits[this.init].ends
  }

  /** Which factors get a gradient at a step. */
  flow(step) {
    const alive = ['lora_A', 'lora_B'].filter((name) => this.run[name][step] > 0)
    return alive.length === 2 ? 'both' : (alive[0] ?? 'none')
  }

  get last() {
    return this.run.loss.length - 1
  }

  get whole() {
    return this.last === this.steps
  }

  /** All numbers that a sentence about a step may use; __init__.py makes the same. */
  values(step) {
    const { run, rates, problem, optimizer } = this
    const { name, code } = this.inits[this.init]
    const { ends } = this
    const at = Math.min(step, this.last)
    return {
      step: at,
      last: this.last,
      init: name,
      code,
      settings: this.settings,
      problem,
      optimizer,
      rate: rates[this.rate],
      loss: run.loss[at],
      grad_A: run.lora_A[at],
      grad_B: run.lora_B[at],
      distance: run.distance[at],
      base: this.beside(this.idle).loss[at],
      moved: run.moved,
      times: run.moved / this.beside(this.usual).moved,
      final: run.final,
      best_rate: ends?.rate ?? null,
      mean: ends?.mean ?? null,
      gap: ends?.gap?.[0] ?? null,
      gap_low: ends?.gap?.[1] ?? null,
      gap_high: ends?.gap?.[2] ?? null,
    }
  }
}
