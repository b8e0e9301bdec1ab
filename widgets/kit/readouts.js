import { h } from './dom.js'
import { fill } from './text.js'

/** Picks the template of one case, where a read-out has several. */
export const inCase = (name) => (template) => (typeof template === 'string' ? template : template[name])

/** Terms and their values, filled from one set of numbers; `controls` are templates of what stands beside a value. */
export class Readouts {
  constructor({ readouts, readoutValues }, controls) {
    this.rows = Object.entries(readouts).map(([name, words]) => {
      const gaps = words.includes('{') // a term without any is written once
      const term = h('dt', {}, gaps ? '' : words)
      const value = h('dd', { class: `of-${name}` })
      const control = controls && h('dd', { class: 'of-noise' })
      const element = h('div', {}, term, value, ...(controls ? [control] : []))
      const more = [gaps && [term, words], controls && [control, controls[name]]].filter(Boolean)
      return { name, element, value, template: readoutValues[name], more }
    })
    this.element = h('dl', { class: 'readouts' }, ...this.rows.map(({ element }) => element))
  }

  /** Fill all of them; `pick(template, name)` gives the template of a value, or null to hide the read-out. */
  show(values, pick = (template) => template) {
    for (const { name, element, value, template, more } of this.rows) {
      const picked = pick(template, name)
      element.hidden = picked === null
      if (element.hidden) continue
      value.textContent = fill(picked, values)
      for (const [place, words] of more) place.textContent = fill(words, values)
    }
  }
}
