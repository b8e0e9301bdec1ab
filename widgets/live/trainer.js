import { button, check, number, select } from '../kit/controls.js'
import { freshId, h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { copyable, download } from '../kit/share.js'

const KEPT = 'lora-live-training' // where the browser keeps the settings for the reader's next visit

const MOST = 4_000_000 // bytes of a file; a larger one is no adapter of this model

const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))

/** A setting as it is spelled in an address, read as a control takes it. */
const fromText = { checks: (text) => text.split(','), check: (text) => text === 'true' }

/** A control of one field: {element, get, set}. */
function control({ name, label, kind, allowed, stride }) {
  const nothing = () => {}
  if (kind === 'checks') {
    const boxes = allowed.map(([value, words]) => ({ value, ...check(words, nothing) }))
    const legend = h('legend', {}, label)
    return {
      element: h('fieldset', {}, legend, ...boxes.map(({ element }) => element)),
      get: () => boxes.filter(({ input }) => input.checked).map(({ value }) => value),
      set: (values) => boxes.forEach(({ value, input }) => (input.checked = values.includes(value))),
    }
  }
  if (kind === 'check') {
    const { element, input } = check(label, nothing)
    return { element, get: () => input.checked, set: (value) => (input.checked = value) }
  }
  // What is not possible is not put right in silence: Python says it.
  const made = kind === 'select' ? select(label, allowed, nothing) : number(label, allowed, nothing)
  const { element, input } = made
  if (kind === 'integer') Object.assign(input, { step: stride, inputMode: 'numeric' })
  return {
    element,
    get: () => (kind === 'select' ? input.value : input.valueAsNumber),
    set: (value) => (input.value = value),
  }
}

/** Settings and buttons of the live lab. Python is asked for runs and says how far they are. */
class Trainer {
  constructor(model, el) {
    this.model = model
    const { id, text, fields } = read(model, 'spec')
    Object.assign(this, { id, text })
    this.controls = Object.fromEntries(fields.map((field) => [field.name, control(field)]))
    this.link = copyable(text.link, text)
    this.follow()
    const usual = Object.fromEntries(fields.map((field) => [field.name, field.default]))
    this.fill(usual)
    const places = (first) =>
      fields.filter((field) => field.first === first).map(({ name }) => this.controls[name].element)
    const ask = (action) => () => this.ask(action)
    this.train = h('button', { type: 'submit' }, text.train)
    this.pause = button(text.pause, () => this.ask(this.told.paused ? 'resume' : 'pause'))
    this.stop = button(text.stop, ask('stop'))
    this.sweep = button(text.sweep, ask('sweep'))
    this.map = button(text.map, ask('map'))
    this.take = button(text.take, ask('take'))
    this.rows = h('div', { class: 'rows' })
    this.said = h('p', { class: 'note', role: 'status' })
    this.files = h('input', {
      id: freshId('files'),
      type: 'file',
      multiple: true,
      accept: '.json,.safetensors,.zip',
      change: () => this.bring(),
    })
    const bring = h(
      'details',
      {},
      h('summary', {}, text.open),
      h('p', { class: 'control' }, h('label', { for: this.files.id }, text.openHint), this.files),
    )
    const script = copyable(text.script, text)
    script.set(text.script_code)
    this.away = h('details', {}, h('summary', {}, text.script), script.element)
    const form = h(
      'form',
      {
        change: () => {
          this.map.textContent = text.map // the time that was said was of other settings
          this.share()
        },
        novalidate: true, // Python says in a sentence what is not possible
        submit: (event) => {
          event.preventDefault()
          this.ask('train')
        },
      },
      h('div', { class: 'controls' }, ...places(true)),
      h(
        'details',
        { class: 'more' },
        h('summary', {}, text.more),
        h('div', { class: 'controls' }, ...places(false)),
        this.link.element,
      ),
      h(
        'div',
        { class: 'buttons' },
        this.train,
        this.pause,
        this.stop,
        button(text.reset, () => {
          this.fill(usual)
          this.ask('reset')
        }),
        this.sweep,
        this.map,
        this.take,
      ),
    )
    const intro = h('p', { class: 'note' }, text.intro)
    el.replaceChildren(
      h('div', { class: 'lora lora-trainer' }, intro, form, this.rows, this.said, this.away, bring),
    )
    model.on('change:told', () => this.show())
    model.on('change:taken', () => this.save())
    this.show()
    const linked = this.linked(fields)
    const kept = Object.keys(linked).length ? null : this.kept()
    this.fill(kept ?? linked)
    this.ask(kept ? 'back' : 'open')
  }

