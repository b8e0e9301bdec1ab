import { Chart } from '../kit/chart.js'
import { divergingScale, onColours } from '../kit/colour.js'
import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Merge } from './merge.js'
import { Stages } from './stages.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill, format, written } from '../kit/text.js'

const LOW = 9.2 // in rem: the chart stands below the pictures, in view with them
const EVERY_MS = 3000 // while it plays: time to look at four pictures
const CHOICES = ['task', 'precision', 'strength']

/** An adapter merged, deployed, taken out, stacked and peeled off, step by step, and what precision does to it. */
class Merging extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits('task')
    for (const name of ['precision', 'strength']) model.on(`change:${name}`, () => this.compute())
    model.on('change:guess', () => this.reveal())
    this.stop = onColours(() => this.colour())
    this.load()
  }

  get step() {
    return this.stepper.value
  }

  /** The numbers of the chosen state. */
  get values() {
    return this.merge.values(this.model.get('precision'), this.model.get('strength'))
  }

  build(choices) {
    const { text, frame } = this
    this.controls = this.choosers(...CHOICES)
    this.strengths = choices.strength.options.map(([value]) => value).reverse() // an axis grows to the right
    this.stepper = this.slider('step', choices.step.label, {
      everyMs: EVERY_MS,
      told: (step) => text.steps[step - 1],
    })
    const [low, high] = choices.step.bounds
    this.stepper.set({ low, high, value: this.model.get('step'), start: low })
    this.stage = h('h3', { class: 'stage' })
    this.stages = new Stages(text)
    this.guess = new Guess(text.guess, this.choosing('guess'))
    this.charts = this.makeCharts()
    this.unchanged = h('div', {}, this.charts.unchanged.element)
    this.note = h('p', { class: 'note' })
    this.readouts = new Readouts(text)
    frame.root.append(
      ...frame.part('choices', abreast(this.controls)),
      this.stepper.element,
      this.stage,
      ...frame.part('maps', this.stages.element),
      h(
        'div',
        { class: 'below' },
        ...frame.part('charts', this.unchanged),
        h(
          'div',
          { class: 'told' },
          ...frame.part('maps', this.stages.aside),
          ...frame.part('guess', this.guess.element),
        ),
      ),
      frame.sentence,
      this.readouts.element,
      this.note,
    )
  }

  makeCharts() {
    const { charts } = this.text
    const unchanged = (i) => {
      const share = (precision) => this.merge.values(precision, this.strengths[i]).unchanged
      const shares = Object.fromEntries(Object.keys(this.merge.precisions).map((p) => [p, share(p)]))
      return fill(charts.unchanged.probe, { at: this.strengths[i], ...shares })
    }
    const turn = (i) => this.frame.shown('choices') && this.choose('strength', this.strengths[i])
    return {
      unchanged: new Chart(charts.unchanged, {
        height: LOW,
        format: format('.0%'),
        choose: turn,
        probe: (i) => (this.merge ? unchanged(i) : ''),
      }),
    }
  }

  load() {
    const before = this.merge
    this.merge = new Merge(read(this.model, 'arrays'))
    this.note.textContent = this.merge.note
    if (before && before.key !== this.merge.key) this.goOn()
    this.compute()
  }

  /** A state was chosen: do its arithmetic once, so that a step only paints. */
  compute() {
    const [precision, strength] = ['precision', 'strength'].map((name) => this.model.get(name))
    for (const name of CHOICES) this.controls[name].input.value = this.model.get(name)
    this.shown = this.merge.at(precision, strength)
    this.readouts.show(this.values)
    this.reveal()
    this.colour()
  }

  colour() {
    this.scale = divergingScale(this.frame.root)
    this.tick(this.step)
  }

  /** Follow the slider: the pictures and the sentence of this step. */
  tick(step) {
    const { stages, text, values } = this
    this.stepper.show(step)
    this.stage.textContent = fill(text.stages[step - 1], values)
    stages.show(step - 1, this.shown[step - 1], values, this.scale)
    this.frame.update()
  }

  /** The chosen precision stands out, the others are there to compare. */
  others() {
    return Object.keys(this.merge.precisions).filter((name) => name !== this.model.get('precision'))
  }

  /** The share of entries that merging leaves alone, against the strength; unseen until the reader has guessed. */
  reveal() {
    const { merge, strengths, charts, text } = this
    const guess = this.guessed
    const { asked } = merge
    const { label } = merge.common
    const truth = Math.round(100 * merge.values(asked.precision, asked.strength).unchanged)
    this.guess.show(guess, { label, truth, high: 100 })
    this.unchanged.classList.toggle('waiting', guess === 'ask')
    const shares = (precision) => strengths.map((strength) => merge.values(precision, strength).unchanged)
    const chosen = this.model.get('precision')
    const line = (precision, kind, along) => ({ values: shares(precision), label: precision, kind, along })
    const mark = { x: strengths.indexOf(asked.strength), y: truth / 100, kind: 'truth' }
    charts.unchanged.draw({
      k: strengths.length - 1,
      y: [0, 1],
      lines: [
        ...this.others().map((precision, i) => line(precision, `control-${i}`, 0.25)),
        line(chosen, 'lost', 0.25),
      ],
      marks: [{ ...mark, label: fill(text.guess.truthMark, { truth }) }],
      tick: (i) => written(strengths[i]),
    })
    charts.unchanged.move(strengths.indexOf(this.model.get('strength')))
  }

  sentence() {
    return fill(this.text.sentences[this.step - 1], this.values)
  }

  snippet() {
    return fill(this.merge.snippet, this.values)
  }

  table() {
    return this.tableOf(Object.values(this.merge.states))
  }

  get stem() {
    return CHOICES.map((name) => this.model.get(name)).join('-')
  }

  saves() {
    return {
      numbers: () => ['numbers.csv', this.numbersAsCsv()],
      merged: () => ['merged.csv', this.mergedAsCsv()],
    }
  }

  asPicture() {
    return super.asPicture(this.charts, this.stages.pictures())
  }

  numbersAsCsv() {
    const states = Object.values(this.merge.states)
    return csv([Object.keys(states[0]), ...states.map((values) => Object.values(values))])
  }

  mergedAsCsv() {
    const [rows, columns] = this.merge.shape
    const { result } = this.shown[1]
    return csv(Array.from({ length: rows }, (_, y) => [...result.subarray(y * columns, (y + 1) * columns)]))
  }
}

export default rendering(Merging)
