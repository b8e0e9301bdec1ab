import { Chart } from '../kit/chart.js'
import { format } from '../kit/d3.js'
import { h } from '../kit/dom.js'
import { fill } from '../kit/text.js'

const ROOM = 1.05 // above the highest value of a curve

/** Three losses of two runs over the steps: on the task, on the base's own voices, on what is trained on. */
export class Losses {
  /** `go(step)` is told when a reader picks a step in a chart. */
  constructor(words, go) {
    const chart = (name) =>
      new Chart(words[name], {
        format: format('.1f'),
        choose: go,
        probe: (step) => (this.runs ? fill(words[name].probe, this.runs.values(step)) : ''),
      })
    this.charts = { validation: chart('validation'), base: chart('base'), loss: chart('loss') }
    const elements = Object.values(this.charts).map(({ element }) => element)
    this.element = h('div', { class: 'charts' }, ...elements)
  }

  /** Draw both runs as far as they have come; full finetuning is the control. */
  draw(runs) {
    this.runs = runs
    const { lora, full, names } = runs
    const k = Math.max(runs.last, ...full.steps)
    const evaluated = ({ steps }) => steps
    const everyStep = ({ loss }) => loss.map((_, i) => i)
    const draw = (chart, name, kind, places) => {
      const lines = [
        { values: full[name], at: places(full), label: names.full, kind: 'control-1', along: 0.75 },
        { values: lora[name], at: places(lora), label: names.lora, kind, along: 0.35 },
      ]
      this.charts[chart].draw({ k, y: [0, Math.max(...lines.flatMap(({ values }) => values)) * ROOM], lines })
    }
    draw('validation', 'validation_loss', 'kept', evaluated)
    draw('base', 'base_loss', 'lost', evaluated)
    draw('loss', 'loss', 'kept', everyStep)
  }

  move(step) {
    for (const chart of Object.values(this.charts)) chart.move(step)
  }
}
