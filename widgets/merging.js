import { format } from 'd3-format'
import { Chart, svgOf } from './lib/chart.js'
import { divergingScale, onColours } from './lib/colour.js'
import { Stepper, select } from './lib/controls.js'
import { h } from './lib/dom.js'
import { Frame, read } from './lib/frame.js'
import { Guess } from './lib/guess.js'
import { Merge } from './lib/merge.js'
import { Stages } from './lib/stages.js'
import { csv, picture } from './lib/share.js'
import { fill } from './lib/text.js'

const EVERY_MS = 3000 // while it plays: time to look at four pictures
const CHOICES = ['task', 'precision', 'strength']
const ROOM = 0.3 // below the lowest curve, in powers of ten
const SMALLEST = 1e-12 // drawn in place of nothing at all, which has no logarithm

const raised = (power) => String(power).replace(/./g, (c) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(c)])

/** An adapter merged, deployed, taken out, stacked and peeled off, step by step, and what precision does to it. */
class Merging {
  constructor(model, el) {
    this.model = model
    this.frame = new Frame(model, el, {
      sentence: () => fill(this.text.sentences[this.step - 1], this.values),
      table: () => this.table(),
      snippet: () => fill(this.merge.snippet, this.values),
      files: this.files(read(model, 'spec').text),
    })
    this.text = this.frame.spec.text
    this.build(this.frame.spec.choices)
    model.on('change:task', () => this.frame.root.setAttribute('aria-busy', 'true'))
    model.on('change:arrays', () => this.load())
    for (const name of ['precision', 'strength']) model.on(`change:${name}`, () => this.compute())
    model.on('change:guess', () => this.reveal())
    model.on('change:step', () => model.get('step') !== this.step && this.tick(model.get('step')))
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

  choose(name, value) {
    this.model.set(name, value)
    this.model.save_changes()
  }

  build(choices) {
    const { text, frame } = this
    const control = (name) => {
      const { label, options } = choices[name]
      return [name, select(label, options, (value) => this.choose(name, value))]
    }
    this.controls = Object.fromEntries(CHOICES.map(control))
    this.strengths = choices.strength.options.map(([value]) => value).reverse() // an axis grows to the right
    this.stepper = new Stepper(
      { ...text, label: choices.step.label },
      {
        onTick: (step) => this.tick(step),
        onSettled: (step) => this.choose('step', step),
        buttons: frame.shown('steps'),
        everyMs: EVERY_MS,
        told: (step) => text.steps[step - 1],
      },
    )
    const [low, high] = choices.step.bounds
    this.stepper.set({ low, high, value: this.model.get('step'), start: low })
    this.stage = h('h3', { class: 'stage' })
    this.stages = new Stages(text)
    this.guess = new Guess(text.guess, (guess) => this.choose('guess', guess))
    this.charts = this.makeCharts()
    this.charts.drift.element.classList.add('drift')
    this.unchanged = h('div', {}, this.charts.unchanged.element)
    this.note = h('p', { class: 'note' })
    const readout = (name) => [name, h('dt', {}, text.readouts[name]), h('dd', { class: `of-${name}` })]
    this.readouts = Object.keys(text.readouts).map(readout)
    const line = ([, term, value]) => h('div', {}, term, value)
    const inputs = Object.values(this.controls).map(({ element }) => element)
    frame.root.append(
      ...frame.part('choices', h('div', { class: 'controls' }, ...inputs)),
      this.stepper.element,
      this.stage,
      ...frame.part('maps', this.stages.element, this.stages.aside),
      frame.sentence,
      h('dl', { class: 'readouts' }, ...this.readouts.map(line)),
      this.note,
      ...frame.part('guess', this.guess.element),
      ...frame.part('charts', h('div', { class: 'charts' }, this.charts.drift.element, this.unchanged)),
      frame.announced,
      frame.drawers,
    )
  }

  makeCharts() {
    const { charts } = this.text
    const unchanged = (i) => {
      const share = (precision) => this.merge.values(precision, this.strengths[i]).unchanged
      const shares = Object.fromEntries(Object.keys(this.merge.precisions).map((p) => [p, share(p)]))
      return fill(charts.unchanged.probe, { at: this.strengths[i], ...shares })
    }
    const drift = (i) => {
      const { same, different, ...values } = this.values
      const millionths = { same_m: same[i] * 1e6, different_m: different[i] * 1e6 }
      return fill(charts.drift.probe, { ...values, cycles: this.merge.cycles[i], ...millionths })
    }
    const chart = (name, ticks, probe, choose) =>
      new Chart(charts[name], { format: ticks, choose, probe: (i) => (this.merge ? probe(i) : '') })
    const turn = (i) => this.frame.shown('choices') && this.choose('strength', this.strengths[i])
    return {
      unchanged: chart('unchanged', format('.0%'), unchanged, turn),
      drift: chart(
        'drift',
        (power) => `10${raised(power)}`,
        drift,
        () => {},
      ),
    }
  }

  load() {
    const before = this.merge
    this.merge = new Merge(read(this.model, 'arrays'))
    this.note.textContent = this.merge.note
    this.frame.root.removeAttribute('aria-busy')
    if (before && before.key !== this.merge.key && this.model.get('guess') !== 'ask')
      this.choose('guess', 'skip')
    this.compute()
  }

  /** A state was chosen: do its arithmetic once, so that a step only paints. */
  compute() {
    const [precision, strength] = ['precision', 'strength'].map((name) => this.model.get(name))
    for (const name of CHOICES) this.controls[name].input.value = this.model.get(name)
    this.shown = this.merge.at(precision, strength)
    for (const [name, , value] of this.readouts)
      value.textContent = fill(this.text.readoutValues[name], this.values)
    this.drift()
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
    const guess = this.frame.shown('guess') ? this.model.get('guess') : 'skip'
    const { asked } = merge
    const { label } = merge.common
    const truth = Math.round(100 * merge.values(asked.precision, asked.strength).unchanged)
    this.guess.show(guess, { label, truth, high: 100 })
    this.unchanged.classList.toggle('waiting', guess === 'ask')
    const shares = (precision) => strengths.map((strength) => merge.values(precision, strength).unchanged)
    const chosen = this.model.get('precision')
    const line = (precision, kind, along) => ({ values: shares(precision), label: precision, kind, along })
    const mark = { x: strengths.indexOf(asked.strength), y: truth / 100, kind: 'truth', lift: 1.6 } // above the curve's name
    charts.unchanged.draw({
      k: strengths.length - 1,
      y: [0, 1],
      lines: [
        ...this.others().map((precision, i) => line(precision, `control-${i}`, 0.25)),
        line(chosen, 'lost', 0.25),
      ],
      marks: [{ ...mark, label: fill(text.guess.truthMark, { truth }) }],
      tick: (i) => strengths[i],
    })
    charts.unchanged.move(strengths.indexOf(this.model.get('strength')))
  }

  /** How far W has gone after so many cycles, both axes logarithmic. */
  drift() {
    const { merge, model, text } = this
    const logs = (precision, name) =>
      merge
        .values(precision, model.get('strength'))
        [name].map((value) => Math.log10(Math.max(value, SMALLEST)))
    const chosen = model.get('precision')
    const { curves } = text.charts.drift
    const lines = [
      ...this.others().map((name, i) => ({
        values: logs(name, 'different'),
        label: name,
        kind: `control-${i}`,
        along: 0.35,
      })),
      { values: logs(chosen, 'same'), label: fill(curves.same, { chosen }), kind: 'kept', along: 0.95 },
      {
        values: logs(chosen, 'different'),
        label: fill(curves.different, { chosen }),
        kind: 'lost',
        along: 0.45,
      },
    ]
    const all = lines.flatMap(({ values }) => values)
    const y = [Math.floor(Math.min(...all) - ROOM), Math.ceil(Math.max(...all))]
    const last = merge.cycles.length - 1
    this.charts.drift.draw({ k: last, y, lines, tick: (i) => String(merge.cycles[i]) })
    this.charts.drift.move(last)
  }

  table() {
    const line = (values) => this.text.tableRow.map((cell) => fill(cell, values))
    return { head: this.text.tableHead, rows: Object.values(this.merge.states).map(line) }
  }

  files({ downloads }) {
    const file = (label, what, type, text) => ({ label, name: () => `${this.name()}-${what}`, type, text })
    return [
      file(downloads.numbers, 'numbers.csv', 'text/csv', () => this.numbersAsCsv()),
      file(downloads.merged, 'merged.csv', 'text/csv', () => this.mergedAsCsv()),
      file(downloads.picture, 'picture.svg', 'image/svg+xml', () => this.asPicture()),
    ]
  }

  name() {
    return CHOICES.map((name) => this.model.get(name)).join('-')
  }

  numbersAsCsv() {
    const states = Object.values(this.merge.states)
    const { cycles } = this.merge
    const flat = (values) =>
      Object.entries(values).flatMap(([name, value]) =>
        Array.isArray(value) ? value.map((v, i) => [`${name}_${cycles[i]}`, v]) : [[name, value]],
      )
    const head = flat(states[0]).map(([name]) => name)
    return csv([head, ...states.map((values) => flat(values).map(([, value]) => value))])
  }

  mergedAsCsv() {
    const [rows, columns] = this.merge.shape
    const { result } = this.shown[1]
    return csv(Array.from({ length: rows }, (_, y) => [...result.subarray(y * columns, (y + 1) * columns)]))
  }

  asPicture() {
    const drawn = Object.values(this.charts).filter(({ now }) => now)
    const charts = drawn.map((chart) => ({ title: chart.words.title, svg: svgOf(chart) }))
    return picture(this.frame.root, this.frame.sentence.textContent, this.stages.pictures(), charts)
  }
}

function render({ model, el }) {
  const view = new Merging(model, el)
  return () => view.stop()
}

export default { render }
