// Several Workers on one run. Each has the whole model and computes the gradients of its share of a step's texts; the
// first one adds them up, always in the same order, and hands the sum to all, so that their models stay the same. What
// goes to and fro is what learns: of an adapter that is little, and this is how many machines train one.

import { Run } from './run.js'

/** The rows of a step that a Worker takes, of n. */
export const rowsOf = (index, of, n) => [Math.floor((index * n) / of), Math.floor(((index + 1) * n) / of)]

/** Some rows of texts, from one up to another. */
export function share({ T, tokens, learned }, [from, to]) {
  return {
    n: to - from,
    T,
    tokens: tokens.subarray(from * T, to * T),
    learned: learned && learned.subarray(from * (T - 1), to * (T - 1)),
  }
}

/** The first Worker's side of another one. */
export class Helper {
  constructor(port) {
    this.port = port
    port.onmessage = ({ data }) => this.hear(data)
  }

  start(config, id, index, of) {
    Object.assign(this, { id, told: [], waiting: null })
    this.port.postMessage({ config, id, index, of })
  }

  hear(told) {
    if (told.id !== this.id) return // of a run that the reader has left
    if (this.waiting) this.waiting(told)
    else this.told.push(told)
    this.waiting = null
  }

  /** Its share of the present step: {loss, gradient}. */
  share() {
    return this.told.length ? this.told.shift() : new Promise((resolve) => (this.waiting = resolve))
  }

  goOn(sum) {
    this.port.postMessage({ sum, id: this.id })
  }
}

/** What another Worker does: a share, wait for the sum, update, the next share. */
export function help(native, port) {
  let run, place, id
  const tell = () => {
    const batch = run.batch()
    const told = { id, loss: NaN, gradient: null }
    try {
      told.loss = native.read('gradients', share(batch, rowsOf(...place, batch.n)), batch.n)
      told.gradient = native.gradient.slice()
    } catch (refused) {
      if (refused.message !== 'diverged') throw refused
    }
    port.postMessage(told, told.gradient ? [told.gradient.buffer] : [])
  }
  port.onmessage = ({ data }) => {
    if (data.config) {
      ;({ id } = data)
      place = [data.index, data.of]
      run = new Run(native, data.config, Infinity)
    } else {
      if (data.id !== id) return
      native.gradient.set(data.sum)
      native.update(run.config)
    }
    tell()
  }
}
