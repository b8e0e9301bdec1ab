import { format } from 'd3-format'
import { decode, peak, row } from './lib/arrays.js'
import { Chart, svgOf } from './lib/chart.js'
import { divergingScale, onColours } from './lib/colour.js'
import { Stepper, integer, select } from './lib/controls.js'
import { h } from './lib/dom.js'
import { Frame, csv, read } from './lib/frame.js'
import { Guess } from './lib/guess.js'
import { Heatmap } from './lib/heatmap.js'
import { LowRank } from './lib/lowrank.js'
import { picture } from './lib/share.js'
import { fill, short } from './lib/text.js'

const MAPS = ['delta_w', 'copy', 'residual', 'lora_B', 'lora_A']
const MATRIX = ['task', 'n', 'seed']
const THINNEST = 0.12 // of the matrix's side: a factor drawn thinner could not be read

/** A matrix, its best rank-r copy, what the copy misses, the two factors, and the curves over r beside noise. */
class Rank {
  constructor(model, el) {
    this.model = model
    this.frame = new Frame(model, el, {
      sentence: () => this.sentence(),
      table: () => this.table(),
      snippet: () => fill(this.data.snippet, { r: this.r }),
      files: this.files(read(model, 'spec').text),
    })
    this.spec = this.frame.spec
    this.text = this.spec.text
    this.build()
    for (const name of [...MATRIX, 'r', 'guess']) model.on(`change:${name}`, () => this.follow(name))
    model.on('change:arrays', () => this.load())
    this.stop = onColours(() => this.colour())
    this.load()
  }

  get r() { return this.stepper.value }

  /** Set a choice as the reader's. */
  choose(name, value) {
    this.model.set(name, value)
    this.model.save_changes()
  }

  build() {
    const { text, frame, spec } = this
    const shown = (part, element) => (frame.shown(part) ? element : '')
    this.controls = {
      task: select(spec.choices.task.label, spec.choices.task.options, (v) => this.choose('task', v)),
      n: integer(spec.choices.n.label, spec.choices.n.bounds, (v) => this.choose('n', v)),
      seed: integer(spec.choices.seed.label, spec.choices.seed.bounds, (v) => this.choose('seed', v)),
    }
    this.maps = Object.fromEntries(MAPS.map((name) => [name, new Heatmap(name, (y, x) => this.cell(name, y, x))]))
    this.stepper = new Stepper({ ...text, label: spec.choices.r.label }, {
      onTick: (r) => this.tick(r),
      onSettled: (r) => this.choose('r', r),
    })
    if (!frame.shown('steps')) this.stepper.element.lastChild.hidden = true
    this.guess = new Guess(text.guess, (value) => this.choose('guess', value))
    this.readouts = Object.fromEntries(Object.entries(text.readouts).map(([name, label]) => [name, { label, value: h('dd', { class: name }) }]))
    const percent = { format: format('.0%'), choose: (r) => this.stepper.go(r) }
    const probe = (template) => (r) => (this.data ? fill(template, this.values(r)) : '')
    this.charts = {
      error: new Chart(text.charts.error, { ...percent, probe: probe(text.charts.error.probe) }),
      energy: new Chart(text.charts.energy, { ...percent, probe: probe(text.charts.energy.probe) }),
      s: new Chart(text.charts.s, { ...percent, format: format('.2~f'), probe: probe(text.charts.s.probe) }),
    }
    this.legend = h('div', { class: 'legend' }, h('div', { class: 'ramp' }), (this.ranges = h('dl', {})))
    this.cellSaid = h('p', { class: 'cell', role: 'status' })
    this.note = h('p', { class: 'note' })
    this.veiled = h('div', { class: 'veiled' },
      h('dl', { class: 'readouts' }, ...Object.values(this.readouts).map(({ label, value }) => h('div', {}, h('dt', {}, label), value))),
      frame.sentence)
    this.curves = shown('charts', h('div', { class: 'charts' }, ...Object.values(this.charts).map((chart) => chart.element)))
    frame.root.append(
      shown('matrix', h('div', { class: 'controls' }, ...Object.values(this.controls).map((c) => c.element))),
      this.note, this.stepper.element, shown('guess', this.guess.element), this.veiled,
      h('div', { class: 'maps' },
        ...MAPS.slice(0, 3).map((name) => this.maps[name].element),
        ...(frame.shown('factors') ? MAPS.slice(3).map((name) => this.maps[name].element) : [])),
      h('div', { class: 'aside' }, this.legend, this.cellSaid),
      this.curves, frame.announced, frame.drawers)
  }

  /** A choice changed: ours, the address's or Python's. */
  follow(name) {
    const value = this.model.get(name)
    if (name === 'r') { if (value !== this.r) this.tick(value) } else if (name === 'guess') this.reveal()
    else {
      this.controls[name].input.value = value
      this.frame.root.setAttribute('aria-busy', 'true') // until the data of this choice is here
    }
  }

