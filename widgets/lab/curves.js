import { Chart } from '../kit/chart.js'
import { h } from '../kit/dom.js'
import { fill, format } from '../kit/text.js'

const ROOM = 1.05 // above the highest value of a curve

/** Three curves of two runs over the steps: right on the task, right of the old facts, loss on what is trained on. */
export class Curves {
  /** `go(step)` is told when a reader picks a step in a chart. */
  constructor(words, go) {
    const chart = (name, spec) =>
      new Chart(words[name], {
        format: format(spec),
        choose: go,
        probe: (step) => (this.runs ? fill(words[name].probe, this.runs.values(step)) : ''),
      })
    this.charts = { task: chart('task', '.0%'), facts: chart('facts', '.0%'), loss: chart('loss', '.1f') }
    const elements = Object.values(this.charts).map(({ element }) => element)
    this.element = h('div', { class: 'charts' }, ...elements)
  }

  /** Draw both runs as far as they have come; full finetuning is the control. */
  draw(runs, diverged) {
    this.runs = runs
    const { lora, full, names } = runs
    const k = Math.max(runs.last, ...full.steps)
    const evaluated = ({ steps }) => steps
    const everyStep = ({ loss }) => loss.map((_, i) => i)
    const draw = (name, kind, places, top, marks = []) => {
      const lines = [
        { values: full[name], at: places(full), label: names.full, kind: 'control-1', along: 0.75 },
        { values: lora[name], at: places(lora), label: names.lora, kind, along: 0.35 },
      ]
      const highest = top ?? Math.max(...lines.flatMap(({ values }) => values))
      this.charts[name].draw({ k, y: [0, highest * ROOM], lines, marks })
    }
    draw('task', 'kept', evaluated, 1)
    draw('facts', 'lost', evaluated, 1)
    const broken = [lora, full].filter((run) => run.diverged !== null)
    const mark = ({ loss }) => ({ x: loss.length - 1, y: loss.at(-1), label: diverged, kind: 'truth' })
    draw('loss', 'kept', everyStep, undefined, broken.filter(({ loss }) => loss.length).map(mark))
  }

  move(step) {
    for (const chart of Object.values(this.charts)) chart.move(step)
  }
}
