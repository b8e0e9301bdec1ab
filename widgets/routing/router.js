const SMOOTHING = 1
const DECIMALS = 1e9 // two that differ by rounding alone are a tie

const rounded = (value) => Math.round(value * DECIMALS) / DECIMALS
const places = (count) => Array.from({ length: count }, (_, i) => i)

/** The words of a text, known or not: split at spaces, and around signs, as compute/world/tokens.py does. */
export const wordsOf = (text) =>
  text
    .toLowerCase()
    .replace(/([.;,?()])/g, ' $1 ')
    .split(/\s+/)
    .filter(Boolean)

/** The classifier of compute/serving/routing.py, from the counts that it learned: rows are words, columns adapters. */
export class Router {
  constructor(vocabulary, counts, extra) {
    this.extra = extra
    this.place = new Map(vocabulary.map((word, i) => [word, i]))
    this.routes = places(extra.length)
    const totals = this.routes.map((j) => counts.reduce((sum, row) => sum + row[j] + SMOOTHING, 0))
    this.weights = counts.map((row) => row.map((count, j) => Math.log((count + SMOOTHING) / totals[j])))
  }

  knows(word) {
    return this.place.has(word)
  }

  /** How much one word speaks for each adapter, above the mean of all. */
  says(word) {
    const weights = this.weights[this.place.get(word)]
    const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length
    return weights.map((weight) => weight - mean)
  }

  /** How likely each adapter is the one that is asked for. */
  chances(words) {
    const known = words.filter((word) => this.knows(word))
    const evidence = this.routes.map((j) =>
      known.reduce((sum, word) => sum + this.weights[this.place.get(word)][j], 0),
    )
    const top = Math.max(...evidence)
    const shares = evidence.map((value) => Math.exp(value - top))
    const all = shares.reduce((sum, share) => sum + share, 0)
    return shares.map((share) => share / all)
  }

  /** What choosing each adapter costs, on average over what is likely. */
  costs(chances) {
    return this.routes.map((j) => chances.reduce((sum, chance, i) => sum + chance * this.extra[i][j], 0))
  }

  /** The place of the adapter that is taken. */
  chosen(chances, rule) {
    const [values, best] = rule === 'probable' ? [chances, Math.max] : [this.costs(chances), Math.min]
    const fine = values.map(rounded)
    return fine.indexOf(best(...fine))
  }
}
