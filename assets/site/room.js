// A page in a room for a class: joined or opened on room.html, and in it from page to page until it is over. The page
// hears the whole state of the room whenever it changes (lessons/press/hall.py), so that a lost connection costs nothing.
// Loaded on a server with rooms only, by room.html and by pages whose reader is in one. Its words come from the server.

import { settle } from '../../widgets/kit/dom.js'
import { keep, kept } from './kept.js'
import { Student } from './room_student.js'
import { Teacher } from './room_teacher.js'

const KEY = 'lora-room'
const AGAIN_MS = [500, 15000] // between two tries to reach the server, at first and at most
const TOLD_MS = 300 // a teacher's changes within them are sent at once

class Room {
  constructor(figures, root) {
    this.figures = figures
    this.root = new URL(root, location.href)
    this.page = location.pathname.slice(this.root.pathname.length) || 'index.html'
    this.console = document.getElementById('class-room')
    this.wait = AGAIN_MS[0]
    const { code } = kept(KEY)
    if (this.console) this.offer(code)
    else if (code) this.connect(this.known)
  }

  /** What the browser keeps of the room: code, and me or key; of a student also where the room has sent her. */
  get mine() {
    return kept(KEY)
  }

  remember(more) {
    return keep(KEY, { ...this.mine, ...more })
  }

  forget() {
    keep(KEY, {})
  }

  /** On room.html: join by a code, which may stand in the address, or open one. */
  offer(code) {
    const part = (name) => this.console.querySelector(`.${name}`)
    this.offers = [part('join'), part('open')]
    this.notice = part('notice')
    const [join, open] = this.offers.map((each) => each.querySelector('button'))
    const field = part('join input')
    const enter = (hello) => {
      if (this.remember({})) this.connect(hello)
      else this.tell(this.console.dataset.unkept)
    }
    join.addEventListener('click', () => enter({ code: field.value, me: '' }))
    field.addEventListener('keydown', ({ key }) => key === 'Enter' && join.click())
    open.addEventListener('click', () => enter({ open: true }))
    const asked = location.hash.slice(1)
    if (code && (!asked || asked === code)) this.connect(this.known)
    else if (asked) enter({ code: asked, me: '' })
  }

  /** Who this page is, as it is known in its room. */
  get known() {
    const { code, key, me } = this.mine
    return key ? { code, key } : { code, me: me ?? '' }
  }

  get address() {
    return new URL('room.html', this.root).href
  }

  connect(hello) {
    const url = new URL('room/ws', this.root)
    url.protocol = url.protocol.replace('http', 'ws')
    const socket = new WebSocket(url)
    this.socket = socket
    this.final = false
    socket.addEventListener('open', () => this.say({ at: this.address, ...hello }))
    socket.addEventListener('message', ({ data }) => this.hear(JSON.parse(data)))
    socket.addEventListener('close', () => this.socket === socket && this.lost(hello))
  }

  say(message) {
    this.tell()
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message))
  }

  /** The server is gone or the network: try again, later each time. */
  lost(hello) {
    if (this.final) return
    this.tell(this.words?.lost ?? this.console?.dataset.lost)
    if (hello.open && !this.words) return // a room that nobody has seen yet: its teacher presses again
    setTimeout(() => this.connect(this.words ? this.known : hello), this.wait * (1 + Math.random()))
    this.wait = Math.min(2 * this.wait, AGAIN_MS[1])
  }

  /** Say something above all else, or that there is nothing more to say. */
  tell(words = '') {
    if (this.view) return this.view.tell(words)
    if (!this.notice) return
    this.notice.textContent = words
    this.notice.hidden = !words
  }

  hear({ welcome, room, own, askable, refused, said, over, elsewhere, left }) {
    if (welcome) this.enter(welcome)
    else if (room) this.view.see(room, own)
    else if (askable) this.view.offer(askable)
    else if (refused) {
      if (!this.view) this.final = true
      if (refused === 'wrong') this.forget()
      this.tell(said)
    } else {
      this.final = true
      if (!elsewhere) this.forget()
      if (left) return this.shut()
      this.view.end(over ?? elsewhere, elsewhere && (() => this.connect(this.known)))
      this.view = null
    }
  }

  enter({ code, me, key, words, ...more }) {
    const before = this.mine
    this.words = words
    this.wait = AGAIN_MS[0]
    if (before.code !== code) this.forget() // whatever room there was before
    this.remember({ code, ...(key ? { key } : { me }) })
    if (!this.view) {
      this.shut()
      this.words = words
      this.show(new (key ? Teacher : Student)(this, words, more))
    }
    this.tell()
    this.view.entered()
    if (this.console && location.hash) history.replaceState(null, '', location.pathname)
  }

  show(view) {
    this.view = view
    this.element = view.element
    for (const offer of this.offers ?? []) offer.hidden = true
    if (this.console) this.console.append(this.element)
    else {
      this.element.classList.add('room-bar')
      document.body.append(this.element)
    }
    if (!this.watching) this.watch()
    this.watching = true
  }

  /** Out of the room again. */
  shut() {
    this.element?.remove()
    this.view = this.words = null
    for (const offer of this.offers ?? []) offer.hidden = false
  }

  /** Let the view hear of what happens on the page, once for all views of it. */
  watch() {
    const soon = settle((figure) => this.view?.moved(figure), TOLD_MS)
    for (const figure of this.figures) figure.onMoved(soon)
    document.addEventListener('lora-shown', () => soon(null))
    document.addEventListener('lora-trained', ({ target, detail }) => this.view?.trained?.(target, detail))
    document
      .querySelectorAll('.recall > ol > li')
      .forEach((question, number) =>
        question
          .querySelectorAll('details')
          .forEach((answer, at) =>
            answer.addEventListener('toggle', () => answer.open && this.view?.answered?.(number, at)),
          ),
      )
  }
}

/** Bring the page into the room that its reader is in, or lets her join or open one. */
export function enter(figures, root) {
  return new Room(figures, root)
}
