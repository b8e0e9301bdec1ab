import { Stepper, select } from './lib/controls.js'
import { h } from './lib/dom.js'
import { Frame, read } from './lib/frame.js'
import { Guess } from './lib/guess.js'
import { csv, picture } from './lib/share.js'
import { StartCharts } from './lib/start_charts.js'
import { Starts } from './lib/starts.js'
import { fill } from './lib/text.js'

const EVERY_MS = 250 // while it plays: fifty steps in some twelve seconds

/** The first steps of a run from a start that the reader chooses: what each factor is told, and where the run goes. */
class Inits {
  constructor(model, el) {
    this.model = model
    this.frame = new Frame(model, el, {
      sentence: () => this.sentence(),
      table: () => this.table(),
      snippet: () => fill(this.starts.snippet, this.starts.values(0)),
      files: this.files(read(model, 'spec').text),
    })
    this.text = this.frame.spec.text
    this.build(this.frame.spec.choices)
    for (const name of ['problem', 'optimizer']) model.on(`change:${name}`, () => this.wait(name))
    model.on('change:arrays', () => this.load())
    for (const name of ['init', 'rate']) model.on(`change:${name}`, () => this.draw())
    model.on('change:guess', () => this.reveal())
    model.on('change:step', () => model.get('step') !== this.step && this.tick(model.get('step')))
    this.load()
  }

  get step() {
    return this.stepper.value
  }

  get guessed() {
    return this.frame.shown('guess') ? this.model.get('guess') : 'skip'
  }

  choose(name, value) {
    this.model.set(name, value)
    this.model.save_changes()
  }

  build({ problem, optimizer, init, step }) {
    const { text, frame } = this
    const choose = (name) => (value) => this.choose(name, value)
    this.controls = {
      problem: select(problem.label, problem.options, choose('problem')),
      optimizer: select(optimizer.label, optimizer.options, choose('optimizer')),
      init: select(init.label, init.options, choose('init')),
      rate: select(text.rateLabel, [], (value) => this.choose('rate', Number(value))),
    }
    this.stepper = new Stepper(
      { ...text, label: step.label },
      {
        onTick: (value) => this.tick(value),
        onSettled: choose('step'),
        buttons: frame.shown('steps'),
        everyMs: EVERY_MS,
      },
    )
    this.guess = new Guess(text.guess, choose('guess'))
    this.charts = new StartCharts(text, {
      go: (value) => this.stepper.go(value),
      rate: (i) => frame.shown('choices') && this.choose('rate', i),
    })
    this.note = h('p', { class: 'note' })
    this.about = h('p', { class: 'note' })
    this.readouts = Object.keys(text.readouts).map((name) => [name, h('dt', {}), h('dd', {})])
    const readout = ([, term, value]) => h('div', {}, term, value)
    const { steps, sweep } = this.charts
    frame.root.append(
      ...frame.part(
        'choices',
        h('div', { class: 'controls' }, ...Object.values(this.controls).map(({ element }) => element)),
      ),
      this.note,
      ...frame.part('guess', this.guess.element),
      this.stepper.element,
      h('div', { class: 'charts' }, ...steps, ...frame.part('sweep', sweep)),
      frame.sentence,
      ...frame.part('readouts', h('dl', { class: 'readouts' }, ...this.readouts.map(readout))),
      this.about,
      frame.announced,
      frame.drawers,
    )
  }

  /** Other runs were chosen: show them as coming until their arrays are here. */
  wait(name) {
    this.controls[name].input.value = this.model.get(name)
    this.frame.root.setAttribute('aria-busy', 'true')
  }

  load() {
    this.starts = new Starts(read(this.model, 'arrays'))
    const { rates, about } = this.starts
    this.controls.rate.input.replaceChildren(...rates.map((rate, i) => h('option', { value: i }, rate)))
    this.about.textContent = about
    this.frame.root.removeAttribute('aria-busy')
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
    this.says()
    if (before && before !== starts.init && model.get('guess') !== 'ask') this.choose('guess', 'skip')
    this.reveal()
  }

  /** Veil what the guess is about. */
  reveal() {
    const { name, truth } = this.starts.inits[this.starts.init]
    this.guess.show(this.guessed, { truth, init: name })
    this.charts.gradients.classList.toggle('waiting', this.guessed === 'ask')
    this.tick(this.step)
  }

  /** The read-outs of the chosen run. */
  says() {
    const { text, starts } = this
    const values = starts.values(0)
    for (const [name, term, value] of this.readouts) {
      term.textContent = fill(text.readouts[name], values)
      value.textContent = values[name] === null ? text.noFinal : fill(text.readoutValues[name], values)
    }
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

  table() {
    const line = (_, step) => this.text.tableRow.map((cell) => fill(cell, this.starts.values(step)))
    return { head: this.text.tableHead, rows: this.starts.run.loss.map(line) }
  }

  files({ downloads }) {
    const name = (what) => () => `${this.starts.key}-${what}`
    return [
      {
        label: downloads.steps,
        name: () => `${this.starts.key}-${this.starts.init}-steps.csv`,
        type: 'text/csv',
        text: () => this.stepsAsCsv(),
      },
      {
        label: downloads.sweep,
        name: name('rates.csv'),
        type: 'text/csv',
        text: () => this.sweepAsCsv(),
      },
      {
        label: downloads.picture,
        name: name('picture.svg'),
        type: 'image/svg+xml',
        text: () => picture(this.frame.root, this.sentence(), [], this.charts.pictures()),
      },
    ]
  }

  stepsAsCsv() {
    const { loss, lora_A, lora_B, distance } = this.starts.run
    const line = (value, i) => [i, value, lora_A[i], lora_B[i], distance[i]]
    return csv([['step', 'loss', 'gradient_lora_A', 'gradient_lora_B', 'distance'], ...loss.map(line)])
  }

  sweepAsCsv() {
    const { inits, rates } = this.starts
    const lines = Object.entries(inits).flatMap(([init, { runs }]) =>
      runs.flatMap(({ finals }, i) => finals.map((final, seed) => [init, rates[i], seed, final ?? ''])),
    )
    return csv([['init', 'learning_rate', 'seed', 'final_loss'], ...lines])
  }
}

function render({ model, el }) {
  new Inits(model, el)
}

export default { render }
