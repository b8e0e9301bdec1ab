import { Chart } from '../kit/chart.js'
import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const EVERY_MS = 900 // while it plays
const TOP = 1.06 // above all answers, so that a line there is seen

/** LoRA on a base in each of six formats: what storing costs, and what is right in the end. */
class Quantised extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits('task')
    model.on('change:guess', () => this.reveal())
    this.load()
  }

  get place() {
    return this.stepper.value
  }

  build({ format: rule }) {
    const { text, frame } = this
    this.controls = this.choosers('task')
    const { formats } = read(this.model, 'arrays')
    this.stepper = this.slider('format', text.formatLabel, {
      everyMs: EVERY_MS,
      told: (i) => text.names[formats[i]],
    })
    const [low, high] = rule.bounds
    this.stepper.set({ low, high, value: this.model.get('format'), start: rule.default })
    this.guess = new Guess(text.guess, this.choosing('guess'))
    this.note = h('p', { class: 'note' })
    const chart = (name, values, choose = () => {}) =>
      new Chart(text.charts[name], {
        format: format('.0%'),
        choose,
        probe: (i) => (this.arrays ? fill(text.charts[name].probe, values(i)) : ''),
      })
    this.charts = {
      stored: chart('stored', (i) => this.ofBlock(i)),
      after: chart(
        'after',
        (i) => this.arrays.values[i],
        (i) => this.stepper.go(i),
      ),
    }
    this.readouts = new Readouts(text)
    const { stored, after } = this.charts
    this.said = h('div', {}, ...frame.part('readouts', this.readouts.element), frame.sentence)
    this.drawn = h('div', { class: 'charts' }, ...frame.part('stored', stored.element), after.element)
    frame.root.append(
      ...frame.part('task', abreast(this.controls)),
      this.note,
      ...frame.part('guess', this.guess.element),
      this.stepper.element,
      this.drawn,
      this.said,
    )
  }

  load() {
    this.arrays = read(this.model, 'arrays')
    this.controls.task.input.value = this.model.get('task')
    this.note.textContent = this.arrays.note
    this.reveal()
  }

  /** Show or veil what the guess is about. */
  reveal() {
    const { values, truth } = this.arrays
    const guess = this.guessed
    this.guess.show(guess, { ...values[0], truth, high: 100 })
    for (const part of [this.said, this.drawn]) part.classList.toggle('waiting', guess === 'ask')
    this.drawAfter()
    this.tick(this.place)
  }

  /** The numbers of the base as it is stored, with blocks of the i-th size. */
  ofBlock(i) {
    const { blocks, stored, formats } = this.arrays
    const { name } = this.values()
    return {
      name,
      blocks: blocks[i],
      stored: stored[formats[this.place]][i],
      plain_stored: stored[formats[0]][i],
    }
  }

  /** What is right in the end, for every format: no tick changes it. */
  drawAfter() {
    const { values, formats } = this.arrays
    const { after } = this.text.charts
    const of = (name) => values.map((each) => each[name])
    this.charts.after.draw({
      k: formats.length - 1,
      y: [0, TOP],
      bands: [{ low: of('low'), middle: of('right'), high: of('high'), kind: 'spread' }],
      lines: [
        { values: of('moved'), label: after.moved, kind: 'control-1', along: 0.3 },
        { values: of('requantised'), label: after.requantised, kind: 'lost', along: 1 },
        { values: of('right'), label: after.right, kind: 'kept', along: 0.4 },
      ],
      tick: (i) => this.text.names[formats[i]],
    })
  }

  /** Follow the format: the first chart, the place in the second, the read-outs, the sentence. */
  tick(place) {
    this.stepper.show(place)
    const { arrays, charts, text } = this
    const { formats, stored, blocks, block } = arrays
    const chosen = formats[place]
    const [plain] = formats
    const names = Object.entries(stored).filter(([name]) => name !== plain)
    names.sort(([one], [other]) => (one === chosen) - (other === chosen)) // the chosen one is drawn last
    charts.stored.draw({
      k: blocks.length - 1,
      y: [0, TOP],
      lines: names.map(([name, values]) => ({
        values,
        label: text.names[name],
        optional: name !== chosen,
        kind: name === chosen ? 'lost' : 'faint',
        along: 0.7,
        dot: name === chosen ? 4 : 0,
      })),
      rules: [
        {
          at: { y: stored[plain][0] },
          label: text.charts.stored.plain,
          kind: 'control-1',
          left: true,
        },
      ],
      tick: (i) => blocks[i],
    })
    charts.stored.move(block)
    charts.after.move(place)
    this.readouts.show(this.values())
    this.frame.update()
  }

  values() {
    return this.arrays.values[this.place]
  }

  sentence() {
    return fill(this.text.sentence, this.values())
  }

  snippet() {
    return fill(this.arrays.snippet, this.values())
  }

  table() {
    return this.tableOf(this.arrays.values)
  }

  get stem() {
    return `${this.arrays.key}-quantised`
  }

  saves() {
    return { shares: () => ['shares.csv', this.asCsv()] }
  }

  asCsv() {
    const names = ['base_format', 'stored', 'before', 'right', 'low', 'high', 'requantised', 'moved', 'facts']
    return csv([names, ...this.arrays.values.map((values) => names.map((name) => values[name]))])
  }
}

export default rendering(Quantised)
