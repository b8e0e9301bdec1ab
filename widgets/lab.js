import { format } from 'd3-format'
import { Chart, svgOf } from './lib/chart.js'
import { Stepper, select } from './lib/controls.js'
import { h } from './lib/dom.js'
import { Frame, read } from './lib/frame.js'
import { Guess } from './lib/guess.js'
import { Losses } from './lib/losses.js'
import { Runs } from './lib/run.js'
import { Samples } from './lib/samples.js'
import { csv, picture } from './lib/share.js'
import { fill } from './lib/text.js'

const EVERY_MS = 700 // while it plays: a sample can be read
const ROOM = 1.05 // above the highest value of a curve
const NEEDS = { trainable: 'trainable', full: 'full_trainable', file: 'kilobytes' } // known when a run is whole
const LEAST_SPREAD = 0.04 // nats: a difference smaller than this shall not look like one

/** A LoRA run beside a full finetuning of the same task: curves over the steps, samples, the knee, the spectrum. */
class Lab {
  constructor(model, el) {
    this.model = model
    this.frame = new Frame(model, el, {
      sentence: () => fill(this.text.sentence, this.runs.values(this.step)),
      table: () => this.table(),
      snippet: () => this.runs.snippet,
      files: this.files(read(model, 'spec').text),
    })
    this.text = this.frame.spec.text
    this.build(this.frame.spec.choices)
    for (const name of ['task', 'r']) model.on(`change:${name}`, () => this.wait(name))
    model.on('change:arrays', () => this.load())
    model.on('change:guess', () => this.reveal())
    model.on('change:layer', () => this.spectrum())
    model.on('change:step', () => model.get('step') !== this.step && this.tick(model.get('step')))
    this.load()
  }

  get step() {
    return this.stepper.value
  }

  choose(name, value) {
    this.model.set(name, value)
    this.model.save_changes()
  }

  build({ task, r, layer }) {
    const { text, frame } = this
    const choose = (name) => (value) => this.choose(name, value)
    this.controls = {
      task: select(task.label, task.options, choose('task')),
      r: select(r.label, r.options, choose('r')),
    }
    this.layer = select(layer.label, layer.options, choose('layer'))
    this.stepper = new Stepper(
      { ...text, label: text.stepLabel },
      {
        onTick: (step) => this.tick(step),
        onSettled: choose('step'),
        buttons: frame.shown('steps'),
        everyMs: EVERY_MS,
      },
    )
    this.guess = new Guess(text.guess, choose('guess'))
    this.losses = new Losses(text.charts, (step) => this.stepper.go(step))
    this.charts = this.makeCharts()
    this.note = h('p', { class: 'note' })
    this.readouts = Object.keys(text.readouts).map((name) => [
      name,
      h('dt', {}),
      h('dd', { class: `of-${name}` }),
    ])
    const readout = ([, term, value]) => h('div', {}, term, value)
    const { knee, spectrum } = this.charts
    this.samples = new Samples(text.samples)
    this.knee = h('div', {}, knee.element)
    this.taken = h('div', {}, this.layer.element, spectrum.element) // the change, taken apart
    frame.root.append(
      ...frame.part(
        'task',
        h('div', { class: 'controls' }, ...Object.values(this.controls).map((c) => c.element)),
      ),
      this.note,
      this.stepper.element,
      this.losses.element,
      frame.sentence,
      ...frame.part('samples', this.samples.element),
      h('dl', { class: 'readouts' }, ...this.readouts.map(readout)),
      ...frame.part('guess', this.guess.element),
      h('div', { class: 'charts' }, ...frame.part('sweep', this.knee), ...frame.part('spectrum', this.taken)),
      frame.announced,
      frame.drawers,
    )
  }

  makeCharts() {
    const { charts } = this.text
    const chart = (name, spec, values, choose) =>
      new Chart(charts[name], {
        format: format(spec),
        choose,
        probe: (i) => (this.runs ? fill(charts[name].probe, values(i)) : ''),
      })
    const atRank = (i) => ({
      rank: this.runs.ranks[i],
      rank_loss: this.runs.sweep.validation[i],
      floor: this.runs.sweep.floor,
    })
    const atDirection = (i) => ({
      direction: i,
      full_name: this.runs.names.full,
      share: this.full?.[i - 1] ?? 0,
      noise: this.noise?.[1][i - 1] ?? 0,
    })
    return {
      knee: chart(
        'knee',
        '.3f',
        atRank,
        (i) => this.frame.shown('task') && this.choose('r', String(this.runs.ranks[i])),
      ),
      spectrum: chart('spectrum', '.1~f', atDirection, () => {}),
    }
  }

  /** Another run was chosen: show it as coming until its arrays are here. */
  wait(name) {
    this.controls[name].input.value = this.model.get(name)
    this.frame.root.setAttribute('aria-busy', 'true')
  }

  load() {
    const before = this.runs
    const runs = (this.runs = new Runs(read(this.model, 'arrays')))
    for (const [name, { input }] of Object.entries(this.controls)) input.value = this.model.get(name)
    this.note.textContent = runs.note
    const value = Math.min(this.model.get('step'), runs.reached)
    this.stepper.set({ low: 0, high: runs.reached, value, start: 0, stride: runs.every })
    this.frame.root.removeAttribute('aria-busy')
    if (before && before.label !== runs.label && this.model.get('guess') !== 'ask')
      this.choose('guess', 'skip')
    this.losses.draw(runs)
    this.spectrum()
    this.reveal()
    this.tick(this.step)
  }