  /** Take over the matrix that Python made. */
  load() {
    const data = read(this.model, 'arrays')
    const guessed = this.data && this.data.key !== data.key && this.model.get('guess') !== 'ask'
    this.data = data
    const { U, s, Vh, error, energy } = data
    data.s = decode(s)
    const norm = Math.sqrt(data.s.reduce((sum, value) => sum + value * value, 0))
    data.share = data.s.map((value) => value / norm)
    data.error = decode(error)
    data.energy = decode(energy)
    data.noise = data.controls.map(({ k, label, ...bands }) => {
      const rows = (name, columns) => [0, 1, 2].map((i) => row(decode(bands[name]), columns, i))
      return { label, error: rows('error', k + 1), energy: rows('energy', k + 1), s: rows('s', k) }
    })
    this.lowrank = new LowRank({ U: decode(U), s: data.s, Vh: decode(Vh), rows: data.drawn[0], columns: data.drawn[1] })
    this.factors = this.lowrank.factors()
    this.tops = { matrix: this.lowrank.peak, factor: Math.max(peak(this.factors.lora_B), peak(this.factors.lora_A)) }
    for (const name of MATRIX) this.controls[name].input.value = this.model.get(name)
    this.controls.seed.input.disabled = !data.seeded
    this.note.textContent = data.note
    this.note.hidden = !data.note
    const { k } = this.lowrank
    this.stepper.set({ low: 0, high: k, value: Math.min(this.model.get('r'), k), start: Math.min(this.spec.choices.r.default, k) })
    const [out, into] = data.shape
    const [rows, columns] = data.drawn
    const high = Math.min(2, Math.max(0.25, rows / columns))
    for (const name of MAPS.slice(0, 3)) this.maps[name].resize(rows, columns, 1, high)
    this.maps.lora_B.resize(rows, k, Math.max(THINNEST, k / into), high) // as thin beside the matrix as it is
    this.maps.lora_A.resize(k, columns, 1, high * Math.max(THINNEST, k / out))
    for (const name of MAPS.slice(0, 3)) this.maps[name].title.textContent = fill(text(this, name), { out, in: into })
    this.frame.root.removeAttribute('aria-busy')
    if (guessed) this.choose('guess', 'skip')
    this.colour()
    this.reveal()
  }

  /** Draw all in the colours of the page. */
  colour() {
    this.scale = divergingScale(this.frame.root)
    const { matrix, factor } = this.tops
    const line = (name, top) => h('div', {}, h('dt', {}, this.text.legend[name]), h('dd', {}, `${short(-top)} … 0 … ${short(top)}`))
    this.ranges.replaceChildren(line('matrix', matrix), this.frame.shown('factors') ? line('factor', factor) : '')
    this.maps.delta_w.paint(this.lowrank.full, matrix, this.scale)
    this.tick(this.r)
  }

  /** Show or veil what the guess is about. */
  reveal() {
    const guess = this.frame.shown('guess') ? this.model.get('guess') : 'skip'
    const { label, knee, tolerance } = this.data
    this.guess.show(guess, { label, tolerance, truth: knee, high: this.lowrank.k })
    for (const part of [this.veiled, this.curves]) if (part) part.classList.toggle('waiting', guess === 'ask')
    this.draw(guess)
  }

  draw(guess) {
    const { data, text } = this
    const { k } = this.lowrank
    const named = (i, label) => (i === 0 ? '' : label) // the first chart of a pair carries the control's name in full
    const bands = (name, shift) => data.noise.map(({ label, [name]: rows }, i) => ({ low: rows[0], middle: rows[1], high: rows[2], label, kind: `control-${i}`, shift, along: name === 's' ? 0.5 : 0.33 + named(i, 0.2) }))
    const breakEven = { at: { x: data.break_even }, label: fill(text.breakEven, data), kind: 'cost' }
    const marks = guess === 'ask' ? [] : [{ x: data.knee, y: data.error[data.knee], label: fill(text.guess.truthMark, data), kind: 'truth' }]
    if (Number(guess) <= k) marks.push({ x: Number(guess), y: data.error[Number(guess)], label: fill(text.guess.guessMark, { guess }), kind: 'guess', lift: 1.6 })
    const draw = (name, content) => this.charts[name].draw({ k, y: [0, 1], ...content })
    draw('error', { bands: bands('error'), lines: [{ values: data.error, label: text.charts.error.curve, kind: 'lost' }], rules: [breakEven, { at: { y: data.tolerance }, label: fill(text.tolerance, data), kind: 'lost', left: data.knee > k / 2 }], marks })
    draw('energy', { bands: bands('energy'), lines: [{ values: data.energy, label: text.charts.energy.curve, kind: 'kept', along: 0.85 }], rules: [{ ...breakEven, low: true }] })
    draw('s', { bands: bands('s', 0.5), bars: data.share, y: [0, Math.max(data.share[0], ...data.noise.map(({ s }) => s[2][0]))] })
    this.tick(this.r)
  }

