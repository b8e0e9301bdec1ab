import { abreast, button, check, integer, select } from '../../widgets/kit/controls.js'
import { h } from '../../widgets/kit/dom.js'
import { fill } from '../../widgets/kit/text.js'
import { View } from './room_view.js'

const STEPS = [1, 1000]
const USUAL = { kind: 'facts', size: '1', steps: 300 }
const LETTERS = 90 // of a question in a list
const LOCAL = ['localhost', '127.0.0.1', '[::1]']

/** A teacher's view of her room: who is here, what she asks, what everyone trains. On room.html also how to join. */
export class Teacher extends View {
  constructor(room, words, { address, qr, choices }) {
    super(room, words)
    const say = (message) => room.say(message)
    this.here = h('span', {})
    this.follow = check(words.followMe, (on) => say({ follow: (this.wish = on) }))
    this.menu = select(words.askLabel, [], () => {})
    this.ask = button(words.ask, () => say({ ask: this.menu.input.value }))
    this.nothing = h('p', { class: 'note' }, h('a', { href: this.at('index.html') }, words.nothing))
    this.asking = h('div', { class: 'controls' }, this.menu.element, this.ask)
    this.train = h('div', { class: 'everyone' })
    const home = h('a', { href: this.at('room.html') }, words.console)
    this.lay(
      [this.code, ' ', this.here],
      ...(room.console ? this.joining(address, qr) : []),
      this.follow.element,
      this.asking,
      this.nothing,
      this.asked,
      this.train,
      this.picture.element,
      room.console ? this.ending() : h('p', {}, home),
    )
    if (room.console) this.train.append(...this.handing(choices))
    this.asking.hidden = true
    this.nothing.hidden = !room.console
    this.touched = location.hash.slice(1)
  }

  entered() {
    this.room.say({ page: this.room.page })
    this.moved(null)
  }

  /** Tell the room where this page is; the room's own page and a second window lead nobody. */
  moved(figure) {
    const { room } = this
    if (room.console || new URLSearchParams(location.search).has('follow')) return
    if (figure) this.touched = figure.element.id
    const query = new URLSearchParams()
    for (const each of room.figures) each.write(query)
    for (const name of [...query.keys()]) if (name.endsWith('guess')) query.delete(name) // each guesses herself
    const now = document.querySelector('.presenting .unit.now[id]')?.id
    room.say({ show: { page: room.page, query: `${query}`, at: now ?? this.touched } })
  }

  joining(address, qr) {
    const { words } = this
    const local = LOCAL.includes(new URL(address).hostname)
    const told = { address }
    return [
      h('p', {}, fill(words.join, told)),
      ...(local ? [h('p', { class: 'notice' }, fill(words.local, told))] : []),
      h('img', { class: 'qr', src: qr, alt: fill(words.qr, told), width: 176, height: 176 }),
    ]
  }

  /** A button that ends the room at its second press. */
  ending() {
    const { words, room } = this
    const end = button(words.end, () => {
      if (end.textContent === words.endSure) room.say({ end: true })
      end.textContent = words.endSure
    })
    end.addEventListener('blur', () => (end.textContent = words.end))
    return h('p', { class: 'buttons' }, end)
  }

  /** What everyone is to train. */
  handing(choices) {
    const { words, room } = this
    const wanted = {
      kind: select(words.kind, words.kinds, () => show()),
      task: select(choices.task.label, choices.task.options, () => {}),
      size: select(choices.size.label, choices.size.options, () => {}),
      steps: integer(words.steps, STEPS, () => {}),
    }
    const input = (name) => wanted[name].input
    const show = () => (wanted.task.element.hidden = input('kind').value === 'facts')
    for (const [name, value] of Object.entries(USUAL)) input(name).value = value
    show()
    const submit = (event) => {
      event.preventDefault()
      const [kind, task, size] = ['kind', 'task', 'size'].map((name) => input(name).value)
      room.say({ train: { kind, task, size, steps: input('steps').valueAsNumber } })
    }
    this.stop = button(words.stop, () => room.say({ train: null }))
    this.share = button('', () => room.say({ shown: !this.state.train.shown }))
    const begin = h('button', { type: 'submit' }, words.begin)
    return [
      h('h2', {}, words.train),
      h('p', { class: 'note' }, words.trainNote),
      h('form', { submit }, abreast(wanted), h('p', { class: 'buttons' }, begin, this.share, this.stop)),
    ]
  }

  /** What can be asked on this page. */
  offer(askable) {
    const short = (text) => (text.length > LETTERS ? `${text.slice(0, LETTERS)}…` : text)
    this.menu.input.replaceChildren(
      ...askable.map((each) => h('option', { value: each.id }, short(this.title(each)))),
    )
    this.asking.hidden = !askable.length
    this.nothing.hidden = askable.length > 0
  }

  see(state) {
    const before = this.state
    const { words } = this
    this.state = state
    this.code.textContent = fill(words.code, state)
    this.here.textContent = fill(words.here, state)
    if (this.wish === state.follow) this.wish = undefined
    this.follow.input.checked = this.wish ?? state.follow // what is told now may be older than what she wishes
    this.question(before?.asked)
    const { train } = state
    if (this.room.console) {
      this.share.hidden = this.stop.hidden = !train
      this.share.textContent = train?.shown ? words.unshare : words.share
      this.picture.draw(train)
    }
  }

  question(before) {
    const { words, room } = this
    const { asked, here } = this.state
    if (asked?.id !== before?.id) {
      this.answered = h('p', { class: 'note' })
      this.reveal = button('', () => room.say({ reveal: !this.state.asked.revealed }))
      this.result = h('div', {})
      const close = button(words.close, () => room.say({ ask: null }))
      this.asked.replaceChildren(
        ...(asked
          ? [
              h('p', { class: 'question' }, this.title(asked)),
              this.answered,
              h('p', { class: 'buttons' }, this.reveal, close),
              this.result,
            ]
          : []),
      )
    }
    if (!asked) return
    this.answered.textContent = fill(words.answered, { answered: asked.answered, here })
    this.reveal.textContent = asked.revealed ? words.veil : words.reveal
    this.result.replaceChildren(...(asked.revealed ? this.counts(asked) : []))
    if (asked.revealed && !before?.revealed) this.status.textContent = words.revealed
  }
}
