import { h } from '../kit/dom.js'
import { fill } from '../kit/text.js'

const MODELS = ['base', 'alone', 'every']

/** What three models expect after a word: a row for each word, a column for each model. */
export class NextWords {
  /** words: {title, head, share}. */
  constructor(words) {
    this.words = words
    this.title = h('caption', {})
    this.body = h('tbody', {})
    const head = h('tr', {}, ...words.head.map((text) => h('th', { scope: 'col' }, text)))
    this.element = h('table', { class: 'next-words' }, this.title, h('thead', {}, head), this.body)
    this.rows = []
  }

  /** expected: {words, base, alone, every}. */
  show(word, expected) {
    this.title.textContent = fill(this.words.title, { word })
    while (this.rows.length < expected.words.length) this.rows.push(this.row())
    this.rows.forEach(({ element, name, cells }, i) => {
      element.hidden = i >= expected.words.length
      if (element.hidden) return
      name.textContent = expected.words[i]
      MODELS.forEach((model, j) => {
        const share = expected[model][i]
        cells[j].style.setProperty('--share', share)
        cells[j].firstChild.textContent = fill(this.words.share, { share })
      })
    })
  }

  row() {
    const name = h('th', { scope: 'row' })
    const cells = MODELS.map((model) => h('td', { class: model }, h('span', {})))
    const element = h('tr', {}, name, ...cells)
    this.body.append(element)
    return { element, name, cells }
  }
}
