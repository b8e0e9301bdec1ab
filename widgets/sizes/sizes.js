import { Chart } from '../kit/chart.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const EVERY_MS = 900 // while it plays
const TOP = 1.06 // above all facts, so that a line there is seen

/** What bases of three widths hold, which rates they want and what they forget. */
class Sizes extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.tick(this.place)
  }

  /** Which of the widths. */
  get place() {
    return this.stepper.value
  }

  build({ wide }) {
    const { text, frame } = this
    this.arrays = read(this.model, 'arrays')
    const { sizes, note } = this.arrays
    this.stepper = this.slider('wide', text.widthLabel, {
      everyMs: EVERY_MS,
      told: (i) => fill(text.widthOf, sizes[i]),
    })
    const [low, high] = wide.bounds
    this.stepper.set({ low, high, value: this.model.get('wide'), start: low })
    const chart = (name, of) =>
      new Chart(text.charts[name], {
        format: format(of),
        choose: (i) => this.stepper.go(i),
        probe: (i) => fill(text.charts[name].probe, sizes[i]),
      })
    this.charts = { held: chart('held', '.0%'), rate: chart('rate', 'd'), old: chart('old', '.0%') }
    this.readouts = new Readouts(text)
    const { held, rate, old } = this.charts
    frame.root.append(
      h('p', { class: 'note' }, note),
      this.stepper.element,
      h(
        'div',
        { class: 'charts' },
        held.element,
        ...frame.part('rate', rate.element),
        ...frame.part('old', old.element),
      ),
      ...frame.part('readouts', this.readouts.element),
      frame.sentence,
    )
    this.drawCharts()
  }

  /** They are the same for every width. */
  drawCharts() {
    const { arrays, charts, text } = this
    const { sizes } = arrays
    const { held, rate, old } = text.charts
    const of = (name) => sizes.map((size) => size[name])
    const common = { k: sizes.length - 1, tick: (i) => sizes[i].width }
    const [first, second] = held.ranks
    charts.held.draw({
      ...common,
      y: [0, TOP],
      lines: [
        { values: of('whole'), label: held.full, kind: 'control-1', along: 1 },
        { values: of('second'), label: second, kind: 'kept thin', along: 0, anchor: 'start' },
        { values: of('first'), label: first, kind: 'kept', along: 0.4, anchor: 'start' },
      ],
    })
    charts.rate.draw({
      ...common,
      y: [0, 1.2 * Math.max(...of('high'))],
      bands: [{ low: of('low'), middle: of('ratio'), high: of('high'), kind: 'spread' }],
      lines: [{ values: of('ratio'), label: rate.curve, kind: 'kept', along: 0.5 }],
      rules: [{ at: { y: 1 }, label: rate.same, kind: 'control-1' }],
    })
    charts.old.draw({
      ...common,
      y: [0, TOP],
      lines: [
        { values: of('known'), label: old.before, kind: 'control-0', along: 1 },
        { values: of('full_left'), label: '', kind: 'control-1' },
        { values: of('adapted_left'), label: old.adapted, kind: 'lost', along: 0.4, anchor: 'start' },
      ],
    })
  }

  /** Every number that the sentence may use. */
  values() {
    return this.arrays.sizes[this.place]
  }

  sentence() {
    return fill(this.text.sentence, this.values())
  }

  /** Follow the width: the line in each chart, the read-outs, the sentence. */
  tick(place) {
    this.stepper.show(place)
    for (const chart of Object.values(this.charts)) chart.move(place)
    this.readouts.show(this.values())
    this.frame.update()
  }

  snippet() {
    return fill(this.arrays.snippet, this.values())
  }

  table() {
    return this.tableOf(this.arrays.sizes)
  }

  get stem() {
    return 'sizes'
  }

  saves() {
    return {
      curves: () => ['sizes.csv', this.asCsv()],
      picture: () => ['sizes.svg', this.asPicture()],
    }
  }

  asCsv() {
    const { sizes } = this.arrays
    const names = Object.keys(sizes[0])
    return csv([names, ...sizes.map((size) => names.map((name) => size[name]))])
  }
}

export default rendering(Sizes)
