import { Chart } from '../kit/chart.js'
import { h } from '../kit/dom.js'
import { Heatmap } from '../kit/heatmap.js'
import { fill, format, short } from '../kit/text.js'

const ROOM = 1.06 // above the highest value of a curve
const THINNEST = 0.12 // of the matrix's side: a factor drawn thinner could not be read
const LEAST = 1e-6 // a scale for matrices that are all zero
const EMPTY = 64 // rows and columns of a matrix of which nothing is known yet
const NARROW = 8 // directions of a spectrum at least: a single bar shall not fill the chart
const LOW = 7.6 // in rem: how high the small charts are
const TALL = 11.5 // and the large one

const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)

/** What a run looks like: the factors and delta_w of one layer, its singular values, and four curves over the steps. */
export class Pictures {
  /** `go(step)` is told when a reader picks a step in a chart. */
  constructor(text, go) {
    this.text = text
    const names = ['lora_A', 'lora_B', 'delta_w']
    this.maps = Object.fromEntries(
      names.map((name) => [name, new Heatmap(name, (y, x) => this.point(name, y, x))]),
    )
    this.cell = h('p', { class: 'probe' }, text.noCell)
    this.choice = h('div', {}) // of the layer
    this.caption = h('p', { class: 'caption' })
    this.matrices = h(
      'section',
      { class: 'factors' },
      this.choice,
      h('div', { class: 'learned' }, ...names.map((name) => this.maps[name].element)),
      this.caption,
      this.cell,
    )
    const chart = (name, spec, height, choose = go) => [
      name,
      new Chart(text.charts[name], {
        height,
        format: format(spec),
        choose,
        probe: (i) => (this.shown ? fill(text.charts[name].probe, this.at(i)) : ''),
      }),
    ]
    this.charts = Object.fromEntries([
      chart('answers', '.0%', TALL),
      chart('spectrum', '.2~g', LOW, () => {}),
      chart('loss', '.1f', LOW),
      chart('gradients', '.2~g', LOW),
    ])
    const { answers, spectrum, loss, gradients } = this.charts
    const small = [gradients, spectrum, loss].map(({ element }) => element)
    spectrum.element.classList.add('directions')
    this.told = h('section', { class: 'told' }, answers.element)
    this.element = h(
      'div',
      { class: 'watched' },
      this.matrices,
      this.told,
      h('div', { class: 'beside' }, ...small),
    )
    this.seen = {} // what each picture showed when it was drawn last
  }

  place(layer, dial) {
    this.choice.append(layer)
    this.matrices.append(dial)
  }

  say(...elements) {
    this.told.append(...elements)
  }

  /** Whether what a picture shows is new: then it is to be drawn. */
  isNew(name, ...shown) {
    const before = this.seen[name]
    this.seen[name] = shown
    return !before || shown.some((each, i) => each !== before[i])
  }

  /** The numbers that the probe of a chart at i speaks of: a step, or for the spectrum a direction. */
  at(i) {
    const { history, turned } = this.shown
    const step = Math.min(i, history.losses.length - 1)
    const { task = 0, facts = 0, step: evaluated = 0 } = history.evaluation(i) ?? {}
    const [lora_A, lora_B, other] = history.norms[step] ?? [0, 0, 0]
    return {
      step: Math.max(0, step),
      evaluated,
      task,
      facts,
      loss: history.losses[step] ?? 0,
      lora_A,
      lora_B,
      other,
      direction: i,
      s: turned * (history.looked?.s?.[i - 1] ?? 0),
      random: this.band?.[1][i - 1] ?? 0,
    }
  }

  draw(shown) {
    this.shown = shown
    const { history, place, config, dialled, turned, scale } = shown
    const { losses, evaluations, steps, looked } = history
    const { answers, loss, gradients } = this.charts
    // Answers change seldom, losses with every step, and all of it is there when a reader goes back in time.
    if (this.isNew('answers', evaluations, evaluations.length, steps, dialled)) this.answers()
    if (this.isNew('steps', losses, losses.length, steps, config.task, config.method)) this.curves()
    for (const chart of [answers, loss, gradients]) chart.move(place)
    if (this.isNew('learned', looked, turned, scale)) {
      this.spectrum()
      this.matrix()
    }
  }

  /** A curve along the steps, once there is something of it. */
  line(values, at, label, kind, along) {
    return values.length ? [{ values, label, kind, along, at }] : []
  }

  /** What is right, and as rings what would be with another strength. */
  answers() {
    const { history, dialled } = this.shown
    const { evaluations, steps } = history
    const of = (name) => evaluations.map((each) => each[name])
    const words = this.text.charts.answers
    const told = (name, kind, along) => this.line(of(name), of('step'), words[name], kind, along)
    const ring = (name, kind) => ({ x: dialled.step, y: dialled[name], kind: `point ${kind}`, label: '' })
    this.charts.answers.draw({
      k: Math.max(steps, 1),
      y: [0, ROOM],
      lines: [...told('facts', 'lost', 0.7), ...told('task', 'kept', 0.4)],
      marks: dialled ? [ring('task', 'kept'), ring('facts', 'lost')] : [],
    })
  }

