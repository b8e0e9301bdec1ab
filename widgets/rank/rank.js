import { divergingScale, onColours } from '../kit/colour.js'
import { abreast } from '../kit/controls.js'
import { Curves } from './curves.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Maps } from './maps.js'
import { Matrix, savingCase } from '../kit/matrix.js'
import { Readouts, inCase } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill } from '../kit/text.js'

const CHOOSE_MATRIX = ['task', 'n', 'seed']

/** A matrix, its best rank-r copy, what the copy misses, the two factors, and the curves over r beside noise. */
class Rank extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits(...CHOOSE_MATRIX)
    model.on('change:guess', () => this.reveal())
    this.stop = onColours(() => this.colour())
    this.load()
  }

  get r() {
    return this.stepper.value
  }

  build({ r }) {
    const { text, frame } = this
    this.controls = this.choosers(...CHOOSE_MATRIX)
    this.stepper = this.slider('r', r.label)
    this.guess = new Guess(text.guess, this.choosing('guess'))
    this.maps = new Maps(text, frame.shown('factors'))
    this.curves = new Curves(text, (value) => this.stepper.go(value))
    this.note = h('p', { class: 'note' })
    this.readouts = new Readouts(text)
    this.said = h('div', {}, this.readouts.element, frame.sentence)
    const head = abreast(frame.shown('matrix') ? this.controls : {})
    head.append(this.note)
    frame.root.append(
      head,
      ...frame.part('guess', this.guess.element),
      this.stepper.element,
      this.maps.element,
      ...frame.part('charts', this.curves.element),
      this.said,
      this.maps.aside,
    )
  }

  /** Take over the matrix that Python made. */
  load() {
    const before = this.matrix
    const matrix = new Matrix(read(this.model, 'arrays'))
    const { k } = (this.matrix = matrix)
    const idle = this.frame.spec.idle[this.model.get('task')] ?? []
    for (const name of CHOOSE_MATRIX) {
      const { input } = this.controls[name]
      input.disabled = idle.includes(name)
      input.value = input.disabled ? '' : this.model.get(name) // a value that does not apply would be read as one
    }
    this.note.textContent = matrix.note
    this.note.hidden = !matrix.note
    const start = Math.min(this.frame.spec.choices.r.default, k)
    this.stepper.set({ low: 0, high: k, value: Math.min(this.model.get('r'), k), start })
    if (before && before.key !== matrix.key) this.goOn()
    this.colour()
    this.reveal()
  }

  /** Draw the matrices in the colours of the page. */
  colour() {
    this.maps.draw(this.matrix, divergingScale(this.frame.root))
    this.tick(this.r)
  }

  /** Show or veil what the guess is about. */
  reveal() {
    const guess = this.guessed
    const { label, knee, tolerance, k } = this.matrix
    this.guess.show(guess, { label, tolerance, truth: knee, high: k })
    for (const part of [this.said, this.curves.element]) part.classList.toggle('waiting', guess === 'ask')
    this.curves.draw(this.matrix, guess)
    this.curves.move(this.r)
  }

  /** Follow the slider: everything that depends on r, and nothing else. */
  tick(r) {
    this.stepper.show(r)
    this.maps.move(r)
    this.curves.move(r)
    const values = this.matrix.values(r)
    this.readouts.show(values, inCase(savingCase(values)))
    this.frame.update()
  }

  sentence() {
    const values = this.matrix.values(this.r)
    return fill(this.text.sentences[savingCase(values)], values)
  }

  snippet() {
    return fill(this.matrix.snippet, { r: this.r })
  }

  table() {
    return this.tableOf(Array.from(this.matrix.error, (_, r) => this.matrix.values(r)))
  }

  get stem() {
    return `${this.matrix.key}-r${this.r}`
  }

  saves() {
    return {
      curves: () => ['curves.csv', this.curvesAsCsv()],
      copy: () => ['copy.csv', this.copyAsCsv()],
    }
  }

  asPicture() {
    return super.asPicture(this.curves.charts, this.maps.pictures())
  }

  curvesAsCsv() {
    const { s, error, energy, noise } = this.matrix
    const head = [
      'r',
      's',
      'relative_error',
      'energy',
      'noise_error_low',
      'noise_error_median',
      'noise_error_high',
    ]
    const line = (r) => [r, r ? s[r - 1] : '', error[r], energy[r], ...noise[0].error.map((band) => band[r])]
    return csv([head, ...Array.from(error, (_, r) => line(r))])
  }

  copyAsCsv() {
    const { copy, rows, columns } = this.matrix.lowrank
    return csv(Array.from({ length: rows }, (_, y) => copy.subarray(y * columns, (y + 1) * columns)))
  }
}

export default rendering(Rank)
