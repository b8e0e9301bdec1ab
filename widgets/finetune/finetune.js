import { divergingScale, onColours } from '../kit/colour.js'
import { abreast, button } from '../kit/controls.js'
import { freshId, h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { csv, download } from '../kit/share.js'
import { fill, format } from '../kit/text.js'
import { Engine, parts } from './engine.js'
import { History, Recording } from './history.js'
import { opened } from './opened.js'
import { Pictures } from './pictures.js'
import { Said } from './said.js'

const FIRST = ['task', 'facts', 'examples', 'size', 'rate']
const OF_LORA = ['alpha', 'rule', 'matrices', 'blocks', 'init', 'lengths', 'embeddings']
const OF_ADAPTER = ['size', ...OF_LORA] // what an opened adapter brings with it
const [FACTS, FULL] = ['new-facts', 'full']
const NEVER = ['forbidden', 'simd'] // why a browser does not train, however often it is asked
const REPLAY_MS = 9000 // a recorded run, from its first step to its last
const TENTHS = 10 // of the strength dial
const SETTLED_MS = 400 // after the last change of a setting
const PACES = { slow: 2, steady: 12, fast: 0 } // steps a second; 0: as fast as it can

/** Finetune the model in the page, and watch it learn. */
class Finetune extends Instrument {
  constructor(model, el) {
    super(model, el)
    for (const name of this.settings) model.on(`change:${name}`, () => this.changed(name))
    model.on('change:layer', () => this.look())
    model.on('change:pace', () => this.prepared && this.engine?.say({ pace: PACES[model.get('pace')] }))
    whenNear(this.frame.root, () => this.arrive().catch(() => {})) // what goes wrong is said when it matters
    this.stop = () => {
      stopColours()
      clearInterval(this.replaying)
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
    this.one = button(text.step, () => this.go())
    this.again = button(text.reset, () => this.reset())
    this.take = button(text.take, () => this.say({ take: true }))
    this.give = this.chooser()
    this.stepper = this.scrubber()
    this.dial = this.strengthDial()
    this.pictures = new Pictures(text, (step) => this.scrub(step))
    this.said = new Said(text.said)
    this.speed = h('span', {})
    this.numbers = h('span', { class: 'numbers' })
    this.about = h('span', {})
    this.problem = h('p', { class: 'problem', role: 'status' })
    const rest = h(
      'details',
      { class: 'more' },
      h('summary', {}, text.more),
      abreast({ ...of(more), pace: this.shown.pace, give: this.give }),
    )
    frame.root.append(
      ...frame.part('settings', abreast(of(FIRST))),
      h(
        'div',
        { class: 'bench' },
        h('div', { class: 'buttons' }, this.train, this.one, this.again, this.take),
        h('p', { class: 'note' }, this.about, this.speed, this.numbers),
        ...frame.part('settings', rest),
      ),
      this.problem,
      this.stepper,
      this.pictures.element,
    )
    this.pictures.place(this.shown.layer.element, this.dial)
    this.pictures.say(frame.sentence, ...frame.part('said', this.said.element))
    frame.root.addEventListener('dragover', (event) => event.preventDefault())
    frame.root.addEventListener('drop', (event) => {
      if (!event.dataTransfer.files.length) return
      event.preventDefault()
      this.openFiles(event.dataTransfer.files)
    })
  }

  /** A place for the files of an adapter. */
  chooser() {
    const id = freshId('adapter')
    const change = () => this.openFiles(this.files.files)
    this.files = h('input', { id, type: 'file', multiple: true, accept: '.json,.safetensors,.zip', change })
    return { element: h('div', { class: 'control' }, h('label', { for: id }, this.text.open), this.files) }
  }

  /** A slider that multiplies delta_w. */
  strengthDial() {
    const id = freshId('strength')
    const input = () => this.turn(this.strength.valueAsNumber / TENTHS)
    this.strength = h('input', { id, type: 'range', min: 0, max: 2 * TENTHS, value: TENTHS, input })
    this.times = h('output', { for: id })
    const label = h('label', { for: id }, this.text.strength)
    return h('div', { class: 'control dial' }, label, this.strength, this.times)
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
    const { adapter } = this
    this.reset()
    if (adapter && !OF_ADAPTER.includes(name)) this.start(adapter)
  }

  /** Whether the settings are those that the figure opens with, of which a run is recorded. */
  get usual() {
    const { choices } = this.frame.spec
    return this.settings.every((name) => this.model.get(name) === choices[name].default)
  }

  /** The reader is near: fetch what it takes, show what was recorded, start the Worker. */
  async arrive() {
    this.recorded = (await parts(this.model.get('later')))?.recorded
    const begun = this.prepared || this.running || this.adapter
    if (this.usual && !begun) this.reset()
    await this.open()
    this.ready()
  }

  /** What a setting is in the run that is shown: one that was recorded has those that the figure opens with. */
  asked(name) {
    return this.recording ? this.frame.spec.choices[name].default : this.model.get(name)
  }

  /** The fields of a TrainConfig, as widgets/finetune/__init__.py makes them. */
  config() {
    const of = (name) => this.asked(name)
    const { usual, tasks, matrices, rates } = this.arrays
    const common = {
      ...usual,
      task: tasks[of('task')],
      learning_rate: of('rate') === 'best' ? rates[of('task')][of('size')] : Number(of('rate')),
      optimizer: of('optimizer'),
      steps: of('steps'),
      batch_size: of('batch'),
      seed: of('seed'),
      n_texts: of('task') === FACTS ? Number(of('facts')) : Number(of('examples')) || usual.n_texts,
      base_share: Number(of('mixed')) / 100,
    }
    if (this.adapter) return { ...common, ...this.adapter.config }
    if (of('size') === FULL) return { ...common, method: FULL }
    const r = Number(of('size'))
    return {
      ...common,
      ...(of('lengths') === 'yes' ? { method: 'dora' } : { init: of('init') }),
      r,
      alpha: { '2r': 2 * r, r }[of('alpha')] ?? Number(of('alpha')),
      scaling_rule: of('rule') === 'r' ? 'alpha/r' : 'alpha/sqrt(r)',
      target_modules: matrices[of('matrices')],
      layers: of('blocks') === 'all' ? usual.layers : [Number(of('blocks'))],
      train_embeddings: of('embeddings') === 'yes',
    }
  }

  /** Why there is no such run, if there is none. */
  get refused() {
    const { init, r } = this.config()
    return init === 'orthogonal' && r % 2 ? fill(this.text.oddRank, { r }) : ''
  }

  /** Nothing has been trained. */
  reset() {
    const replays = this.recorded && this.usual
    this.begin(replays ? new Recording(this.recorded) : new History(this.model.get('steps')))
  }

  /** Put a run in the place of the one that there was; its Worker knows nothing of it yet. */
  begin(history, adapter = null) {
    clearInterval(this.replaying)
    Object.assign(this, { history, adapter, running: false, prepared: false, dialled: null, turned: 1 })
    this.run = (this.run ?? 0) + 1
    this.at = null // where the reader looks, if it is not the newest step
    const full = this.model.get('size') === FULL
    const asksFacts = this.model.get('task') === FACTS
    this.controls.facts.element.hidden = !asksFacts
    this.controls.examples.element.hidden = asksFacts
    for (const name of OF_ADAPTER)
      this.controls[name].input.disabled = Boolean(adapter) || (full && name !== 'size')
    this.controls.init.input.disabled ||= this.model.get('lengths') === 'yes'
    for (const [name, { input }] of Object.entries({ ...this.controls, ...this.shown }))
      input.value = this.model.get(name)
    this.engine?.say({ pause: true })
    const { text } = this
    this.problem.textContent = this.refused
    this.speed.textContent = this.numbers.textContent = ''
    this.about.textContent = adapter
      ? fill(text.opened, adapter)
      : this.recording && !this.lacking
        ? text.recorded
        : ''
    clearTimeout(this.soon)
    this.soon = setTimeout(() => this.engine && this.ready(), SETTLED_MS)
    this.draw()
  }

  get recording() {
    return this.history instanceof Recording
  }

  /** Open the files of an adapter, and look at what it can do. */
  async openFiles(files) {
    try {
      const found = await opened([...files])
      const all = Object.values(found.config.adapters)
      const [r, alpha] = ['r', 'alpha'].map((name) => this.range(all.map((each) => each[name])))
      await this.start({ ...found, r, alpha })
    } catch (refused) {
      if (!(refused.reason in this.text.refused)) throw refused
      this.problem.textContent = fill(this.text.refused[refused.reason], refused.values)
    } finally {
      this.files.value = ''
    }
  }

  /** One number if all are the same, from where to where if not. */
  range(numbers) {
    const [low, high] = [Math.min(...numbers), Math.max(...numbers)]
    return low === high ? low : fill(this.text.between, { low, high })
  }

  /** Look at an adapter, before any step from there. */
  start(adapter) {
    this.begin(new History(this.model.get('steps')), adapter)
    return this.say({ pause: true })
  }

  async toggle() {
    if (this.running) {
      this.running = false
      if (this.recording) clearInterval(this.replaying)
      else this.say({ pause: true })
      this.buttons()
      return
    }
    if (this.lacking && this.recorded) return this.replay()
    this.own()
    Object.assign(this, { running: true, at: null, dialled: null, turned: 1 })
    this.draw()
    await this.say({ go: true })
  }

  /** One step. */
  go() {
    this.own()
    this.say({ step: true })
  }

  /** Where a run is over, or was recorded, the next one begins. */
  own() {
    if (!this.history.over) return
    const { recording, run } = this
    this.begin(new History(this.model.get('steps')), this.adapter)
    if (recording) this.run = run // the Worker has made it ready
  }

  /** Nothing can be trained here: play what was recorded. */
  replay() {
    if (!this.recording) this.begin(new Recording(this.recorded))
    this.failed(this.lacking)
    this.about.textContent = ''
    const { history } = this
    if (this.place >= history.step) this.scrub(0)
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) return
    this.running = true
    this.buttons()
    const goOn = () => {
      this.scrub(this.place + 1)
      if (this.at !== null) return
      clearInterval(this.replaying)
      this.running = false
      this.buttons()
    }
    this.replaying = setInterval(goOn, REPLAY_MS / history.steps)
  }

  /** Start the Worker, once. */
  async open() {
    this.starting ??= Engine.start(this.model.get('later'), Number(this.model.get('workers')), {
      frame: (told) => this.hear(told),
      looked: (looked) => this.looked(looked),
      dialled: (told) => this.dialed(told),
      over: (told) => this.ended(told),
      taken: (files) => this.taken(files),
      failed: (why) => this.failed(why),
    })
    try {
      this.engine = await this.starting
    } catch (error) {
      this.starting = null // another time it may work
      if (NEVER.includes(error.message)) this.lacking = error.message
      throw error
    }
  }

  /** Let the Worker prepare the run that the settings ask for. */
  ready() {
    if (this.prepared || this.adapter) return
    const ready = this.config()
    this.engine.say({ ready, every: this.every(ready), run: this.run })
  }

  /** Send a letter, once there is a Worker and a run in it. */
  async say(letter) {
    const { run } = this
    try {
      await this.open()
    } catch ({ message }) {
      if (this.lacking && this.recorded) this.replay()
      else this.failed(message)
      return
    }
    if (run !== this.run) return // the reader has gone on meanwhile
    if (!this.prepared) {
      this.prepared = true
      const start = { ...this.config(), from: this.adapter?.from }
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
    const speed = seconds ? this.history.losses.length / seconds : 0
    root.dataset.stepsPerSecond = speed.toFixed(1) // for programs: a point in every language
    this.speed.textContent = seconds ? fill(this.text.measured.speed, { speed: format('.1f')(speed) }) : ''
    this.numbers.textContent = fill(this.text.measured.numbers, { numbers })
    this.draw()
    if (news.some(({ evaluation }) => evaluation)) this.tellPage(false)
  }

  /** Tell the page what the model can do by now: a class may collect it. */
  tellPage(over) {
    if (this.adapter) return // what others had learned before is no result of these settings
    const detail = { ...this.history.evaluations.at(-1), over }
    this.frame.root.dispatchEvent(new CustomEvent('lora-trained', { bubbles: true, detail }))
  }

  ended({ run, diverged }) {
    if (run !== this.run) return
    this.running = false
    this.history.over = true
    this.history.diverged = diverged
    this.tellPage(true)
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
    if (this.recording) this.history.look(this.place)
    this.draw()
    this.look()
    if (this.turned !== 1) this.ask()
  }

  /** Multiply delta_w. */
  turn(strength) {
    this.turned = strength
    if (strength === 1) this.dialled = null
    else this.ask()
    this.draw()
  }

  /** Ask what the model can do with this strength; one answer is waited for before the next is asked for. */
  ask() {
    if (this.waiting === this.run) return
    this.waiting = this.run
    this.say({ dial: { strength: this.turned, step: this.place } })
  }

  dialed({ run, ...told }) {
    if (run !== this.run) return
    this.waiting = null
    if (this.running || this.turned === 1) return
    this.dialled = told
    if (told.strength !== this.turned || told.step !== this.place) this.ask()
    this.draw()
  }

  /** Ask what the chosen layer has learned at the step that is looked at. */
  look() {
    this.shown.layer.input.value = this.model.get('layer')
    if (!this.prepared) return
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
    const { recording, prepared } = this
    const idle = recording || !history.step ? text.finetune : history.over ? text.again : text.goOn
    this.train.textContent = running ? text.pause : idle
    const refused = Boolean(this.refused)
    this.train.disabled = refused && !this.lacking // where nothing is trained, it plays what was recorded
    this.one.disabled = refused || running || (history.over && !recording)
    this.again.disabled = !prepared
    this.take.hidden = recording || running || !history.step || history.diverged
    this.shown.layer.input.disabled = recording
    // What full finetuning has learned is no delta_w beside the base: it cannot be turned.
    this.dial.hidden = !prepared || running || history.diverged || this.model.get('size') === FULL
  }

  draw() {
    const { history, arrays, text } = this
    if (!this.scale) return
    this.buttons()
    this.slider.max = Math.max(1, history.step)
    this.slider.value = this.place
    this.output.value = `${this.place} / ${history.steps}`
    this.strength.value = this.turned * TENTHS
    this.times.value = fill(text.times, { strength: this.turned })
    const { place, scale, dialled, turned } = this
    this.pictures.draw({ history, place, arrays, scale, dialled, turned, config: this.config() })
    this.said.show(history.first, this.found)
    this.frame.update()
  }

  /** Every number that a sentence may use. */
  values() {
    const { history, arrays } = this
    const [task, size] = [this.asked('task'), this.asked('size')]
    const now = this.found
    return {
      label: arrays.labels[task],
      how: this.adapter
        ? this.text.yours
        : this.config().method === 'dora'
          ? fill(this.text.dora, { r: size })
          : arrays.sizes[size],
      facts_before: history.first?.facts ?? arrays.known,
      strength: this.dialled?.strength ?? 1,
      step: now?.step ?? 0,
      steps: history.steps,
      task: now?.task ?? 0,
      facts: now?.facts ?? 0,
      stories: now?.stories ?? 0,
      loss: now?.loss ?? 0,
    }
  }

  /** What the model can do at the step that is looked at, and with the strength that was asked for. */
  get found() {
    return this.dialled ?? this.history.evaluation(this.place)
  }

  sentence() {
    const { text, dialled, found, recording } = this
    const kind = dialled ? 'dialled' : !found ? 'before' : recording ? 'recorded' : 'running'
    return fill(text.sentences[kind], this.values())
  }

  snippet() {
    const { usual } = this.arrays
    const config = this.config()
    if (this.adapter) return fill(this.arrays.opened, { task: config.task, facts: config.n_texts })
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
