// The questions that close a lesson: which ones the reader has found the right answer to, kept in her browser only.

import { keep, kept } from './kept.js'

const KEY = 'lora-recall'

/** Which questions were found, by lesson: { rank: [0, 2] }. Whatever else stands there counts as nothing. */
function found() {
  const lists = Object.entries(kept(KEY)).filter(([, numbers]) => Array.isArray(numbers))
  return Object.fromEntries(lists.map(([name, numbers]) => [name, numbers.filter(Number.isInteger)]))
}

/** Whether a class is looking on: what is shown to it, nobody has found. */
const presenting = () => document.documentElement.classList.contains('presenting')

const filled = (template, numbers, of) => template.replace('{found}', numbers.length).replace('{of}', of)

function questions(section) {
  const { lesson, of } = section.dataset
  const told = section.querySelector('[data-told]')
  const forget = section.querySelector('.forget')
  let numbers = found()[lesson] ?? []
  const show = (remembered) => {
    told.textContent = filled(remembered ? told.dataset.told : told.dataset.unkept, numbers, of)
    forget.hidden = !numbers.length
    section
      .querySelectorAll('li')
      .forEach((question, number) => question.classList.toggle('found', numbers.includes(number)))
  }
  section.querySelectorAll('li').forEach((question, number) =>
    question.querySelector('[data-right]').addEventListener('toggle', ({ target }) => {
      if (!target.open || numbers.includes(number) || presenting()) return
      numbers = [...numbers, number]
      show(keep(KEY, { ...found(), [lesson]: numbers }))
    }),
  )
  forget.addEventListener('click', () => {
    numbers = []
    for (const answer of section.querySelectorAll('details')) answer.open = false
    show(keep(KEY, { ...found(), [lesson]: numbers }))
    section.querySelector('summary').focus()
  })
  show(keep(KEY, found()))
}

/** Bring the questions of a lesson to life, and tell the start page how far its reader came. */
export function recall() {
  document.querySelectorAll('.recall').forEach(questions)
  const all = found()
  for (const told of document.querySelectorAll('.found[data-lesson]')) {
    const numbers = all[told.dataset.lesson] ?? []
    if (numbers.length) told.textContent = filled(told.dataset.told, numbers, told.dataset.of)
  }
}
