import { Chart } from '../kit/chart.js'
import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const EVERY_MS = 900 // while it plays: there are few places, and a sentence to read at each
const ROOM = 0.08 // above and below, of what lies between
const TOP = 1.06 // above all, so that a line there is seen
const FORMATS = { loss: format('.2f'), right: format('.0%') }

/** What rank a task needs, where no rank is enough, and what is forgotten. */
class Wall extends Instrument {
  constructor(model, el) {
    super(model, el)
    model.on('change:task', () => this.draw())
    model.on('change:measure', () => this.draw())
    model.on('change:guess', () => this.draw())
    this.draw()
  }

  build() {
    const { text, frame } = this
    this.arrays = read(this.model, 'arrays')
    this.controls = this.choosers('task', 'measure')
    this.stepper = this.slider('place', text.placeLabel, {
      everyMs: EVERY_MS,
      told: (at) => fill(text.place, this.shown.values[at]),
    })
    this.guess = new Guess(text.guess, this.choosing('guess'))
    const chart = (words, format) =>
      new Chart(
        { ...words() },
        {
          format,
          choose: (at) => this.stepper.go(at),
          probe: (at) => (this.shown ? fill(words().probe, this.shown.values[at]) : ''),
        },
      )
    this.charts = {
      learned: chart(() => text.charts[this.model.get('measure')]),
      price: chart(() => text.charts.price, FORMATS.right),
    }
    this.readouts = new Readouts(text)
    this.about = h('p', { class: 'note' })
    frame.root.append(
      ...frame.part('choices', abreast(this.controls)),
      this.about,
      ...frame.part('guess', this.guess.element),
      this.stepper.element,
      h(
        'div',
        { class: 'charts' },
        this.charts.learned.element,
        ...frame.part('price', this.charts.price.element),
      ),
      ...frame.part('readouts', this.readouts.element),
      frame.sentence,
      h('p', { class: 'note' }, this.arrays.note),
    )
  }

  get measure() {
    return this.model.get('measure')
  }

  /** The place of the slider. */
  get place() {
    return this.stepper.value
  }

  get values() {
    return this.shown.values[this.place]
  }

  /** Whether what stands beside the ranks is still to be guessed. */
  get asking() {
    return 'truth' in this.shown.guess && this.guessed === 'ask'
  }

  /** Draw what no tick changes: another task, another measure, or the suspects come into sight. */
  draw() {
    const { model, arrays, controls, guess } = this
    const shown = (this.shown = arrays.tasks[model.get('task')])
    for (const [name, { input }] of Object.entries(controls)) input.value = model.get(name)
    this.about.textContent = shown.note
    guess.element.hidden = !('truth' in shown.guess)
    if (!guess.element.hidden) guess.show(this.guessed, shown.guess)
    this.last = this.asking ? arrays.ranks - 1 : shown.values.length - 1
    this.stepper.set({ low: 0, high: this.last, value: Math.min(model.get('place'), this.last), start: 0 })
    this.drawLearned()
    this.drawPrice()
    this.tick(this.place)
  }

  /** What all charts have in common. */
  common(words) {
    const { shown, last, arrays } = this
    return {
      k: last,
      tick: (i) => shown.values[i].tick,
      title: fill(words.title, shown.values[0]),
      x: last < arrays.ranks ? words.x : words.suspects,
    }
  }

  /** Name a chart and its axis, and draw it. */
  put(chart, { title, x, ...content }) {
    chart.caption.text(title)
    Object.assign(chart.words, { title, x })
    chart.draw(content)
  }

  /** The means of the ranks as a line, what else learns as squares, every seed as a ring. */
  drawLearned() {
    const { shown, measure, text, charts, arrays, last } = this
    const words = text.charts[measure]
    const means = shown.values.slice(0, last + 1).map((values) => values[measure])
    const places = means.slice(0, arrays.ranks).map((_, i) => i)
    const all = (value) => Array(last + 1).fill(value)
    const of = (end) => all(shown.full[measure + end])
    const seeds = shown.seeds[measure].slice(0, last + 1)
    const floor = measure === 'right' ? shown.before.right : shown.floor
    const full = {
      at: { y: of('')[0] },
      label: words.full,
      kind: 'control-1',
      left: measure === 'right' || last >= arrays.ranks, // where the curves leave room
    }
    const rules =
      floor === null ? [full] : [full, { at: { y: floor }, label: words.floor, kind: 'control-0' }]
    charts.learned.format = FORMATS[measure]
    this.put(charts.learned, {
      ...this.common(words),
      y: measure === 'right' ? [0, TOP] : this.range([...seeds.flat(), of('_low')[0], of('_high')[0]]),
      bands: [{ low: of('_low'), middle: of(''), high: of('_high'), kind: 'control-1' }],
      lines: [
        {
          values: means.slice(0, arrays.ranks),
          at: places,
          label: words.curve,
          kind: 'kept',
          along: 0.2,
          dot: 0,
        },
      ],
      rules,
      marks: [
        ...seeds.flatMap((each, x) => each.map((y) => ({ x, y, kind: 'seed', label: '' }))),
        ...means
          .slice(arrays.ranks)
          .map((y, i) => ({ x: arrays.ranks + i, y, kind: 'embeddings', label: '' })),
      ],
    })
  }

  /** From the floor, or zero where there is none, to a little above the highest. */
  range(values) {
    const high = Math.max(...values)
    const low = this.shown.floor ?? 0
    const room = ROOM * (high - low)
    return [Math.max(0, low - room), high + room]
  }

  drawPrice() {
    const { shown, text, charts, arrays, last } = this
    const words = text.charts.price
    const line = (name, kind, along) => {
      const values = shown.values.slice(0, arrays.ranks).map((each) => each[name])
      return { values, at: values.map((_, i) => i), label: words[name], kind, along, dot: 0 }
    }
    const beyond = shown.values.slice(arrays.ranks, last + 1)
    this.put(charts.price, {
      ...this.common(words),
      y: [0, TOP],
      lines: [line('facts', 'lost', 0.3), line('stories', 'lost squared', 0.6)],
      rules: [{ at: { y: shown.values[0].before_facts }, label: words.before, kind: 'control-1' }],
      marks: beyond.flatMap((each, i) => [
        { x: arrays.ranks + i, y: each.facts, kind: 'left', label: '' },
        { x: arrays.ranks + i, y: each.stories, kind: 'left open', label: '' },
      ]),
    })
  }

  /** Follow the slider: its line in both charts, the read-outs, the sentence. */
  tick(place) {
    this.stepper.show(place)
    for (const chart of Object.values(this.charts)) chart.move(this.place)
    this.readouts.show(this.values)
    this.frame.update()
  }

  sentence() {
    const { text, values, measure } = this
    const { sentences } = text
    return fill(sentences[measure][values[`${measure}_verdict`]] + sentences.price, values)
  }

  snippet() {
    return fill(this.arrays.snippet, this.values)
  }

  table() {
    return this.tableOf([...this.shown.values.slice(0, this.last + 1), this.shown.full])
  }

  get stem() {
    return this.model.get('task')
  }

  saves() {
    return {
      curves: () => ['seeds.csv', this.asCsv()],
    }
  }

  asCsv() {
    const { seeds, values } = this.shown
    const lines = values
      .slice(0, this.last + 1)
      .flatMap(({ key, numbers, rate }, i) =>
        seeds.loss[i].map((loss, seed) => [key, numbers, rate, seed, loss, seeds.right[i][seed]]),
      )
    return csv([['what_learns', 'numbers_trained', 'learning_rate', 'seed', 'loss', 'right'], ...lines])
  }
}

export default rendering(Wall)
