// In a package for a learning platform (SCORM 1.2): the platform is told which questions of the lesson were found, how
// many at the first try, and what was predicted of its figures. Where there is no platform around the page, it is a page
// like any other.

import { scorm } from '@gamestdio/scorm'

const DONE = ['completed', 'passed', 'failed'] // what a platform says of a lesson that was finished before
const two = (number) => String(number).padStart(2, '0')

/** Seconds as the standard writes them: HHHH:MM:SS. */
const clock = (seconds) =>
  `${String(Math.floor(seconds / 3600)).padStart(4, '0')}:${two(Math.floor(seconds / 60) % 60)}:${two(Math.floor(seconds) % 60)}`

/**
 * What the platform kept of an earlier visit: the answer opened first to each question, the questions found, and the
 * first guess at each figure.
 */
function before(of, figures) {
  try {
    const { first, found, guessed = {} } = JSON.parse(scorm.get('cmi.suspend_data'))
    const possible = (number) => Number.isInteger(number) && number >= 0
    const told = figures.filter((id) => typeof guessed[id] === 'string')
    return {
      first: Array.from({ length: of }, (_, i) => (possible(first[i]) ? first[i] : null)),
      found: found.filter((number) => possible(number) && number < of),
      guessed: Object.fromEntries(told.map((id) => [id, guessed[id]])),
    }
  } catch {
    return { first: Array(of).fill(null), found: [], guessed: {} }
  }
}

class Course {
  constructor(section, figures) {
    const asking = figures.filter(({ config }) => config.spec.choices.guess && !config.hide.includes('guess'))
    this.predictions = asking.length
    this.changed = () => {}
    this.questions = [...section.querySelectorAll('li')].map((question) => [
      ...question.querySelectorAll('details'),
    ])
    this.began = Date.now()
    const ids = asking.map(({ element }) => element.id)
    Object.assign(this, before(this.questions.length, ids))
    this.done = DONE.includes(scorm.get('cmi.core.lesson_status'))
    this.questions.forEach((answers, number) =>
      answers.forEach((answer, at) => answer.addEventListener('toggle', () => this.opened(number, at))),
    )
    for (const figure of asking) figure.onMoved((moved) => this.guess(moved))
    this.tell()
    addEventListener('pagehide', () => this.leave())
    addEventListener('pageshow', ({ persisted }) => persisted && location.reload())
  }

  right(number) {
    return this.questions[number].findIndex((answer) => 'right' in answer.dataset)
  }

  /** What the sentence on the page tells: questions right at the first try, predictions made, and how many there are. */
  get told() {
    const first = this.first.filter((at, number) => at === this.right(number)).length
    const made = Object.values(this.guessed).filter((guess) => guess !== 'skip').length
    return { first, made, predictions: this.predictions }
  }

  /** Of a hundred: a question counts if it was right at the first try, a prediction if it was made before the reveal. */
  get score() {
    const { first, made } = this.told
    return Math.round((100 * (first + made)) / (this.questions.length + this.predictions))
  }

  interaction(fields) {
    const place = `cmi.interactions.${Number(scorm.get('cmi.interactions._count')) || 0}`
    const { id, type, ...others } = fields // in this order, as the standard wants it
    const time = new Date().toTimeString().slice(0, 8)
    for (const [name, value] of Object.entries({ id, type, time, ...others }))
      scorm.set(`${place}.${name}`, value)
    this.tell()
  }

  /** A reader opened an answer: the first one counts. */
  opened(number, at) {
    if (!this.questions[number][at].open || this.first[number] !== null) return
    this.first[number] = at
    const letter = (answer) => String.fromCharCode(97 + answer)
    this.interaction({
      id: `question-${number + 1}`,
      type: 'choice',
      'correct_responses.0.pattern': letter(this.right(number)),
      student_response: letter(at),
      result: at === this.right(number) ? 'correct' : 'wrong',
    })
  }

  /** A figure moved: what was guessed first counts, and of one that was revealed without a guess nothing does. */
  guess({ element: { id }, model }) {
    const guess = model.get('guess')
    if (guess === 'ask' || id in this.guessed) return
    this.guessed[id] = guess
    if (guess === 'skip') this.tell()
    else
      this.interaction({
        id: `prediction-${id}`,
        type: 'fill-in',
        student_response: guess,
        result: 'neutral',
      })
    this.changed()
  }

  /** The questions whose right answer was opened; as recall.js reads and writes them. */
  read() {
    return this.found
  }

  write(_, numbers) {
    this.found = numbers
    this.tell()
    return true
  }

  tell() {
    this.done ||= this.found.length === this.questions.length
    scorm.set('cmi.core.score.min', '0')
    scorm.set('cmi.core.score.max', '100')
    scorm.set('cmi.core.score.raw', String(this.score))
    const { first, found, guessed } = this
    scorm.set('cmi.suspend_data', JSON.stringify({ first, found, guessed }))
    if (!DONE.includes(scorm.get('cmi.core.lesson_status')))
      scorm.set('cmi.core.lesson_status', this.done ? 'completed' : 'incomplete')
    scorm.commit()
  }

  leave() {
    scorm.set('cmi.core.session_time', clock((Date.now() - this.began) / 1000))
    scorm.set('cmi.core.exit', this.done ? '' : 'suspend')
    scorm.terminate()
  }
}

/** Join the platform around the page; null if there is none, or one that does not answer. */
export function joined(section, figures) {
  try {
    scorm.configure({ version: '1.2' })
    return scorm.initialize() ? new Course(section, figures) : null
  } catch {
    return null // a page around this one that is not the platform's lets nobody look into it
  }
}
