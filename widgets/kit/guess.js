import { button, integer, select } from './controls.js'
import { h } from './dom.js'
import { fill } from './text.js'

/**
 * A guess before the reveal: a question, a number or one of `words.options`, and a way round it. `guess` is 'ask',
 * 'skip' or what was guessed; `answer(guess)` is told what the reader did. The verdict stays, also when she goes on to
 * another matrix.
 */
export class Guess {
  constructor(words, answer) {
    this.words = words
    const { options } = words
    this.field = options ? select(words.field, options, () => {}) : integer(words.field, [0, 1], () => {})
    this.field.input.required = true // an empty field is no guess
    this.question = h('p', { class: 'question' })
    this.form = h(
      'form',
      {
        submit: (event) => {
          event.preventDefault()
          const { value, valueAsNumber } = this.field.input
          answer(options ? value : String(valueAsNumber || 0))
        },
      },
      this.question,
      this.field.element,
      h('button', { type: 'submit' }, words.reveal),
      button(words.skip, () => answer('skip')),
    )
    this.verdict = h('p', { class: 'verdict', role: 'status' })
    this.again = button(words.again, () => answer('ask'))
    this.element = h(
      'div',
      { class: 'guess' },
      this.form,
      h('div', { class: 'told' }, this.verdict, this.again),
    )
  }

  /** Show where things stand: of `values`, which fill the words, the reader guesses `truth`, an option or a number of 0..high. */
  show(guess, values) {
    const { truth, high } = values
    const asking = guess === 'ask'
    const turned = this.form.hidden === asking && this.element.matches(':focus-within')
    this.form.hidden = !asking
    this.again.hidden = asking
    if (turned) (asking ? this.field.input : this.again).focus() // what had the focus is hidden now
    this.question.textContent = fill(this.words.question, values)
    if (!this.words.options) this.field.input.max = high
    if (asking || guess === 'skip') return
    const named = { guess: this.named(guess), truth: this.named(truth) }
    this.verdict.classList.toggle('found', String(guess) === String(truth))
    this.verdict.textContent = fill(this.judged(guess, truth), { ...values, ...named })
  }

  judged(guess, truth) {
    const { options, right, wrong, tooLow, tooHigh } = this.words
    if (options) return guess === truth ? right : wrong
    const off = Number(guess) - truth
    return off === 0 ? right : off < 0 ? tooLow : tooHigh
  }

  named(value) {
    return this.words.options?.find(([each]) => each === value)[1] ?? value
  }
}
