// The questions that close a lesson: which ones the reader has found the right answer to, kept in her browser only.

import { fill } from '../../widgets/kit/text.js'
import { keep, kept } from './kept.js'

const KEY = 'lora-recall'

/** Which questions were found, by lesson: { rank: [0, 2] }. Whatever else stands there counts as nothing. */
function found() {
  const lists = Object.entries(kept(KEY)).filter(([, numbers]) => Array.isArray(numbers))
  return Object.fromEntries(lists.map(([name, numbers]) => [name, numbers.filter(Number.isInteger)]))
}

/** Whether a class is looking on: what is shown to it, nobody has found. */
const presenting = () => document.documentElement.classList.contains('presenting')

const filled = (template, numbers, of, told = {}) => fill(template, { found: numbers.length, of, ...told })

/** Where what is found is kept: in the reader's browser. In a learning platform, course.js keeps it there. */
const own = {
  read: (lesson) => found()[lesson] ?? [],
  write: (lesson, numbers) => keep(KEY, { ...found(), [lesson]: numbers }),
}

function questions(section, figures) {
  const platform = globalThis.lora_course?.joined(section, figures)
  const store = platform ?? own
  const { lesson, of } = section.dataset
  const told = section.querySelector('[data-told]')
  const forget = section.querySelector('.forget')
  let numbers = store.read(lesson)
  const show = (remembered) => {
    const { graded, told: here, unkept } = told.dataset
    const template = platform ? graded : remembered ? here : unkept
    told.textContent = filled(template, numbers, of, platform?.told)
    forget.hidden = !numbers.length || !!platform
    section
      .querySelectorAll('li')
      .forEach((question, number) => question.classList.toggle('found', numbers.includes(number)))
  }
  section.querySelectorAll('li').forEach((question, number) =>
    question.querySelector('[data-right]').addEventListener('toggle', ({ target }) => {
      if (!target.open || numbers.includes(number) || presenting()) return
      numbers = [...numbers, number]
      show(store.write(lesson, numbers))
    }),
  )
  forget.addEventListener('click', () => {
    numbers = []
    for (const answer of section.querySelectorAll('details')) answer.open = false
    show(store.write(lesson, numbers))
    section.querySelector('summary').focus()
  })
  if (platform) platform.changed = () => show(true)
  show(store.write(lesson, numbers))
}

/** Bring the questions of a lesson to life, and tell the start page how far its reader came. */
export function recall(figures) {
  for (const section of document.querySelectorAll('.recall')) questions(section, figures)
  const all = found()
  for (const told of document.querySelectorAll('.found[data-lesson]')) {
    const numbers = all[told.dataset.lesson] ?? []
    if (numbers.length) told.textContent = filled(told.dataset.told, numbers, told.dataset.of)
  }
}
