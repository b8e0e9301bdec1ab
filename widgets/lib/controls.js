import { freshId, h } from './dom.js'

/** A native control with its label before it: {element, input}. */
function labelled(className, label, input) {
  input.id = freshId('control')
  return { element: h('div', { class: `control ${className}` }, h('label', { for: input.id }, label), input), input }
}

/** A choice among [value, text] pairs. */
export function select(label, options, onChange) {
  const input = h('select', { change: () => onChange(input.value) }, ...options.map(([value, text]) => h('option', { value }, text)))
  return labelled('select', label, input)
}

/** A whole number within bounds; what lies outside is brought back inside when the reader leaves the field. */
export function integer(label, [low, high], onChange) {
  const input = h('input', {
    type: 'number', min: low, max: high, step: 1, inputmode: 'numeric',
    change: () => {
      const value = Math.min(high, Math.max(low, Math.round(Number(input.value) || 0)))
      input.value = value
      onChange(value)
    },
  })
  return labelled('integer', label, input)
}

/** A button that says what it does. */
export const button = (text, onPress, attributes = {}) => h('button', { type: 'button', click: onPress, ...attributes }, text)

/**
 * A slider with play, step and reset. `onTick(value)` follows every move, `onSettled(value)` the end of one.
 * Without motion (the reader's system asks for less) there is no play button: step does the same, once a press.
 */
export class Stepper {
  constructor(words, { onTick, onSettled, everyMs = 350 }) {
    Object.assign(this, { words, onTick, onSettled, everyMs, timer: null, start: 0 })
    this.slider = h('input', {
      type: 'range', min: 0, max: 1, step: 1,
      input: () => { this.pause(); onTick(this.value) },
      change: () => onSettled(this.value),
    })
    const { element } = labelled('slider', words.label, this.slider)
    this.output = h('output', { for: this.slider.id })
    element.append(this.output)
    this.play = button(words.play, () => (this.timer ? this.pause() : this.run()))
    this.play.hidden = matchMedia('(prefers-reduced-motion: reduce)').matches
    this.step = button(words.step, () => { this.pause(); this.go(this.value + 1) })
    this.reset = button(words.reset, () => { this.pause(); this.go(this.start) })
    this.element = h('div', { class: 'stepper' }, element, h('div', { class: 'buttons' }, this.play, this.step, this.reset))
  }

  get value() { return this.slider.valueAsNumber }

  /** Range, present value and the value that reset goes back to. */
  set({ low, high, value, start }) {
    this.start = start
    Object.assign(this.slider, { min: low, max: high, value })
    this.show()
  }

  show() {
    this.output.value = `${this.value} / ${this.slider.max}`
  }

  go(value) {
    this.slider.value = value
    this.onTick(this.value)
    this.onSettled(this.value)
  }

  run() {
    const last = Number(this.slider.max)
    if (this.value >= last) this.go(Number(this.slider.min))
    this.play.textContent = this.words.pause
    this.timer = setInterval(() => {
      this.slider.value = this.value + 1
      this.onTick(this.value)
      if (this.value >= last) this.pause()
    }, this.everyMs)
  }

  pause() {
    if (!this.timer) return
    clearInterval(this.timer)
    this.timer = null
    this.play.textContent = this.words.play
    this.onSettled(this.value)
  }
}