  /** alpha stays twice r until the reader wants another one. */
  follow() {
    const { r, alpha } = this.controls
    let before = 1
    r.element.addEventListener('change', () => {
      if (alpha.get() === 2 * before) alpha.set(2 * r.get())
      before = r.get()
    })
    alpha.element.addEventListener('change', () => (before = r.get()))
  }

  /** What is asked for carries the time: a button pressed twice is asked for twice. */
  ask(action) {
    const settings = Object.fromEntries(Object.entries(this.controls).map(([name, { get }]) => [name, get()]))
    this.model.set('asked', JSON.stringify({ action, settings: JSON.stringify(settings), at: Date.now() }))
    this.model.save_changes()
  }

  /** Send an adapter's two files, or the archive that they were taken away in; what is missing or too large is said by Python. */
  async bring() {
    const files = [...this.files.files]
    const part = async (ending) => {
      const file = files.find(({ name }) => name.toLowerCase().endsWith(ending))
      return file && file.size <= MOST ? base64(new Uint8Array(await file.arrayBuffer())) : ''
    }
    const sent = {
      config: await part('.json'),
      weights: await part('.safetensors'),
      archive: await part('.zip'),
    }
    this.files.value = ''
    this.model.set('brought', JSON.stringify({ ...sent, task: this.controls.task.get(), at: Date.now() }))
    this.model.save_changes()
  }

  /** The settings in the address, in the text of a link that somebody has prepared. */
  linked(fields) {
    const asked = new URLSearchParams(location.search)
    const given = fields.filter(({ name }) => asked.has(name))
    const value = ({ name, kind }) => (fromText[kind] ?? String)(asked.get(name))
    return Object.fromEntries(given.map((field) => [field.name, value(field)]))
  }

  /** Show a link to these settings: to the lesson around this part, or to this part where it stands alone. */
  share() {
    const alone = parent === window
    const url = new URL((alone ? window : parent).location)
    for (const [name, { get }] of Object.entries(this.controls))
      url.searchParams.set(alone ? name : `${this.id}.${name}`, get())
    this.link.set(url.href)
  }

  fill(settings) {
    for (const [name, value] of Object.entries(settings)) this.controls[name]?.set(value)
    this.share()
  }

  /** The settings of the run that this browser has left, if there is one. */
  kept() {
    try {
      return JSON.parse(localStorage.getItem(KEPT))
    } catch {
      return null
    }
  }

  keep(settings) {
    try {
      localStorage.setItem(KEPT, settings)
    } catch {
      // a frame without storage begins anew each time
    }
  }

  show() {
    const told = (this.told = read(this.model, 'told'))
    const {
      rows = [],
      busy = false,
      paused = false,
      adapter = false,
      mapReady = false,
      said = '',
      settings,
    } = told
    const accepted = JSON.stringify(settings)
    if (settings && accepted !== this.accepted) {
      this.accepted = accepted
      this.keep(rows.length ? accepted : 'null')
    }
    this.pause.textContent = paused ? this.text.resume : this.text.pause
    this.pause.disabled = this.stop.disabled = !busy && !paused
    this.map.textContent = mapReady ? this.text.mapGo : this.text.map
    this.take.hidden = this.away.hidden = !adapter
    this.said.textContent = said
    this.rows.replaceChildren(
      ...rows.map(({ name, done, said }) =>
        h(
          'p',
          { class: 'row' },
          h('strong', {}, name),
          h('progress', { max: 1, value: done, 'aria-label': name }),
          h('span', {}, said),
        ),
      ),
    )
  }

  save() {
    const bytes = this.model.get('taken')
    if (bytes.byteLength) download('adapter.zip', 'application/zip', bytes)
  }
}

function render({ model, el }) {
  new Trainer(model, el)
}

export default { render }
