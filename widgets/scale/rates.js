import { Chart } from '../kit/chart.js'
import { format } from '../kit/d3.js'
import { h } from '../kit/dom.js'
import { fill } from '../kit/text.js'

const LOSSES = [1, 2, 4, 8] // nats per token, where an axis of losses is named
const ROOM = 1.08 // above the highest value of a curve
const GAINS = [0.01, 0.1, 1, 10]

const indices = (values) => values.map((_, i) => i)

const line = (values, label, kind, more) => ({ values, at: indices(values), label, kind, ...more })
const THIN = { dot: 0 } // a line that nobody chose has no dot

/** The losses of the runs that did not diverge, at the places of their rates. */
function ended({ finals }, label, kind, more) {
  const known = finals.map((final, i) => [i, final]).filter(([, final]) => final !== null)
  return {
    ...line([], label, kind, more),
    at: known.map(([i]) => i),
    values: known.map(([, final]) => final),
  }
}

/** A chart with many thin lines of which one is chosen: choosing another draws nothing again. */
class ChosenChart extends Chart {
  draw(content) {
    super.draw(content)
    this.paths = this.now ? this.svg.selectAll('path.curve').nodes() : []
    this.named = this.now ? this.svg.selectAll('text.label.faint').nodes() : []
    this.pick(this.picked ?? 0)
  }

  /** Choose the i-th line. */
  pick(i) {
    this.picked = i
    const { lines } = this.content
    this.paths.forEach((path, j) => path.setAttribute('class', `curve ${j === i ? 'kept' : lines[j].kind}`))
    this.named.forEach((name) =>
      name.setAttribute('class', `label faint${name.textContent === lines[i].label ? ' chosen' : ''}`),
    )
    this.tell(this.at)
  }
}

/** What the first step gains, the losses over rate and step, and the best rates: four charts of one optimiser's runs. */
export class RateCharts {
  /** `rank(r)` and `rate(i)` are told what a reader picks. */
  constructor(text, { rank, rate }) {
    this.text = text
    const chart = (Kind, name, form, choose) =>
      new Kind(text.charts[name], {
        format: format(form),
        choose,
        probe: (i) => (this.data ? fill(text.charts[name].probe, this[`${name}At`](i)) : ''),
      })
    const choose = (name) => (i) => this.data.ranks.includes(this.data[name][i]) && rank(this.data[name][i])
    this.charts = {
      gain: chart(Chart, 'gain', '~g', choose('gainRanks')),
      sweep: chart(Chart, 'sweep', '~g', rate),
      learning: chart(ChosenChart, 'learning', '~g', () => {}),
      best: chart(Chart, 'best', '.0e', choose('ranks')),
    }
    const { gain, sweep, learning, best } = this.charts
    learning.element.classList.add('still') // it has no present place
    this.gain = gain.element
    this.losses = [sweep, learning, best].map(({ element }) => h('div', {}, element))
  }

  draw(data) {
    this.data = data
    this.ways = data.run.loss.map((loss) => [data.start, ...loss])
    for (const name of Object.keys(this.charts)) this[`${name}Drawn`]()
    this.move(data.rate)
  }

  /** Follow the rate. */
  move(rate) {
    this.charts.sweep.move(rate)
    this.charts.learning.pick(rate)
  }

  gainAt(i) {
    const { own, other, gainRanks } = this.data
    const [gain, measured, other_gain] = [own.gains[i], own.measured[i], other.gains[i]]
    return { r: gainRanks[i], rule: own.label, gain, measured, other: other.label, other_gain }
  }

  gainDrawn() {
    const { own, other, gainRanks, r } = this.data
    const rings = ({ measured }, kind) => measured.map((y, x) => ({ x, y, kind, label: '' }))
    this.charts.gain.draw({
      k: gainRanks.length - 1,
      y: [GAINS[0], GAINS.at(-1) * 2],
      ticks: GAINS,
      lines: [
        line(other.gains, other.label, 'faint', { ...THIN, along: 0.5 }),
        line(own.gains, own.label, 'kept', { along: 0.8 }),
      ],
      marks: [...rings(other, 'measured faint'), ...rings(own, 'measured')],
      tick: (i) => gainRanks[i],
    })
    this.charts.gain.move(gainRanks.indexOf(Number(r)))
  }

