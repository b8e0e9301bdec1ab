import { Chart } from '../kit/chart.js'
import { h } from '../kit/dom.js'
import { fill, format, written } from '../kit/text.js'

const ROOM = 1.08 // above the highest value of a curve
const TALL = 1.3 // times the loss of a writer of word frequencies, or else of the base: what ends higher is not drawn

const top = (lines) => (Math.max(...lines.flatMap(({ values }) => values)) || 1) * ROOM

/** Gradient norms, loss and distance over the steps, and the final loss of every start against the learning rate. */
export class StartCharts {
  /** `go(step)` and `rate(i)` are told what a reader picks in a chart. */
  constructor(text, { go, rate }) {
    this.text = text
    const chart = (name, values, choose) =>
      new Chart(text.charts[name], {
        format: format('.3~g'),
        choose,
        probe: (i) => (this.starts ? fill(text.charts[name].probe, values(i)) : ''),
      })
    const atStep = (step) => this.starts.values(step)
    this.charts = {
      gradients: chart('gradients', atStep, go),
      loss: chart('loss', atStep, go),
      distance: chart('distance', atStep, go),
      sweep: chart('sweep', (i) => this.atRate(i), rate),
    }
    const { gradients, loss, distance, sweep } = this.charts
    this.gradients = h('div', {}, gradients.element)
    this.steps = [this.gradients, loss.element, distance.element]
    this.sweep = sweep.element
  }

  draw(starts) {
    this.starts = starts
    const { run, idle, other } = starts
    const { factors, baseName } = this.text
    const line = (values, label, kind) => ({ values, at: values.map((_, i) => i), label, kind })
    const nameOf = (init) => starts.inits[init].name
    const beside = (name, kind = 'control-1') => line(starts.beside(other)[name], nameOf(other), kind)
    const chosen = (name) => line(run[name], nameOf(starts.init), 'kept')
    const base = line(starts.beside(idle).loss, baseName, 'control-0')
    this.over('gradients', [
      line(run.lora_A, factors.lora_A, 'kept second'),
      line(run.lora_B, factors.lora_B, 'kept'),
    ])
    this.over('loss', [...(starts.init === idle ? [] : [base]), beside('loss'), chosen('loss')])
    this.over('distance', [beside('distance'), chosen('distance')])
    this.overRates()
  }

  /** Draw lines over the steps. */
  over(name, lines) {
    const high = top(lines)
    this.charts[name].draw({ k: this.starts.steps, y: [0, high], lines })
  }

  /** The final loss of each start over the learning rates, and that of a writer of word frequencies. */
  overRates() {
    const { starts, charts } = this
    const { [starts.idle]: idle, ...others } = starts.inits
    const finals = Object.values(others).flatMap(({ runs }) => runs.map(({ final }) => final))
    const control = starts.frequencies ?? idle.runs[0].final
    const edge = Math.min(TALL * control, ROOM * Math.max(...finals))
    const line = ([init, { label, runs }]) => {
      const known = runs
        .map(({ final }, i) => [i, final])
        .filter(([, final]) => final !== null && final <= edge)
      const chosen = init === starts.init
      return {
        at: known.map(([i]) => i),
        values: known.map(([, final]) => final),
        label,
        kind: chosen ? 'kept' : 'faint',
        optional: !chosen,
        dot: chosen ? 4 : 0,
      }
    }
    const lines = Object.entries(starts.inits)
      .map(line)
      .filter(({ values }) => values.length)
      .sort((one, two) => (one.kind === 'kept') - (two.kind === 'kept')) // the chosen one is drawn last
    charts.sweep.draw({
      k: starts.rates.length - 1,
      y: [0, edge],
      rules: starts.frequencies
        ? [{ at: { y: starts.frequencies }, label: this.text.frequencies, kind: 'control-1', left: true }]
        : [],
      lines,
      tick: (i) => written(starts.rates[i]),
    })
    charts.sweep.move(starts.rate)
  }

  atRate(i) {
    const { starts, text } = this
    const said = ({ final }) => (final === null ? text.noFinal : format('.4f')(final))
    const of = (init) => said(starts.inits[init].runs[i])
    return {
      sweep_init: starts.inits[starts.init].name,
      sweep_rate: starts.rates[i],
      sweep_final: of(starts.init),
      sweep_usual: of(starts.usual),
    }
  }

  move(step) {
    const { gradients, loss, distance } = this.charts
    for (const chart of [gradients, loss, distance]) chart.move(step)
  }
}
