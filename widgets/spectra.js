import { format } from 'd3-format'
import { Chart, svgOf } from './lib/chart.js'
import { select } from './lib/controls.js'
import { h } from './lib/dom.js'
import { Frame, read } from './lib/frame.js'
import { Guess } from './lib/guess.js'
import { csv, picture } from './lib/share.js'
import { Spectra } from './lib/spectrum.js'
import { fill } from './lib/text.js'

const ROOM = 1.05 // above the highest value
const LEAST_DECADE = -5 // of a log axis: rounding of four digits stays out of sight
const LABEL_REM = 1.2 // from a mark down to its label
const HEIGHT_REM = 11 // of the charts' inside
const short = (value) => format(value && value < 0.01 ? '.0e' : '~g')(value)

/** The singular values of a change beside those of noise, and the energy of its first directions. */
class View {
  constructor(model, el) {
    this.model = model
    this.frame = new Frame(model, el, {
      sentence: () => this.sentence(),
      table: () => this.table(),
      snippet: () => fill(this.spectra.snippet, { layer: this.spectra.layer.name }),
      files: this.files(read(model, 'spec').text),
    })
    this.text = this.frame.spec.text
    this.build(this.frame.spec.choices)
    model.on('change:source', () => this.wait())
    model.on('change:arrays', () => this.load())
    for (const name of ['layer', 'scale']) model.on(`change:${name}`, () => this.show())
    model.on('change:guess', () => this.show())
    this.load()
  }

  choose(name, value) {
    this.model.set(name, value)
    this.model.save_changes()
  }

  build({ source, layer, scale }) {
    const { text, frame } = this
    const choose = (name) => (value) => this.choose(name, value)
    this.controls = {
      source: select(source.label, source.options, choose('source')),
      layer: select(layer.label, [], choose('layer')),
      scale: select(scale.label, scale.options, choose('scale')),
    }
    this.guess = new Guess(text.guess, choose('guess'))
    const chart = (name, format) =>
      new Chart(text.charts[name], {
        format,
        choose: () => {},
        probe: (i) => (this.spectra ? fill(text.charts[name].probe, this.spectra.values(i)) : ''),
      })
    this.charts = { s: chart('s', short), energy: chart('energy', format('.0%')) }
    this.note = h('p', { class: 'note' })
    this.readouts = Object.keys(text.readouts).map((name) => ({
      name,
      term: h('dt', {}),
      value: h('dd', { class: `of-${name}` }),
      noise: h('dd', { class: 'of-noise' }),
    }))
    const readout = ({ term, value, noise }) => h('div', {}, term, value, noise)
    this.said = h('dl', { class: 'readouts' }, ...this.readouts.map(readout))
    this.energy = h('div', {}, this.charts.energy.element)
    const { source: from, layer: of, scale: axis } = this.controls
    frame.root.append(
      h('div', { class: 'controls' }, ...frame.part('source', from.element, of.element), axis.element),
      this.note,
      ...frame.part('guess', this.guess.element),
      frame.sentence,
      this.said,
      h(
        'div',
        { class: 'charts' },
        ...frame.part('values', this.charts.s.element),
        ...frame.part('energy', this.energy),
      ),
      frame.announced,
      frame.drawers,
    )
  }

  /** Another source was chosen: show it as coming until its spectra are here. */
  wait() {
    this.controls.source.input.value = this.model.get('source')
    this.frame.root.setAttribute('aria-busy', 'true')
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
    frame.root.removeAttribute('aria-busy')
    if (!before && shown !== asked && asked !== frame.spec.choices.layer.default) {
      const allowed = spectra.layers.map(({ name }) => name).join(', ')
      const { label: name } = frame.spec.choices.layer
      frame.say(fill(text.notAChoice, { name, given: asked.slice(0, 40), allowed, value: shown }))
    }
    // One guess is asked for; after it the reader is free, and may guess again.
    if (before && before.key !== spectra.key && model.get('guess') !== 'ask') this.choose('guess', 'skip')
    if (shown !== asked) this.choose('layer', shown)
    this.show()
  }

  /** Whether the answer is still hidden. */
  get asking() {
    return this.frame.shown('guess') && this.model.get('guess') === 'ask'
  }

