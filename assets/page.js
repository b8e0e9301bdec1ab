// The host of instruments on a published page: it gives each one a model in anywidget's form, keeps their state in the
// address, fetches arrays when they are chosen, and opens a live part when the reader asks for it.

import { fromAddress, intoAddress } from '../widgets/lib/choices.js'
import { settle } from '../widgets/lib/dom.js'
import { fill } from '../widgets/lib/text.js'
import { viewControls } from './view.js'

const ADDRESS_MS = 250 // browsers refuse more than about a hundred address changes in half a minute

/** The part of anywidget's model that instruments use, over a plain object. */
class Model {
  constructor(values) {
    this.values = values
    this.changed = new Set()
    this.listeners = {}
    this.onSaved = () => {}
  }

  get(name) { return this.values[name] }

  set(name, value) {
    if (this.values[name] === value) return
    this.values[name] = value
    this.changed.add(name)
  }

  on(event, listener) { (this.listeners[event] ??= []).push(listener) }

  save_changes() {
    const names = [...this.changed]
    this.changed.clear()
    for (const name of names) this.listeners[`change:${name}`]?.forEach((listener) => listener())
    if (names.length) this.onSaved(names)
  }

  /** Change a value from outside. */
  put(name, value) {
    this.set(name, value)
    this.save_changes()
  }
}

const waiting = {}

/** Files of arrays are scripts that call this: unlike fetched data they also load from a folder on disk. */
globalThis.lora_arrays = (key, arrays) => waiting[key]?.(arrays)

function loadArrays(url, key) {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script')
    waiting[key] = resolve
    script.onload = () => { delete waiting[key]; script.remove(); reject(new Error('no arrays in the file')) }
    script.onerror = () => { delete waiting[key]; script.remove(); reject(new Error('no such file')) }
    script.src = url
    document.head.append(script)
  })
}

class Figure {
  constructor(element, address) {
    this.element = element
    this.config = JSON.parse(element.querySelector('script[type="application/json"]').textContent)
    const { config } = this
    const { choices, text, parts, keyedBy } = config.spec
    const { values, said } = fromAddress(choices, address, config.prefix, text, config.state)
    this.hide = this.hidden(address, parts, said)
    this.cache = { [keyedBy.map((name) => config.state[name]).join('-')]: config.arrays, ...config.datasets }
    this.model = new Model({ ...config.state, spec: config.spec, arrays: config.arrays, hide: this.hide, notice: '', links: {} })
    this.render(values, said)
  }

  /** What the teacher switched off in the address, besides what the page did. */
  hidden(address, parts, said) {
    const asked = (address.get(`${this.config.prefix}hide`) ?? '').split(',').filter(Boolean)
    const unknown = asked.filter((part) => !parts.includes(part))
    const { text } = this.config.spec
    if (unknown.length) said.push(fill(text.notAPart, { given: unknown.join(', ').slice(0, 40), allowed: parts.join(', ') }))
    return [...new Set([...this.config.hide, ...asked.filter((part) => parts.includes(part))])]
  }

  async render(values, said) {
    const { model, config } = this
    const { choices, keyedBy } = config.spec
    const wanted = { ...config.state, ...values }
    const arrays = await this.arrays(wanted).catch(() => null)
    if (arrays) model.values.arrays = arrays
    else {
      said.push(this.missing(wanted))
      for (const name of keyedBy) wanted[name] = config.state[name]
    }
    const { k } = model.values.arrays
    if (k !== undefined && wanted.r > k) {
      said.push(fill(config.spec.text.outOfRange, { name: choices.r.label, given: wanted.r, low: 0, high: k, value: k }))
      wanted.r = k
    }
    Object.assign(model.values, wanted, { notice: said.join(' ') })
    const place = this.element.querySelector('.instrument-place')
    globalThis[`lora_${config.name}`].default.render({ model, el: place })
    this.element.classList.add('live')
    model.onSaved = (names) => this.saved(names)
    this.share()
  }

  key(values) { return this.config.spec.keyedBy.map((name) => values[name]).join('-') }

