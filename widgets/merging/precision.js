const number = new Float64Array(1)
const halves = new Uint32Array(number.buffer) // little endian: the exponent stands in the second
const HALF_EVEN = 1.5 * 2 ** 52 // added and taken away again, it rounds to a whole number, ties to even

/** The largest power of two that is not above the magnitude of a normal number. */
function binade(value) {
  number[0] = value
  halves[0] = 0
  halves[1] &= 0x7ff00000
  return number[0]
}

/**
 * A function that rounds to a format of `bits` digits whose smallest normal number is `smallest`, as
 * compute/numbers/precision.py does: every step is exact but the one that rounds.
 */
export function rounder({ bits, smallest }) {
  const last = 2 ** (1 - bits)
  return (value) => {
    const unit = Math.max(binade(value), smallest) * last
    return (value / unit + HALF_EVEN - HALF_EVEN) * unit
  }
}
