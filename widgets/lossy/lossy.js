import { Chart } from '../kit/chart.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts, inCase } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const EVERY_MS = 900 // while it plays
const TOP = 1.06 // above all facts, so that a line there is seen

/** What each format leaves of the facts that a base knows, and what an adapter brings back over r. */
class Lossy extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.tick(this.place)
  }

  /** Which of the formats. */
  get place() {
    return this.stepper.value
  }

  build({ format: choice }) {
    const { text, frame } = this
    this.arrays = read(this.model, 'arrays')
    const { formats, note } = this.arrays
    this.stepper = this.slider('format', text.formatLabel, {
      everyMs: EVERY_MS,
      told: (i) => formats[i].name,
    })
    const [low, high] = choice.bounds
    this.stepper.set({ low, high, value: this.model.get('format'), start: low })
    const { stored, repaired } = text.charts
    this.charts = {
      stored: new Chart(stored, {
        format: format('.0%'),
        choose: (i) => this.stepper.go(i),
        probe: (i) => this.probe(formats[i]),
      }),
      repaired: new Chart(repaired, {
        format: format('.0%'),
        choose: () => {},
        probe: (i) => this.probeRank(i),
      }),
    }
    this.readouts = new Readouts(text)
    this.right = h('div', {}, this.charts.repaired.element)
    frame.root.append(
      h('p', { class: 'note' }, note),
      this.stepper.element,
      h('div', { class: 'charts' }, this.charts.stored.element, ...frame.part('repaired', this.right)),
      ...frame.part('readouts', this.readouts.element),
      frame.sentence,
    )
  }

  probe(values) {
    const { stored } = this.text.charts
    return values.case === 'plain' ? fill(this.text.sentences.plain, values) : fill(stored.probe, values)
  }

  probeRank(i) {
    const { repaired } = this.text.charts
    const cell = this.over?.[i]
    return cell ? fill('zero' in cell ? repaired.trained : repaired.probe, cell) : ''
  }

  /** The numbers of each rank for the chosen format; there are none for full precision. */
  get over() {
    return this.arrays.over[this.values().base_format]
  }

  /** Every number that the sentence may use. */
  values() {
    return this.arrays.formats[this.place]
  }

  sentence() {
    const values = this.values()
    return fill(this.text.sentences[values.case], values)
  }

  /** Follow the format: both charts, the read-outs, the sentence. */
  tick(place) {
    this.stepper.show(place)
    const { arrays, charts, text, over } = this
    const { formats, ranks } = arrays
    const { stored, repaired } = text.charts
    const values = this.values()
    charts.stored.draw({
      k: formats.length - 1,
      y: [0, TOP],
      tick: (i) => formats[i].base_format,
      lines: [
        {
          values: formats.map(({ noise, facts }) => noise ?? facts),
          label: stored.noise,
          kind: 'control-1',
          along: 0.45,
        },
        { values: formats.map(({ facts }) => facts), label: stored.curve, kind: 'lost', along: 0.85 },
      ],
    })
    charts.stored.move(place)
    this.right.hidden = !over
    if (over) {
      const of = (name) => over.map((cell) => cell[name])
      const lines = [{ values: of('corrected'), label: repaired.corrected, kind: 'kept squared', along: 0.9 }]
      if ('zero' in over[0])
        lines.push(
          { values: of('zero'), label: repaired.zero, kind: 'kept thin', along: 0.35 },
          { values: of('loftq'), label: repaired.loftq, kind: 'kept', along: 0.65 },
        )
      charts.repaired.draw({
        k: ranks.length - 1,
        y: [0, TOP],
        tick: (i) => ranks[i],
        lines,
        rules: [
          { at: { y: values.plain }, label: repaired.plain, kind: 'control-1' },
          { at: { y: values.facts }, label: repaired.stored, kind: 'control-0', left: true },
        ],
      })
      charts.repaired.move(ranks.length - 1)
    }
    this.readouts.show(values, inCase(values.case))
    this.frame.update()
  }

  snippet() {
    return fill(this.arrays.snippet, this.values())
  }

  table() {
    return this.tableOf(this.arrays.formats)
  }

  get stem() {
    return 'lossy'
  }

  saves() {
    return {
      curves: () => ['formats.csv', this.asCsv()],
      picture: () => ['formats.svg', this.asPicture()],
    }
  }

  asCsv() {
    const { formats, over } = this.arrays
    const lines = formats.flatMap(({ base_format, facts, noise = '' }) =>
      (over[base_format] ?? [{ r: '', corrected: '' }]).map(({ r, corrected, zero = '', loftq = '' }) => [
        base_format,
        facts,
        noise,
        r,
        corrected,
        zero,
        loftq,
      ]),
    )
    return csv([['format', 'stored', 'noise', 'r', 'loftq', 'trained', 'trained_from_loftq'], ...lines])
  }
}

export default rendering(Lossy)