  /** The final loss against r, full finetuning as the floor. */
  reveal() {
    const { runs, text, charts } = this
    const guess = this.frame.shown('guess') ? this.model.get('guess') : 'skip'
    const { ranks, sweep, knee, label, tolerance } = runs
    this.guess.show(guess, { label, truth: knee, high: ranks.at(-1), tolerance, ranks: ranks.join(', ') })
    this.knee.classList.toggle('waiting', guess === 'ask')
    const at = ranks.indexOf(knee)
    const truth = {
      x: at,
      y: sweep.validation[at],
      label: fill(text.guess.truthMark, { knee }),
      kind: 'truth',
    }
    const { floor } = sweep
    const [lowest, highest] = [Math.min(floor, ...sweep.validation), Math.max(floor, ...sweep.validation)]
    const room = Math.max(LEAST_SPREAD, highest - lowest) / 4
    charts.knee.draw({
      k: ranks.length - 1,
      y: [lowest - room, highest + room],
      lines: [{ values: sweep.validation, label: sweep.names.lora, kind: 'kept', along: 0.5 }],
      rules: [{ at: { y: floor }, label: sweep.names.full, kind: 'control-1' }],
      marks: [truth],
      tick: (i) => String(ranks[i]),
    })
    charts.knee.move(
      Math.max(
        0,
        ranks.findLastIndex((r) => r <= runs.r),
      ),
    )
  }

  /** What both runs learned in one layer, beside noise of its shape. */
  spectrum() {
    const { runs, charts, text } = this
    const layer = this.model.get('layer')
    this.layer.input.value = layer
    const lora = share(runs.lora.spectra[layer])
    const full = (this.full = share(runs.full.spectra[layer]))
    this.taken.hidden = !lora && !full // both are being trained, or ended too early, or leave this matrix alone
    if (this.taken.hidden) return
    const [low, middle, high] = (this.noise = runs.noise[runs.shapes[layer]])
    const along = { label: runs.names.lora, kind: 'kept', along: 0, dot: 0 }
    charts.spectrum.draw({
      k: middle.length,
      y: [0, Math.max(...[lora, full].filter(Boolean).map(([first]) => first)) * ROOM],
      bands: [{ low, middle, high, label: text.noise, kind: 'control-0', shift: 0.5, along: 0.6 }],
      lines: lora ? [{ values: lora, at: lora.map((_, i) => i + 0.5), ...along }] : [],
      bars: full,
    })
    charts.spectrum.move(middle.length)
  }

  /** Follow the slider: the line in the curves, the samples, the numbers. */
  tick(step) {
    this.stepper.show(step)
    const { runs, text } = this
    this.losses.move(step)
    const values = runs.values(step)
    for (const [name, term, value] of this.readouts) {
      term.textContent = fill(text.readouts[name], values)
      value.textContent = values[NEEDS[name]] === 0 ? text.notYet : fill(text.readoutValues[name], values)
    }
    const written = {
      base: runs.lora.base_samples,
      adapted: runs.lora.samples[runs.evaluation(runs.lora, step)],
    }
    this.samples.show(written, values)
    this.frame.update()
  }

  table() {
    const line = (step) => this.text.tableRow.map((cell) => fill(cell, this.runs.values(step)))
    return { head: this.text.tableHead, rows: this.runs.stops.map(line) }
  }

  files({ downloads }) {
    const name = (what) => () => `${this.runs.key}-${what}`.replaceAll(' ', '-')
    return [
      { label: downloads.curves, name: name('curves.csv'), type: 'text/csv', text: () => this.curvesAsCsv() },
      { label: downloads.sweep, name: name('ranks.csv'), type: 'text/csv', text: () => this.sweepAsCsv() },
      {
        label: downloads.picture,
        name: name('picture.svg'),
        type: 'image/svg+xml',
        text: () => this.asPicture(),
      },
    ]
  }

  curvesAsCsv() {
    const head = ['step', 'lora_task', 'full_task', 'lora_base_voices', 'full_base_voices']
    const line = ({ step, lora_loss, full_loss, lora_base, full_base }) => [
      step,
      lora_loss,
      full_loss,
      lora_base,
      full_base,
    ]
    return csv([head, ...this.runs.stops.map((step) => line(this.runs.values(step)))])
  }

  sweepAsCsv() {
    const { ranks, sweep } = this.runs
    const line = (r, i) => [r, sweep.validation[i], sweep.base[i], sweep.trainable[i]]
    return csv([['r', 'task', 'base_voices', 'trainable'], ...ranks.map(line)])
  }

  asPicture() {
    const drawn = [...Object.values(this.losses.charts), ...Object.values(this.charts)].filter(
      (chart) => chart.now,
    )
    const charts = drawn.map((chart) => ({ title: chart.words.title, svg: svgOf(chart) }))
    return picture(this.frame.root, this.frame.sentence.textContent, [], charts)
  }
}

/** Singular values over their norm; of a matrix that was not changed there are none. */
function share(s) {
  if (!s) return undefined
  const norm = Math.sqrt(s.reduce((sum, value) => sum + value * value, 0))
  return s.map((value) => value / norm)
}

function render({ model, el }) {
  new Lab(model, el)
}

export default { render }
