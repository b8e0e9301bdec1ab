import { divergingScale, onColours } from './lib/colour.js'
import { Stepper, integer, select } from './lib/controls.js'
import { Curves } from './lib/curves.js'
import { h } from './lib/dom.js'
import { Frame, read } from './lib/frame.js'
import { Guess } from './lib/guess.js'
import { Maps } from './lib/maps.js'
import { Matrix, savingCase } from './lib/matrix.js'
import { csv, picture } from './lib/share.js'
import { fill } from './lib/text.js'

const CHOOSE_MATRIX = ['task', 'n', 'seed']

/** A matrix, its best rank-r copy, what the copy misses, the two factors, and the curves over r beside noise. */
class Rank {
  constructor(model, el) {
    this.model = model
    this.frame = new Frame(model, el, {
      sentence: () => this.sentence(),
      table: () => this.table(),
      snippet: () => fill(this.matrix.snippet, { r: this.r }),
      files: this.files(read(model, 'spec').text),
    })
    this.text = this.frame.spec.text
    this.build(this.frame.spec.choices)
    for (const name of CHOOSE_MATRIX) model.on(`change:${name}`, () => this.wait(name))
    model.on('change:arrays', () => this.load())
    model.on('change:guess', () => this.reveal())
    model.on('change:r', () => model.get('r') !== this.r && this.tick(model.get('r')))
    this.stop = onColours(() => this.colour())
    this.load()
  }

  get r() {
    return this.stepper.value
  }

  /** Make a choice for the reader. */
  choose(name, value) {
    this.model.set(name, value)
    this.model.save_changes()
  }

  build({ task, n, seed, r }) {
    const { text, frame } = this
    const choose = (name) => (value) => this.choose(name, value)
    this.controls = {
      task: select(task.label, task.options, choose('task')),
      n: integer(n.label, n.bounds, choose('n')),
      seed: integer(seed.label, seed.bounds, choose('seed')),
    }
    this.stepper = new Stepper(
      { ...text, label: r.label },
      { onTick: (value) => this.tick(value), onSettled: choose('r'), buttons: frame.shown('steps') },
    )
    this.guess = new Guess(text.guess, choose('guess'))
    this.maps = new Maps(text, frame.shown('factors'))
    this.curves = new Curves(text, (value) => this.stepper.go(value))
    this.note = h('p', { class: 'note' })
    this.readouts = Object.keys(text.readouts).map((name) => [name, h('dd', { class: `of-${name}` })])
    const readout = ([name, value]) => h('div', {}, h('dt', {}, text.readouts[name]), value)
    this.said = h('div', {}, h('dl', { class: 'readouts' }, ...this.readouts.map(readout)), frame.sentence)
    const chooser = h('div', { class: 'controls' }, ...Object.values(this.controls).map((c) => c.element))
    frame.root.append(
      ...frame.part('matrix', chooser),
      this.note,
      this.stepper.element,
      ...frame.part('guess', this.guess.element),
      this.said,
      this.maps.element,
      this.maps.aside,
      ...frame.part('charts', this.curves.element),
      frame.announced,
      frame.drawers,
    )
  }

  /** Another matrix was chosen: show it as coming until its arrays are here. */
  wait(name) {
    this.controls[name].input.value = this.model.get(name)
    this.frame.root.setAttribute('aria-busy', 'true')
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
    this.frame.root.removeAttribute('aria-busy')
    // One guess is asked for; after it the reader is free, and may guess again.
    if (before && before.key !== matrix.key && this.model.get('guess') !== 'ask') this.choose('guess', 'skip')
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
    const guess = this.frame.shown('guess') ? this.model.get('guess') : 'skip'
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
    for (const [name, place] of this.readouts) place.textContent = this.readout(name, values)
    this.frame.update()
  }

  readout(name, values) {
    const template = this.text.readoutValues[name]
    return fill(typeof template === 'string' ? template : template[savingCase(values)], values)
  }

  sentence() {
    const values = this.matrix.values(this.r)
    return fill(this.text.sentences[savingCase(values)], values)
  }

  table() {
    const rows = Array.from(this.matrix.error, (_, r) => {
      const values = this.matrix.values(r)
      return this.text.tableRow.map((template) => fill(template, values))
    })
    return { head: this.text.tableHead, rows }
  }

  files({ downloads }) {
    const name = (what) => () => `${this.matrix.key}-r${this.r}-${what}`
    return [
      { label: downloads.curves, name: name('curves.csv'), type: 'text/csv', text: () => this.curvesAsCsv() },
      { label: downloads.copy, name: name('copy.csv'), type: 'text/csv', text: () => this.copyAsCsv() },
      {
        label: downloads.picture,
        name: name('picture.svg'),
        type: 'image/svg+xml',
        text: () => this.asPicture(),
      },
    ]
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

  asPicture() {
    return picture(this.frame.root, this.sentence(), this.maps.pictures(), this.curves.pictures())
  }
}

function render({ model, el }) {
  const view = new Rank(model, el)
  return () => view.stop()
}

export default { render }
