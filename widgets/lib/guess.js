import { button, integer } from './controls.js'
import { h } from './dom.js'
import { fill } from './text.js'

/**
 * A guess before the reveal: a question, a number, and a way round it. `guess` is 'ask', 'skip' or the number;
 * `answer(guess)` is told what the reader did. The verdict stays, also when she goes on to another matrix.
 */
export class Guess {
  constructor(words, answer) {
    this.words = words
    this.field = integer(words.field, [0, 1], () => {})
    this.field.input.required = true // an empty field is no guess
    this.question = h('p', { class: 'question' })
    this.form = h(
      'form',
      {
        submit: (event) => {
          event.preventDefault()
          answer(String(this.field.input.valueAsNumber || 0))
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

  /** Show where things stand: of `values`, which fill the words, the reader guesses `truth`, among 0..high. */
  show(guess, values) {
    const { truth, high } = values
    const asking = guess === 'ask'
    const turned = this.form.hidden === asking && this.element.matches(':focus-within')
    this.form.hidden = !asking
    this.again.hidden = asking
    if (turned) (asking ? this.field.input : this.again).focus() // what had the focus is hidden now
    this.question.textContent = fill(this.words.question, values)
    this.field.input.max = high
    if (asking || guess === 'skip') return
    const off = Number(guess) - truth
    const words = off === 0 ? this.words.right : off < 0 ? this.words.tooLow : this.words.tooHigh
    this.verdict.textContent = fill(words, { ...values, guess })
  }
}
