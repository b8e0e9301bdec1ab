import { divergingScale, onColours } from '../kit/colour.js'
import { abreast } from '../kit/controls.js'
import { Diagram } from './diagram.js'
import { h } from '../kit/dom.js'
import { Effects } from '../kit/effects.js'
import { read } from '../kit/frame.js'
import { Guess } from '../kit/guess.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { NextWords } from './next_words.js'
import { Passage } from './passage.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { Taken } from './taken.js'
import { fill } from '../kit/text.js'

const KEYED = ['text', 'block']

/** One transformer block with its real numbers: places, projections, and each adapter by itself. */
class Block extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits(...KEYED)
    model.on('change:projection', () => this.take())
    model.on('change:shown', () => this.paint())
    model.on('change:guess', () => this.reveal())
    this.stop = onColours(() => this.load())
    this.load()
  }

  get projection() {
    return this.model.get('projection')
  }

  get word() {
    return this.stepper.value
  }

  build({ word }) {
    const { text, frame } = this
    this.controls = this.choosers(...KEYED, 'projection', 'shown')
    this.stepper = this.slider('word', text.wordLabel, { buttons: false, told: (at) => this.toldWord(at) })
    const [low, high] = word.bounds
    this.stepper.set({ low, high, value: this.model.get('word'), start: word.default })
    this.guess = new Guess(text.guess, this.choosing('guess'))
    this.diagram = new Diagram(text, text.writers, this.choosing('projection'))
    this.taken = new Taken(text)
    this.readouts = new Readouts(text)
    this.next = new NextWords(text.next)
    this.effects = {
      block: new Effects(text.effects.block, '.0%'),
      loss: new Effects(text.effects.loss, '.3f'),
    }
    const key = Object.entries(text.key).map(([kind, words]) => h('span', { class: kind }, words))
    this.measured = h(
      'div',
      { class: 'measured' },
      h('p', { class: 'effects-key' }, ...key),
      h('div', { class: 'charts' }, this.effects.block.element, this.effects.loss.element),
    )
    const beside = h(
      'div',
      { class: 'beside' },
      ...frame.part('maps', this.taken.element),
      this.readouts.element,
    )
    const through = h(
      'div',
      { class: 'through' },
      ...frame.part('next', this.stepper.element),
      ...frame.part('diagram', this.diagram.element),
      ...frame.part('next', this.next.element),
    )
    frame.root.append(
      ...frame.part('choices', abreast(this.controls)),
      h('div', { class: 'passage' }, through, beside),
      ...frame.part('guess', this.guess.element),
      ...frame.part('effects', this.measured),
      frame.sentence,
    )
  }

  toldWord(at) {
    if (!this.passage) return ''
    const { words, tokens } = this.passage
    const position = this.passage.at(at)
    return fill(this.text.word, { word: words[position], position: position + 1, tokens })
  }

  load() {
    const before = this.passage
    this.passage = new Passage(read(this.model, 'arrays'))
    this.scale = divergingScale(this.frame.root)
    const { passage, stepper } = this
    const { default: start } = this.frame.spec.choices.word
    stepper.set({ low: 0, high: passage.tokens - 1, value: passage.at(this.model.get('word')), start })
    for (const name of KEYED) this.controls[name].input.value = this.model.get(name)
    if (before && before.values[this.projection].block !== passage.values[this.projection].block) this.goOn()
    this.paint()
    this.take()
  }

  /** Fill the strips. */
  paint() {
    const shown = this.model.get('shown')
    this.controls.shown.input.value = shown
    this.diagram.draw(this.passage, shown, this.scale)
  }

  /** Show the chosen projection. */
  take() {
    const { projection, passage } = this
    this.controls.projection.input.value = projection
    this.diagram.press(projection)
    this.taken.draw(passage, projection, this.scale)
    this.readouts.show(passage.values[projection])
    this.reveal()
  }

  /** Veil what the guess is about. */
  reveal() {
    const { passage, guessed, projection, effects } = this
    const { truth, falls } = passage
    this.guess.show(guessed, {
      truth,
      block_name: passage.values[truth].block_name,
      fall: falls[truth].value,
      fall_guess: falls[guessed]?.value,
    })
    this.measured.classList.toggle('waiting', guessed === 'ask')
    const rows = passage.effects()
    for (const [name, chart] of Object.entries(effects)) chart.draw(rows[name], { chosen: projection })
    this.tick(this.word)
  }

  /** Follow the slider: the row of a token in every strip, and what comes after it. */
  tick(word) {
    const { passage, projection } = this
    this.stepper.show(word)
    this.diagram.at(passage.at(word))
    this.next.show(passage.words[passage.at(word)], passage.expected(projection, word))
    this.frame.update()
  }

  sentence() {
    const { sentences } = this.text
    const values = this.passage.told(this.projection, this.word)
    return fill(this.guessed === 'ask' ? sentences.veiled : sentences.told, values)
  }

  snippet() {
    return fill(this.passage.snippet, this.passage.values[this.projection])
  }

  table() {
    return this.tableOf(Object.values(this.passage.values))
  }

  get stem() {
    return `${this.passage.key}-block`
  }

  saves() {
    return { effects: () => ['effects.csv', this.effectsAsCsv()] }
  }

  asPicture() {
    return super.asPicture(this.effects, this.taken.pictures())
  }

  effectsAsCsv() {
    const head = [
      'projection',
      'output_change',
      'block_change',
      'random_block_change',
      'loss_alone',
      'loss_without',
    ]
    const line = (of) => [
      of.projection,
      of.change,
      of.block_change,
      of.random_block,
      of.loss_alone,
      of.loss_without,
    ]
    return csv([head, ...Object.values(this.passage.values).map(line)])
  }
}

export default rendering(Block)
