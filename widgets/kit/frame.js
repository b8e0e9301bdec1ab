import { button } from './controls.js'
import { h, settle } from './dom.js'
import { copyable } from './share.js'
import { table } from './table.js'
import { plainly } from './text.js'

const QUIET_MS = 600 // a screen reader hears the sentence when the slider has come to rest
const DRAWER_MS = 150 // open drawers follow the slider with this delay: a tick must not wait for a table

const LINKS = ['link', 'embed', 'script']

/** A parameter that Panel holds as JSON text and a published page as an object. */
export function read(model, name) {
  const value = model.get(name)
  return typeof value === 'string' ? JSON.parse(value) : value
}

/**
 * What stands around the pictures of every instrument: the notice, the live sentence, and drawers with the numbers,
 * the code and the sharing. The instrument gives `table()` -> {head, rows}, `snippet()`, `sentence()` and `save(what)`,
 * where `what` names a download.
 */
export class Frame {
  constructor(model, el, instrument) {
    Object.assign(this, { model, instrument, spec: read(model, 'spec'), hidden: model.get('hide') })
    const { text, name } = this.spec
    this.notice = h('p', { class: 'notice', role: 'alert', hidden: true })
    this.sentence = h('p', { class: 'sentence' })
    this.announced = h('p', { class: 'unseen', role: 'status' })
    this.announce = settle((words) => (this.announced.textContent = words), QUIET_MS)
    this.refreshSoon = settle(() => this.refresh(), DRAWER_MS)
    this.table = h('div', { class: 'table', tabindex: 0, role: 'region', 'aria-label': text.table })
    this.sums = h('dl', { class: 'arithmetic' })
    this.code = copyable(text.codeLabel, text)
    this.link = copyable(text.linkLabel, text)
    this.embed = copyable(text.embedLabel, text)
    this.script = copyable(text.scriptLabel, text)
    this.drawers = h(
      'div',
      { class: 'drawers' },
      ...(text.arithmetic ? this.part('code', this.drawer(text.sums, this.sums)) : []),
      ...this.part('table', this.drawer(text.table, this.table)),
      ...this.part('code', this.drawer(text.code, this.code.element)),
      ...this.part(
        'share',
        this.drawer(text.share, this.downloads(), ...LINKS.map((name) => this[name].element)),
      ),
    )
    this.root = h('div', { class: `lora lora-${name}` }, this.notice)
    el.replaceChildren(this.root)
    model.on('change:notice', () => this.say(model.get('notice')))
    model.on('change:links', () => this.refresh())
    this.say(model.get('notice'))
  }

  /** Whether the teacher left this part of the instrument on. */
  shown(part) {
    return !this.hidden.includes(part)
  }

  /** The elements of a part, or none where the teacher switched it off. */
  part(name, ...elements) {
    return this.shown(name) ? elements : []
  }

  /** A part that opens on demand and is filled when it does. */
  drawer(title, ...body) {
    return h('details', { toggle: () => this.refresh() }, h('summary', {}, title), ...body)
  }

  downloads() {
    const save = ([what, label]) => button(label, () => this.instrument.save(what))
    return h('p', { class: 'buttons' }, ...Object.entries(this.spec.text.downloads).map(save))
  }

  say(words) {
    this.notice.textContent = words
    this.notice.hidden = !words
  }

  /** Follow a tick: the sentence at once, its announcement when things are quiet, open drawers a moment later. */
  update() {
    const words = this.instrument.sentence()
    this.sentence.textContent = words
    if (!this.sentence.closest('.waiting')) this.announce(words) // before the guess nobody is told
    this.refreshSoon()
  }

  refresh() {
    if (!this.drawers.querySelector('details[open]')) return
    if (this.spec.text.arithmetic) this.sums.replaceChildren(...this.instrument.readouts.arithmetic())
    this.table.replaceChildren(...table(this.instrument.table(), this.spec.text.tableCut))
    this.code.set(plainly(() => this.instrument.snippet()))
    const links = read(this.model, 'links')
    for (const name of LINKS) {
      this[name].element.hidden = !links[name]
      this[name].set(links[name] ?? '')
    }
  }
}
