import { h } from './dom.js'
import { fill } from './text.js'

/** Picks the template of one case, where a read-out has several. */
export const inCase = (name) => (template) => (typeof template === 'string' ? template : template[name])

/**
 * Terms and their values, filled from one set of numbers; `controls` are templates of what stands beside a value.
 * Where the words say how a value comes about, `arithmetic` says it with the numbers put in.
 */
export class Readouts {
  constructor({ readouts, readoutValues, arithmetic = {} }, controls) {
    this.rows = Object.entries(readouts).map(([name, words]) => {
      const gaps = words.includes('{') // a term without any is written once
      const term = h('dt', {}, gaps ? '' : words)
      const value = h('dd', { class: `of-${name}` })
      const control = controls && h('dd', { class: 'of-noise' })
      const element = h('div', {}, term, value, ...(controls ? [control] : []))
      const more = [gaps && [term, words], controls && [control, controls[name]]].filter(Boolean)
      return { name, element, term, value, template: readoutValues[name], sum: arithmetic[name], more }
    })
    this.element = h('dl', { class: 'readouts' }, ...this.rows.map(({ element }) => element))
  }

  /** Fill all of them; `pick(template, name)` gives the template of a value, or null to hide the read-out. */
  show(values, pick = (template) => template) {
    // Prose beside the figure may follow these numbers.
    this.element.dispatchEvent(new CustomEvent('lora-values', { bubbles: true, detail: values }))
    this.filled = { values, pick }
    for (const { name, element, value, template, more } of this.rows) {
      const picked = pick(template, name)
      element.hidden = picked === null
      if (element.hidden) continue
      value.textContent = fill(picked, values)
      for (const [place, words] of more) place.textContent = fill(words, values)
    }
  }

  /** The arithmetic of the read-outs that are shown: their terms, each with its formula and the numbers in it. */
  arithmetic() {
    const { values, pick } = this.filled
    const told = this.rows.filter(({ sum, element }) => sum && !element.hidden)
    return told.flatMap(({ name, term, sum }) => [
      h('dt', {}, term.textContent),
      h('dd', {}, fill(pick(sum, name), values)),
    ])
  }
}
