import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Cloud } from './cloud.js'
import { asCsv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const EVERY_MS = 800
const CHOSEN = ['rank', 'layers']

/** How far finetuning turned the rows of each layer, and how far it changed their length: LoRA beside full finetuning. */
class Magnitude extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits('task')
    for (const name of CHOSEN) model.on(`change:${name}`, () => this.turn())
    model.on('change:guess', () => this.reveal())
    this.load()
  }

  get checkpoint() {
    return this.stepper.value
  }

  build({ checkpoint }) {
    const { text, frame } = this
    this.controls = this.choosers('task', ...CHOSEN)
    this.stepper = this.slider('checkpoint', text.checkpointLabel, {
      everyMs: EVERY_MS,
      told: (at) => String(this.arrays.updates[at]),
    })
    const [low, high] = checkpoint.bounds
    this.range = { low, high, start: low }
    this.guess = new Guess(text.guess, this.choosing('guess'))
    const cloud = () => new Cloud(text.axes, format('.2~g'))
    this.charts = { run: cloud(), control: cloud() }
    const { run, control } = this.charts
    this.drawn = h('div', { class: 'charts' }, run.element, control.element)
    this.about = h('p', { class: 'note' })
    frame.root.append(
      ...frame.part('choices', abreast(this.controls)),
      ...frame.part('guess', this.guess.element),
      this.stepper.element,
      this.drawn,
      frame.sentence,
      this.about,
    )
  }

  load() {
    const before = this.arrays
    this.arrays = read(this.model, 'arrays')
    this.about.textContent = fill(this.text.recorded, this.arrays)
    if (before && before.key !== this.arrays.key) this.goOn()
    this.draw()
  }

  /** Another run, control or kind of layer: all of it is here. */
  turn() {
    this.goOn()
    this.draw()
  }

  /** The names of the two runs in the arrays. */
  get runs() {
    return { run: `r = ${this.model.get('rank')}`, control: this.arrays.full }
  }

  /** The layers that are shown, by their place. */
  get places() {
    const kind = this.model.get('layers')
    const all = this.arrays.layers.map((layer, i) => [layer, i])
    return all.filter(([layer]) => kind === 'all' || layer.endsWith(kind)).map(([, i]) => i)
  }

  said(run) {
    return this.arrays.said[run][this.model.get('layers')]
  }

  /** All numbers that the sentence may use; __init__.py makes the same. */
  values(checkpoint) {
    const { arrays, model, runs } = this
    const [run, control] = [this.said(runs.run), this.said(runs.control)]
    return {
      task: arrays.task,
      layers: arrays.kinds[model.get('layers')],
      r: Number(model.get('rank')),
      updates: arrays.updates[checkpoint],
      correlation: run.correlation,
      low: run.low,
      high: run.high,
      control: control.correlation,
      control_low: control.low,
      control_high: control.high,
      correlation_now: run.now[checkpoint],
      control_now: control.now[checkpoint],
      direction: run.direction[checkpoint],
      magnitude: run.magnitude[checkpoint],
      control_direction: control.direction[checkpoint],
      control_magnitude: control.magnitude[checkpoint],
    }
  }

  /** What no tick changes: the points and their lines. */
  draw() {
    const { model, controls, text, arrays } = this
    for (const [name, { input }] of Object.entries(controls)) input.value = model.get(name)
    this.stepper.set({ ...this.range, value: model.get('checkpoint') })
    const values = this.values(this.checkpoint)
    const kinds = { run: 'kept', control: 'control-1' }
    for (const [name, run] of Object.entries(this.runs)) {
      const groups = arrays.points[run].map((layers, at) =>
        this.places.map((i) => {
          const [magnitude, direction] = layers[i]
          const told = { layer: arrays.layers[i], updates: arrays.updates[at], magnitude, direction }
          return [direction, magnitude, fill(text.point, told)]
        }),
      )
      const title = fill(text.titles[name], values)
      this.charts[name].draw({ title, kind: kinds[name], groups, line: this.said(run) })
    }
    this.reveal()
  }

  /** Show or veil what the guess is about. */
  reveal() {
    const { clear } = this.arrays
    const values = this.values(this.checkpoint)
    const truth = values.control > clear ? 'more' : values.control < -clear ? 'less' : 'none'
    this.guess.show(this.guessed, { ...values, truth })
    this.drawn.classList.toggle('waiting', this.guessed === 'ask')
    this.tick(this.checkpoint)
  }

  /** Follow the slider: the points of another checkpoint stand out. */
  tick(checkpoint) {
    this.stepper.show(checkpoint)
    for (const chart of Object.values(this.charts)) chart.stand(checkpoint)
    this.frame.update()
  }

  sentence() {
    return fill(this.text[this.guessed === 'ask' ? 'veiled' : 'sentence'], this.values(this.checkpoint))
  }

  snippet() {
    const { key, snippet } = this.arrays
    const kind = this.model.get('layers')
    const chosen = kind === 'all' ? 'True' : `name.endswith('${kind}')`
    const quoted = (name) => `'${name}'`
    const task = quoted(key.replaceAll('-', ' '))
    return fill(snippet, { task, lora: quoted(this.runs.run), chosen })
  }

  table() {
    const { arrays, text, model } = this
    const names = { run: `LoRA, r = ${model.get('rank')}`, control: text.full }
    const rows = Object.entries(this.runs).flatMap(([name, run]) =>
      arrays.points[run].flatMap((layers, at) =>
        this.places.map((i) => {
          const [magnitude, direction] = layers[i].map((value) => format('.5f')(value))
          return [names[name], String(arrays.updates[at]), arrays.layers[i], direction, magnitude]
        }),
      ),
    )
    return { head: text.tableHead, rows }
  }

  get stem() {
    return this.arrays.key
  }

  saves() {
    return { points: () => ['points.csv', asCsv(this.table())] }
  }
}

export default rendering(Magnitude)
