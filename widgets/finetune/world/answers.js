// What a model of the world can do, in answers right and sentences told: compute/training/answers.py. In place of the
// model they take `say(asked)`: a function that gives for each question the word that the model finds the most likely.

import { whole } from './bounds.js'
import { oldPeople } from './people.js'
import { Source } from './stories.js'
import {
  ANSWERING,
  FACTS,
  NEW_WORDS,
  SHARED,
  SHORT,
  SHOWN,
  STARTS,
  STOPS,
  STORY_QUESTIONS,
  TELLING,
  TOLD,
  VOICE_OF,
} from './tables.json'
import { asked, inOldWords } from './tasks.js'
import { judged, ofFacts, questions } from './texts.js'
import { readable } from './tokens.js'
import { understood } from './voices.js'

/** What the base can answer: {facts, stories}, questions on `people` of those it knows and `count` of each kind on stories. */
export function known(split, count, people, length) {
  whole('count', count, 1)
  whole('people', people, 1)
  const apart = Math.max(1, Math.floor(oldPeople.length / people))
  const some = oldPeople.filter((_, number) => number % apart === 0).slice(0, people)
  const source = new Source({ voices: ['plain'], split, facts: 0 })
  return {
    facts: TOLD.flatMap((kind) => ofFacts(some, kind)),
    stories: STORY_QUESTIONS.flatMap((kind) => questions(source, kind, count, length, STARTS[split])),
  }
}

/** What there is to say about the whole sentences of a text, as the voice of a task has them; the last one is cut. */
export const told = (task, text) => judged(task === NEW_WORDS ? inOldWords(text) : text).slice(0, -1)

/** The share of the sentences of texts that are in the voice of a task, and can be said where they stand. */
export function shareTold(task, texts) {
  const voices = [SHARED, VOICE_OF[task] ?? 'plain']
  const found = texts.flatMap((text) => told(task, text))
  return found.filter((each) => voices.includes(each.voice) && each.true).length / Math.max(1, found.length)
}

/** Which questions a model answers rightly. */
export function right(say, some) {
  const said = say(some)
  return some.map(({ answer }, i) => said[i] === answer)
}

/**
 * What a model can do: {task, facts, stories}, shares of 1. `texts` are what it has written, for tasks that tell;
 * `facts` is how many new facts it was to learn.
 */
export function shares(say, task, split, { count, people, length, texts = [], facts = 0 }) {
  const share = (some) => right(say, some).filter(Boolean).length / some.length
  const own = () => share(asked(task, split, task === FACTS ? facts : 3 * count, length))
  const { facts: old, stories } = known(split, count, people, length)
  return {
    task: ANSWERING.includes(task) ? own() : shareTold(task, texts),
    facts: share(old),
    stories: share(stories),
  }
}

/** Questions with what a model answers, ready to be shown. Where the answer is wrong, the right one follows. */
export function answered(say, some) {
  const said = say(some)
  return some.map(({ words, answer }, i) => {
    const shown = `${readable(lastStory(words))} ${said[i]}.`
    return said[i] === answer ? shown : `${shown} (No: ${answer}.)`
  })
}

/** A text from where the last of its stories begins; all of one that tells no story. */
export function lastStory(words) {
  let [start, begin, before] = [0, 0, '']
  for (const [place, word] of words.entries()) {
    if (!STOPS.includes(word)) continue
    const kind = understood(words.slice(begin, place + 1))?.kind ?? ''
    if (kind === 'at' && before !== 'at') start = begin
    ;[begin, before] = [place + 1, kind]
  }
  return words.slice(start)
}

/** What a reader is shown of a model that learned a task: how its texts begin, or questions with its answers. */
export function samples(say, task, texts, length) {
  if (TELLING.includes(task))
    return texts.slice(0, SHOWN).map((text) => `${readable(text.slice(0, SHORT))} …`)
  return answered(say, asked(task, 'validation', SHOWN, length))
}
