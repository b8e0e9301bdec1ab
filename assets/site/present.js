// Presenting a page (?view=present): one section, one figure or one question at a time, large; answers veiled until they
// are asked for; the time; and a second window that follows this one, also where both are files in a folder. Loaded by a
// page that is asked to be presented, and by no other. Its words stand in present.html.

import { fill } from '../../widgets/kit/text.js'

// No part of what is shown.
const LEFT_OUT = '.on-page, .notes, .notes-end, #sources, .sources, .rights, [popover], .meta, .forget'
const OPENED = '.of-figure, .prose, .recall, .recall > ol' // shown by their parts
const FIELDS = 'input, select, textarea, [contenteditable]'
const SCREEN = 0.85 // of its height is scrolled at a step, so that the last lines are seen again
const REST = 8 // px that may be left below the screen
const HELLO_MS = 2000 // a window that follows asks for where things are
const KEYS = {
  ArrowRight: 'next',
  PageDown: 'next',
  ArrowLeft: 'back',
  PageUp: 'back',
  Home: 'first',
  End: 'last',
  a: 'answers',
  t: 'time',
  w: 'window',
  Escape: 'leave',
}

const root = document.documentElement
const parts = (element) => (element.matches(OPENED) ? [...element.children].flatMap(parts) : [element])
const words = (element) => element.textContent.trim().replace(/\s+/g, ' ')
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`

/** The slides of a page: { title, of: elements }. An element may be on several: a heading, where its section goes on. */
function slidesOf(main) {
  const found = []
  let heading = null
  let kind = ''
  const begin = (of, title, now) => {
    found.push({ title, of })
    kind = now
  }
  for (const part of [...main.children].flatMap(parts)) {
    part.classList.add('unit')
    const { localName } = part
    if (part.matches(LEFT_OUT)) continue
    if (localName === 'h1') begin([part], words((heading = part)), 'opening')
    else if (localName === 'h2') {
      heading = part
      if (!part.closest('.recall')) begin([part], words(part), 'text')
    } else if (part.matches('figure.instrument')) begin([part], part.dataset.title, 'figure')
    else if (part.closest('.recall li')) begin([heading, part], words(part.querySelector('.ask')), 'question')
    else if (part.matches('.neighbours')) begin([part], part.getAttribute('aria-label'), 'end')
    else if (
      kind === 'text' ||
      (kind === 'figure' && part.matches('.try')) ||
      (kind === 'opening' && part.matches('.lead'))
    )
      found.at(-1).of.push(part)
    else if (heading) begin([heading, part], words(heading), 'text')
  }
  return found
}

/** The second window and this one, by a channel and, where files share none, by the window itself. */
class Line {
  constructor(id, heard) {
    this.id = id
    this.others = new Set(window.opener ? [window.opener] : [])
    this.channel = 'BroadcastChannel' in window ? new BroadcastChannel(`lora-present-${id}`) : null
    const take = (data, source) => {
      if (data?.lora !== id) return
      if (source && data.hello) this.others.add(source)
      heard(data)
    }
    this.channel?.addEventListener('message', ({ data }) => take(data))
    addEventListener('message', ({ data, source }) => {
      if (data?.hello || source === window.opener) take(data, source)
    })
  }

  tell(said) {
    const message = { lora: this.id, ...said }
    this.channel?.postMessage(message)
    for (const other of this.others) if (!other.closed) other.postMessage(message, '*')
  }
}

class Presentation {
  constructor(figures, address, template) {
    this.figures = figures
    this.main = document.querySelector('main')
    this.main.tabIndex = -1
    for (const { element, config } of figures) element.dataset.title = config.title
    for (const list of document.querySelectorAll('.recall > ol'))
      [...list.children].forEach((question, at) => (question.value = at + 1)) // hidden ones are not counted
    this.slides = slidesOf(this.main)
    this.follows = address.get('follow') ?? ''
    document.body.append(template.content.cloneNode(true))
    this.bar = document.querySelector('.present-bar')
    this.status = this.bar.nextElementSibling
    this.buttons = Object.fromEntries(
      [...this.bar.querySelectorAll('[data-do]')].map((each) => [each.dataset.do, each]),
    )
    root.classList.add('presenting')
    root.classList.toggle('following', !!this.follows)
    this.answers = false
    this.at = this.first(address)
    const id = this.follows || address.get('lead')
    if (id) this.connect(id)
    if (this.follows) this.follow()
    else this.lead(Number(address.get('minutes')) || 0)
    this.show(this.at)
  }

  /** Where the address says to begin: a number, or what is named in it. */
  first(address) {
    const name = location.hash.slice(1)
    const named = (element) => name && (element.id === name || element.querySelector(`#${CSS.escape(name)}`))
    const found = this.slides.findIndex(({ of }) => of.some(named))
    return address.has('at') ? Number(address.get('at')) - 1 || 0 : Math.max(0, found)
  }

  get slide() {
    return this.slides[this.at]
  }

  get right() {
    return this.slide.of.at(-1).querySelector('[data-right]')
  }

  show(at) {
    this.at = Math.min(Math.max(at, 0), this.slides.length - 1)
    for (const { of } of this.slides) for (const part of of) part.classList.remove('now')
    for (const part of this.slide.of) part.classList.add('now')
    if (document.activeElement?.closest('.unit:not(.now)')) this.main.focus({ preventScroll: true })
    this.veil(false)
    scrollTo(0, 0)
    const told = this.bar.querySelector('.where')
    const { title } = this.slide
    told.textContent = fill(told.dataset.told, { n: this.at + 1, of: this.slides.length, title })
    this.status.textContent = told.textContent
    this.buttons.back.disabled = this.at === 0
    this.remember()
    this.tell()
    document.dispatchEvent(new Event('lora-shown')) // a class may follow
  }

  /** Show the right answer to the question, or veil all answers. */
  veil(shown) {
    const { answers } = this.buttons
    answers.hidden = !this.right
    this.answers = shown && !!this.right
    answers.textContent = this.answers ? answers.dataset.on : answers.dataset.off
    for (const answer of document.querySelectorAll('.recall details')) answer.open = false
    if (!this.right) return
    this.right.open = this.answers
    const answer = words(this.right.querySelector('summary'))
    if (this.answers) this.status.textContent = fill(answers.dataset.told, { answer })
  }

  /** Keep the place in the address, so that the page can be loaded again. */
  remember() {
    if (this.follows) return
    const address = new URL(location.href)
    address.searchParams.set('at', this.at + 1)
    if (this.line) address.searchParams.set('lead', this.line.id)
    try {
      history.replaceState(null, '', address)
    } catch {
      // a sandboxed frame may not change its address
    }
    for (const link of document.querySelectorAll('.neighbours a')) {
      const [page] = link.getAttribute('href').split('?')
      link.setAttribute('href', `${page}?view=present${this.line ? `&lead=${this.line.id}` : ''}`)
    }
  }

  /** Go on: below the screen first, then to the next slide. */
  next() {
    const left = root.scrollHeight - innerHeight - scrollY
    if (left > REST) scrollBy(0, SCREEN * this.room)
    else if (this.at < this.slides.length - 1) this.show(this.at + 1)
  }

  back() {
    if (scrollY > REST) scrollBy(0, -SCREEN * this.room)
    else this.show(this.at - 1)
  }

  /** Height of the screen that the bar leaves free. */
  get room() {
    return innerHeight - this.bar.offsetHeight
  }

  lead(minutes) {
    const deeds = {
      next: () => this.next(),
      back: () => this.back(),
      first: () => this.show(0),
      last: () => this.show(this.slides.length - 1),
      answers: () => {
        this.veil(!this.answers)
        this.tell()
      },
      time: this.timed(minutes * 60),
      window: () => this.second(),
      leave: () => this.leave(),
    }
    for (const [name, button] of Object.entries(this.buttons)) button.addEventListener('click', deeds[name])
    addEventListener('keydown', (event) => {
      const { key, target, ctrlKey, altKey, metaKey, defaultPrevented } = event
      const deed = KEYS[key.length === 1 ? key.toLowerCase() : key]
      if (!deed || defaultPrevented || ctrlKey || altKey || metaKey) return
      const own = key.startsWith('Page')
        ? 'textarea'
        : key === 'Escape'
          ? FIELDS
          : `${FIELDS}, .instrument-place`
      const inside = target.closest?.(own)
      if (inside || (key === 'Escape' && document.querySelector(':popover-open'))) return
      event.preventDefault()
      deeds[deed]()
    })
    addEventListener('scroll', () => this.tell(), { passive: true })
    for (const figure of this.figures) figure.onMoved(() => this.tell())
  }

  /** Count the seconds, of so many if a plan says so; return what stops and starts them. */
  timed(all) {
    const shown = this.bar.querySelector('[role=timer]')
    const { time } = this.buttons
    let seconds = 0
    let runs = true
    const show = () => {
      const told = { time: clock(seconds), all: clock(all) }
      shown.textContent = all ? fill(shown.dataset.of, told) : told.time
      shown.classList.toggle('over', !!all && seconds >= all)
      if (all && seconds === all) this.status.textContent = shown.dataset.over
    }
    setInterval(() => {
      if (!runs) return
      seconds += 1
      show()
    }, 1000)
    show()
    return () => {
      runs = !runs
      time.textContent = runs ? time.dataset.on : time.dataset.off
    }
  }

  connect(id) {
    this.line = new Line(id, (said) => {
      if (said.hello) this.tell()
      else if (this.follows) this.take(said)
    })
  }

  /** Open a window for the audience. */
  second() {
    if (!this.line) this.connect(Math.random().toString(36).slice(2))
    const address = new URL(location.href)
    for (const name of ['lead', 'minutes']) address.searchParams.delete(name)
    address.searchParams.set('follow', this.line.id)
    const other = open(address, `lora-${this.line.id}`, 'popup,width=1280,height=800')
    const { told, refused } = this.buttons.window.dataset
    this.status.textContent = other ? told : refused
    if (!other) return
    this.line.others.add(other)
    this.remember()
  }

  /** Tell the second window where this one is. */
  tell() {
    if (!this.line || this.follows) return
    const states = this.figures.map((figure) => {
      const state = new URLSearchParams()
      figure.write(state)
      const own = [...state].map(([name, value]) => [name.slice(figure.config.prefix.length), value])
      return `${new URLSearchParams(own)}`
    })
    const height = root.scrollHeight - innerHeight
    this.line.tell({
      page: location.pathname.split('/').pop(),
      at: this.at,
      answers: this.answers,
      scrolled: height > 0 ? scrollY / height : 0,
      states,
    })
  }

  /** Ask where the other window is, now and then: it may have gone to another page. */
  follow() {
    const ask = () => this.line.tell({ hello: true })
    ask()
    setInterval(ask, HELLO_MS)
  }

  take({ page, at, answers, scrolled, states }) {
    if (page !== location.pathname.split('/').pop()) {
      if (/^\w[\w-]*\.html$/.test(page)) location.replace(`${page}?view=present&follow=${this.follows}`)
      return
    }
    if (at !== this.at) this.show(at)
    if (answers !== this.answers) this.veil(answers)
    this.figures.forEach((figure, i) => {
      if (figure.model && states[i] && states[i] !== this.taken?.[i]) figure.set(states[i])
    })
    if (this.figures.every(({ model }) => model)) this.taken = states
    scrollTo(0, scrolled * (root.scrollHeight - innerHeight))
  }

  leave() {
    const address = new URL(location.href)
    for (const name of ['view', 'at', 'lead', 'minutes']) address.searchParams.delete(name)
    location.assign(address)
  }
}

/** Present the page, if it can be. */
export function present(figures, address) {
  const template = document.querySelector('#present-bar')
  if (template && document.querySelector('main > h1')) return new Presentation(figures, address, template)
}
