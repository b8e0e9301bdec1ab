import { button } from '../../widgets/kit/controls.js'
import { freshId, h } from '../../widgets/kit/dom.js'
import { fill } from '../../widgets/kit/text.js'
import { View } from './room_view.js'

const PARTS = 20 // news of a run, from its first step to its last
const NO_GUESS = ['ask', 'skip', undefined]

/** A student's view of her room: whom she follows, what is asked, her part of what everyone trains. */
export class Student extends View {
  constructor(room, words) {
    super(room, words)
    this.where = h('span', {})
    this.roam = button('', () => this.turn())
    this.leave = button(words.leave, () => room.say({ leave: true }))
    this.part = h('div', { class: 'part', hidden: true })
    this.lay(
      [this.code, ' ', this.where],
      h('p', { class: 'buttons' }, this.roam, this.leave),
      this.asked,
      this.part,
      this.picture.element,
    )
    this.sets = {} // the states of the teacher's figures that were taken over
    this.guessed = {}
  }

  get slug() {
    return /^lesson\/([\w-]+)\.html$/.exec(this.room.page)?.[1]
  }

  entered() {}

  /** What she answers on the page itself counts, too: the first answer to a question, the guess of a figure. */
  noticed(name, value) {
    if (this.slug) this.room.say({ noticed: { id: `${this.slug}/${name}`, value } })
  }

  answered(number, at) {
    this.noticed(`question-${number + 1}`, String(at))
  }

  moved() {
    for (const { element, model } of this.room.figures) {
      const guess = model?.get('guess')
      if (NO_GUESS.includes(guess) || this.guessed[element.id] === guess) continue
      this.guessed[element.id] = guess
      this.noticed(`guess-${element.id}`, guess)
    }
  }

  see(state, own) {
    const before = this.state ?? {}
    Object.assign(this, { state, own })
    const { words } = this
    this.code.textContent = fill(words.code, state)
    const away = state.follow && own.away
    const where = state.teacher ? words[away ? 'away' : state.follow ? 'with' : 'free'] : words.absent
    if (this.where.textContent !== where) this.where.textContent = this.status.textContent = where
    this.roam.hidden = !state.follow
    this.roam.textContent = away ? words.back : words.leaveClass
    this.question(before.asked)
    this.training()
    this.picture.draw(state.train)
    if (state.train?.shown && !before.train?.shown) this.picture.element.scrollIntoView({ block: 'nearest' })
    this.go()
  }

  /** Look elsewhere, or come back. */
  turn() {
    const away = !this.own.away
    this.runs = false
    if (!away) this.room.remember({ seen: -1 })
    this.room.say({ away })
  }

  /** Be where the teacher is, unless she looks elsewhere or her part is being trained. */
  go() {
    const { room, state, own } = this
    const { place, follow, train } = state
    const { page, mine } = room
    if (this.left || this.runs) return
    const leads = follow && !own.away
    if (train && own.part && mine.round !== train.round) {
      room.remember({ round: train.round, seen: place?.n ?? -1 }) // her part before her teacher's page
      if (leads && page !== train.page) return this.send(train.page, this.query, train.figure)
      if (page === train.page) this.set()
    }
    if (!leads || !place) return room.remember({ at: page })
    const { seen = -1, at = page } = mine
    if (place.page === page) {
      room.remember({ seen: place.n, at: page })
      return this.take(place)
    }
    if (place.n > seen) {
      room.remember({ seen: place.n })
      this.send(place.page, place.query, place.at)
    } else if (at !== page) {
      room.remember({ at: page })
      room.say({ away: true }) // she has gone there by herself
    }
  }

  send(page, query, name) {
    this.left = true
    this.room.remember({ at: page })
    location.assign(this.at(page, query, name))
  }

  /** Set the figures as the teacher has set hers; those that she has not touched since stay the student's. */
  take({ query, at }) {
    const asked = new URLSearchParams(query)
    const { train } = this.state
    for (const figure of this.room.figures) {
      const { prefix } = figure.config
      if (!figure.model || (train && figure.element.id === train.figure)) continue
      const own = [...asked].filter(([name]) => name.startsWith(prefix))
      const wanted = `${new URLSearchParams(own.map(([name, value]) => [name.slice(prefix.length), value]))}`
      if (wanted && this.sets[prefix] !== wanted) figure.set(wanted)
      this.sets[prefix] = wanted
    }
    if (at && this.shown !== at) document.getElementById(at)?.scrollIntoView({ block: 'nearest' })
    this.shown = at
  }

