import { peak } from '../kit/arrays.js'
import { h } from '../kit/dom.js'
import { Heatmap, squareness } from '../kit/heatmap.js'
import { fill, format, short } from '../kit/text.js'

const NAMES = ['first', 'lora_B', 'lora_A', 'second', 'result', 'difference']
const FACTORS = ['lora_B', 'lora_A']
const THIN = 0.14 // of the matrix's side: a factor drawn thinner could not be read
const digits = format('.6~g') // enough to see what rounding did

/** The pictures of a step: two matrices, what became of them, what is off, each group on a scale of its own. */
export class Stages {
  constructor(text) {
    Object.assign(this, { text, at: null })
    const make = (name) => [name, new Heatmap(name, (y, x) => this.point(name, y, x))]
    this.maps = Object.fromEntries(NAMES.map(make))
    this.element = h('div', { class: 'maps' }, ...NAMES.map((name) => this.maps[name].element))
    this.ranges = h('dl', {})
    this.said = h('p', { class: 'cell', role: 'status' })
    const legend = h('div', { class: 'legend' }, h('div', { class: 'ramp' }), this.ranges)
    this.aside = h('div', { class: 'aside' }, legend, this.said)
  }

  /** Show step i: `shown` has its arrays by name, their shape, and where their scales end. */
  show(i, shown, values, scale) {
    Object.assign(this, { i, shown })
    const [rows, columns] = shown.shape
    const { out, in: into, r } = values
    const high = squareness(out, into) // of every picture: the page must not jump from step to step
    const sizes = { lora_B: [rows, r, THIN, high], lora_A: [r, columns, 1, THIN * high] }
    this.tops = { ...shown.tops, difference: peak(shown.difference ?? []) }
    for (const [name, map] of Object.entries(this.maps)) {
      map.element.hidden = !shown[name]
      if (!shown[name]) continue
      map.resize(...(sizes[name] ?? [rows, columns, 1, high]))
      map.paint(shown[name], this.tops[name], scale)
      map.title.textContent = fill(this.text.maps[i][name], values)
    }
    const range = ([group, words]) => {
      const top = this.tops[group]
      const numbers = top ? `${short(-top)} … 0 … ${short(top)}` : '0'
      return h('div', {}, h('dt', {}, words), h('dd', {}, numbers))
    }
    this.ranges.replaceChildren(...Object.entries(this.text.legends[i]).map(range))
    this.point(null, null, null)
  }

  /** The cursor stands on a cell of one picture, or on none: mark its fellows and say the numbers. */
  point(name, y, x) {
    const fellows = FACTORS.includes(name) ? [name] : NAMES.filter((each) => !FACTORS.includes(each))
    for (const [each, map] of Object.entries(this.maps)) {
      if (y !== null && fellows.includes(each) && this.shown[each]) map.mark(y, x)
      else map.mark(null, null)
    }
    if (y === null) {
      this.said.textContent = this.text.noCell
      return
    }
    const values = { row: y, column: x, name }
    for (const each of fellows)
      if (this.shown[each]) values[each] = digits(this.shown[each][y * this.maps[each].columns + x])
    values.value = values[name]
    this.said.textContent = fill(
      FACTORS.includes(name) ? this.text.factorCell : this.text.cells[this.i],
      values,
    )
  }

  /** The pictures that are shown, for a file. */
  pictures() {
    const shown = Object.values(this.maps).filter(({ element }) => !element.hidden)
    return shown.map(({ title, canvas }) => ({ title: title.textContent, canvas }))
  }
}
