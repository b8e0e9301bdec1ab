import { Chart } from '../kit/chart.js'
import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill } from '../kit/text.js'

const CHOSEN = ['task', 'precision']
const WAYS = ['same', 'unrounded', 'different']
const KINDS = { same: 'kept', unrounded: 'lost', different: 'control-0' }
const ALONG = { same: 0.95, unrounded: 0.75, different: 0.25 } // where the name of a curve stands
const MILLION = 1e6
const EVERY_MS = 700
const ROOM = 0.3 // below the lowest curve and above the highest, in powers of ten

const raised = (power) => String(power).replace(/./g, (c) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(c)])

/** An adapter merged and taken out again and again, and how far the weights have gone. */
class Wear extends Instrument {
  constructor(model, el) {
    super(model, el)
    for (const name of CHOSEN) model.on(`change:${name}`, () => this.load())
    this.load()
  }

  get place() {
    return this.stepper.value
  }

  /** The key of what was recorded for the present choices. */
  get key() {
    return CHOSEN.map((name) => this.model.get(name)).join('-')
  }

  build({ rounds }) {
    const { text, frame } = this
    this.arrays = read(this.model, 'arrays')
    const { cycles, k } = this.arrays
    this.controls = this.choosers(...CHOSEN)
    this.stepper = this.slider('rounds', rounds.label, {
      everyMs: EVERY_MS,
      told: (place) => fill(text.rounds, { cycles: cycles[place] }),
    })
    this.stepper.set({ low: 0, high: k, value: this.model.get('rounds'), start: 0 })
    this.readouts = new Readouts(text)
    this.note = h('p', { class: 'note' })
    this.chart = new Chart(text.chart, {
      format: (power) => (Number.isInteger(power) ? `10${raised(power)}` : ''),
      choose: (place) => this.stepper.go(place),
      probe: (place) => fill(text.chart.probe, this.values(place)),
    })
    frame.root.append(
      ...frame.part('choices', abreast(this.controls)),
      this.stepper.element,
      ...frame.part('chart', this.chart.element),
      frame.sentence,
      this.readouts.element,
      this.note,
    )
  }

  /** Another adapter or precision: all of it is here. */
  load() {
    for (const [name, { input }] of Object.entries(this.controls)) input.value = this.model.get(name)
    this.note.textContent = fill(this.text.note, this.values(0))
    this.draw()
    this.tick(this.place)
  }

  /** All numbers that a sentence may use; __init__.py makes the same. */
  values(place) {
    const { arrays, text, model } = this
    const { same, unrounded, different, ...facts } = arrays.states[this.key]
    const number = arrays.cycles[place]
    const values = {
      task: model.get('task'),
      label: arrays.labels[model.get('task')],
      precision: model.get('precision'),
      number,
      cycles: fill(text.times[place ? 'several' : 'one'], { number }),
      last: arrays.cycles.at(-1),
      layers: arrays.layers,
      recorded: arrays.recorded,
      ...facts,
    }
    for (const [way, gone] of Object.entries({ same, unrounded, different })) {
      const off = gone[place]
      Object.assign(values, { [way]: off, [`${way}_m`]: MILLION * off, [`${way}_times`]: off / gone[0] })
    }
    return values
  }

  /** Both axes are logarithmic; where nothing is rounded, two ways are one. */
  draw() {
    const { arrays, text } = this
    const state = arrays.states[this.key]
    const oneWay = state.same.every((off, i) => off === state.unrounded[i])
    const ways = WAYS.filter((way) => !(oneWay && way === 'unrounded'))
    const at = arrays.cycles.map((_, place) => place)
    const lines = ways.map((way) => ({
      values: state[way].map(Math.log10),
      at,
      label: text.chart[oneWay && way === 'same' ? 'either' : way],
      kind: KINDS[way],
      along: ALONG[way],
    }))
    const all = lines.flatMap(({ values }) => values)
    const y = [Math.min(...all) - ROOM, Math.max(...all) + ROOM]
    this.chart.draw({ k: arrays.k, y, lines, tick: (place) => String(arrays.cycles[place]) })
  }

  /** Follow the slider. */
  tick(place) {
    this.stepper.show(place)
    this.readouts.show(this.values(place))
    this.chart.move(place)
    this.frame.update()
  }

  sentence() {
    return fill(this.text.sentence, this.values(this.place))
  }

  table() {
    return this.tableOf(this.arrays.cycles.map((_, place) => this.values(place)))
  }

  snippet() {
    return fill(this.arrays.snippet, this.values(this.place))
  }

  get stem() {
    return this.key
  }

  saves() {
    return { wear: () => ['wear.csv', this.asCsv()] }
  }

  asPicture() {
    return super.asPicture([this.chart])
  }

  asCsv() {
    const { states, cycles } = this.arrays
    const lines = Object.entries(states).flatMap(([key, state]) =>
      cycles.map((number, i) => [...key.split('-'), number, ...WAYS.map((way) => state[way][i])]),
    )
    return csv([['task', 'precision', 'times', ...WAYS], ...lines])
  }
}

export default rendering(Wear)
