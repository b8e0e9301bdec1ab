// The host of instruments on a published page: it brings the figures to life, keeps their state in the address, and
// opens a live part when the reader asks for it.

import { fill } from '../../widgets/kit/text.js'
import { brought, follow, heights } from './hosting.js'
import { kept } from './kept.js'
import { notes } from './notes.js'
import { inLanguage, languages } from './languages.js'
import { recall } from './recall.js'
import { viewControls } from './view.js'

const EDGE = 16 // px between a figure that stays in view and the edge of the screen

const here = document.currentScript?.src // where the scripts are; a single file has them inside

/** Phrases of the text that set a figure: pressed they make its choices, and pointed at they light its controls. */
function phrases(figures) {
  for (const phrase of document.querySelectorAll('a.sets')) {
    const { figure: id, sets } = phrase.dataset
    const figure = figures.find(({ element }) => element.id === id)
    phrase.addEventListener('click', (event) => {
      event.preventDefault()
      figure.set(sets)
      // The text goes on: what a guess still hides is what it speaks of.
      if (figure.element.querySelector('.waiting')) figure.set('guess=skip')
      figure.element.scrollIntoView({ block: 'nearest' })
    })
    for (const [event, on] of Object.entries({ pointerenter: 1, focus: 1, pointerleave: 0, blur: 0 }))
      phrase.addEventListener(event, () => figure.light(sets, !!on))
  }
}

/** Open a live part in the page: a frame with a Python session behind it, started only now. */
function liveParts() {
  for (const part of document.querySelectorAll('.live-part[data-address]')) {
    part.querySelector('button').addEventListener('click', (event) => {
      const { theme, view } = document.documentElement.dataset
      const { lang } = document.documentElement
      const told = { theme, view, lang: lang === 'en' ? '' : lang }
      const asked = new URLSearchParams(Object.entries(told).filter(([, value]) => value))
      const own = `${part.dataset.address.split('/').pop()}.` // what a prepared link says of this part
      for (const [name, value] of new URL(location.href).searchParams)
        if (name.startsWith(own)) asked.set(name.slice(own.length), value)
      const frame = document.createElement('iframe')
      frame.src = `${part.dataset.address}?${asked}`
      frame.title = part.dataset.title
      frame.className = 'live-frame'
      part.classList.add('wide')
      event.currentTarget.replaceWith(frame)
      frame.focus()
    })
  }
}

/** Numbers of the text that follow a figure. */
function numbersFollow(figures) {
  for (const { element } of figures) {
    const places = document.querySelectorAll(`.follows[data-figure="${element.id}"]`)
    const put = ({ detail }) => {
      for (const place of places) place.textContent = fill(place.dataset.gap, detail)
    }
    if (places.length) element.addEventListener('lora-values', put)
  }
}

/** Beside the text a figure stays in view: one that is taller than the screen shows its lower end. */
function beside(figures) {
  const stick = ({ target }) => {
    const room = innerHeight - target.offsetHeight
    target.style.setProperty('--stick', `${Math.min(EDGE, room - EDGE)}px`)
  }
  const watch = new ResizeObserver((changed) => changed.forEach(stick))
  for (const { element } of figures) watch.observe(element)
}

/** Return the page to go on to if the address asks for a figure that has moved from here; its state goes along. */
function movedTo({ search, hash }) {
  const there = document.getElementById('there')
  if (there) return there.getAttribute('href') + search + hash
  const asked = [...new URLSearchParams(search).keys()]
    .map((name) => name.split('.')[0])
    .concat(hash.slice(1))
  for (const [figure, slug] of Object.entries(JSON.parse(document.body.dataset.moved ?? '{}')))
    if (asked.includes(figure)) return `${slug}.html${search}${hash || `#${figure}`}`
  return null
}

/** Load one of the scripts beside this one that few readers need. */
function load(name, then) {
  const script = document.createElement('script')
  script.onload = () => then(globalThis[`lora_${name}`])
  script.src = new URL(`${name}.js`, here)
  document.head.append(script)
}

/** Present the page if its address says so; the link that leads there takes the state of the page along. */
function presented(figures, address) {
  document.querySelector('.to-present')?.addEventListener('click', (event) => {
    const there = new URL(location.href)
    there.searchParams.set('view', 'present')
    event.currentTarget.href = there
  })
  if (address.get('view') !== 'present' || !here) return
  load('present', ({ present }) => present(figures, address))
}

/** Bring the page into the room for a class that its reader is in; the server says where its rooms are. */
function inRoom(figures) {
  const { rooms } = document.body.dataset
  if (rooms && (kept('lora-room').code || document.getElementById('class-room')))
    load('room', ({ enter }) => enter(figures, rooms))
}

function start() {
  const elsewhere = inLanguage(location) ?? movedTo(location)
  if (elsewhere) return location.replace(elsewhere)
  const address = new URL(location.href).searchParams
  document.documentElement.classList.add('scripted')
  viewControls(address)
  languages()
  const figures = brought(address)
  numbersFollow(figures)
  follow(figures)
  phrases(figures)
  beside(figures)
  liveParts()
  recall(figures)
  notes()
  heights()
  presented(figures, address)
  inRoom(figures)
}

start()
