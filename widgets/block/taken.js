import { h } from '../kit/dom.js'
import { Heatmap, squareness } from '../kit/heatmap.js'
import { fill, format } from '../kit/text.js'

const WEIGHTS = ['W', 'delta_w']
const FACTORS = ['lora_B', 'lora_A']
const OUTPUTS = ['plain', 'adapted', 'change']
const THIN = 0.12 // of the matrix's side: a factor drawn thinner could not be read
const SHORT = 0.55 // of the side: lora_B has as many rows as W, and less room
const FLAT = 0.14 // height of what is written over its width
const digits = format('.2~g') // the numbers reach this page in steps; more digits would be made up

/** One projection taken apart: W and what its adapter adds, and what it writes without and with it. */
export class Taken {
  constructor(text) {
    Object.assign(this, { text })
    const make = (name) => [name, new Heatmap(name, (y, x) => this.point(name, y, x))]
    this.maps = Object.fromEntries([...WEIGHTS, ...FACTORS, ...OUTPUTS].map(make))
    const group = (kind, names) => h('div', { class: kind }, ...names.map((name) => this.maps[name].element))
    this.about = h('p', { class: 'about' })
    this.ranges = h('dl', {})
    this.said = h('p', { class: 'cell', role: 'status' })
    const legend = h('div', { class: 'legend' }, h('div', { class: 'ramp' }), this.ranges)
    this.element = h(
      'div',
      { class: 'taken' },
      this.about,
      group('weights', [...WEIGHTS, ...FACTORS]),
      group('outputs', OUTPUTS),
      h('div', { class: 'aside' }, legend, this.said),
    )
  }

  /** Show a projection of a passage. */
  draw(passage, projection, scale) {
    const { text, maps } = this
    const values = passage.values[projection]
    const taken = (this.taken = passage.take(projection))
    this.words = passage.words
    const [rows, columns] = taken.shape
    const { r, out, in: into } = values
    const high = squareness(out, into)
    maps.W.resize(rows, columns, 1, high)
    maps.delta_w.resize(rows, columns, 1, high)
    maps.lora_B.resize(rows, r, THIN, SHORT * high)
    maps.lora_A.resize(r, columns, 1, THIN)
    for (const name of OUTPUTS) maps[name].resize(passage.tokens, taken.written, 1, FLAT)
    const { tops } = taken
    for (const name of WEIGHTS) maps[name].paint(taken[name], tops.W, scale)
    for (const name of FACTORS) maps[name].paint(taken[name], tops.factor, scale)
    for (const name of OUTPUTS)
      maps[name].paint(taken[name], name === 'change' ? tops.change : tops.output, scale)
    for (const [name, map] of Object.entries(maps)) map.title.textContent = fill(text.maps[name], values)
    const side = taken.steps[0] > 1 ? text.sides.row : text.sides.column
    const cut = Math.max(...taken.steps) > 1 ? fill(text.drawn, { side, step: Math.max(...taken.steps) }) : ''
    this.about.textContent = fill(text.about, values) + cut
    const range = ([name, words]) => {
      const ends = { low: digits(-tops[name]), high: digits(tops[name]) }
      return h('div', {}, h('dt', {}, words), h('dd', {}, fill(text.legendTop, ends)))
    }
    this.ranges.replaceChildren(...Object.entries(text.legend).map(range))
    this.point(null, null, null)
  }

  /** The cursor stands on a cell of one picture, or on none: mark its fellows and say the numbers. */
  point(name, y, x) {
    const { text, maps, taken } = this
    const fellows = [WEIGHTS, OUTPUTS, [name]].find((group) => group.includes(name))
    for (const [each, map] of Object.entries(maps)) {
      if (y !== null && fellows.includes(each)) map.mark(y, x)
      else map.mark(null, null)
    }
    if (y === null) {
      this.said.textContent = text.noCell
      return
    }
    const number = (each) => digits(taken[each][y * maps[each].columns + x])
    const [down, across] = this.apart(name)
    const values = { name, row: y * down, column: x * across, word: this.words[y], value: number(name) }
    for (const each of fellows) values[each] = number(each)
    const kind = WEIGHTS.includes(name) ? 'weight' : OUTPUTS.includes(name) ? 'output' : 'factor'
    this.said.textContent = fill(text.cells[kind], values)
  }

  /** How far apart the rows and columns are that are drawn. */
  apart(name) {
    const { steps, apart } = this.taken
    if (OUTPUTS.includes(name)) return [1, apart]
    return [name === 'lora_A' ? 1 : steps[0], name === 'lora_B' ? 1 : steps[1]]
  }

  /** The pictures, for a file. */
  pictures() {
    return Object.values(this.maps).map(({ title, canvas }) => ({ title: title.textContent, canvas }))
  }
}
