import { button } from './controls.js'
import { h, settle } from './dom.js'
import { copyable, csv, download } from './share.js'

const TABLE_ROWS = 260 // longer tables are slow to lay out; the CSV holds every row
const QUIET_MS = 600 // a screen reader hears the sentence when the slider has come to rest

/** A parameter that Panel holds as JSON text and a published page as an object. */
export function read(model, name) {
  const value = model.get(name)
  return typeof value === 'string' ? JSON.parse(value) : value
}

/** A part that opens on demand and fills itself when it does. */
function drawer(title, body, onOpen) {
  const element = h('details', { toggle: () => element.open && onOpen() }, h('summary', {}, title), body)
  return element
}

/**
 * What stands around the pictures of every instrument: the notice, the live sentence, and drawers with the numbers,
 * the code and the sharing. The instrument gives `table()` -> {head, rows}, `snippet()`, `sentence()` and
 * `files` -> [{label, name(), type, text()}].
 */
export class Frame {
  constructor(model, el, parts) {
    Object.assign(this, { model, parts, spec: read(model, 'spec'), hidden: new Set(model.get('hide')) })
    const { text } = this.spec
    this.notice = h('p', { class: 'notice', role: 'alert', hidden: true })
    this.sentence = h('p', { class: 'sentence' })
    this.announced = h('p', { class: 'unseen', role: 'status' })
    this.announce = settle((words) => { this.announced.textContent = words }, QUIET_MS)
    this.table = h('div', { class: 'table', tabindex: 0, role: 'region', 'aria-label': text.table })
    this.code = copyable(text.codeLabel, text, 'code')
    this.link = copyable(text.linkLabel, text)
    this.embed = copyable(text.embedLabel, text)
    this.downloads = h('p', { class: 'buttons' }, ...parts.files.map((file) => button(file.label, () => download(file.name(), file.type, file.text()))))
    this.drawers = h('div', { class: 'drawers' },
      this.shown('table') && drawer(text.table, this.table, () => this.refresh()),
      this.shown('code') && drawer(text.code, this.code.element, () => this.refresh()),
      this.shown('share') && drawer(text.share, h('div', {}, this.downloads, this.link.element, this.embed.element), () => this.refresh()))
    this.root = h('div', { class: `lora lora-${this.spec.name}` }, this.notice)
    el.replaceChildren(this.root)
    model.on('change:notice', () => this.say(model.get('notice')))
    this.say(model.get('notice'))
    model.on('change:links', () => this.refresh())
  }

  /** Whether the teacher left this part of the instrument on. */
  shown(part) { return this.hidden.has(part) ? '' : true }

  say(words) {
    this.notice.textContent = words ?? ''
    this.notice.hidden = !words
  }

  /** Follow a tick: the sentence at once, its announcement when things are quiet, open drawers when they are. */
  update() {
    const words = this.parts.sentence()
    this.sentence.textContent = words
    this.announce(words)
    this.refreshSoon ??= settle(() => this.refresh(), 150)
    if (this.drawers.querySelector('details[open]')) this.refreshSoon()
  }

  refresh() {
    if (!this.drawers.querySelector('details[open]')) return
    const { head, rows } = this.parts.table()
    const body = rows.slice(0, TABLE_ROWS)
    this.table.replaceChildren(h('table', {},
      h('thead', {}, h('tr', {}, ...head.map((cell) => h('th', { scope: 'col' }, cell)))),
      h('tbody', {}, ...body.map((cells) => h('tr', {}, ...cells.map((cell, i) => h(i ? 'td' : 'th', i ? {} : { scope: 'row' }, cell)))))))
    if (rows.length > body.length) this.table.append(h('p', {}, this.spec.text.tableCut))
    this.code.set(this.parts.snippet())
    const links = read(this.model, 'links')
    for (const name of ['link', 'embed']) {
      this[name].element.hidden = !links[name]
      if (links[name]) this[name].set(links[name])
    }
  }
}

export { csv }
