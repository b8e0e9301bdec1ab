// Texts of the world, written and judged: compute/world/texts.py. The floor of the loss on them is not here: it is one
// number for each task and split, which Python gives.

import { oneOf, whole } from './bounds.js'
import { Dice } from './dice.js'
import { factOf } from './people.js'
import { START, Source, after, drawn, law } from './stories.js'
import { BASE_VOICES, EVERY_STORY_QUESTION, FACT_QUESTIONS, NO_VOICE, SPLITS, STOPS } from './tables.json'
import { attributeOf, formOf, understood } from './voices.js'

const [PLAIN] = BASE_VOICES
const NEW = 1000 // texts in a row without a new question: there are no more

/** The start of a text: its words, the last sentence perhaps cut. */
export function write(source, length, dice) {
  whole('length', length, 1)
  const words = []
  for (const sentence of told(source, dice)) {
    words.push(...sentence)
    if (words.length >= length) break
  }
  return words.slice(0, length)
}

/** The sentences of a text without end. */
function* told(source, dice) {
  const voice = dice.pick(source.voices)
  let state = START
  while (true) {
    const groups = law(state, voice, source)
    const option = dice.pick(groups[dice.weighed(groups.map(({ weight }) => weight))].options)
    const [sentence, content] = drawn(option, dice)
    yield sentence
    state = after(state, option.form.kind, content)
  }
}

/** What there is to say about each sentence of a text, whoever wrote it: {words, voice, kind, true}. */
export function judged(words) {
  const found = []
  let state = START
  for (const sentence of sentencesOf(words)) {
    const said = understood(sentence)
    const { voice, kind } = said ?? { voice: NO_VOICE, kind: '' }
    found.push({ words: sentence, voice, kind, true: said !== null && canBe(said, state) })
    if (said) state = after(state, kind, said.content)
  }
  return found
}

/** What the whole sentences of a text decide. A sentence that no voice says, or that is cut, decides nothing. */
export function stateAfter(words) {
  let state = START
  for (const sentence of sentencesOf(words)) {
    const said = understood(sentence)
    if (said) state = after(state, said.kind, said.content)
  }
  return state
}

function* sentencesOf(words) {
  let begin = 0
  for (const [place, word] of words.entries()) {
    if (!STOPS.includes(word) && place < words.length - 1) continue
    yield words.slice(begin, place + 1)
    begin = place + 1
  }
}

/** Questions {words, kind, answer} that texts of a source come to, each of a text of its own, no two alike: those wanted. */
export function questions(source, kind, count, length, seed, wanted = () => true) {
  whole('count', count, 1)
  whole('length', length, 1)
  const found = []
  const seen = new Set()
  for (let text = 0, since = 0; found.length < count; text++, since++) {
    if (since === NEW) throw new RangeError(`kind: texts of this source come to ${seen.size} of ${kind}`)
    const asked = firstQuestion(source, kind, length, new Dice(seed, text))
    const key = asked?.words.join(' ')
    if (!asked || seen.has(key)) continue
    seen.add(key)
    if (wanted(asked)) found.push(asked)
    since = 0
  }
  return found
}

/** The first question of a kind in a text, if it comes in time. */
function firstQuestion(source, kind, length, dice) {
  const words = []
  for (const sentence of told(source, dice)) {
    const begin = words.length
    words.push(...sentence)
    if (words.length > length) return null
    if (understood(sentence)?.kind !== kind) continue
    const end = begin + sentence.indexOf('?') + 1
    return { words: words.slice(0, end), kind, answer: words[end] }
  }
}

/** The question on one fact of each of some people, with nothing before it. */
export function ofFacts(people, kind) {
  oneOf('kind', kind, [...Object.values(FACT_QUESTIONS), 'private'])
  const { parts } = formOf(PLAIN, kind)
  const end = parts.indexOf('?') + 1
  return people.map((person) => {
    const content = { F: person.first, S: person.last, V: factOf(person, attributeOf(kind)) }
    const words = parts.map((part) => content[part] ?? part)
    return { words: words.slice(0, end), kind, answer: words[end] }
  })
}

// Somebody can say it in some split; the voice does not matter.
const somewhere = Object.keys(SPLITS).map(
  (split) => new Source({ voices: [PLAIN], split, facts: 0, questions: EVERY_STORY_QUESTION }),
)

/** Whether somebody can say this now, about anybody. */
function canBe({ kind, content }, state) {
  if (kind === 'private') return true
  if ('V' in content) return factOf({ first: content.F, last: content.S }, attributeOf(kind)) === content.V
  return somewhere.some((source) =>
    law(state, PLAIN, source).some(({ options }) =>
      options.some(
        (option) =>
          option.form.kind === kind &&
          Object.entries(option.content).every(([name, words]) => words.includes(content[name])),
      ),
    ),
  )
}
