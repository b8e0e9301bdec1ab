// In a package for a learning platform (SCORM 1.2): the platform is told which questions of the lesson were found, and
// how many at the first try. Where there is no platform around the page, it is a page like any other.

import { scorm } from '@gamestdio/scorm'

const DONE = ['completed', 'passed', 'failed'] // what a platform says of a lesson that was finished before
const two = (number) => String(number).padStart(2, '0')

/** Seconds as the standard writes them: HHHH:MM:SS. */
const clock = (seconds) =>
  `${String(Math.floor(seconds / 3600)).padStart(4, '0')}:${two(Math.floor(seconds / 60) % 60)}:${two(Math.floor(seconds) % 60)}`

/** What the platform kept of an earlier visit: the answer opened first to each question, and the questions found. */
function before(of) {
  try {
    const { first, found } = JSON.parse(scorm.get('cmi.suspend_data'))
    const possible = (number) => Number.isInteger(number) && number >= 0
    return {
      first: Array.from({ length: of }, (_, i) => (possible(first[i]) ? first[i] : null)),
      found: found.filter((number) => possible(number) && number < of),
    }
  } catch {
    return { first: Array(of).fill(null), found: [] }
  }
}

class Course {
  constructor(section) {
    this.questions = [...section.querySelectorAll('li')].map((question) => [
      ...question.querySelectorAll('details'),
    ])
    this.began = Date.now()
    Object.assign(this, before(this.questions.length))
    this.done = DONE.includes(scorm.get('cmi.core.lesson_status'))
    this.questions.forEach((answers, number) =>
      answers.forEach((answer, at) => answer.addEventListener('toggle', () => this.opened(number, at))),
    )
    this.tell()
    addEventListener('pagehide', () => this.leave())
    addEventListener('pageshow', ({ persisted }) => persisted && location.reload())
  }

  right(number) {
    return this.questions[number].findIndex((answer) => 'right' in answer.dataset)
  }

  /** How many were right at the first try. */
  get score() {
    return this.first.filter((at, number) => at === this.right(number)).length
  }

  /** A reader opened an answer: the first one counts. */
  opened(number, at) {
    if (!this.questions[number][at].open || this.first[number] !== null) return
    this.first[number] = at
    const place = `cmi.interactions.${Number(scorm.get('cmi.interactions._count')) || 0}`
    const letter = (answer) => String.fromCharCode(97 + answer)
    for (const [name, value] of Object.entries({
      id: `question-${number + 1}`,
      type: 'choice',
      time: new Date().toTimeString().slice(0, 8),
      'correct_responses.0.pattern': letter(this.right(number)),
      student_response: letter(at),
      result: at === this.right(number) ? 'correct' : 'wrong',
    }))
      scorm.set(`${place}.${name}`, value)
    this.tell()
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
    scorm.set('cmi.core.score.raw', String(Math.round((100 * this.score) / this.questions.length)))
    scorm.set('cmi.suspend_data', JSON.stringify({ first: this.first, found: this.found }))
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
export function joined(section) {
  try {
    scorm.configure({ version: '1.2' })
    return scorm.initialize() ? new Course(section) : null
  } catch {
    return null // a page around this one that is not the platform's lets nobody look into it
  }
}
