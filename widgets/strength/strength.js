import { Chart } from '../kit/chart.js'
import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Samples } from '../kit/samples.js'
import { csv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const EVERY_MS = 900 // while it plays: a sample can be read
const ROOM = 1.05 // above the highest value of a curve
const WIDE = 4 // nats: an axis this long has whole numbers
const MOST = 200 // percent that a guess may be

/** An adapter turned up and down: loss on the task and on the base's own voices, and what it writes. */
class Strength extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits('task', 'r')
    model.on('change:guess', () => this.reveal())
    this.load()
  }

  /** The place on the dial. */
  get at() {
    return this.dial.value
  }

  build() {
    const { text, frame } = this
    this.controls = this.choosers('task', 'r')
    this.dial = this.slider('strength', text.dialLabel, {
      everyMs: EVERY_MS,
      told: (at) => fill(text.dial, this.values(at)),
    })
    this.guess = new Guess(text.guess, this.choosing('guess'))
    this.charts = Object.fromEntries(
      Object.entries(text.charts).map(([name, words]) => [name, this.chart(words)]),
    )
    this.note = h('p', { class: 'note' })
    this.samples = new Samples(text.samples)
    this.task = h('div', {}, this.charts.task.element)
    frame.root.append(
      ...frame.part('task', abreast(this.controls)),
      this.note,
      ...frame.part('guess', this.guess.element),
      this.dial.element,
      h('div', { class: 'charts' }, this.task, this.charts.facts.element),
      frame.sentence,
      ...frame.part('samples', this.samples.element),
    )
  }

  chart(words) {
    return new Chart(words, {
      format: format('.1f'),
      choose: (at) => this.dial.go(at),
      probe: (at) => (this.arrays ? fill(words.probe, this.values(at)) : ''),
    })
  }

  /** All numbers that a sentence about a place on the dial may use; __init__.py makes the same. */
  values(at) {
    const { strengths, label, task, facts, before, full, trained, least } = this.arrays
    const share = (part, whole) => (whole >= least && part >= 0 ? part / whole : null)
    return {
      strength: strengths[at],
      last: strengths.at(-1),
      label,
      loss: task[at],
      facts: facts[at],
      loss_before: before.task,
      facts_before: before.facts,
      full_loss: full.task,
      full_facts: full.facts,
      kept: share(before.task - task[at], before.task - task[trained]),
      lost: share(before.facts - facts[at], before.facts - facts[trained]),
    }
  }

  sentence() {
    const values = this.values(this.at)
    const { shares, losses } = this.text.sentences
    return fill(values.kept === null || values.lost === null ? losses : shares, values)
  }

  load() {
    const before = this.arrays
    const arrays = (this.arrays = read(this.model, 'arrays'))
    for (const [name, { input }] of Object.entries(this.controls)) input.value = this.model.get(name)
    this.note.textContent = arrays.note
    const high = arrays.strengths.length - 1
    this.dial.set({ low: 0, high, value: this.model.get('strength'), start: arrays.trained })
    if (before && before.label !== arrays.label) this.goOn()
    this.reveal()
    this.tick(this.at)
  }

  /** Both curves; that of the task is veiled until the guess. */
  reveal() {
    const { arrays, text, charts } = this
    const { truth, half, label, task, facts, full, before, trained, strengths } = arrays
    const asked = this.frame.shown('guess') && truth !== null
    const guess = asked ? this.guessed : 'skip'
    this.guess.element.hidden = !asked
    this.guess.show(guess, { label, truth, high: MOST, before: before.task, after: task[trained] })
    this.task.classList.toggle('waiting', guess === 'ask')
    const draw = (chart, { values, end, kind, along, y, left, marks = [] }) =>
      chart.draw({
        k: strengths.length - 1,
        y,
        lines: [{ values, label: text.curves.adapter, kind, along }],
        rules: [{ at: { y: end }, label: text.curves.full, kind: 'control-1', left }],
        marks,
        tick: (at) => (at % 2 ? '' : fill(text.tick, { strength: strengths[at] })),
      })
    const [lowest, highest] = [Math.min(full.task, ...task), Math.max(full.task, ...task)]
    const room = (highest - lowest) / 8
    charts.task.format = format(highest - lowest > WIDE ? '.0f' : '.2f')
    const mark = () => ({
      x: half,
      y: task[half],
      label: fill(text.guess.truthMark, { truth }),
      kind: 'truth',
    })
    draw(charts.task, {
      values: task,
      end: full.task,
      kind: 'kept',
      along: 0.8,
      y: [Math.max(0, lowest - room), highest],
      marks: asked ? [mark()] : [],
    })
    charts.facts.format = format('.0%')
    draw(charts.facts, {
      values: facts,
      end: full.facts,
      kind: 'lost',
      along: 0.4,
      y: [0, ROOM],
      left: true,
    })
  }

  /** Follow the dial: the line in the curves, the samples, the sentence. */
  tick(at) {
    this.dial.show(at)
    for (const chart of Object.values(this.charts)) chart.move(at)
    const { base_samples: base, samples } = this.arrays
    this.samples.show({ base, adapted: samples[at] }, this.values(at))
    this.frame.update()
  }

  snippet() {
    return fill(this.arrays.snippet, { strength: this.arrays.strengths[this.at] })
  }

  table() {
    return this.tableOf(this.arrays.strengths.map((_, at) => this.values(at)))
  }

  get stem() {
    return this.arrays.key
  }

  saves() {
    return {
      curves: () => ['strengths.csv', this.curvesAsCsv()],
      picture: () => ['strengths.svg', this.asPicture()],
    }
  }

  curvesAsCsv() {
    const { strengths, task, facts } = this.arrays
    const line = (strength, at) => [strength, task[at], facts[at]]
    return csv([['strength', 'loss', 'old_facts'], ...strengths.map(line)])
  }
}

export default rendering(Strength)
