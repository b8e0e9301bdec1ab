import { Chart } from '../kit/chart.js'
import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Curves } from './curves.js'
import { Runs } from './run.js'
import { Samples } from '../kit/samples.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const EVERY_MS = 700 // while it plays: a sample can be read
const ROOM = 1.05 // above the highest value of a curve
const NEEDS = { trainable: 'trainable', full: 'full_trainable', file: 'kilobytes' } // known when a run is whole
const LEAST_SPREAD = 0.04 // nats: a difference smaller than this shall not look like one

/** A LoRA run beside a full finetuning of the same task: curves over the steps, samples, the knee, the spectrum. */
class Lab extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits('task', 'r')
    model.on('change:guess', () => this.reveal())
    model.on('change:layer', () => this.spectrum())
    this.load()
  }

  get step() {
    return this.stepper.value
  }

  build() {
    const { text, frame } = this
    this.controls = this.choosers('task', 'r')
    this.layer = this.choosers('layer').layer
    this.stepper = this.slider('step', text.stepLabel, { everyMs: EVERY_MS })
    this.guess = new Guess(text.guess, this.choosing('guess'))
    this.curves = new Curves(text.charts, (step) => this.stepper.go(step))
    this.charts = this.makeCharts()
    this.note = h('p', { class: 'note' })
    this.readouts = new Readouts(text)
    const { knee, spectrum } = this.charts
    this.samples = new Samples(text.samples)
    this.knee = h('div', {}, knee.element)
    this.taken = h('div', {}, this.layer.element, spectrum.element) // the change, taken apart
    frame.root.append(
      ...frame.part('task', abreast(this.controls)),
      this.note,
      this.stepper.element,
      this.curves.element,
      frame.sentence,
      ...frame.part('samples', this.samples.element),
      this.readouts.element,
      ...frame.part('guess', this.guess.element),
      h('div', { class: 'charts' }, ...frame.part('sweep', this.knee), ...frame.part('spectrum', this.taken)),
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

  load() {
    const before = this.runs
    const runs = (this.runs = new Runs(read(this.model, 'arrays')))
    for (const [name, { input }] of Object.entries(this.controls)) input.value = this.model.get(name)
    this.note.textContent = runs.note
    const value = Math.min(this.model.get('step'), runs.reached)
    this.stepper.set({ low: 0, high: runs.reached, value, start: 0, stride: runs.every })
    if (before && before.label !== runs.label) this.goOn()
    this.curves.draw(runs, this.text.diverged)
    this.spectrum()
    this.reveal()
    this.tick(this.step)
  }

  /** The final loss against r, full finetuning as the floor. */
  reveal() {
    const { runs, text, charts } = this
    const guess = this.guessed
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
    this.curves.move(step)
    const values = runs.values(step)
    this.readouts.show(values, (template, name) => (values[NEEDS[name]] === 0 ? text.notYet : template))
    const written = {
      base: runs.lora.base_samples,
      adapted: runs.lora.samples[runs.evaluation(runs.lora, step)],
    }
    this.samples.show(written, values)
    this.frame.update()
  }

  sentence() {
    return fill(this.text.sentence, this.runs.values(this.step))
  }

  snippet() {
    return this.runs.snippet
  }

  table() {
    const { head, rows } = this.tableOf(this.runs.stops.map((step) => this.runs.values(step)))
    return { head: head.map((name) => fill(name, { lora_name: this.runs.names.lora })), rows }
  }

  get stem() {
    return this.runs.key.replaceAll(' ', '-')
  }

  saves() {
    return {
      curves: () => ['curves.csv', this.curvesAsCsv()],
      sweep: () => ['ranks.csv', this.sweepAsCsv()],
    }
  }

  asPicture() {
    return super.asPicture({ ...this.curves.charts, ...this.charts })
  }

  curvesAsCsv() {
    const measures = ['task', 'facts', 'stories', 'loss']
    const names = ['lora', 'full'].flatMap((run) => measures.map((measure) => `${run}_${measure}`))
    const line = (values) => names.map((name) => values[name])
    return csv([
      ['step', ...names],
      ...this.runs.stops.map((step) => [step, ...line(this.runs.values(step))]),
    ])
  }

  sweepAsCsv() {
    const { ranks, sweep } = this.runs
    const line = (r, i) => [r, sweep.validation[i], sweep.right[i], sweep.facts[i], sweep.trainable[i]]
    return csv([['r', 'loss', 'task', 'facts', 'trainable'], ...ranks.map(line)])
  }
}

/** Singular values over their norm; of a matrix that was not changed there are none. */
function share(s) {
  if (!s) return undefined
  const norm = Math.sqrt(s.reduce((sum, value) => sum + value * value, 0))
  return s.map((value) => value / norm)
}

export default rendering(Lab)
