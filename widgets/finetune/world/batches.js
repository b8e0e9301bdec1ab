// Texts as numbers that lie flat in memory: compute/world/batches.py. Which texts a step takes is drawn elsewhere.

import { whole } from './bounds.js'
import { Dice } from './dice.js'
import { SPLITS } from './tables.json'
import { examples } from './tasks.js'
import { write } from './texts.js'
import { BEGIN, encode } from './tokens.js'

/** Rows of tokens as one array, shorter ones filled up with begin tokens: {n, T, tokens}, (n, T) of uint16. */
export function padded(rows) {
  const n = rows.length
  const T = Math.max(...rows.map(({ length }) => length))
  const tokens = new Uint16Array(n * T).fill(BEGIN)
  rows.forEach((row, i) => tokens.set(row, i * T))
  return { n, T, tokens }
}

/** Texts of a source from number `start` on, all of whose words are learned from: {n, T, tokens, learned: null}. */
export function windows(source, start, count, length) {
  whole('start', start, 0)
  whole('count', count, 1)
  const split = Object.keys(SPLITS).indexOf(source.split)
  const text = (_, number) => encode(write(source, length, new Dice(split, start + number)))
  return { ...padded(Array.from({ length: count }, text)), learned: null }
}

/**
 * The texts of a task: {n, T, tokens, learned}. Row i of `learned`, (n, T - 1) of uint8, says of each token but the last
 * whether the next one is learned from; it is null where all are.
 */
export function textsOf(task, split, count, length) {
  const found = examples(task, split, count, length)
  const texts = padded(found.map(({ words }) => encode(words)))
  if (found.every(({ words, learned }) => learned === words.length)) return { ...texts, learned: null }
  const learned = new Uint8Array(texts.n * (texts.T - 1))
  found.forEach((each, i) => {
    const end = i * (texts.T - 1) + each.words.length
    learned.fill(1, end - each.learned, end)
  })
  return { ...texts, learned }
}

/** Some of the texts, by their numbers, cut where the longest of them ends. */
export function some({ T, tokens, learned }, numbers) {
  const n = numbers.length
  const cut = (flat, columns, kept) => {
    const rows = new flat.constructor(n * kept)
    numbers.forEach((number, i) =>
      rows.set(flat.subarray(number * columns, number * columns + kept), i * kept),
    )
    return rows
  }
  if (!learned) return { n, T, tokens: cut(tokens, T, T), learned: null }
  let longest = 0
  for (const number of numbers)
    longest = Math.max(longest, learned.subarray(number * (T - 1), (number + 1) * (T - 1)).lastIndexOf(1) + 1)
  return {
    n,
    T: longest + 1,
    tokens: cut(tokens, T, longest + 1),
    learned: cut(learned, T - 1, longest),
  }
}
