// The reader's own notes on the passages of a lesson: kept in her browser only, handed to her as a Markdown file.

import { settle } from '../../widgets/kit/dom.js'
import { download } from '../../widgets/kit/share.js'
import { keep, kept } from './kept.js'

const KEY = 'lora-notes'
const QUIET_MS = 600 // a screen reader hears that a note is kept when its writer pauses

const words = (value) => (typeof value === 'string' ? value : '') // whatever else stands there counts as nothing

/** A note as Markdown that brings no headings and no markup of its own. */
const safe = (text) =>
  text
    .trim()
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/^(\s*)#/gm, '$1\\#')

/** Markdown of all notes that are not empty, each under the title of its passage. */
const exported = (title, notes) =>
  [`# ${title}`, ...notes.map(({ title: passage, text }) => `## ${passage}\n\n${safe(text)}`)].join('\n\n') +
  '\n'

/** Bring the notes of a lesson to life; without this script they are not shown. */
export function notes() {
  const end = document.querySelector('.notes-end')
  if (!end) return
  const { lesson, title, kept: told, unkept } = end.dataset
  const mine = () => {
    const all = kept(KEY)[lesson]
    return all && typeof all === 'object' ? all : {}
  }
  const fields = [...document.querySelectorAll('.notes')].map((section) => ({
    id: section.dataset.note,
    title: section.dataset.title,
    section,
    area: section.querySelector('textarea'),
    printed: section.querySelector('.printed'),
    said: section.querySelector('[role=status]'),
  }))
  const [save, remove] = end.querySelectorAll('button')
  const said = end.querySelector('[role=status]')
  const write = (change) => keep(KEY, { ...kept(KEY), [lesson]: { ...mine(), ...change } })
  const written = () =>
    fields.map(({ title, area }) => ({ title, text: area.value })).filter(({ text }) => text.trim())

  /** What follows from what the notes say now. */
  const show = () => {
    for (const { area, printed, section } of fields) {
      printed.textContent = area.value
      section.classList.toggle('empty', !area.value.trim())
    }
    save.disabled = remove.disabled = !written().length
    remove.textContent = remove.dataset.ask
  }
  const before = mine()
  const possible = write({})
  for (const { id, area, said, section } of fields) {
    area.value = words(before[id])
    const tell = settle((remembered) => (said.textContent = remembered ? told : unkept), QUIET_MS)
    area.addEventListener('input', () => {
      tell(write({ [id]: area.value }))
      show()
    })
    if (!possible) said.textContent = unkept
    section.hidden = false
  }
  end.hidden = false
  save.addEventListener('click', () => {
    download(`notes-${lesson}.md`, 'text/markdown', exported(title, written()))
    said.textContent = save.dataset.done
  })
  remove.addEventListener('click', () => {
    if (remove.textContent === remove.dataset.ask) {
      remove.textContent = remove.dataset.sure // a second press deletes
      return
    }
    for (const { area, said } of fields) area.value = said.textContent = ''
    write(Object.fromEntries(fields.map(({ id }) => [id, ''])))
    show()
    said.textContent = remove.dataset.done
    fields[0].area.focus() // the button that had the focus can be pressed no more
  })
  remove.addEventListener('blur', () => (remove.textContent = remove.dataset.ask))
  show()
}
