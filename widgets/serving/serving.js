import { Chart } from '../kit/chart.js'
import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill, format } from '../kit/text.js'

const CHOSEN = ['words_each', 'r']
const WAYS = ['together', 'swapped', 'merged']
const KINDS = { together: 'kept', swapped: 'control-0', merged: 'control-1' }
const ROOM = 1.06 // above the highest value
const EVERY_MS = 700

/** One batch with ever more adapters in it, answered in three ways. */
class Serving extends Instrument {
  constructor(model, el) {
    super(model, el)
    for (const name of CHOSEN)
      model.on(`change:${name}`, () => {
        this.goOn()
        this.load()
      })
    model.on('change:guess', () => this.load())
    this.load()
  }

  get place() {
    return this.stepper.value
  }

  /** The key of what was measured for the present batch. */
  get batch() {
    return CHOSEN.map((name) => this.model.get(name)).join('-')
  }

  build({ doublings }) {
    const { text, frame } = this
    this.arrays = read(this.model, 'arrays')
    const { adapters, k } = this.arrays
    this.controls = this.choosers(...CHOSEN)
    this.stepper = this.slider('doublings', doublings.label, {
      everyMs: EVERY_MS,
      told: (place) => fill(text.places, { adapters: adapters[place] }),
    })
    this.stepper.set({ low: 0, high: k, value: this.model.get('doublings'), start: 0 })
    this.guess = new Guess(text.guess, this.choosing('guess'))
    this.note = h('p', { class: 'note' })
    this.readouts = new Readouts(text, text.beside)
    this.charts = Object.fromEntries(
      [
        ['pace', '.0%'],
        ['held', '.2~s'],
      ].map(([name, spec]) => [name, this.chart(name, spec)]),
    )
    this.drawn = h(
      'div',
      { class: 'charts' },
      this.charts.pace.element,
      ...frame.part('held', this.charts.held.element),
    )
    this.said = h('div', {}, this.readouts.element, frame.sentence)
    frame.root.append(
      ...frame.part('batch', abreast(this.controls)),
      ...frame.part('guess', this.guess.element),
      this.stepper.element,
      this.drawn,
      this.said,
      this.note,
    )
  }

  chart(name, spec) {
    return new Chart(this.text.charts[name], {
      format: format(spec),
      choose: (place) => this.stepper.go(place),
      probe: (place) => fill(this.text.charts[name].probe, this.values(place)),
    })
  }

  /** Another batch, or another guess: all curves are here. */
  load() {
    for (const [name, { input }] of Object.entries(this.controls)) input.value = this.model.get(name)
    const { guessed } = this
    this.guess.show(guessed, { ...this.values(0), ...this.arrays.truths[this.batch] })
    for (const part of [this.said, this.drawn]) part.classList.toggle('waiting', guessed === 'ask')
    this.note.textContent = fill(this.text.note, this.values(0))
    this.draw()
  }

  /** All numbers that a sentence may use; __init__.py makes the same. */
  values(place) {
    const { text, arrays, model } = this
    const [length, r] = CHOSEN.map((name) => model.get(name))
    const adapters = arrays.adapters[place]
    const base = arrays.base[length]
    const values = {
      adapters,
      asked: fill(text.asked[place ? 'several' : 'one'], { adapters }),
      requests: arrays.requests,
      length: text.lengths[length],
      words: Number(length),
      r: Number(r),
      base_rate: base,
      recorded: arrays.recorded,
    }
    for (const way of WAYS) {
      const [low, middle, high] = arrays.paces[this.batch][way][place]
      Object.assign(values, {
        [way]: middle,
        [`${way}_low`]: low,
        [`${way}_high`]: high,
        [`${way}_rate`]: base * middle,
        [`${way}_held`]: arrays.held[r][way][place],
      })
    }
    return values
  }

  /** Draw what no tick changes. */
  draw() {
    const { arrays, charts, text } = this
    const paces = arrays.paces[this.batch]
    const held = arrays.held[this.model.get('r')]
    const column = (way, i) => paces[way].map((pace) => pace[i])
    const lines = (name, values, places) =>
      WAYS.map((way) => ({
        values: values(way),
        label: text.charts[name][way],
        kind: KINDS[way],
        ...places[way],
      }))
    const middles = Object.fromEntries(WAYS.map((way) => [way, column(way, 1)]))
    // The two that fall have their names where they are halfway down.
    const fallen = (way, level) => {
      const i = Math.max(
        1,
        middles[way].findIndex((pace) => pace <= level),
      )
      return { along: i / arrays.adapters.length }
    }
    const tick = (place) => String(arrays.adapters[place])
    const counted = arrays.counted[this.model.get('r')]
    const highest = Math.max(1, ...WAYS.flatMap((way) => column(way, 2)))
    charts.pace.draw({
      k: arrays.k,
      y: [0, highest * ROOM],
      bands: WAYS.map((way) => ({
        low: column(way, 0),
        middle: column(way, 1),
        high: column(way, 2),
        kind: way === 'together' ? 'spread' : 'control-0 quiet',
      })),
      lines: lines('pace', (way) => middles[way], {
        together: { along: 0.5 },
        swapped: fallen('swapped', 0.5),
        merged: fallen('merged', 0.6),
      }),
      rules: [
        { at: { y: 1 }, label: text.charts.pace.base, kind: 'control-1' },
        {
          at: { y: counted },
          label: text.charts.pace.counted,
          kind: 'kept',
        },
      ],
      tick,
    })
    charts.held.draw({
      k: arrays.k,
      y: [0, Math.max(...WAYS.flatMap((way) => held[way])) * ROOM],
      lines: lines('held', (way) => held[way], {
        together: { along: 0.9 },
        swapped: { along: 0.2 },
        merged: { along: 0.5 },
      }),
      tick,
    })
    this.tick(this.place)
  }

  /** Follow the slider. */
  tick(place) {
    this.stepper.show(place)
    this.readouts.show(this.values(place))
    for (const chart of Object.values(this.charts)) chart.move(place)
    this.frame.update()
  }

  sentence() {
    return fill(this.text.sentence, this.values(this.place))
  }

  table() {
    return this.tableOf(this.arrays.adapters.map((_, place) => this.values(place)))
  }

  snippet() {
    const { adapters, words, r } = this.values(this.place)
    return fill(this.arrays.snippet, { adapters, words, r })
  }

  get stem() {
    return `serving-${this.batch}`
  }

  saves() {
    return { paces: () => ['paces.csv', this.asCsv()] }
  }

  asCsv() {
    const { paces, adapters, held } = this.arrays
    const head = ['words_each', 'r', 'adapters', 'way', 'low', 'median', 'high', 'numbers_held']
    const lines = Object.entries(paces).flatMap(([batch, ways]) => {
      const [length, r] = batch.split('-')
      return WAYS.flatMap((way) =>
        adapters.map((number, i) => [length, r, number, way, ...ways[way][i], held[r][way][i]]),
      )
    })
    return csv([head, ...lines])
  }
}

export default rendering(Serving)
