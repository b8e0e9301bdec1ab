import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { Dots } from './dots.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill } from '../kit/text.js'

const KEYED = ['task', 'run']
const SHARES = [0.0001, 0.001, 0.01, 0.1, 1]
const FACTORS = [0.1, 1, 10, 100]

/** How much of W lies in the directions of delta_w, here and in the paper. */
class Amplification extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits(...KEYED)
    model.on('change:layer', () => {
      this.goOn()
      this.draw()
    })
    model.on('change:guess', () => this.draw())
    this.load()
  }

  build() {
    const { text, frame } = this
    this.controls = this.choosers(...KEYED, 'layer')
    this.guess = new Guess(text.guess, this.choosing('guess'))
    this.readouts = new Readouts(text)
    const { share, factor } = text.charts
    this.charts = { share: new Dots(share, SHARES, '~%'), factor: new Dots(factor, FACTORS, '~g') }
    const key = Object.entries(text.key).map(([kind, words]) => h('span', { class: kind }, words))
    this.drawn = h(
      'div',
      { class: 'measured' },
      h('p', { class: 'dots-key' }, ...key),
      h(
        'div',
        { class: 'charts' },
        ...frame.part('share_chart', this.charts.share.element),
        ...frame.part('factor_chart', this.charts.factor.element),
      ),
      this.readouts.element,
    )
    frame.root.append(
      ...frame.part('choices', abreast(this.controls)),
      ...frame.part('guess', this.guess.element),
      this.drawn,
      frame.sentence,
    )
  }

  load() {
    const before = this.data
    this.data = read(this.model, 'arrays')
    if (before && before.key !== this.data.key) this.goOn()
    this.draw()
  }

  values() {
    return { ...this.data.layers[this.model.get('layer')], ...this.data.paper.values }
  }

  draw() {
    const { text, model, controls, charts } = this
    const { layers, paper } = this.data
    for (const name of [...KEYED, 'layer']) controls[name].input.value = model.get(name)
    const values = this.values()
    this.guess.show(this.guessed, { truth: values.truth, ratio: values.ratio })
    this.drawn.classList.toggle('waiting', this.guessed === 'ask')
    charts.share.draw({
      chosen: text.of.kept,
      rows: Object.entries(text.of).map(([kind, name]) => {
        const [here, there] = [values[kind] / values.whole, paper.shares[kind]]
        const seeds = kind === 'kept' ? values.seeds.map(({ share }) => ({ kind: 'seed', value: share })) : []
        const ours = { kind: kind === 'random' ? 'chance' : 'ours', value: here }
        return {
          name,
          told: { name, here, paper: there },
          marks: [{ kind: 'paper', value: there }, ...seeds, ours],
        }
      }),
    })
    const block = values.layer.slice(0, 'blocks.0'.length)
    const rows = Object.values(layers).filter(({ layer }) => layer.startsWith(block))
    const named = ({ layer }) => layer.split('.').at(-1)
    charts.factor.draw({
      chosen: named(values),
      rule: { at: values.paper_factor, label: fill(text.charts.factor.rule, values) },
      rows: rows.map((each) => ({
        name: named(each),
        told: { ...each, name: named(each) },
        marks: [
          { kind: 'chance', value: each.chance },
          ...each.seeds.map(({ factor }) => ({ kind: 'seed', value: factor })),
          { kind: 'ours', value: each.factor },
        ],
      })),
    })
    this.readouts.show(values)
    this.frame.update()
  }

  sentence() {
    const { sentences } = this.text
    return fill(this.guessed === 'ask' ? sentences.veiled : sentences.told, this.values())
  }

  snippet() {
    return fill(this.data.snippet, this.values())
  }

  table() {
    return this.tableOf(Object.values(this.data.layers))
  }

  get stem() {
    return this.data.key
  }

  saves() {
    return { layers: () => ['amplification.csv', this.layersAsCsv()] }
  }

  layersAsCsv() {
    const head = [
      'layer',
      'norm_W',
      'norm_delta_w',
      'W_in_delta_w',
      'W_in_random',
      'W_in_own',
      'amplification',
    ]
    const line = (of) => [of.layer, of.whole, of.size, of.kept, of.random, of.strongest, of.factor]
    return csv([head, ...Object.values(this.data.layers).map(line)])
  }
}

export default rendering(Amplification)
