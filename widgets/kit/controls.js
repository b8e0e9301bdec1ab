import { freshId, h } from './dom.js'

/** A native control with its label before it: {element, input}. */
function labelled(className, label, input) {
  input.id = freshId('control')
  return {
    element: h('div', { class: `control ${className}` }, h('label', { for: input.id }, label), input),
    input,
  }
}

/** A choice among [value, text] pairs. */
export function select(label, options, onChange) {
  const input = h(
    'select',
    { change: () => onChange(input.value) },
    ...options.map(([value, text]) => h('option', { value }, text)),
  )
  return labelled('select', label, input)
}

/**
 * A whole number within bounds, which may change later through the input's min and max; what lies outside is brought
 * back inside when the reader leaves the field.
 */
export function integer(label, [low, high], onChange, stride = 1) {
  const input = h('input', {
    type: 'number',
    min: low,
    max: high,
    step: stride,
    inputmode: 'numeric',
    change: () => {
      const given = Math.round((Number(input.value) || 0) / stride) * stride
      const value = Math.min(Number(input.max), Math.max(Number(input.min), given))
      input.value = value
      onChange(value)
    },
  })
  return labelled('integer', label, input)
}

/** A number with a point in it; what is possible is said by whoever reads it. */
export const number = (label, [low, high], onChange) =>
  labelled(
    'number',
    label,
    h('input', { type: 'number', min: low, max: high, step: 'any', inputmode: 'decimal', change: onChange }),
  )

/** A box to tick, with its label behind it. */
export function check(label, onChange) {
  const input = h('input', { type: 'checkbox', change: () => onChange(input.checked) })
  input.id = freshId('control')
  return { element: h('div', { class: 'control check' }, input, h('label', { for: input.id }, label)), input }
}

/** Controls in a row: {name: {element}}. */
export const abreast = (controls) =>
  h('div', { class: 'controls' }, ...Object.values(controls).map(({ element }) => element))

/** A button that says what it does. */
export const button = (text, onPress, attributes = {}) =>
  h('button', { type: 'button', click: onPress, ...attributes }, text)

/**
 * A slider with play, step and reset. `onTick(value)` follows every move, `onSettled(value)` the end of one.
 * Where the reader's system asks for less motion there is no play button; step does the same, once a press.
 * `told(value)` says a value beside the slider and to a screen reader, where it is not the number itself.
 */
export class Stepper {
  constructor(words, { onTick, onSettled, buttons = true, everyMs = 350, told }) {
    Object.assign(this, { words, onTick, onSettled, everyMs, told, timer: null, start: 0 })
    const follow = () => {
      this.pause()
      onTick(this.value)
    }
    const settled = () => onSettled(this.value)
    this.slider = h('input', { type: 'range', min: 0, max: 1, step: 1, input: follow, change: settled })
    const { element } = labelled('slider', words.label, this.slider)
    this.output = h('output', { for: this.slider.id })
    element.append(this.output)
    this.play = button(words.play, () => (this.timer ? this.pause() : this.run()))
    this.play.hidden = matchMedia('(prefers-reduced-motion: reduce)').matches
    const step = button(words.step, () => this.go(this.value + this.stride))
    const reset = button(words.reset, () => this.go(this.start))
    this.element = h('div', { class: 'stepper' }, element)
    if (buttons) this.element.append(h('div', { class: 'buttons' }, this.play, step, reset))
  }

  get value() {
    return this.slider.valueAsNumber
  }

  /** Range, present value, the value that reset goes back to, and how far a step goes. */
  set({ low, high, value, start, stride = 1 }) {
    this.pause()
    Object.assign(this, { start, stride })
    Object.assign(this.slider, { min: low, max: high, step: stride })
    this.show(value)
  }

  show(value) {
    this.slider.value = value
    this.output.value = this.told ? this.told(this.value) : `${this.value} / ${this.slider.max}`
    if (this.told) this.slider.setAttribute('aria-valuetext', this.output.value)
  }

  go(value) {
    this.pause()
    this.slider.value = value
    this.onTick(this.value)
    this.onSettled(this.value)
  }

  run() {
    if (this.value >= Number(this.slider.max)) this.go(Number(this.slider.min))
    this.play.textContent = this.words.pause
    this.timer = setInterval(() => {
      this.slider.value = this.value + this.stride
      this.onTick(this.value)
      if (this.value >= Number(this.slider.max)) this.pause()
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
