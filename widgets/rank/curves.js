import { Chart } from '../kit/chart.js'
import { h } from '../kit/dom.js'
import { fill, format } from '../kit/text.js'

/** Relative error, energy and singular values over the rank, each beside its control. */
export class Curves {
  /** `choose(r)` is told when a reader picks a rank in a chart. */
  constructor(text, choose) {
    this.text = text
    const chart = (name, spec) =>
      new Chart(text.charts[name], {
        format: format(spec),
        choose,
        probe: (r) => (this.matrix ? fill(text.charts[name].probe, this.matrix.values(r)) : ''),
      })
    this.charts = { error: chart('error', '.0%'), energy: chart('energy', '.0%'), s: chart('s', '.2~f') }
    const elements = Object.values(this.charts).map(({ element }) => element)
    this.element = h('div', { class: 'charts' }, ...elements)
  }

  /** Draw a matrix's curves; `guess` is 'ask', 'skip' or the reader's number, marked beside the truth. */
  draw(matrix, guess) {
    this.matrix = matrix
    const { text, charts } = this
    const { k, error, energy, share, noise, knee, tolerance } = matrix
    const breakEven = { at: { x: matrix.break_even }, label: fill(text.breakEven, matrix), kind: 'cost' }
    const level = {
      at: { y: tolerance },
      label: fill(text.tolerance, matrix),
      kind: 'lost',
      left: knee > k / 2,
    }
    charts.error.draw({
      k,
      y: [0, 1],
      bands: this.bands('error', 0),
      lines: [
        { values: error, label: text.charts.error.curve, kind: 'lost', along: knee > k / 2 ? 0.3 : 0.66 },
      ],
      rules: [breakEven, level],
      marks: this.marks(guess),
    })
    charts.energy.draw({
      k,
      y: [0, 1],
      bands: this.bands('energy', 0),
      lines: [{ values: energy, label: text.charts.energy.curve, kind: 'kept', along: 0.85 }],
      rules: [{ ...breakEven, low: true }],
    })
    const highest = Math.max(share[0], ...noise.map(({ s }) => s[2][0]))
    charts.s.draw({ k, y: [0, highest], bands: this.bands('s', 0.5), bars: share })
  }

  /** The controls as bands; a value that belongs to the i-th direction stands in the middle of its bar. */
  bands(name, shift) {
    return this.matrix.noise.map(({ label, [name]: [low, middle, high] }, i) => {
      return { low, middle, high, label, kind: `control-${i}`, shift, along: 0.33 + 0.2 * i }
    })
  }

  marks(guess) {
    if (guess === 'ask') return []
    const { text, matrix } = this
    const at = (r, kind, template) => ({ x: r, y: matrix.error[r], kind, label: template })
    const truth = at(matrix.knee, 'truth', fill(text.guess.truthMark, matrix))
    const r = Number(guess)
    if (!(r <= matrix.k)) return [truth]
    return [truth, at(r, 'guess', fill(text.guess.guessMark, { guess }))]
  }

  move(r) {
    for (const chart of Object.values(this.charts)) chart.move(r)
  }
}
