// The page that searches: it looks through `lora_places`, all sections of the lessons and all words, while one types.

import MiniSearch from 'minisearch'
import { h } from '../../widgets/kit/dom.js'

const SHOWN = 20 // places
const AROUND = 90 // letters on each side of the word that was found

/** The piece of a text around the first of these words. */
function piece(text, words) {
  const at = Math.max(0, ...words.map((word) => text.toLowerCase().indexOf(word)))
  const from = Math.max(0, at - AROUND)
  const cut = text.slice(from, at + AROUND)
  return `${from ? '… ' : ''}${cut}${at + AROUND < text.length ? ' …' : ''}`
}

function start() {
  const asked = document.querySelector('#asked')
  const status = document.querySelector('#found-words')
  const list = document.querySelector('#found')
  const search = new MiniSearch({
    idField: 'at',
    fields: ['heading', 'page', 'text'],
    storeFields: ['at', 'page', 'heading', 'text'],
    searchOptions: { prefix: true, fuzzy: 0.2, combineWith: 'AND', boost: { heading: 3, page: 2 } },
  })
  search.addAll(globalThis.lora_places)
  const show = () => {
    const found = asked.value.trim() ? search.search(asked.value) : []
    const { none, one, many } = status.dataset
    const said = { 0: none, 1: one }[found.length] ?? many.replace('{n}', found.length)
    status.textContent = asked.value.trim() ? said : ''
    list.replaceChildren(
      ...found
        .slice(0, SHOWN)
        .map(({ at, page, heading, text, terms }) =>
          h(
            'li',
            {},
            h('a', { href: at }, heading),
            h('p', { class: 'meta' }, page),
            h('p', {}, piece(text, terms)),
          ),
        ),
    )
    const address = new URL(location.href)
    address.searchParams.set('q', asked.value)
    try {
      history.replaceState(null, '', asked.value ? address : location.pathname)
    } catch {
      // from a folder some browsers do not let a page change its address
    }
  }
  asked.disabled = false
  asked.value = new URL(location.href).searchParams.get('q') ?? ''
  asked.addEventListener('input', show)
  asked.focus()
  show()
}

start()
