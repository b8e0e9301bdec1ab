import { h } from './dom.js'
import { fill } from './text.js'

/** What models write, side by side: `words` has a heading for each, `base` and `adapted`. */
export class Samples {
  constructor(words) {
    this.parts = Object.entries(words).map(([name, heading]) => ({
      name,
      heading,
      head: h('h3', {}),
      list: h('ul', {}),
    }))
    const part = ({ name, head, list }) => h('section', { class: `sample ${name}` }, head, list)
    this.element = h('div', { class: 'samples' }, ...this.parts.map(part))
  }

  /** written: {base, adapted}, sentences each; values fill the headings. */
  show(written, values) {
    for (const { name, heading, head, list } of this.parts) {
      head.textContent = fill(heading, values)
      list.replaceChildren(...written[name].map((sentence) => h('li', {}, sentence)))
    }
  }
}
