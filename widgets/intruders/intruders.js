import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { Effects } from '../kit/effects.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { LevelChart } from '../kit/level.js'
import { Readouts } from '../kit/readouts.js'
import { Resemblance } from './resemblance.js'
import { csv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const SHOWN = ['run', 'layer', 'top']
const BEHIND = 7.5 // rem for what stands behind a bar
const EVERY_MS = 250
const FILLED = 0.75 // of all vectors that are looked at, more than any run has at a sensible threshold

/** Intruder dimensions of every run, counted at the reader's threshold. */
class Intruders extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits('task')
    for (const name of SHOWN) model.on(`change:${name}`, () => this.draw())
    model.on('change:guess', () => this.reveal())
    this.load()
  }

  get threshold() {
    return this.stepper.value / 100
  }

  build({ epsilon }) {
    const { text, frame } = this
    this.controls = this.choosers('task', ...SHOWN)
    const [low, high] = epsilon.bounds
    this.stepper = this.slider('epsilon', text.epsilonLabel, {
      everyMs: EVERY_MS,
      told: (value) => fill(text.epsilon, { epsilon: value / 100 }),
    })
    this.stepper.set({ low, high, value: this.model.get('epsilon'), start: epsilon.default })
    this.guess = new Guess(text.guess, this.choosing('guess'))
    this.readouts = new Readouts(text)
    this.counts = new Effects(text.charts.count, 'd', BEHIND)
    this.cosines = new LevelChart(text.charts.cosine, {
      format: format('.1f'),
      choose: () => {},
      probe: (i) => (this.data ? fill(text.charts.cosine.probe, this.at(i)) : ''),
    })
    const key = Object.entries(text.key).map(([kind, words]) => h('span', { class: kind }, words))
    this.drawn = h(
      'div',
      { class: 'measured' },
      h('p', { class: 'effects-key' }, ...key),
      h('div', { class: 'charts' }, this.counts.element, ...frame.part('cosines', this.cosines.element)),
      this.readouts.element,
    )
    frame.root.append(
      ...frame.part('choices', abreast(this.controls)),
      ...frame.part('guess', this.guess.element),
      this.stepper.element,
      this.drawn,
      frame.sentence,
    )
  }

  get run() {
    return this.data.runs[this.model.get('run')]
  }

  /** What the probe says of the i-th singular vector, counted from 1. */
  at(i) {
    const layer = this.model.get('layer')
    const place = Math.max(1, i) - 1
    return {
      i: place + 1,
      cosine: this.run.cosines[0][layer][place],
      random_cosine: this.run.random[layer][place],
    }
  }

  rows() {
    const { behind } = this.text.charts.count
    const rows = this.data.rows(this.model.get('top'), this.threshold)
    return rows.map((row) => ({ ...row, behind: fill(behind, row) }))
  }

  values() {
    const { data, model, threshold } = this
    return data.values(model.get('run'), model.get('layer'), model.get('top'), threshold)
  }

  load() {
    const before = this.data
    this.data = new Resemblance(read(this.model, 'arrays'))
    this.controls.task.input.value = this.model.get('task')
    if (before && before.key !== this.data.key) this.goOn()
    this.draw()
  }

  /** Draw what no tick changes. */
  draw() {
    const { model, controls, text, run, counts, cosines } = this
    for (const name of SHOWN) controls[name].input.value = model.get(name)
    const values = this.values()
    const [layer, words] = [model.get('layer'), text.charts]
    counts.title.text(fill(words.count.title, values))
    counts.draw(this.rows(), { chosen: run.label, top: FILLED * values.of })
    cosines.figure.select('figcaption').text(fill(words.cosine.title, values))
    const mine = run.cosines[0][layer]
    const at = mine.map((_, i) => i + 1)
    cosines.draw({
      k: at.length,
      y: [0, 1],
      lines: [
        { values: run.random[layer], at, label: words.cosine.random, kind: 'control-1', along: 0.8 },
        { values: mine, at, label: fill(words.cosine.line, values), kind: 'kept', along: 0.3 },
      ],
    })
    cosines.move(0)
    this.reveal()
  }

  /** Veil what the guess is about. */
  reveal() {
    this.guess.show(this.guessed, this.data.guessed())
    this.drawn.classList.toggle('waiting', this.guessed === 'ask')
    this.tick(this.stepper.value)
  }

  /** Follow the threshold. */
  tick(epsilon) {
    this.stepper.show(epsilon)
    const values = this.values()
    this.counts.set(this.rows())
    const mine = this.run.cosines[0][this.model.get('layer')].slice(0, values.top)
    const marks = mine.map((y, i) => ({ x: i + 1, y, label: '', kind: 'truth' }))
    this.cosines.set({
      y: values.epsilon,
      label: fill(this.text.epsilon, values),
      marks: marks.filter(({ y }) => y < values.epsilon),
    })
    this.readouts.show(values)
    this.frame.update()
  }

  sentence() {
    const { sentences } = this.text
    return fill(this.guessed === 'ask' ? sentences.veiled : sentences.told, this.values())
  }

  snippet() {
    return fill(this.data.snippet, this.values())
  }

  table() {
    return this.tableOf(this.rows())
  }

  get stem() {
    return `${this.data.key}-intruders`
  }

  saves() {
    return { counts: () => ['counts.csv', this.countsAsCsv()] }
  }

  asPicture() {
    return super.asPicture([this.counts, this.cosines])
  }

  countsAsCsv() {
    const head = ['run', 'intruders', 'random_changes', 'loss_on_task', 'old_facts_right']
    const line = (row) => [row.name, row.value, row.low, row.loss, row.facts]
    return csv([head, ...this.rows().map(line)])
  }
}

export default rendering(Intruders)