  /** Follow the slider: everything that depends on r, and nothing else. */
  tick(r) {
    const { maps, lowrank, tops, scale, factors } = this
    this.stepper.slider.value = r
    this.stepper.show()
    lowrank.seek(r)
    maps.copy.paint(lowrank.copy, tops.matrix, scale)
    maps.residual.paint(lowrank.residual, tops.matrix, scale)
    if (this.frame.shown('factors')) {
      maps.lora_B.paint(factors.lora_B, tops.factor, scale, undefined, r)
      maps.lora_A.paint(factors.lora_A, tops.factor, scale, r)
    }
    const values = this.values(r)
    for (const name of ['copy', 'lora_B', 'lora_A']) maps[name].title.textContent = fill(text(this, name), values)
    for (const [name, { value }] of Object.entries(this.readouts)) value.textContent = this.readout(name, values)
    for (const chart of Object.values(this.charts)) chart.move(r)
    if (this.at) this.cell(...this.at)
    this.frame.update()
  }

  /** All numbers that a sentence about rank r may use. */
  values(r) {
    const { shape: [out, into], s, share, error, energy, noise, label, tolerance } = this.data
    const stored = r * (out + into)
    const total = out * into
    const band = noise[0]
    const last = r - 1 // index of the r-th singular value; there is none at r = 0
    return {
      r, label, tolerance, stored, total, out, in: into, error: error[r], energy: energy[r],
      times: stored < total ? total / stored : stored / total,
      noise_error: band.error[1][r], noise_energy: band.energy[1][r], noise_low: band.error[0][r], noise_high: band.error[2][r],
      s: r ? s[last] : 0, share: r ? share[last] : 0, noise_s: r ? band.s[1][last] : 0,
    }
  }

  /** Which of the sentences fits: nothing kept, fewer numbers than the matrix, as many, or more. */
  static case({ r, stored, total }) {
    if (r === 0) return 'nothing'
    return stored < total ? 'saves' : stored === total ? 'even' : 'costs'
  }

  sentence() {
    const values = this.values(this.r)
    return fill(this.text.sentences[Rank.case(values)], values)
  }

  readout(name, values) {
    const template = this.text.readoutValues[name]
    return fill(typeof template === 'string' ? template : template[Rank.case(values)], values)
  }

  /** The cell cursor stands at (y, x) of one heatmap: mark its fellow cells and say their values. */
  cell(name, y, x) {
    this.at = y == null ? null : [name, y, x]
    const same = name.startsWith('lora') ? [name] : MAPS.slice(0, 3)
    for (const map of MAPS) this.maps[map].mark(...(same.includes(map) ? [y, x] : [null, null]))
    if (y == null) { this.cellSaid.textContent = this.text.noCell; return }
    const { lowrank, factors, maps } = this
    const i = y * maps[name].columns + x
    const [down, across] = this.data.steps
    const values = {
      row: name === 'lora_A' ? y : y * down, column: name === 'lora_B' ? x : x * across,
      delta_w: short(lowrank.full[i]), copy: short(lowrank.copy[i]), residual: short(lowrank.residual[i]),
      lora_B: short(factors.lora_B[i]), lora_A: short(factors.lora_A[i]), name, used: (name === 'lora_A' ? y : x) < this.r,
    }
    const template = same.length > 1 ? this.text.cells.matrix : this.text.cells[values.used ? name : 'unused']
    this.cellSaid.textContent = fill(template, values)
  }

  table() {
    const { data, text } = this
    const rows = Array.from(data.error, (_, r) => {
      const v = this.values(r)
      return text.tableRow.map((template) => fill(template, v))
    })
    return { head: text.tableHead, rows }
  }

  files(text) {
    const name = (what, ending) => () => `${this.data.key}-r${this.r}-${what}.${ending}`
    const grid = (values, columns) => Array.from({ length: values.length / columns }, (_, y) => [...row(values, columns, y)])
    return [
      { label: text.downloads.curves, name: name('curves', 'csv'), type: 'text/csv', text: () => csv(['r', 'relative_error', 'energy', 's', 'noise_error_low', 'noise_error_median', 'noise_error_high'], Array.from(this.data.error, (error, r) => [r, error, this.data.energy[r], r ? this.data.s[r - 1] : '', ...this.data.noise[0].error.map((b) => b[r])])) },
      { label: text.downloads.copy, name: name('copy', 'csv'), type: 'text/csv', text: () => grid(this.lowrank.copy, this.lowrank.columns).map((cells) => cells.join(',')).join('\n') + '\n' },
      { label: text.downloads.picture, name: name('picture', 'svg'), type: 'image/svg+xml', text: () => picture(this.frame.root, this.sentence(), MAPS.slice(0, 3).map((map) => ({ title: this.maps[map].title.textContent, canvas: this.maps[map].canvas })), Object.values(this.charts).filter((c) => c.now).map((c) => ({ title: c.words.title, svg: svgOf(c) }))) },
    ]
  }
}

const text = (view, name) => view.text.maps[name]

function render({ model, el }) {
  const view = new Rank(model, el)
  return () => view.stop()
}

export default { render }