  sweepAt(i) {
    const { own, full, ranks, rates } = this.data
    const told = ({ finals }) => (finals[i] === null ? this.text.diverged : format('.3f')(finals[i]))
    const losses = ranks.map((r) => `${fill(this.text.rank, { r })} ${told(own.runs[r])}`).join(', ')
    return { rate: rates[i], losses, full: told(full) }
  }

  sweepDrawn() {
    const { text, data } = this
    const { own, ranks, rates, full, run, frequencies } = data
    const high = data.start * ROOM
    const others = ranks.filter((r) => String(r) !== data.r)
    const places = (values, test) => indices(values).filter((i) => test(values[i]))
    const isLost = (final) => final === null
    const lost = places(run.finals, isLost)
    this.charts.sweep.draw({
      k: rates.length - 1,
      y: [LOSSES[0], high],
      ticks: LOSSES,
      lines: [
        ...others.map((r) => ended(own.runs[r], '', 'faint', THIN)),
        ended(full, text.fullName, 'control-1', { ...THIN, along: 0.5 }),
        ended(run, fill(text.rank, data), 'kept', { along: 0.1, anchor: 'start' }),
      ],
      rules: [{ at: { y: frequencies }, label: text.frequencies, kind: 'control-0', below: true }],
      marks: [
        ...places(run.again, Number.isFinite).map((x) => ({
          x,
          y: run.again[x],
          kind: 'measured',
          label: '',
        })),
        ...lost.map((x) => ({ x, y: high, kind: 'lost', label: text.diverged, lift: -1 })),
        ...places(full.finals, isLost)
          .slice(0, 1)
          .map((x) => ({ x, y: high, kind: 'lost', label: text.fullDiverged, lift: -1 })),
      ],
      tick: (i) => rates[i],
    })
  }

  learningAt(i) {
    const { data, ways } = this
    const loss = (rate) => ways[rate][Math.min(i, ways[rate].length - 1)]
    return { ...data.values(), step: i * data.block, loss: loss(data.rate), best_loss: loss(data.run.best) }
  }

  learningDrawn() {
    const { start, steps, block, rates, frequencies } = this.data
    this.charts.learning.draw({
      k: steps / block,
      y: [LOSSES[0], start * ROOM],
      ticks: LOSSES,
      lines: this.ways.map((way, i) => line(way, rates[i], 'faint', { ...THIN, along: 0.95, anchor: 'end' })),
      rules: [{ at: { y: frequencies }, label: '', kind: 'control-0' }],
      tick: (i) => i * block,
    })
  }

  bestAt(i) {
    const { own, other, ranks, rates, full } = this.data
    const [best_rate, other_best] = [own, other].map(({ runs }) => rates[runs[ranks[i]].best])
    const full_rate = rates[full.best]
    return { r: ranks[i], rule: own.label, best_rate, other: other.label, other_best, full_rate }
  }

  bestDrawn() {
    const { own, other, ranks, rates, full, r } = this.data
    const all = rates.map(Number)
    const places = ({ runs }) => ranks.map((each) => all[runs[each].best])
    const ends = (side) => ranks.map((each) => all[own.runs[each].range[side]])
    const level = { at: { y: all[full.best] }, label: this.text.fullName, kind: 'control-1' }
    this.charts.best.draw({
      k: ranks.length - 1,
      y: [all[0] / 2, all.at(-1) * 2],
      ticks: all,
      bands: [{ low: ends(0), middle: places(own), high: ends(1), kind: 'spread' }],
      lines: [
        line(places(other), other.label, 'faint', { ...THIN, along: 0.99, anchor: 'end' }),
        line(places(own), own.label, 'kept', { along: 0.4 }),
      ],
      rules: [{ ...level, left: true, below: true }],
      tick: (i) => ranks[i],
    })
    this.charts.best.move(ranks.indexOf(Number(r)))
  }
}
