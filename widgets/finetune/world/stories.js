// What can be told next: compute/world/stories.py. A state is a plain object that nobody writes to; its keys stay in the
// order in which they came, in both languages, and the dice count on it.

import { oneOf } from './bounds.js'
import { factOf, oldPeople } from './people.js'
import {
  ASKED,
  BASE_MIX,
  EVENTS,
  EVERY_STORY_QUESTION,
  FACT_QUESTIONS,
  FIRST_NAMES,
  PLACES,
  PRIVATE,
  SPLITS,
  STORY_QUESTIONS,
  THINGS,
} from './tables.json'
import { formOf } from './voices.js'

/** What texts tell: in which voices, of which split, how often stories and facts, whose facts, what is asked. */
export class Source {
  #facts = {}

  constructor({
    voices = BASE_MIX,
    split = 'train',
    stories = 2,
    facts = 3,
    people = oldPeople,
    questions = STORY_QUESTIONS,
    private: refused = true,
  } = {}) {
    oneOf('split', split, Object.keys(SPLITS))
    Object.assign(this, { voices, split, stories, facts, people, questions, private: refused })
  }

  /** The facts told and the facts asked in a voice: two groups. */
  factsIn(voice) {
    return (this.#facts[voice] ??= this.#makeFacts(voice))
  }

  #makeFacts(voice) {
    const [told, asked] = [[], []]
    for (const person of this.people) {
      const names = { F: [person.first], S: [person.last] }
      for (const [attribute, question] of Object.entries(FACT_QUESTIONS)) {
        const content = { ...names, V: [factOf(person, attribute)] }
        told.push(option(voice, attribute, content))
        const isPrivate = this.private && attribute === PRIVATE
        asked.push(isPrivate ? option(voice, 'private', names) : option(voice, question, content))
      }
    }
    return [
      { weight: this.facts, options: told },
      { weight: this.facts, options: asked },
    ]
  }
}

/** Sentences of one form, of which the one to tell is equally likely: what can stand for each capital. */
const option = (voice, kind, content) => ({ form: formOf(voice, kind), content })

/** One sentence of an option, and what stands for each capital: [words, content]. */
export function drawn({ form, content }, dice) {
  const chosen = {}
  // Where there is nothing to choose no dice are thrown: the next throw is the next choice's.
  for (const [name, words] of Object.entries(content))
    chosen[name] = words.length > 1 ? dice.pick(words) : words[0]
  return [form.parts.map((part) => chosen[part] ?? part), chosen]
}

/** What the sentences so far decide about the next one, before the first: see `State` in Python. */
export const START = {
  sentences: 0,
  cast: [],
  events: 0,
  asked: 0,
  place: {},
  firstPlace: {},
  holder: {},
  firstHolder: {},
}

/** The state after one more sentence of a kind, with what stands for its capitals. */
export function after(state, kind, { P: one, Q: other, L: where, T: thing }) {
  const sentences = state.sentences + 1
  if (kind === 'at') {
    if (state.cast.length !== 1) {
      const place = { [one]: where }
      return { ...START, sentences, cast: [one], place, firstPlace: place }
    }
    const place = { ...state.place, [one]: where }
    return { ...state, sentences, cast: [...state.cast, one], place, firstPlace: place }
  }
  const events = state.events + 1
  if (kind === 'goes') return { ...state, sentences, events, place: { ...state.place, [one]: where } }
  if (kind === 'takes' || kind === 'sends') {
    const holder = { ...state.holder, [thing]: kind === 'takes' ? one : other }
    const firstHolder = { [thing]: one, ...state.firstHolder }
    return { ...state, sentences, events, holder, firstHolder }
  }
  if (EVERY_STORY_QUESTION.includes(kind)) return { ...state, sentences, asked: state.asked + 1 }
  return { ...START, sentences } // a fact ends a story
}

/** What can be asked now: capital and word that it is asked of, those that answer it. */
function answers(state, question) {
  if (question === 'place' || question === 'first place') {
    const places = question === 'place' ? state.place : state.firstPlace
    return state.cast.map((one) => ['P', one, 'L', places[one]])
  }
  const holders = Object.entries(question === 'first holder' ? state.firstHolder : state.holder)
  if (question === 'place of thing')
    return holders.map(([thing, one]) => ['T', thing, 'L', state.place[one] ?? ''])
  return holders.map(([thing, one]) => ['T', thing, 'P', one])
}

/** How the next sentence is drawn: groups by their weight, then an option of the group, then a word for each capital. */
export function law(state, voice, source) {
  const { cast, events, asked, sentences } = state
  if (cast.length === 1) return [{ weight: 1, options: [at(voice, partners(state, source.split))] }]
  const groups = []
  if (cast.length) {
    if (events < EVENTS && asked < ASKED) groups.push(...happening(state, voice))
    if (events && asked < ASKED) groups.push(...asking(state, voice, source))
    if (!asked) return groups
  }
  if (source.stories) groups.push({ weight: 2 * source.stories, options: [at(voice, FIRST_NAMES)] })
  if (source.facts) {
    const [told, questions] = source.factsIn(voice)
    groups.push(told)
    if (sentences) groups.push(questions)
  }
  return groups
}

/** Who can come second in the stories of a split: the numbers of both names and of the place tell it. */
function partners({ cast: [name], place }, split) {
  const own = FIRST_NAMES.indexOf(name)
  const start = own + PLACES.indexOf(place[name])
  return FIRST_NAMES.filter((_, number) => number !== own && SPLITS[split].includes((start + number) % 8))
}

const at = (voice, people) => option(voice, 'at', { P: people, L: PLACES })

function happening({ cast, place, holder }, voice) {
  const goes = cast.map((one) =>
    option(voice, 'goes', { P: [one], L: PLACES.filter((other) => other !== place[one]) }),
  )
  const free = THINGS.filter((thing) => !(thing in holder))
  const groups = [
    { weight: 3, options: goes },
    { weight: 2, options: [option(voice, 'takes', { P: cast, T: free })] },
  ]
  const sends = Object.entries(holder).map(([thing, one]) =>
    option(voice, 'sends', { P: [one], T: [thing], Q: cast.filter((other) => other !== one) }),
  )
  if (sends.length) groups.push({ weight: 2, options: sends })
  return groups
}

function asking(state, voice, source) {
  return source.questions
    .map((question) => ({
      weight: 2,
      options: answers(state, question).map(([of, word, by, answer]) =>
        option(voice, question, { [of]: [word], [by]: [answer] }),
      ),
    }))
    .filter(({ options }) => options.length)
}