  /** Loss and gradients of every step. */
  curves() {
    const { history, arrays, config } = this.shown
    const { losses, norms, steps } = history
    const { charts, text } = this
    const words = text.charts
    const k = Math.max(steps, 1)
    const every = losses.map((_, i) => i)
    const line = (...given) => this.line(given.shift(), every, ...given)
    const floor = arrays.floors[config.task]
    charts.loss.drawOn({
      k,
      y: [0, ROOM * Math.max(1, ...losses)],
      lines: line(losses, '', 'kept', 0.3),
      rules: floor ? [{ at: { y: floor }, label: words.loss.floor, kind: 'control-0' }] : [],
    })
    const lora = config.method !== 'full'
    const norm = (i) => norms.map((each) => each[i])
    const both = [...line(norm(0), 'lora_A', 'kept second', 0.3), ...line(norm(1), 'lora_B', 'kept', 0.1)]
    const all = norms.flatMap((each) => (lora ? each.slice(0, 2) : [each[2]]))
    charts.gradients.drawOn({
      k,
      y: [0, ROOM * (Math.max(0, ...all) || 1)],
      lines: lora ? both : line(norm(2), words.gradients.all, 'kept', 0.5),
    })
  }

  /** The singular values of the layer's delta_w, beside those of random factors with the same norm. */
  spectrum() {
    const { history, arrays, config, turned } = this.shown
    const { looked } = history
    const learned = looked?.s ?? []
    const s = learned.map((value) => turned * value)
    const [out, into] = looked?.shape ?? [1, 1]
    const norm = Math.hypot(...s)
    const r = looked?.lora_A ? looked.lora_A.length / into : 0
    const rank = config.method === 'lora' ? r : 'full' // DoRA's rows have lengths of their own
    const shares = arrays.random[`${Math.max(out, into)}x${Math.min(out, into)}`]?.[rank]
    const band = (this.band = shares && norm ? shares.map((row) => row.map((share) => share * norm)) : null)
    const k = Math.max(NARROW, s.length)
    const [low, middle, high] = band ?? []
    const { random } = this.text.charts.spectrum
    this.charts.spectrum.draw({
      k,
      y: [0, ROOM * (Math.max(0, ...learned, ...s, ...(high ?? [])) || 1)],
      bands: band ? [{ low, middle, high, label: random, kind: 'control-0', shift: 0.5, along: 0.6 }] : [],
      bars: s,
    })
    this.charts.spectrum.move(k)
  }

  /** lora_B to the left of delta_w, lora_A above it, as in the product. */
  matrix() {
    const { history, scale, turned, config } = this.shown
    const { looked } = history
    const { maps, text } = this
    const [out, into] = looked?.shape ?? [EMPTY, EMPTY]
    const r = looked?.lora_A ? looked.lora_A.length / into : 0
    const learned = looked?.delta_w ?? new Float32Array(out * into)
    const delta_w = turned === 1 ? learned : learned.map((value) => turned * value)
    const high = Math.min(1.6, Math.max(0.4, out / into))
    maps.delta_w.resize(out, into, 1, high)
    maps.delta_w.paint(delta_w, Math.max(LEAST, largest(learned)), scale) // a stronger one is seen to be so
    const values = { out, in: into, r, top: short(largest(delta_w)) }
    maps.delta_w.title.textContent = fill(text.maps.delta_w, values)
    const kind = config.method === 'lora' && r ? 'product' : 'change'
    this.caption.textContent = looked ? fill(text[kind], values) : text.nothing
    for (const name of ['lora_A', 'lora_B']) {
      const factor = looked?.[name]
      maps[name].element.hidden = !factor
      if (!factor) continue
      const [rows, columns] = name === 'lora_A' ? [r, into] : [out, r]
      maps[name].resize(
        rows,
        columns,
        1,
        name === 'lora_A' ? high * Math.max(THINNEST, r / out) : high / Math.max(THINNEST, r / into),
      )
      maps[name].paint(factor, Math.max(LEAST, largest(factor)), scale)
      maps[name].title.textContent = fill(text.maps[name], { ...values, top: short(largest(factor)) })
    }
    this.matrices.style.setProperty('--thin', `${Math.max(THINNEST, r / into)}fr`)
  }

  /** Say the number under the cursor of a matrix. */
  point(name, y, x) {
    const looked = this.shown?.history.looked
    const map = this.maps[name]
    map.mark(y, x)
    const there = y !== null && looked?.[name]
    const by = name === 'delta_w' ? this.shown.turned : 1
    const value = there ? short(by * looked[name][y * map.columns + x]) : ''
    this.cell.textContent = there
      ? fill(this.text.cell, { name, row: y, column: x, value })
      : this.text.noCell
  }

  asPictures() {
    return [{ title: this.maps.delta_w.title.textContent, canvas: this.maps.delta_w.canvas }]
  }
}
