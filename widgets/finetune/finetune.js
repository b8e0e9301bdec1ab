import { divergingScale, onColours } from '../kit/colour.js'
import { abreast, button } from '../kit/controls.js'
import { freshId, h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { csv, download } from '../kit/share.js'
import { fill } from '../kit/text.js'
import { Engine } from './engine.js'
import { Pictures } from './pictures.js'
import { Said } from './said.js'
import { History } from './history.js'

const FIRST = ['task', 'facts', 'size', 'rate']
const OF_LORA = ['alpha', 'rule', 'matrices', 'blocks', 'init', 'embeddings']
const [FACTS, FULL] = ['new-facts', 'full']
const PACES = { slow: 2, steady: 12, fast: 0 } // steps a second; 0: as fast as it can

/** Finetune the model in the page, and watch it learn. */
class Finetune extends Instrument {
  constructor(model, el) {
    super(model, el)
    for (const name of this.settings) model.on(`change:${name}`, () => this.changed(name))
    model.on('change:layer', () => this.look())
    model.on('change:pace', () => this.prepared && this.engine?.say({ pace: PACES[model.get('pace')] }))
    whenNear(this.frame.root, () => this.open().catch(() => {})) // what goes wrong is said when it matters
    this.stop = () => {
      stopColours()
      this.engine?.stop()
    }
    const stopColours = onColours(() => this.colour())
    this.reset()
    this.colour()
  }

  build({ layer, pace, ...choices }) {
    const { text, frame } = this
    this.arrays = read(this.model, 'arrays')
    this.settings = Object.keys(choices)
    this.controls = this.choosers(...this.settings)
    this.shown = this.choosers('layer', 'pace')
    const of = (names) => Object.fromEntries(names.map((name) => [name, this.controls[name]]))
    const more = this.settings.filter((name) => !FIRST.includes(name))
    this.train = button(text.finetune, () => this.toggle(), { class: 'go' })
    this.one = button(text.step, () => this.say({ step: true }))
    this.again = button(text.reset, () => this.reset())
    this.take = button(text.take, () => this.say({ take: true }))
    this.stepper = this.scrubber()
    this.pictures = new Pictures(text, (step) => this.scrub(step))
    this.said = new Said(text.said)
    this.measured = h('p', { class: 'note' })
    this.problem = h('p', { class: 'problem', role: 'status' })
    const rest = h('details', { class: 'more' }, h('summary', {}, text.more), abreast(of(more)))
    frame.root.append(
      ...frame.part('settings', abreast(of(FIRST))),
      h(
        'div',
        { class: 'bench' },
        h('div', { class: 'buttons' }, this.train, this.one, this.again, this.take),
        this.shown.pace.element,
        this.measured,
      ),
      ...frame.part('settings', rest),
      this.problem,
      this.stepper,
      this.pictures.element,
      frame.sentence,
      ...frame.part('said', this.said.element),
    )
    this.pictures.place(this.shown.layer.element)
  }

  /** A slider over the steps that have been made. */
  scrubber() {
    const id = freshId('step')
    const input = () => this.scrub(this.slider.valueAsNumber)
    this.slider = h('input', { id, type: 'range', min: 0, max: 1, value: 0, input })
    this.output = h('output', { for: id })
    const label = h('label', { for: id }, this.text.stepLabel)
    return h('div', { class: 'stepper' }, h('div', { class: 'control' }, label, this.slider, this.output))
  }

  /** A setting was changed: a run in progress is one of other settings, so it ends. */
  changed(name) {
    this.controls[name].input.value = this.model.get(name)
    if (name === 'workers') {
      this.engine?.stop()
      this.engine = this.starting = null
    }
    this.reset()
  }

  /** The fields of a TrainConfig, as widgets/finetune/__init__.py makes them. */
  config() {
    const of = (name) => this.model.get(name)
    const { usual, tasks, matrices, rates } = this.arrays
    const common = {
      ...usual,
      task: tasks[of('task')],
      learning_rate: of('rate') === 'best' ? rates[of('task')][of('size')] : Number(of('rate')),
      optimizer: of('optimizer'),
      steps: of('steps'),
      batch_size: of('batch'),
      seed: of('seed'),
      n_texts: of('task') === FACTS ? Number(of('facts')) : usual.n_texts,
      base_share: Number(of('mixed')) / 100,
    }
    if (of('size') === FULL) return { ...common, method: FULL }
    const r = Number(of('size'))
    return {
      ...common,
      r,
      alpha: { '2r': 2 * r, r }[of('alpha')] ?? Number(of('alpha')),
      scaling_rule: of('rule') === 'r' ? 'alpha/r' : 'alpha/sqrt(r)',
      target_modules: matrices[of('matrices')],
      layers: of('blocks') === 'all' ? usual.layers : [Number(of('blocks'))],
      init: of('init'),
      train_embeddings: of('embeddings') === 'yes',
    }
  }

  /** Nothing has been trained. */
  reset() {
    this.run = (this.run ?? 0) + 1
    this.running = false
    this.history = new History(this.model.get('steps'))
    this.prepared = false
    this.at = null // where the reader looks, if it is not the newest step
    this.controls.facts.element.hidden = this.model.get('task') !== FACTS
    for (const name of OF_LORA) this.controls[name].input.disabled = this.model.get('size') === FULL
    for (const [name, { input }] of Object.entries({ ...this.controls, ...this.shown }))
      input.value = this.model.get(name)
    this.engine?.say({ pause: true })
    this.take.hidden = true
    this.problem.textContent = this.measured.textContent = ''
    this.draw()
  }

  async toggle() {
    if (this.running) {
      this.running = false
      this.say({ pause: true })
      this.buttons()
      return
    }
    if (this.history.over) this.reset()
    this.running = true
    this.buttons()
    this.at = null
    await this.say({ go: true })
  }

  /** Start the Worker, once. */
  async open() {
    this.starting ??= Engine.start(this.model.get('later'), Number(this.model.get('workers')), {
      frame: (told) => this.hear(told),
      looked: (looked) => this.looked(looked),
      over: (told) => this.ended(told),
      taken: (files) => this.taken(files),
      failed: (why) => this.failed(why),
    })
    try {
      this.engine = await this.starting
    } catch (error) {
      this.starting = null // another time it may work
      throw error
    }
  }

  /** Send a letter, once there is a Worker and a run in it. */
  async say(letter) {
    const { run } = this
    try {
      await this.open()
    } catch (error) {
      this.failed(error.message)
      return
    }
    if (run !== this.run) return // the reader has gone on meanwhile
    if (!this.prepared) {
      this.prepared = true
      const start = this.config()
      this.engine.say({ start, every: this.every(start), layer: this.model.get('layer'), run })
    }
    this.engine.say({ pace: PACES[this.model.get('pace')] })
    this.engine.say(letter)
  }

  /** Steps between two looks at the answers: as many as take about as long as the look. */
  every({ task, n_texts }) {
    const { every } = this.arrays
    return every[task] ?? (n_texts <= every.few ? every.often : every.seldom)
  }

  /** News of the run. */
  hear({ run, news, looked, seconds, numbers }) {
    if (run !== this.run) return
    this.history.add(news)
    if (this.at === null) this.history.looked = looked
    const { root } = this.frame
    root.dataset.step = this.history.step
    const speed = seconds ? (this.history.losses.length / seconds).toFixed(1) : '0'
    root.dataset.stepsPerSecond = speed
    this.measured.textContent = fill(this.text.measured, { speed, numbers })
    this.draw()
  }

  ended({ run, diverged }) {
    if (run !== this.run) return
    this.running = false
    this.history.over = true
    this.history.diverged = diverged
    this.problem.textContent = diverged ? fill(this.text.diverged, this.values()) : ''
    this.draw()
  }

  failed(why) {
    this.running = false
    this.problem.textContent = this.text.problems[why] ?? fill(this.text.problems.other, { why })
    this.buttons()
  }

  /** Look at an earlier step. */
  scrub(step) {
    this.at = step >= this.history.step ? null : step
    this.draw()
    this.look()
  }

  /** Ask what the chosen layer has learned at the step that is looked at. */
  look() {
    this.shown.layer.input.value = this.model.get('layer')
    if (!this.prepared) return this.draw()
    this.engine?.say({ look: { layer: this.model.get('layer'), step: this.place } })
  }

  looked({ run, ...looked }) {
    if (run !== this.run) return
    this.history.looked = looked
    this.draw()
  }

  taken(files) {
    for (const [name, content] of Object.entries(files))
      download(name, name.endsWith('.json') ? 'application/json' : 'application/octet-stream', content)
  }

  colour() {
    this.scale = divergingScale(this.frame.root)
    this.draw()
  }

  get place() {
    return this.at ?? this.history.step
  }

  buttons() {
    const { text, history, running } = this
    this.train.textContent = running
      ? text.pause
      : history.over
        ? text.again
        : history.step
          ? text.goOn
          : text.finetune
    this.one.disabled = running || history.over
    this.again.disabled = !this.prepared
    this.take.hidden = running || !history.step || history.diverged
  }

  draw() {
    const { history, arrays, text } = this
    if (!this.scale) return
    this.buttons()
    this.slider.max = Math.max(1, history.step)
    this.slider.value = this.place
    this.output.value = `${this.place} / ${history.steps}`
    const values = this.values()
    // Before the first step there is nothing to see but axes.
    const begun = Boolean(history.looked)
    this.stepper.hidden = this.pictures.element.hidden = !begun
    if (begun)
      this.pictures.draw({
        history,
        place: this.place,
        arrays,
        values,
        scale: this.scale,
        config: this.config(),
      })
    this.said.show(history.evaluation(0), history.evaluation(this.place))
    this.frame.update()
  }

  /** Every number that a sentence may use. */
  values() {
    const { history, arrays } = this
    const [task, size] = [this.model.get('task'), this.model.get('size')]
    const first = history.evaluation(0)
    const now = history.evaluation(this.place)
    return {
      label: arrays.labels[task],
      how: arrays.sizes[size],
      facts_before: first?.facts ?? arrays.known,
      step: now?.step ?? 0,
      steps: history.steps,
      task: now?.task ?? 0,
      facts: now?.facts ?? 0,
      stories: now?.stories ?? 0,
      loss: now?.loss ?? 0,
    }
  }

  sentence() {
    const { history, text } = this
    return fill(text.sentences[history.evaluation(0) ? 'running' : 'before'], this.values())
  }

  snippet() {
    const { usual } = this.arrays
    const config = this.config()
    const same = (one, other) => JSON.stringify(one) === JSON.stringify(other)
    const given = Object.keys(config).filter((name) => name === 'task' || !same(config[name], usual[name]))
    return fill(this.arrays.snippet, {
      settings: given.map((name) => `${name}=${python(config[name])}`).join(', '),
    })
  }

  table() {
    const rows = this.history.evaluations.map((each) => ({ ...this.values(), ...each }))
    return this.tableOf(rows)
  }

  get stem() {
    return 'finetune'
  }

  saves() {
    return { curves: () => ['curves.csv', this.asCsv()] }
  }

  asPicture() {
    return super.asPicture(this.pictures.charts, this.pictures.asPictures())
  }

  asCsv() {
    const names = ['step', 'loss', 'base_loss', 'task', 'facts', 'stories']
    return csv([names, ...this.history.evaluations.map((each) => names.map((name) => each[name]))])
  }
}

/** Call `work` once, when an element is near the screen and the page has nothing else to do. */
function whenNear(element, work) {
  const idle = globalThis.requestIdleCallback ?? ((then) => setTimeout(then, 200))
  const watch = new IntersectionObserver(
    ([{ isIntersecting }]) => {
      if (!isIntersecting) return
      watch.disconnect()
      idle(work)
    },
    { rootMargin: '300px' },
  )
  watch.observe(element)
}

/** A value as Python writes it. */
function python(value) {
  if (Array.isArray(value)) return `(${value.map(python).join(', ')}${value.length === 1 ? ',' : ''})`
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  return typeof value === 'string' ? `'${value}'` : String(value)
}

export default rendering(Finetune)
