import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { asCsv } from '../kit/share.js'
import { fill } from '../kit/text.js'

const EVERY_MS = 4000 // while it plays: there is a text to read at each

/** A table of bars, laid out once more whenever it changes. */
const bars = (name, title, head) => {
  const body = h('tbody', {})
  const top = h('tr', {}, ...head.map((words) => h('th', { scope: 'col' }, words)))
  const element = h('table', { class: name }, h('caption', {}, title), h('thead', {}, top), body)
  return { element, show: (rows) => body.replaceChildren(...rows) }
}

/** A row of such a table: what it is about, a bar, and what stands behind it. */
function row(attributes, name, shares, ...cells) {
  const bar = h('div', { class: 'bar' }, h('span', {}))
  for (const [share, value] of Object.entries(shares)) bar.style.setProperty(`--${share}`, value)
  const behind = cells.map((words) => h('td', {}, words))
  return h('tr', attributes, h('th', { scope: 'row' }, name), h('td', { class: 'drawn' }, bar), ...behind)
}

/** Questions to the base of the world, what it says, and how many of all it answers rightly. */
class Asked extends Instrument {
  constructor(model, el) {
    super(model, el)
    model.on('change:voice', () => this.load())
    this.awaits('kind')
    this.load()
  }

  build({ question }) {
    const { text, frame, model } = this
    this.controls = this.choosers('kind', 'voice')
    const [low, high] = question.bounds
    this.stepper = this.slider('question', text.questionLabel, {
      everyMs: EVERY_MS,
      told: (at) => fill(text.questionAt, { n: at + 1, shown: high + 1 }),
    })
    this.stepper.set({ low, high, value: model.get('question'), start: 0 })
    this.note = h('p', { class: 'note' })
    this.about = h('p', { class: 'note' })
    this.tale = h('ol', { class: 'tale' })
    this.answers = bars('answers', text.answers.title, text.answers.head)
    this.missing = h('p', { class: 'note missing' })
    this.rates = bars('rates', text.rates.title, text.rates.head)
    this.readouts = new Readouts(text)
    const found = h(
      'div',
      { class: 'found' },
      h('div', {}, this.answers.element, this.missing),
      ...frame.part('rates', this.rates.element),
    )
    this.asking = h('div', { class: 'asking' }, this.tale, found)
    frame.root.append(
      ...frame.part('kind', abreast(this.controls)),
      this.note,
      this.stepper.element,
      this.asking,
      ...frame.part('readouts', this.readouts.element),
      frame.sentence,
      this.about,
    )
  }

  /** The row of the choices: that of a voice, or that of a fact. */
  get row() {
    const { form, key, values } = this.arrays
    const here = form === 'story' ? this.model.get('voice') : key
    return values.find((each) => each.key === here)
  }

  /** The question that is looked at. */
  get one() {
    const { form, shown } = this.arrays
    return shown[form === 'story' ? this.model.get('voice') : Object.keys(shown)[0]][this.stepper.value]
  }

  /** Every number that the sentence may use; __init__.py makes the same. */
  values() {
    const { said, answer } = this.one
    const [[word, p]] = said
    const answered = { said: word, p, answer }
    const verdict = fill(this.text.verdicts[word === answer ? 'right' : 'wrong'], answered)
    return { ...this.row, ...answered, voice: this.row.name, verdict }
  }

  load() {
    const { model, text, controls } = this
    const { form, note, values } = (this.arrays = read(model, 'arrays'))
    for (const name of ['kind', 'voice']) controls[name].input.value = model.get(name)
    controls.voice.input.disabled = form !== 'story'
    this.asking.classList.toggle('alone', form !== 'story')
    this.note.textContent = note
    this.about.textContent = fill(text.recorded, this.arrays)
    this.rates.show(
      values.map((each) => {
        const { key, name, share, chance } = each
        const current = key === this.row.key ? { 'aria-current': 'true' } : {}
        return row(current, name, { share, chance }, fill(text.rates.value, each))
      }),
    )
    this.tick(this.stepper.value)
  }

  /** Follow the question. */
  tick(question) {
    const { text } = this
    this.stepper.show(question)
    const { told, said, answer } = this.one
    this.tale.replaceChildren(...told.map((sentence) => h('li', {}, sentence)))
    const { probability, missing, ...verdicts } = text.answers
    this.answers.show(
      said.map(([word, p]) => {
        const verdict = word === answer ? 'right' : 'wrong'
        return row({ class: verdict }, word, { share: p }, fill(probability, { p }), verdicts[verdict])
      }),
    )
    this.missing.textContent = said.some(([word]) => word === answer) ? '' : fill(missing, { answer })
    const { row: present } = this
    this.readouts.show(present, (template, name) => (name in present ? template : null))
    this.frame.update()
  }

  sentence() {
    return fill(this.text.sentences[this.arrays.form], this.values())
  }

  snippet() {
    return fill(this.arrays.snippet, { voice: this.model.get('voice') })
  }

  table() {
    const { form, values } = this.arrays
    const { heads, cells } = this.text
    return { head: heads[form], rows: values.map((each) => cells[form].map((cell) => fill(cell, each))) }
  }

  get stem() {
    return this.arrays.key
  }

  saves() {
    return { shares: () => ['shares.csv', asCsv(this.table())] }
  }
}

export default rendering(Asked)
