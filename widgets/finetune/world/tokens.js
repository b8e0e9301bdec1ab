// Words to numbers and back: compute/world/tokens.py.

import { DICTIONARY, OWN_WORDS } from './tables.json'

export const BEGIN = 0 // the token before the first word; the words follow in the order of the vocabulary

const vocabulary = [...OWN_WORDS, ...Object.values(DICTIONARY)]
const tokens = new Map(vocabulary.map((word, place) => [word, place + 1]))

export const VOCAB_SIZE = vocabulary.length + 1

/** A word that the model does not know; what a reader is told of it stands in Python, with the other sentences. */
export class UnknownWord extends Error {
  constructor(word) {
    super(word)
    this.word = word
  }
}

/** The words of a text, known or not: split at spaces and around signs, in small letters. */
export const wordsOf = (text) => text.toLowerCase().match(/[.;,?()]|[^\s.;,?()]+/g) ?? []

function token(word) {
  if (!tokens.has(word)) throw new UnknownWord(word)
  return tokens.get(word)
}

/** The tokens of a text, or of its words, the begin token first. */
export const encode = (text) => [BEGIN, ...(typeof text === 'string' ? wordsOf(text) : text).map(token)]

/** The words of tokens; begin tokens are left out. */
export const decode = (numbers) =>
  Array.from(numbers)
    .filter((number) => number !== BEGIN)
    .map((number) => vocabulary[number - 1])

/** Words as a reader expects to see them: no space where a sign wants none. */
export const readable = (words) => words.join(' ').replace(/ (?=[.;,?)(])|(?<=\() /g, '')
