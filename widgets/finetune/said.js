import { h } from '../kit/dom.js'
import { fill } from '../kit/text.js'

/** Which words of a text stand otherwise in another one. */
function changed(text, before) {
  const old = before.split(' ')
  return text.split(' ').flatMap((word, i) => [word === old[i] ? word : h('strong', {}, word), ' '])
}

/** What the model says: answers to new questions and to old ones, or what it writes, beside what the base said. */
export class Said {
  constructor(words) {
    this.words = words
    const section = (kind) => {
      const list = h('ul', {})
      return {
        list,
        element: h('section', { class: `sample ${kind}` }, h('h3', {}, words.heads[kind]), list),
      }
    }
    this.adapted = section('adapted')
    this.old = section('base')
    this.element = h('div', { class: 'samples', hidden: true }, this.adapted.element, this.old.element)
  }

  show(first, now) {
    if (this.first === first && this.now === now) return
    Object.assign(this, { first, now })
    this.element.hidden = !now
    if (!now) return
    const { words } = this
    const line = ({ question, said, answer }, { said: word }) => {
      const right = said === answer
      const changed = word !== said
      const mark = h('span', { class: right ? 'right' : 'wrong' }, right ? words.right : words.wrong)
      const more = right ? changed && 'was' : !changed ? 'wanted' : word === answer ? 'lost' : 'wantedAndWas'
      const told = changed ? h('strong', {}, said) : said
      return h(
        'li',
        {},
        `${question} `,
        told,
        ' ',
        mark,
        more ? ` ${fill(words[more], { answer, word })}` : '',
      )
    }
    const lines = (name) => now[name].map((each, i) => line(each, first[name][i]))
    this.adapted.list.replaceChildren(
      ...lines('asked'),
      ...now.samples.map((text, i) => h('li', {}, ...changed(text, first.samples[i]))),
    )
    this.old.list.replaceChildren(...lines('old'))
  }
}