  /** Draw the layer that is chosen, as far as the reader may see it. */
  show() {
    const { model, spectra, controls, text } = this
    controls.layer.input.value = spectra.show(model.get('layer'))
    controls.scale.input.value = model.get('scale')
    const values = spectra.values(0)
    const guess = this.frame.shown('guess') ? model.get('guess') : 'skip'
    this.guess.show(guess, { ...values, truth: values.r90, high: values.k })
    for (const part of [this.said, this.energy]) part.classList.toggle('waiting', this.asking)
    this.drawValues()
    this.drawEnergy(guess)
    for (const chart of Object.values(this.charts)) chart.move(this.asking ? spectra.k : values.r90)
    for (const { name, term, value, noise } of this.readouts) {
      term.textContent = fill(text.readouts[name], values)
      value.textContent = fill(text.readoutValues[name], values)
      noise.textContent = fill(text.readoutNoise[name], values)
    }
    this.frame.update()
  }

  drawValues() {
    const { spectra, text, charts } = this
    const { k, share, band } = spectra
    const [low, middle, high] = band.s
    const log = this.model.get('scale') === 'log'
    const smallest = Math.min(...[...share, ...low].filter((value) => value > 0))
    const decade = Math.max(LEAST_DECADE, Math.floor(Math.log10(smallest)))
    const top = Math.max(share[0], high[0])
    charts.s.draw({
      k,
      y: log ? [10 ** decade, 1] : [0, top * ROOM],
      ticks: log ? Array.from({ length: 1 - decade }, (_, i) => 10 ** -i) : undefined,
      bands: [{ low, middle, high, label: text.noise, kind: 'control-0', shift: 0.5, along: 0.25 }],
      lines: this.law('s', 0.5).map((line) => ({ ...line, label: text.law })),
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

  /** The truth and the guess on the curve; where the two are close, one label stands below the other. */
  marks(guess, r90, values) {
    const { text, spectra } = this
    const { energy, k } = spectra
    const at = (x, kind, label, lift) => ({ x, y: energy[x], kind, label, lift })
    const truth = at(r90, 'truth', fill(text.guess.truthMark, values), -LABEL_REM)
    const said = Number(guess)
    if (!(said <= k)) return [truth]
    const above = (energy[said] - energy[r90]) * HEIGHT_REM
    const lift = Math.abs(above) > LABEL_REM ? -LABEL_REM : -2 * LABEL_REM - above
    return [truth, at(said, 'guess', fill(text.guess.guessMark, { guess }), lift)]
  }

  sentence() {
    const { spectra, text } = this
    return fill(text.sentences[this.asking ? 'ask' : spectra.case], spectra.values(0))
  }

  table() {
    const { spectra, text } = this
    const cells = [...text.tableRow, spectra.band.law ? text.tableLaw : text.tableLawless]
    const line = (_, i) => cells.map((cell) => fill(cell, spectra.values(i + 1)))
    return { head: text.tableHead, rows: spectra.share.map(line) }
  }

  files({ downloads }) {
    const name = (what) => () => `${this.spectra.key}-${this.spectra.layer.name}-${what}`
    return [
      {
        label: downloads.spectrum,
        name: name('spectrum.csv'),
        type: 'text/csv',
        text: () => this.asCsv(),
      },
      {
        label: downloads.picture,
        name: name('picture.svg'),
        type: 'image/svg+xml',
        text: () => this.asPicture(),
      },
    ]
  }

  asCsv() {
    const { spectra } = this
    const head = ['direction', 's', 'share', 'energy', 'noise_low', 'noise_median', 'noise_high', 'law']
    const line = (s, i) => {
      const { s: share, energy, noise_low, noise_s, noise_high, law } = spectra.values(i + 1)
      return [i + 1, s, share, energy, noise_low, noise_s, noise_high, law ?? '']
    }
    return csv([head, ...spectra.layer.s.map(line)])
  }

  asPicture() {
    const drawn = Object.values(this.charts).filter((chart) => chart.now)
    const charts = drawn.map((chart) => ({ title: chart.words.title, svg: svgOf(chart) }))
    return picture(this.frame.root, this.frame.sentence.textContent, [], charts)
  }
}

function render({ model, el }) {
  new View(model, el)
}

export default { render }
