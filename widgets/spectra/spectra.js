import { Chart } from '../kit/chart.js'
import { select } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { Spectra } from './spectrum.js'
import { fill, format } from '../kit/text.js'

const ROOM = 1.05 // above the highest value
const LEAST_DECADE = -5 // of a log axis: rounding of four digits stays out of sight
const short = (value) => format(value && value < 0.01 ? '.0e' : '~g')(value)

/** The singular values of a change beside those of noise, and the energy of its first directions. */
class View extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits('source')
    for (const name of ['layer', 'scale']) model.on(`change:${name}`, () => this.show())
    model.on('change:guess', () => this.show())
    this.load()
  }

  build({ layer }) {
    const { text, frame } = this
    this.controls = {
      ...this.choosers('source'),
      layer: select(layer.label, [], this.choosing('layer')), // of the source, so not known yet
      ...this.choosers('scale'),
    }
    this.guess = new Guess(text.guess, this.choosing('guess'))
    const chart = (name, format) =>
      new Chart(text.charts[name], {
        format,
        choose: () => {},
        probe: (i) => (this.spectra ? fill(text.charts[name].probe, this.spectra.values(i)) : ''),
      })
    this.charts = { s: chart('s', short), energy: chart('energy', format('.0%')) }
    this.layers = new Chart(text.charts.layers, {
      format: String,
      choose: (i) => frame.shown('source') && this.choose('layer', this.spectra.layers[i].name),
      probe: (i) => {
        const layer = this.spectra?.layers[i]
        return layer?.targets ? fill(text.charts.layers.probe, this.spectra.among(layer)) : ''
      },
    })
    this.every = h('div', { class: 'charts' }, this.layers.element)
    this.note = h('p', { class: 'note' })
    this.told = { one: new Readouts(text, text.readoutNoise), both: new Readouts(text, text.readoutBoth) }
    this.readouts = h('div')
    this.energy = h('div', {}, this.charts.energy.element)
    const { source, layer: of, scale } = this.controls
    frame.root.append(
      h('div', { class: 'controls' }, ...frame.part('source', source.element, of.element), scale.element),
      this.note,
      ...frame.part('guess', this.guess.element),
      h(
        'div',
        { class: 'charts' },
        ...frame.part('values', this.charts.s.element),
        ...frame.part('energy', this.energy),
      ),
      frame.sentence,
      this.readouts,
      ...frame.part('layers', this.every),
    )
  }

  load() {
    const { frame, model, controls, text } = this
    const before = this.spectra
    const spectra = (this.spectra = new Spectra(read(model, 'arrays')))
    const asked = model.get('layer')
    const shown = spectra.show(asked)
    controls.layer.input.replaceChildren(
      ...spectra.layers.map(({ name }) => h('option', { value: name }, name)),
    )
    controls.layer.element.hidden = spectra.layers.length === 1
    controls.source.input.value = model.get('source')
    this.note.textContent = spectra.note
    if (!before && shown !== asked && asked !== frame.spec.choices.layer.default) {
      const allowed = spectra.layers.map(({ name }) => name).join(', ')
      const { label: name } = frame.spec.choices.layer
      frame.say(fill(text.notAChoice, { name, given: asked.slice(0, 40), allowed, value: shown }))
    }
    if (before && before.key !== spectra.key) this.goOn()
    if (shown !== asked) this.choose('layer', shown)
    this.show()
  }

  /** Whether the answer is still hidden. */
  get asking() {
    return this.frame.shown('guess') && this.model.get('guess') === 'ask'
  }

  /** Draw the layer that is chosen, as far as the reader may see it. */
  show() {
    const { model, spectra, controls } = this
    controls.layer.input.value = spectra.show(model.get('layer'))
    controls.scale.input.value = model.get('scale')
    const values = spectra.values(0)
    const guess = this.guessed
    this.guess.show(guess, { ...values, truth: values.r90, high: values.k })
    for (const part of [this.readouts, this.energy, this.every]) part.classList.toggle('waiting', this.asking)
    this.drawValues()
    this.drawEnergy(guess)
    for (const chart of Object.values(this.charts)) chart.move(this.asking ? spectra.k : values.r90)
    this.drawLayers()
    const told = this.told[spectra.layer.targets ? 'both' : 'one']
    told.show(values)
    this.readouts.replaceChildren(told.element)
    this.frame.update()
  }

  /** r90 of every layer beside both controls, where there are two. */
  drawLayers() {
    const { spectra, text, layers } = this
    this.every.hidden = !spectra.layer.targets
    if (this.every.hidden) return
    const found = spectra.layers.map((layer) => spectra.among(layer))
    const of = (name) => found.map((each) => each[name])
    const middle = (low, high) => found.map((each) => (each[low] + each[high]) / 2)
    layers.draw({
      k: found.length - 1,
      y: [0, Math.max(...of('noise_r90')) * ROOM],
      tick: (i) => i + 1,
      bands: [
        {
          low: of('targets_low'),
          middle: middle('targets_low', 'targets_high'),
          high: of('targets_high'),
          label: text.targets,
          kind: 'targets',
        },
        {
          low: of('low'),
          middle: middle('low', 'high'),
          high: of('high'),
          label: text.charts.layers.task,
          kind: 'task',
        },
      ],
      lines: [{ values: of('noise_r90'), label: text.noise, kind: 'control-0', dot: 0 }],
    })
    layers.move(spectra.layers.indexOf(spectra.layer))
  }

  drawValues() {
    const { spectra, text, charts } = this
    const { k, share, band } = spectra
    const [low, middle, high] = band.s
    const log = this.model.get('scale') === 'log'
    const smallest = Math.min(...[...share, ...low].filter((value) => value > 0))
    const decade = Math.max(LEAST_DECADE, Math.floor(Math.log10(smallest)))
    const top = Math.max(share[0], high[0], spectra.layer.targets?.s[0] ?? 0)
    charts.s.draw({
      k,
      y: log ? [10 ** decade, 1] : [0, top * ROOM],
      ticks: log ? Array.from({ length: 1 - decade }, (_, i) => 10 ** -i) : undefined,
      bands: [{ low, middle, high, label: text.noise, kind: 'control-0', shift: 0.5, along: 0.25 }],
      lines: [
        ...this.law('s', 0.5).map((line) => ({ ...line, label: text.law })),
        ...this.targets(spectra.layer.targets?.s, 0.5, 0.55),
      ],
      bars: share,
    })
  }

  drawEnergy(guess) {
    const { spectra, text, charts } = this
    const { k, energy, band, layer, level } = spectra
    const [low, middle, high] = band.energy
    const values = spectra.values(0)
    charts.energy.draw({
      k,
      y: [0, 1],
      bands: [{ low, middle, high, label: text.noise, kind: 'control-0', along: 0.12 }],
      lines: [
        { values: energy, label: text.charts.energy.curve, kind: 'kept', along: 0.6 },
        ...this.law('energy', 0),
        ...this.targets(spectra.targetsEnergy, 0),
      ],
      rules: [
        { at: { y: level }, label: fill(text.level, values), kind: 'kept', left: layer.r90 > 0.2 * k },
        { at: { x: band.ranks.r90 }, label: fill(text.noiseMark, values), kind: 'control-0', low: true },
      ],
      marks: this.marks(guess, layer.r90, values),
    })
  }

  /** The Marchenko-Pastur curve, where there is one for this noise. */
  law(what, shift) {
    const { law } = this.spectra.band
    if (!law) return []
    const places = law[what].map((_, i) => i + shift)
    return [{ values: law[what], at: places, kind: 'law', along: 0.6, dot: 0 }]
  }

  /** The curve of random targets, where there is one, with its name `along` it. */
  targets(values, shift, along) {
    if (!values) return []
    const at = values.map((_, i) => i + shift)
    return [{ values, at, label: along && this.text.targets, kind: 'targets', along, dot: 0 }]
  }

  /** The truth and the guess on the curve. */
  marks(guess, r90, values) {
    const { text, spectra } = this
    const { energy, k } = spectra
    const at = (x, kind, label) => ({ x, y: energy[x], kind, label })
    const truth = at(r90, 'truth', fill(text.guess.truthMark, values))
    const said = Number(guess)
    if (!(said <= k)) return [truth]
    return [truth, at(said, 'guess', fill(text.guess.guessMark, { guess }))]
  }

  sentence() {
    const { spectra, text } = this
    return fill(text.sentences[this.asking ? 'ask' : spectra.case], spectra.values(0))
  }

  snippet() {
    return fill(this.spectra.snippet, { layer: this.spectra.layer.name })
  }

  table() {
    const { spectra, text } = this
    const law = spectra.band.law ? text.tableLaw : text.tableLawless
    const targets = spectra.layer.targets ? text.tableTargets : text.tableTargetless
    const cells = [...text.tableRow, law, ...targets]
    const line = (_, i) => cells.map((cell) => fill(cell, spectra.values(i + 1)))
    return { head: text.tableHead, rows: spectra.share.map(line) }
  }

  get stem() {
    return `${this.spectra.key}-${this.spectra.layer.name}`
  }

  saves() {
    return {
      spectrum: () => ['spectrum.csv', this.asCsv()],
    }
  }

  asCsv() {
    const { spectra } = this
    const head = [
      'direction',
      's',
      'share',
      'energy',
      'noise_low',
      'noise_median',
      'noise_high',
      'law',
      'targets',
    ]
    const line = (s, i) => {
      const { s: share, energy, noise_low, noise_s, noise_high, law, targets_s } = spectra.values(i + 1)
      return [i + 1, s, share, energy, noise_low, noise_s, noise_high, law ?? '', targets_s ?? '']
    }
    return csv([head, ...spectra.layer.s.map(line)])
  }
}

export default rendering(View)
