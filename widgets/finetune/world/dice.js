import { whole } from './bounds.js'

const WORD = 2 ** 32
const WARM_UP = 12 // throws that nobody sees: until each bit of the seeds has reached each bit of the state

/** Throw whole numbers, all equally likely: sfc32, as in compute/world/dice.py. Up to three seeds of 32 bits. */
export class Dice {
  #a
  #b
  #c
  #counter = 1

  constructor(...seeds) {
    whole('the number of seeds', seeds.length, 0, 3)
    for (const seed of seeds) whole('seed', seed, 0, WORD - 1)
    ;[this.#a, this.#b, this.#c] = [...seeds, 0, 0, 0].map((seed) => seed | 0)
    for (let i = 0; i < WARM_UP; i++) this.throw()
  }

  /** A number from 0 to 2**32 - 1. Within, the words carry a sign (`| 0`): that is how JavaScript adds in 32 bits. */
  throw() {
    const [a, b, c] = [this.#a, this.#b, this.#c]
    const thrown = (a + b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = b ^ (b >>> 9)
    this.#b = (c + (c << 3)) | 0
    this.#c = (((c << 21) | (c >>> 11)) + thrown) | 0
    return thrown >>> 0
  }

  /** A number from 0 to n - 1, for n from 1 to 2**32. */
  below(n) {
    whole('n', n, 1, WORD)
    const fair = WORD - (WORD % n) // a throw from here on would favour the small numbers: it does not count
    let thrown
    do thrown = this.throw()
    while (thrown >= fair)
    return thrown % n
  }

  /** One of some things. */
  pick(some) {
    return some[this.below(some.length)]
  }

  /** A place in weights, each as likely as its weight, a whole number of at least 0, says. */
  weighed(weights) {
    let left = this.below(weights.reduce((sum, weight) => sum + weight, 0))
    let place = 0
    while (left >= weights[place]) left -= weights[place++]
    return place
  }

  /** Things in another order, all orders equally likely (Fisher and Yates, from the end). */
  shuffled(some) {
    const order = [...some]
    for (let last = order.length - 1; last > 0; last--) {
      const other = this.below(last + 1)
      ;[order[last], order[other]] = [order[other], order[last]]
    }
    return order
  }
}
