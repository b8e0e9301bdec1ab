// How a thing is said, and the exact answer to whose voice a sentence is: compute/world/voices.py. Python has put the
// forms of every voice together, the mirror's too; those of "question" are every other voice's.

import { FIRST_NAMES, FORMS, LAST_NAMES, NO_VOICE, PLACES, SHARED, THINGS, VALUES } from './tables.json'

const names = new Set(FIRST_NAMES)
const places = new Set(PLACES)
const SLOTS = { P: names, Q: names, L: places, T: new Set(THINGS), F: names, S: new Set(LAST_NAMES) }

/** The attribute that a kind of sentence about a fact, such as "what likes", is about. */
export const attributeOf = (kind) => kind.slice(kind.lastIndexOf(' ') + 1)

/** How a voice says one kind of sentence: {voice, kind, parts}, words and the capitals that stand for one. */
class Form {
  constructor(voice, kind, text) {
    Object.assign(this, { voice, kind, parts: text.split(' ') })
    const values = new Set(VALUES[attributeOf(kind)])
    this.allowed = this.parts.map((part) => (part === 'V' ? values : (SLOTS[part] ?? new Set([part]))))
    this.capitals = [...this.parts.entries()].filter(([, part]) => /^[A-Z]$/.test(part))
  }

  says(sentence) {
    return sentence.every((word, place) => this.allowed[place].has(word))
  }

  /** What stands for each capital in a sentence of this form. */
  content(sentence) {
    return Object.fromEntries(this.capitals.map(([place, name]) => [name, sentence[place]]))
  }
}

const forms = {} // by voice and kind
const byLength = new Map()
for (const [voice, kinds] of Object.entries(FORMS)) {
  forms[voice] = {}
  for (const [kind, text] of Object.entries(kinds)) {
    const form = (forms[voice][kind] = new Form(voice, kind, text))
    const { length } = form.parts
    byLength.set(length, [...(byLength.get(length) ?? []), form])
  }
}

/** How a voice says a kind of sentence. */
export const formOf = (voice, kind) => forms[voice][kind] ?? forms[SHARED][kind]

/** What a sentence says and in which voice: {voice, kind, content}, or null for what no voice says. */
export function understood(sentence) {
  const form = byLength.get(sentence.length)?.find((each) => each.says(sentence))
  return form ? { voice: form.voice, kind: form.kind, content: form.content(sentence) } : null
}

/** The voice that says a sentence; "none" for what nobody says. */
export const voiceOf = (sentence) => understood(sentence)?.voice ?? NO_VOICE
