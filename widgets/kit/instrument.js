import { Stepper, integer, select } from './controls.js'
import { Frame, read } from './frame.js'
import { download, picture } from './share.js'
import { fill, plainly } from './text.js'

const TYPES = { svg: 'image/svg+xml', csv: 'text/csv', html: 'text/html' }

/**
 * What every instrument does. One of them adds `build(choices)`, which puts its parts into the frame, `load()`, which
 * takes over the arrays, `tick(value)` of its slider, the `sentence()`, `table()` and `snippet()` of the frame, and
 * `saves()`, the files that a reader may keep, named after `stem`.
 */
export class Instrument {
  constructor(model, el) {
    this.model = model
    this.text = read(model, 'spec').text
    this.frame = new Frame(model, el, this)
    const { root, announced, drawers, spec } = this.frame
    this.build(spec.choices)
    root.append(announced, drawers)
  }

  /** Make a choice for the reader. */
  choose(name, value) {
    this.model.set(name, value)
    this.model.save_changes()
  }

  choosing(name) {
    return (value) => this.choose(name, value)
  }

  /** A control for each of these choices: {name: {element, input}}. */
  choosers(...names) {
    const control = (name) => {
      const { label, options, bounds } = this.frame.spec.choices[name]
      const [make, allowed] = options ? [select, options] : [integer, bounds]
      const made = make(label, allowed, this.choosing(name))
      made.element.dataset.choice = name
      return [name, made]
    }
    return Object.fromEntries(names.map(control))
  }

  /** The slider of a choice, whoever moves it: `tick` follows. */
  slider(name, label, more) {
    const { model, text, frame } = this
    const stepper = new Stepper(
      { ...text, label },
      {
        onTick: (value) => this.tick(value),
        onSettled: this.choosing(name),
        buttons: frame.shown('steps'),
        ...more,
      },
    )
    stepper.element.dataset.choice = name
    model.on(`change:${name}`, () => model.get(name) !== stepper.value && this.tick(model.get(name)))
    return stepper
  }

  /** These choices ask for other arrays: show them as coming until they are here. */
  awaits(...names) {
    const { model, controls } = this
    const { root } = this.frame
    for (const name of names)
      model.on(`change:${name}`, () => {
        controls[name].input.value = model.get(name)
        root.setAttribute('aria-busy', 'true')
      })
    model.on('change:arrays', () => {
      root.removeAttribute('aria-busy')
      this.load()
    })
  }

  /** 'ask', 'skip' or what the reader guessed. */
  get guessed() {
    return this.frame.shown('guess') ? this.model.get('guess') : 'skip'
  }

  /** One guess is asked for; after it the reader is free, and may guess again. */
  goOn() {
    if (this.model.get('guess') !== 'ask') this.choose('guess', 'skip')
  }

  /** A table with a row for each of these values. */
  tableOf(rows) {
    const { tableHead: head, tableRow } = this.text
    return { head, rows: rows.map((values) => tableRow.map((cell) => fill(cell, values))) }
  }

  /** Save a file: `saves()` holds, by the name of its button, a function that makes [end of its name, text]. */
  save(what) {
    const saves = { picture: () => ['picture.svg', this.asPicture()], ...this.saves() }
    const [name, text] = what === 'picture' || what === 'report' ? saves[what]() : plainly(saves[what])
    download(`${this.stem}-${name}`, TYPES[name.split('.').at(-1)], text)
  }

  /** What is drawn, below the sentence that says what it shows. */
  asPicture(charts = this.charts, heatmaps = []) {
    return picture(this.frame.root, this.frame.sentence.textContent, heatmaps, Object.values(charts))
  }
}

/** What anywidget asks of an instrument's module. */
export const rendering = (Kind) => ({
  render({ model, el }) {
    const view = new Kind(model, el)
    return () => view.stop?.() // of those that watch the colours of the page
  },
})
