import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { RateCharts } from './rates.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill } from '../kit/text.js'

const EVERY_MS = 900 // while it plays: a curve to look at for each learning rate

/** The runs of one optimiser as Python ships them (__init__.py), and the one that is chosen. */
class Runs {
  constructor(arrays) {
    Object.assign(this, arrays)
  }

  choose(rule, r, rate) {
    const other = Object.keys(this.rules).find((each) => each !== rule)
    Object.assign(this, { r, rate, own: this.rules[rule], other: this.rules[other] })
    this.run = this.own.runs[r]
  }

  /** Every number that the sentence may use; __init__.py makes the same. */
  values() {
    const { run, own, full, rates, rate } = this
    return {
      optimizer: this.optimizer,
      rule: own.label,
      r: Number(this.r),
      rate: rates[rate],
      steps: this.steps,
      final: run.finals[rate],
      best: run.finals[run.best],
      best_rate: rates[run.best],
      full: full.finals[full.best],
      full_rate: rates[full.best],
      scaling: run.scaling,
      span: run.span,
      full_span: this.fullSpan,
    }
  }

  get verdict() {
    const { run, rate } = this
    if (run.finals[rate] === null) return 'diverged'
    if (rate === run.best) return 'best'
    const [low, high] = run.range
    return rate < low ? 'low' : rate > high ? 'high' : 'near'
  }
}

/** Too low and too high a learning rate, at each rank, under both scaling rules. */
class Scale extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits('optimizer')
    for (const name of ['rule', 'rank']) model.on(`change:${name}`, () => this.draw())
    model.on('change:guess', () => this.reveal())
    this.load()
  }

  build({ rate }) {
    const { text, frame } = this
    this.controls = this.choosers('optimizer', 'rule', 'rank')
    this.stepper = this.slider('rate', text.rateLabel, {
      everyMs: EVERY_MS,
      told: (i) => this.runs?.rates[i] ?? '',
    })
    const [low, high] = rate.bounds
    this.range = { low, high, start: rate.default }
    this.guess = new Guess(text.guess, this.choosing('guess'))
    const free = frame.shown('choices')
    this.plots = new RateCharts(text, {
      rank: (r) => free && this.choose('rank', String(r)),
      rate: (i) => this.stepper.go(i),
    })
    this.charts = this.plots.charts
    this.about = h('p', { class: 'note' })
    this.readouts = new Readouts(text)
    frame.root.append(
      ...frame.part('choices', abreast(this.controls)),
      ...frame.part('guess', this.guess.element),
      this.stepper.element,
      h('div', { class: 'charts' }, ...frame.part('gain', this.plots.gain), ...this.plots.losses),
      frame.sentence,
      ...frame.part('readouts', this.readouts.element),
      this.about,
    )
  }

  load() {
    this.runs = new Runs(read(this.model, 'arrays'))
    this.about.textContent = this.runs.about
    this.stepper.set({ ...this.range, value: this.model.get('rate') })
    this.draw()
  }

  /** Draw what no tick changes. */
  draw() {
    const { runs, model, controls } = this
    const before = this.shown
    for (const [name, { input }] of Object.entries(controls)) input.value = model.get(name)
    runs.choose(model.get('rule'), model.get('rank'), this.stepper.value)
    this.shown = `${runs.key} ${model.get('rule')}`
    this.plots.draw(runs)
    this.readouts.show(runs.values())
    if (before && before !== this.shown) this.goOn()
    this.reveal()
  }

  /** Veil what the guess is about. */
  reveal() {
    const { truth, fromRate: from_rate, toRate: to_rate } = this.runs.own
    this.guess.show(this.guessed, { ...this.runs.values(), truth, from_rate, to_rate })
    for (const part of [...this.plots.losses, this.readouts.element])
      part.classList.toggle('waiting', this.guessed === 'ask')
    this.tick(this.stepper.value)
  }

  /** Follow the learning rate: its place over the rates, its curve over the steps, the sentence. */
  tick(rate) {
    this.stepper.show(rate)
    this.runs.rate = rate
    this.plots.move(rate)
    this.frame.update()
  }

  sentence() {
    const { verdict } = this.runs
    const veiled = this.guessed === 'ask' && verdict !== 'diverged'
    return fill(this.text.sentences[veiled ? 'veiled' : verdict], this.runs.values())
  }

  snippet() {
    const { snippet, task, name, own } = this.runs
    return fill(snippet, { ...this.runs.values(), task, optimizer: name, rule: own.code })
  }

  table() {
    return { head: this.text.tableHead, rows: this.runs.own.rows }
  }

  get stem() {
    return this.runs.key
  }

  saves() {
    return {
      sweep: () => ['losses.csv', this.lossesAsCsv()],
      gains: () => ['first-steps.csv', this.gainsAsCsv()],
    }
  }

  lossesAsCsv() {
    const { rules, ranks, rates, full } = this.runs
    const lines = (rule, r, { finals, again }) =>
      finals.map((final, i) => [rule, r, rates[i], final ?? '', again[i] ?? ''])
    return csv([
      ['scaling_rule', 'r', 'learning_rate', 'loss', 'loss_of_another_seed'],
      ...Object.values(rules).flatMap(({ code, runs }) => ranks.flatMap((r) => lines(code, r, runs[r]))),
      ...lines('', 'full', full),
    ])
  }

  gainsAsCsv() {
    const { rules, gainRanks } = this.runs
    return csv([
      ['scaling_rule', 'r', 'by_the_formula', 'measured'],
      ...Object.values(rules).flatMap(({ code, gains, measured }) =>
        gainRanks.map((r, i) => [code, r, gains[i], measured[i]]),
      ),
    ])
  }
}

export default rendering(Scale)
