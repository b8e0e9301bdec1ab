import { Chart } from '../../widgets/kit/chart.js'
import { h } from '../../widgets/kit/dom.js'
import { table } from '../../widgets/kit/table.js'
import { fill, format } from '../../widgets/kit/text.js'

const percent = format('.0%')
const TASK = 1 // of a point [step, task, facts, loss]

/** What a class has trained as one picture: a curve for each seed, or a mark for each student above her number of facts. */
export class Picture {
  constructor(words) {
    Object.assign(this, { words, charts: {}, kind: null })
    this.told = h('p', { class: 'note' })
    this.place = h('div', {})
    this.numbers = h('div', { class: 'table', tabindex: 0, role: 'region', 'aria-label': words.table })
    const drawer = h('details', {}, h('summary', {}, words.table), this.numbers)
    this.element = h('div', { class: 'of-class', hidden: true }, this.told, this.place, drawer)
  }

  /** Draw the results of what everyone trains; nothing where there are none to see. */
  draw(train) {
    this.element.hidden = !train?.results
    if (this.element.hidden) return
    const { kind, results, steps } = train
    const { words } = this
    const over = results.filter((each) => each.over).length
    this.told.textContent = fill(words.results, { over, parts: results.length })
    const begun = results.filter(({ points }) => points.length)
    this.groups = kind === 'seed' ? this.bySteps(begun, steps) : this.byFacts(begun)
    const chart = this.chart(kind)
    chart.draw(kind === 'seed' ? this.curves(begun, steps) : this.marks())
    chart.move(chart.k)
    this.numbers.replaceChildren(...table(this.table(kind, begun), words.tableCut))
  }

  chart(kind) {
    const { words } = this
    this.charts[kind] ??= new Chart(words.charts[kind], {
      format: percent,
      probe: (i) => this.probe(kind, i),
      choose: () => {},
    })
    if (this.kind !== kind) this.place.replaceChildren(this.charts[kind].element)
    this.kind = kind
    return this.charts[kind]
  }

  /** What was right at a step, by what was last heard of each. */
  bySteps(results) {
    return (step) => ({
      at: step,
      shares: results
        .map(({ points }) => points.findLast((each) => each[0] <= step)?.[TASK])
        .filter((each) => each >= 0),
    })
  }

  byFacts(results) {
    const counts = [...new Set(results.map(({ facts }) => Number(facts)))].sort((a, b) => a - b)
    const of = (facts) => results.filter((each) => Number(each.facts) === facts)
    this.facts = counts
    return (i) => ({ at: counts[i] ?? '', shares: of(counts[i]).map(({ points }) => points.at(-1)[TASK]) })
  }

  curves(results, steps) {
    const { shares } = this.groups(steps)
    const lines = results.map(({ points }) => ({
      at: points.map(([step]) => step),
      values: points.map((each) => each[TASK]),
      kind: 'faint',
      dot: 3,
    }))
    const label = fill(this.words.mean, { n: shares.length })
    const rules = shares.length ? [{ at: { y: mean(shares) }, label, kind: 'kept' }] : []
    return { k: steps, y: [0, 1], lines, rules }
  }

  marks() {
    const groups = this.facts.map((_, i) => this.groups(i))
    const marks = groups.flatMap(({ shares }, x) => shares.map((y) => ({ x, y, kind: 'point kept' })))
    const lines =
      groups.length > 1 ? [{ values: groups.map(({ shares }) => mean(shares)), kind: 'kept' }] : []
    const tick = (i) => String(this.facts[i] ?? '')
    return { k: Math.max(1, groups.length - 1), y: [0, 1], marks, lines, tick }
  }

  probe(kind, i) {
    const { at, shares } = this.groups?.(i) ?? { at: i, shares: [] }
    const { probe } = this.words
    if (!shares.length) return fill(probe.none, { at })
    const told = { low: Math.min(...shares), high: Math.max(...shares), mean: mean(shares), n: shares.length }
    return fill(probe[kind], { at, ...told })
  }

  table(kind, results) {
    const rows = results.map(({ seed, facts, points }) => {
      const [step, task, left, loss] = points.at(-1)
      const part = kind === 'seed' ? seed : `${facts}, ${seed}`
      return [part, String(step), percent(task), percent(left), loss === null ? '–' : format('.3f')(loss)]
    })
    return { head: [this.words.tableHead[kind], ...this.words.tableRest], rows }
  }
}

const mean = (values) => values.reduce((sum, each) => sum + each, 0) / values.length
