import { Chart } from '../kit/chart.js'
import { format } from '../kit/d3.js'
import { h } from '../kit/dom.js'
import { Heatmap } from '../kit/heatmap.js'
import { fill, short } from '../kit/text.js'

const ROOM = 1.06 // above the highest value of a curve
const THINNEST = 0.12 // of the matrix's side: a factor drawn thinner could not be read
const LEAST = 1e-6 // a scale for matrices that are all zero
const NARROW = 8 // directions of a spectrum at least: a single bar shall not fill the chart

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
    const chart = (name, spec, choose = go) => [
      name,
      new Chart(text.charts[name], {
        format: format(spec),
        choose,
        probe: (i) => (this.shown ? fill(text.charts[name].probe, this.at(i)) : ''),
      }),
    ]
    this.charts = Object.fromEntries([
      chart('answers', '.0%'),
      chart('spectrum', '.2~g', () => {}),
      chart('loss', '.1f'),
      chart('gradients', '.2~g'),
    ])
    const { answers, spectrum, loss, gradients } = this.charts
    const curves = [answers, gradients, spectrum, loss].map(({ element }) => element)
    this.element = h('div', { class: 'watched' }, this.matrices, h('div', { class: 'charts' }, ...curves))
  }

  place(element) {
    this.choice.append(element)
  }

  /** The numbers that the probe of a chart at i speaks of: a step, or for the spectrum a direction. */
  at(i) {
    const { history, band } = this.shown
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
      s: history.looked?.s?.[i - 1] ?? 0,
      random: band?.[1][i - 1] ?? 0,
    }
  }

  draw(shown) {
    this.shown = shown
    const { history, place, arrays, config } = shown
    const { charts, text } = this
    const { losses, norms, evaluations, steps } = history
    const words = text.charts
    const k = Math.max(steps, 1)
    const everyStep = losses.map((_, i) => i)
    // A curve along the steps, once there is something of it.
    const line = (values, label, kind, along, at = everyStep) =>
      values.length ? [{ values, label, kind, along, at }] : []
    const evaluated = (name) => evaluations.map((each) => each[name])
    const told = (name, kind, along) =>
      line(evaluated(name), words.answers[name], kind, along, evaluated('step'))
    charts.answers.draw({
      k,
      y: [0, ROOM],
      lines: [...told('facts', 'lost', 0.7), ...told('task', 'kept', 0.4)],
    })
    const floor = arrays.floors[config.task]
    charts.loss.draw({
      k,
      y: [0, ROOM * Math.max(1, ...losses)],
      lines: line(losses, '', 'kept', 0.3),
      rules: floor ? [{ at: { y: floor }, label: words.loss.floor, kind: 'control-0', below: true }] : [],
    })
    const lora = config.method === 'lora'
    const norm = (i) => norms.map((each) => each[i])
    const both = [...line(norm(0), 'lora_A', 'control-1', 0.75), ...line(norm(1), 'lora_B', 'kept', 0.1)]
    const all = norms.flatMap((each) => (lora ? each.slice(0, 2) : [each[2]]))
    charts.gradients.draw({
      k,
      y: [0, ROOM * Math.max(LEAST, ...all)],
      lines: lora ? both : line(norm(2), words.gradients.all, 'kept', 0.5),
    })
    for (const name of ['answers', 'loss', 'gradients']) charts[name].move(place)
    this.spectrum()
    this.matrix()
  }

  /** The singular values of the layer's delta_w, beside those of random factors with the same norm. */
  spectrum() {
    const { history, arrays, config } = this.shown
    const { looked } = history
    const s = looked?.s ?? []
    const [out, into] = looked?.shape ?? [1, 1]
    const norm = Math.hypot(...s)
    const rank = config.method === 'lora' ? config.r : 'full'
    const shares = arrays.random[`${Math.max(out, into)}x${Math.min(out, into)}`]?.[rank]
    const band = (this.shown.band =
      shares && norm ? shares.map((row) => row.map((share) => share * norm)) : null)
    const k = Math.max(NARROW, shares?.[0].length ?? 0)
    const [low, middle, high] = band ?? []
    const { random } = this.text.charts.spectrum
    this.charts.spectrum.draw({
      k,
      y: [0, ROOM * Math.max(LEAST, ...s, ...(high ?? []))],
      bands: band ? [{ low, middle, high, label: random, kind: 'control-0', shift: 0.5, along: 0.6 }] : [],
      bars: s,
    })
    this.charts.spectrum.move(k)
  }

  /** lora_B to the left of delta_w, lora_A above it, as in the product. */
  matrix() {
    const { history, scale } = this.shown
    const { looked } = history
    const { maps, text } = this
    const [out, into] = looked.shape
    const r = looked.lora_A ? looked.lora_A.length / into : 0
    const delta_w = looked.delta_w ?? new Float32Array(out * into)
    const high = Math.min(1.6, Math.max(0.4, out / into))
    maps.delta_w.resize(out, into, 1, high)
    maps.delta_w.paint(delta_w, Math.max(LEAST, largest(delta_w)), scale)
    const values = { out, in: into, r, top: short(largest(delta_w)) }
    maps.delta_w.title.textContent = fill(text.maps.delta_w, values)
    this.caption.textContent = fill(text[r ? 'product' : 'change'], values)
    for (const name of ['lora_A', 'lora_B']) {
      const factor = looked[name]
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
    const value = there ? short(looked[name][y * map.columns + x]) : ''
    this.cell.textContent = there
      ? fill(this.text.cell, { name, row: y, column: x, value })
      : this.text.noCell
  }

  asPictures() {
    return [{ title: this.maps.delta_w.title.textContent, canvas: this.maps.delta_w.canvas }]
  }
}
