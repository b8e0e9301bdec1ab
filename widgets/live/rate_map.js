import { freshId, h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { table } from '../kit/table.js'

/** The map of rank and rate: Python says what stands in each cell, how deep its tint is and which one is the lowest. */
class RateMap {
  constructor(model, el) {
    this.model = model
    const id = freshId('map')
    this.title = h('p', { class: 'note', id })
    this.heat = h('table', { class: 'heat', 'aria-labelledby': id })
    this.sentence = h('p', { class: 'sentence', role: 'status' })
    this.numbers = h('div', { class: 'table', tabindex: 0, role: 'region' })
    const { numbers } = read(model, 'spec')
    this.numbers.setAttribute('aria-label', numbers)
    const cells = h(
      'div',
      { class: 'scrolled pairs', tabindex: 0, role: 'region', 'aria-labelledby': id },
      this.heat,
    )
    el.replaceChildren(
      h(
        'div',
        { class: 'lora lora-rate-map' },
        this.title,
        cells,
        this.sentence,
        h('details', {}, h('summary', {}, numbers), this.numbers),
      ),
    )
    model.on('change:shown', () => this.show())
    this.show()
  }

  show() {
    const { title, corner, rates, rows, sentence, table: numbers } = read(this.model, 'shown')
    if (!rows) return
    const cell = ({ lines: [first, ...others], share, best }) => {
      const made = h(
        'td',
        { class: best ? 'right best' : 'right' },
        first,
        ...others.map((line) => h('span', {}, line)),
      )
      made.style.setProperty('--share', share) // a page's policy takes no style written as an attribute
      return made
    }
    const head = [corner, ...rates].map((words) => h('th', { scope: 'col' }, words))
    this.title.textContent = title
    this.heat.replaceChildren(
      h('thead', {}, h('tr', {}, ...head)),
      h(
        'tbody',
        {},
        ...rows.map(({ name, cells }) => h('tr', {}, h('th', { scope: 'row' }, name), ...cells.map(cell))),
      ),
    )
    if (this.sentence.textContent !== sentence) this.sentence.textContent = sentence
    this.numbers.replaceChildren(...table(numbers, ''))
  }
}

function render({ model, el }) {
  new RateMap(model, el)
}

export default { render }
