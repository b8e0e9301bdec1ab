import { format } from 'd3-format'
import { Chart, svgOf } from './lib/chart.js'
import { Stepper, select } from './lib/controls.js'
import { h } from './lib/dom.js'
import { Frame, read } from './lib/frame.js'
import { Guess } from './lib/guess.js'
import { Samples } from './lib/samples.js'
import { csv, picture } from './lib/share.js'
import { fill } from './lib/text.js'

const EVERY_MS = 900 // while it plays: a sample can be read
const ROOM = 1.05 // above the highest value of a curve
const WIDE = 4 // nats: an axis this long has whole numbers
const MOST = 200 // percent that a guess may be

/** An adapter turned up and down: loss on the task and on the base's own voices, and what it writes. */
class Strength {
  constructor(model, el) {
    this.model = model
    this.frame = new Frame(model, el, {
      sentence: () => this.sentence(),
      table: () => this.table(),
      snippet: () => fill(this.arrays.snippet, { strength: this.arrays.strengths[this.at] }),
      files: this.files(read(model, 'spec').text),
    })
    this.text = this.frame.spec.text
    this.build(this.frame.spec.choices)
    for (const name of ['task', 'r']) model.on(`change:${name}`, () => this.wait(name))
    model.on('change:arrays', () => this.load())
    model.on('change:guess', () => this.reveal())
    model.on('change:strength', () => model.get('strength') !== this.at && this.tick(model.get('strength')))
    this.load()
  }

  /** The place on the dial. */
  get at() {
    return this.dial.value
  }

  choose(name, value) {
    this.model.set(name, value)
    this.model.save_changes()
  }

  build({ task, r }) {
    const { text, frame } = this
    const choose = (name) => (value) => this.choose(name, value)
    this.controls = {
      task: select(task.label, task.options, choose('task')),
      r: select(r.label, r.options, choose('r')),
    }
    this.dial = new Stepper(
      { ...text, label: text.dialLabel },
      {
        onTick: (at) => this.tick(at),
        onSettled: choose('strength'),
        buttons: frame.shown('steps'),
        everyMs: EVERY_MS,
        told: (at) => fill(text.dial, this.values(at)),
      },
    )
    this.guess = new Guess(text.guess, choose('guess'))
    this.charts = Object.fromEntries(
      Object.entries(text.charts).map(([name, words]) => [name, this.chart(words)]),
    )
    this.note = h('p', { class: 'note' })
    this.samples = new Samples(text.samples)
    this.task = h('div', {}, this.charts.task.element)
    frame.root.append(
      ...frame.part(
        'task',
        h('div', { class: 'controls' }, ...Object.values(this.controls).map((c) => c.element)),
      ),
      this.note,
      ...frame.part('guess', this.guess.element),
      this.dial.element,
      h('div', { class: 'charts' }, this.task, this.charts.base.element),
      frame.sentence,
      ...frame.part('samples', this.samples.element),
      frame.announced,
      frame.drawers,
    )
  }

  chart(words) {
    return new Chart(words, {
      format: format('.1f'),
      choose: (at) => this.dial.go(at),
      probe: (at) => (this.arrays ? fill(words.probe, this.values(at)) : ''),
    })
  }

  /** All numbers that a sentence about a place on the dial may use; widgets/strength.py makes the same. */
  values(at) {
    const { strengths, label, task, base, before, full, trained, least } = this.arrays
    const share = (part, whole) => (whole >= least && part >= 0 ? part / whole : null)
    return {
      strength: strengths[at],
      last: strengths.at(-1),
      label,
      loss: task[at],
      base: base[at],
      loss_before: before.task,
      base_before: before.base,
      full_loss: full.task,
      full_base: full.base,
      kept: share(before.task - task[at], before.task - task[trained]),
      lost: share(base[at] - before.base, base[trained] - before.base),
    }
  }

  sentence() {
    const values = this.values(this.at)
    const { shares, losses } = this.text.sentences
    return fill(values.kept === null || values.lost === null ? losses : shares, values)
  }

  /** Another run was chosen: show it as coming until its arrays are here. */
  wait(name) {
    this.controls[name].input.value = this.model.get(name)
    this.frame.root.setAttribute('aria-busy', 'true')
  }

  load() {
    const before = this.arrays
    const arrays = (this.arrays = read(this.model, 'arrays'))
    for (const [name, { input }] of Object.entries(this.controls)) input.value = this.model.get(name)
    this.note.textContent = arrays.note
    const high = arrays.strengths.length - 1
    this.dial.set({ low: 0, high, value: this.model.get('strength'), start: arrays.trained })
    this.frame.root.removeAttribute('aria-busy')
    if (before && before.label !== arrays.label && this.model.get('guess') !== 'ask')
      this.choose('guess', 'skip')
    this.reveal()
    this.tick(this.at)
  }

  /** Both curves; that of the task is veiled until the guess. */
  reveal() {
    const { arrays, text, charts } = this
    const { truth, half, label, task, base, full, before, trained, strengths } = arrays
    const asked = this.frame.shown('guess') && truth !== null
    const guess = asked ? this.model.get('guess') : 'skip'
    this.guess.element.hidden = !asked
    this.guess.show(guess, { label, truth, high: MOST, before: before.task, after: task[trained] })
    this.task.classList.toggle('waiting', guess === 'ask')
    const draw = (chart, { values, end, kind, along, y, place, marks = [] }) =>
      chart.draw({
        k: strengths.length - 1,
        y,
        lines: [{ values, label: text.curves.adapter, kind, along }],
        rules: [{ at: { y: end }, label: text.curves.full, kind: 'control-1', ...place }],
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
      place: { below: true },
      marks: asked ? [mark()] : [],
    })
    const top = Math.max(full.base, ...base) * ROOM
    draw(charts.base, {
      values: base,
      end: full.base,
      kind: 'lost',
      along: 0.55,
      y: [0, top],
      place: { left: true },
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

  table() {
    const line = (_, at) => this.text.tableRow.map((cell) => fill(cell, this.values(at)))
    return { head: this.text.tableHead, rows: this.arrays.strengths.map(line) }
  }

  files({ downloads }) {
    const name = (what) => () => `${this.arrays.key}-${what}`
    return [
      {
        label: downloads.curves,
        name: name('strengths.csv'),
        type: 'text/csv',
        text: () => this.curvesAsCsv(),
      },
      {
        label: downloads.picture,
        name: name('strengths.svg'),
        type: 'image/svg+xml',
        text: () => this.asPicture(),
      },
    ]
  }

  curvesAsCsv() {
    const { strengths, task, base } = this.arrays
    const line = (strength, at) => [strength, task[at], base[at]]
    return csv([['strength', 'task', 'base_voices'], ...strengths.map(line)])
  }

  asPicture() {
    const drawn = Object.values(this.charts).filter((chart) => chart.now)
    const charts = drawn.map((chart) => ({ title: chart.words.title, svg: svgOf(chart) }))
    return picture(this.frame.root, this.frame.sentence.textContent, [], charts)
  }
}

function render({ model, el }) {
  new Strength(model, el)
}

export default { render }
