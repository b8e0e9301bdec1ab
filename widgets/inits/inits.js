import { abreast, select } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { Ends } from './ends.js'
import { StartCharts } from './start_charts.js'
import { Starts } from './starts.js'
import { fill, written } from '../kit/text.js'

const EVERY_MS = 250 // while it plays: fifty steps in some twelve seconds

/** The first steps of a run from a start that the reader chooses: what each factor is told, and where the run goes. */
class Inits extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits('problem', 'optimizer')
    for (const name of ['init', 'rate']) model.on(`change:${name}`, () => this.draw())
    model.on('change:guess', () => this.reveal())
    this.load()
  }

  get step() {
    return this.stepper.value
  }

  build({ step }) {
    const { text, frame } = this
    this.controls = {
      ...this.choosers('problem', 'optimizer', 'init'),
      rate: select(text.rateLabel, [], (value) => this.choose('rate', Number(value))),
    }
    this.stepper = this.slider('step', step.label, { everyMs: EVERY_MS })
    this.guess = new Guess(text.guess, this.choosing('guess'))
    this.charts = new StartCharts(text, {
      go: (value) => this.stepper.go(value),
      rate: (i) => frame.shown('choices') && this.choose('rate', i),
    })
    this.note = h('p', { class: 'note' })
    this.about = h('p', { class: 'note' })
    this.readouts = new Readouts(text)
    for (const { value } of this.readouts.rows) value.removeAttribute('class') // its `times` is no cost
    this.ends = new Ends(text.ends)
    const { steps, sweep } = this.charts
    frame.root.append(
      ...frame.part('choices', abreast(this.controls)),
      this.note,
      ...frame.part('guess', this.guess.element),
      this.stepper.element,
      h('div', { class: 'charts' }, ...steps, ...frame.part('sweep', sweep)),
      ...frame.part('ends', this.ends.element),
      frame.sentence,
      ...frame.part('readouts', this.readouts.element),
      this.about,
    )
  }

  load() {
    this.starts = new Starts(read(this.model, 'arrays'))
    const { rates, about } = this.starts
    this.controls.rate.input.replaceChildren(
      ...rates.map((rate, i) => h('option', { value: i }, written(rate))),
    )
    this.about.textContent = about
    this.draw()
  }

  /** Show the chosen run. */
  draw() {
    const { starts, model, controls } = this
    const before = this.shown
    for (const [name, { input }] of Object.entries(controls)) input.value = model.get(name)
    starts.choose(model.get('init'), model.get('rate'))
    this.shown = starts.init
    this.note.textContent = starts.inits[starts.init].note
    this.stepper.set({ low: 0, high: starts.steps, value: model.get('step'), start: 0 })
    this.charts.draw(starts)
    this.ends.draw(starts)
    this.says()
    if (before && before !== starts.init) this.goOn()
    this.reveal()
  }

  /** Veil what the guess is about. */
  reveal() {
    const { name, truth } = this.starts.inits[this.starts.init]
    this.guess.show(this.guessed, { truth, init: name })
    this.charts.gradients.classList.toggle('waiting', this.guessed === 'ask')
    this.tick(this.step)
  }

  /** The read-outs of the chosen run; those of the ends only of a start that has some. */
  says() {
    const { text, starts } = this
    const values = starts.values(0)
    const learns = starts.ends && starts.init !== starts.usual
    const missing = { final: text.noFinal, best: null, gap: learns ? text.noGap : null }
    this.readouts.show(values, (template, name) =>
      name in missing && values[{ best: 'mean' }[name] ?? name] === null ? missing[name] : template,
    )
  }

  /** Follow the slider: the line in the curves and the sentence. */
  tick(step) {
    this.stepper.show(step)
    this.charts.move(step)
    this.frame.update()
  }

  sentence() {
    const { text, starts, step } = this
    const values = starts.values(step)
    const flow = fill(text.flows[this.guessed === 'ask' ? 'veiled' : starts.flow(values.step)], values)
    const said = fill(text.sentence, { ...values, flow })
    return !starts.whole && step >= starts.last ? `${said} ${fill(text.givenUp, values)}` : said
  }

  snippet() {
    return fill(this.starts.inits[this.starts.init].snippet, this.starts.values(0))
  }

  table() {
    return this.tableOf(this.starts.run.loss.map((_, step) => this.starts.values(step)))
  }

  get stem() {
    return this.starts.key
  }

  saves() {
    return {
      steps: () => [`${this.starts.init}-steps.csv`, this.stepsAsCsv()],
      sweep: () => ['rates.csv', this.sweepAsCsv()],
      ends: () => ['seeds.csv', this.endsAsCsv()],
    }
  }

  asPicture() {
    return super.asPicture(this.charts.charts)
  }

  stepsAsCsv() {
    const { loss, lora_A, lora_B, distance } = this.starts.run
    const line = (value, i) => [i, value, lora_A[i], lora_B[i], distance[i]]
    return csv([['step', 'loss', 'gradient_lora_A', 'gradient_lora_B', 'distance'], ...loss.map(line)])
  }

  sweepAsCsv() {
    const { inits, rates } = this.starts
    const lines = Object.entries(inits).flatMap(([init, { runs }]) =>
      runs.map(({ final }, i) => [init, rates[i], final ?? '']),
    )
    return csv([['init', 'learning_rate', 'final_loss'], ...lines])
  }

  endsAsCsv() {
    const lines = Object.entries(this.starts.inits).flatMap(([init, { ends }]) =>
      (ends?.loss ?? []).map((loss, seed) => [init, ends.rate, seed, loss ?? '', ends.right[seed] ?? '']),
    )
    return csv([['init', 'learning_rate', 'seed', 'test_loss', 'right'], ...lines])
  }
}

export default rendering(Inits)
