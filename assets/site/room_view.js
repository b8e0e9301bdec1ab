import { button } from '../../widgets/kit/controls.js'
import { h } from '../../widgets/kit/dom.js'
import { fill } from '../../widgets/kit/text.js'
import { Picture } from './room_picture.js'

/** What a teacher and a student see of their room have in common: a place, what is said, the counts, the picture. */
export class View {
  constructor(room, words) {
    Object.assign(this, { room, words, state: null })
    this.notice = h('p', { class: 'notice', role: 'alert', hidden: true })
    this.status = h('p', { class: 'unseen', role: 'status' })
    this.code = h('strong', { class: 'code' })
    this.asked = h('div', { class: 'asked' })
    this.picture = new Picture(words)
    this.element = h(
      'section',
      { class: 'in-room lora', 'aria-label': words.label },
      this.notice,
      this.status,
    )
  }

  /** What stands in the first line, and below it: a bar can be folded, and is while the page is presented. */
  lay(first, ...below) {
    const body = h('div', { class: 'below' }, ...below)
    if (this.room.console) return this.element.append(h('p', { class: 'head' }, ...first), body)
    const open = !document.documentElement.classList.contains('presenting')
    this.fold = h('details', { open }, h('summary', {}, ...first), body)
    this.element.append(this.fold)
  }

  /** A place of the site: path, query, name. */
  at(path, query = '', name = '') {
    const url = new URL(path, this.room.root)
    url.search = query
    url.hash = name
    return url.href
  }

  tell(words) {
    this.notice.textContent = words
    this.notice.hidden = !words
  }

  /** A last sentence, and what can still be done. */
  end(words, comeBack) {
    const deeds = comeBack
      ? [button(this.words.again, comeBack)]
      : [button(this.words.dismiss, () => this.room.shut())]
    this.element.replaceChildren(
      h('p', { class: 'notice', role: 'alert' }, words),
      h('p', { class: 'buttons' }, ...deeds),
    )
  }

  /** How often each answer was given, with bars. */
  counts({ counts, truth }) {
    const { words } = this
    if (!counts.some(({ n }) => n)) return [h('p', {}, words.noAnswers), ...this.truth(truth)]
    const most = Math.max(...counts.map(({ n }) => n))
    const row = ({ label, n, right }) => {
      const bar = h('span', { class: 'length', 'aria-hidden': 'true' })
      bar.style.inlineSize = `${(100 * n) / most}%`
      return h(
        'tr',
        {},
        h('th', { scope: 'row' }, right ? fill(words.right, { label }) : label),
        h('td', {}, String(n)),
        h('td', { class: 'lengths' }, bar),
      )
    }
    const head = words.countsHead.map((text) => h('th', { scope: 'col' }, text))
    return [
      h(
        'table',
        { class: 'counts' },
        h('thead', {}, h('tr', {}, ...head, h('td'))),
        h('tbody', {}, ...counts.map(row)),
      ),
      ...this.truth(truth),
    ]
  }

  truth(truth) {
    return truth ? [h('p', { class: 'note' }, fill(this.words.truth, { truth }))] : []
  }

  title(question) {
    return fill(this.words.titles[question.kind], question)
  }
}