  async arrays(values) {
    const key = this.key(values)
    if (!this.cache[key]) {
      const { files, name, datasets } = this.config
      if (!files) throw new Error(datasets ? 'a single file' : 'no files')
      this.cache[key] = await loadArrays(`${files}${key}.js`, `${name}/${key}`)
    }
    return this.cache[key]
  }

  missing(values) {
    const { text, keyedBy } = this.config.spec
    return fill(text.missing, { given: keyedBy.map((name) => values[name]).join(', '), have: this.config.have })
  }

  async saved(names) {
    const { model, config } = this
    if (names.some((name) => config.spec.keyedBy.includes(name))) {
      const values = { ...model.values }
      try {
        const arrays = await this.arrays(values)
        if (this.key(model.values) !== this.key(values)) return // the reader has gone on meanwhile
        this.settled = Object.fromEntries(config.spec.keyedBy.map((name) => [name, values[name]]))
        model.put('notice', '')
        model.put('arrays', arrays)
      } catch {
        const back = this.settled ?? Object.fromEntries(config.spec.keyedBy.map((name) => [name, config.state[name]]))
        model.put('notice', this.missing(values))
        for (const [name, value] of Object.entries(back)) model.set(name, value)
        model.save_changes()
      }
    }
    if (names.some((name) => name in config.spec.choices)) this.moved?.()
  }

  state() {
    return Object.fromEntries(Object.keys(this.config.spec.choices).map((name) => [name, this.model.get(name)]))
  }

  /** Tell the instrument the link to its state and the code that embeds it. */
  share(link = location.href) {
    const { config } = this
    const links = { link }
    if (config.embed) {
      const at = new URL(config.embed, location.href)
      intoAddress(config.spec.choices, this.state(), at.searchParams, '')
      if (this.hide.length) at.searchParams.set('hide', this.hide.join(','))
      links.embed = fill(config.spec.text.embedCode, { address: at.href.replaceAll('&', '&amp;').replaceAll('"', '&quot;'), title: config.title, height: Math.ceil(this.element.offsetHeight) + 20 })
    }
    this.model.put('links', links)
  }
}

/** Keep the whole state of the page in its address, defaults included. */
function follow(figures) {
  const full = () => {
    const url = new URL(location.href)
    for (const { config, ...figure } of figures.map((f) => ({ config: f.config, state: f.state(), hide: f.hide }))) {
      intoAddress(config.spec.choices, figure.state, url.searchParams, config.prefix)
    }
    return url.href
  }
  const write = settle(() => {
    const link = full()
    try { history.replaceState(null, '', link) } catch { /* a sandboxed frame may not change its address */ }
    for (const figure of figures) figure.share(link)
  }, ADDRESS_MS)
  for (const figure of figures) {
    figure.moved = write
    figure.share(full())
  }
}

/** Open a live part in the page: a frame with a Python session behind it, started only now. */
function liveParts() {
  for (const part of document.querySelectorAll('.live-part[data-address]')) {
    part.querySelector('button')?.addEventListener('click', (event) => {
      const frame = document.createElement('iframe')
      const theme = document.documentElement.dataset.theme
      frame.src = part.dataset.address + (theme ? `?theme=${theme}` : '')
      frame.title = part.dataset.title
      frame.className = 'live-frame'
      event.currentTarget.replaceWith(frame)
      frame.focus()
    })
  }
}

/** Frames of ours on this page tell their height; ours is told to the page around us. */
function heights() {
  addEventListener('message', ({ source, data }) => {
    if (!Number.isFinite(data?.loraHeight)) return
    for (const frame of document.querySelectorAll('iframe.live-frame')) if (frame.contentWindow === source) frame.style.height = `${data.loraHeight}px`
  })
  if (parent === window) return
  const tell = () => parent.postMessage({ loraHeight: Math.ceil(document.body.getBoundingClientRect().height) }, '*')
  new ResizeObserver(tell).observe(document.body)
}

function start() {
  const address = new URL(location.href).searchParams
  document.documentElement.classList.add('scripted')
  viewControls(address)
  const figures = [...document.querySelectorAll('figure.instrument:has(> script)')].map((element) => new Figure(element, address))
  follow(figures)
  liveParts()
  heights()
}

start()
