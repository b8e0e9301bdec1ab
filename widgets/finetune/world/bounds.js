// What a function refuses, as compute/numbers/bounds.py does: without it a name misspelt would draw another text in silence.

/** Refuse what is not a whole number within bounds. */
export function whole(name, value, low, high = Infinity) {
  if (!Number.isInteger(value) || value < low || value > high)
    throw new RangeError(`${name}: ${value} is no whole number from ${low} to ${high}`)
}

/** Refuse what is not one of a few. */
export function oneOf(name, value, allowed) {
  if (!allowed.includes(value)) throw new RangeError(`${name}: ${value} is none of ${allowed.join(', ')}`)
}