  /** What is asked: a form, then the counts. */
  question(before) {
    const { words, own } = this
    const { asked } = this.state
    const changed = asked?.id !== before?.id || asked?.revealed !== before?.revealed
    if (changed) {
      this.said = h('p', { class: 'note', role: 'status' })
      this.asked.replaceChildren(...(asked ? this.body(asked) : []))
      if (asked && this.fold) this.fold.open = true
      if (asked)
        this.status.textContent = asked.revealed
          ? words.revealed
          : fill(words.asked, { ask: this.ask(asked) })
    }
    if (asked?.revealed) this.asked.lastChild.replaceChildren(...this.counts(asked))
    const label = asked?.options.find(([value]) => value === own.answer)?.[1] ?? own.answer
    const template = asked?.kind === 'guess' || asked?.revealed ? words.noticed : words.sent
    if (this.said) this.said.textContent = own.answer ? fill(template, { label }) : ''
  }

  ask({ kind, title, ask }) {
    return kind === 'guess' ? fill(this.words.guess, { title }) : ask
  }

  body(asked) {
    const [slug, name] = asked.id.split('/')
    if (asked.kind === 'guess') {
      const there = this.at(`lesson/${slug}.html`, '', name.replace('guess-', ''))
      const said = h('p', { class: 'question' }, h('a', { href: there }, this.ask(asked)))
      return asked.revealed ? [said, this.said, h('div', {})] : [said, this.said]
    }
    if (asked.revealed) return [h('p', { class: 'question' }, asked.ask), this.said, h('div', {})]
    return [this.form(asked), this.said]
  }

  form({ id, ask, options, written }) {
    const { words, room } = this
    const field = freshId('answer')
    const radio = ([value, label], i) => {
      const input = h('input', { type: 'radio', name: field, id: `${field}-${i}`, value, required: true })
      return h('p', { class: 'option' }, input, h('label', { for: `${field}-${i}` }, label))
    }
    const fields = written
      ? [
          h('p', { class: 'question' }, ask),
          h(
            'p',
            { class: 'control' },
            h('label', { for: field }, words.yourAnswer),
            h('input', { id: field, name: field, maxlength: written, required: true, autocomplete: 'off' }),
          ),
        ]
      : [h('fieldset', {}, h('legend', {}, ask), ...options.map(radio))]
    const submit = (event) => {
      event.preventDefault()
      room.say({ answer: { id, value: event.target.elements[field].value } })
    }
    return h(
      'form',
      { submit },
      ...fields,
      h('p', { class: 'buttons' }, h('button', { type: 'submit' }, words.send)),
    )
  }

  /** Her part of what everyone trains, as the query of a page. */
  get query() {
    const { train } = this.state
    const names = Object.entries(this.own.part.choices)
    return `${new URLSearchParams(names.map(([name, value]) => [`${train.figure}.${name}`, value]))}`
  }

  get trainer() {
    const { train } = this.state
    const here = train && this.room.page === train.page
    return here && this.room.figures.find(({ element }) => element.id === train.figure)
  }

  training() {
    const { words, own, state } = this
    const { train } = state
    this.runs &&= !!train
    this.part.hidden = !train || !own.part
    if (this.part.hidden) return
    const told = { part: fill(words.parts[train.kind], own.part), right: own.part.right }
    const done = own.part.right !== null
    const key = JSON.stringify([train.round, own.part])
    if (this.part.dataset.key === key) return
    this.part.dataset.key = key
    if (this.fold) this.fold.open = true
    const said = h('p', { role: 'status' }, fill(done ? words.trained : words.part, told))
    this.part.replaceChildren(
      said,
      ...(done
        ? []
        : [
            h(
              'p',
              { class: 'buttons' },
              button(words.trainMine, () => this.train()),
            ),
          ]),
    )
  }

  async set() {
    await this.trainer?.set(`${new URLSearchParams(this.own.part.choices)}`)
  }

  /** Train her part: on its page, which she may have to go to first. */
  async train() {
    const { trainer, state } = this
    if (!trainer) return this.send(state.train.page, this.query, state.train.figure)
    await this.set()
    trainer.element.scrollIntoView({ block: 'start' })
    const press = trainer.element.querySelector('.go')
    if (press && press.textContent !== trainer.config.spec.text.pause) press.click()
  }

  /** News of a run on this page: those of her part go to the room. */
  trained(target, { step, task, facts, loss, over }) {
    const { trainer, own, state, room } = this
    if (!trainer?.element.contains(target) || !own.part) return
    const shown = trainer.state()
    if (Object.entries(own.part.choices).some(([name, value]) => String(shown[name]) !== value)) return
    this.runs = !over
    const { steps, round } = state.train
    if (step === 0) this.last = -1
    if (!over && step - (this.last ?? -1) < steps / PARTS && step) return
    this.last = step
    room.say({ result: { round, step, task, facts, loss: Number.isFinite(loss) ? loss : null, over } })
    if (over) this.go()
  }
}
