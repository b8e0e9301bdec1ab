// What a model of the world can be finetuned on: compute/world/tasks.py.

import { oneOf, whole } from './bounds.js'
import { Dice } from './dice.js'
import { newPeople } from './people.js'
import { Source } from './stories.js'
import {
  ANSWERING,
  DICTIONARY,
  FACTS,
  FIRST,
  MIRROR,
  NEW_WORDS,
  SKILL,
  SPLITS,
  STARTS,
  STORY_QUESTIONS,
  TASKS,
  TELLING,
  TOLD,
  VOICE_OF,
} from './tables.json'
import { ofFacts, questions, stateAfter, write } from './texts.js'

const oldOf = new Map(Object.entries(DICTIONARY).map(([word, name]) => [name, word]))

/** Words in the new language; signs, and what has no new word, stay. */
const translated = (words) => words.map((word) => DICTIONARY[word] ?? word)

/** What the texts of a task tell, before they are translated. */
export function sourceOf(task, split) {
  oneOf('task', task, [...TELLING, SKILL])
  const asks = task === SKILL ? [...STORY_QUESTIONS, FIRST] : STORY_QUESTIONS
  return new Source({ voices: [VOICE_OF[task] ?? 'plain'], split, facts: 0, questions: asks })
}

/** Examples of a task: {words, learned}, how many of the words are learned from, the last ones. */
export function examples(task, split, count, length) {
  oneOf('task', task, TASKS)
  oneOf('split', split, Object.keys(SPLITS))
  whole('count', count, 1)
  whole('length', length, 1)
  if (ANSWERING.includes(task))
    return asked(task, split, count, length).map(({ words, answer }) => ({
      words: [...words, answer],
      learned: 1,
    }))
  const source = sourceOf(task, split)
  const seed = Object.keys(SPLITS).indexOf(split)
  return Array.from({ length: count }, (_, number) => {
    const words = write(source, length, new Dice(seed, STARTS[split] + number))
    return { words: task === NEW_WORDS ? translated(words) : words, learned: length }
  })
}

/** The questions of a task: {words, kind, answer}. */
export function asked(task, split, count, length) {
  const askable = TASKS.filter((each) => VOICE_OF[each] !== MIRROR) // the mirror answers before it asks
  oneOf('task', task, askable)
  if (task === FACTS) return newFacts(count)
  const source = sourceOf(task, split)
  const seed = STARTS[split]
  if (task === SKILL) {
    return questions(source, FIRST, count, length, seed, split === 'train' ? undefined : changedHands)
  }
  const share = Math.ceil(count / STORY_QUESTIONS.length)
  const found = STORY_QUESTIONS.flatMap((kind) => questions(source, kind, share, length, seed)).slice(
    0,
    count,
  )
  if (task !== NEW_WORDS) return found
  return found.map(({ words, kind, answer }) => ({
    words: translated(words),
    kind,
    answer: DICTIONARY[answer],
  }))
}

/** Whether the thing that a question is about was sent to somebody else than had it first. */
export function changedHands({ words, answer }) {
  return stateAfter(words).holder[words.at(-3)] !== answer
}

/** A text in the words that the new ones stand for. Any other word gets a question mark, so that no voice says it. */
export const inOldWords = (text) =>
  text.map((word) => oldOf.get(word) ?? (/^\p{L}+$/u.test(word) ? `${word}?` : word))

/** Questions on facts that no base has read of: person after person, the facts TOLD of each. */
export function newFacts(count) {
  const people = newPeople.slice(0, Math.ceil(count / TOLD.length))
  return people.flatMap((person) => TOLD.flatMap((kind) => ofFacts([person], kind))).slice(0, count)
}
