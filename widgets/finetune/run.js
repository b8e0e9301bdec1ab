// One finetuning, step by step: compute/training/loop.py, with the model in WebAssembly. Everything is measured before
// the step's update, as there.

import { rowsOf, share } from './shares.js'
import { known, lastStory, right, samples, shareTold } from './world/answers.js'
import { some, textsOf, windows } from './world/batches.js'
import { Source } from './world/stories.js'
import { ANSWERING, FACTS, STARTS, TELLING } from './world/tables.json'
import { asked } from './world/tasks.js'
import { BEGIN, VOCAB_SIZE, decode, encode, readable } from './world/tokens.js'

const OWN_TEXTS = 4096 // of the base's own, where some are mixed in
const VALIDATION = 64 // texts in an evaluation
const WRITTEN = 16 // texts written in one
const QUESTIONS = 32 // of each kind about stories
const PEOPLE = 64 // asked about, of those whom the base knows
const SAMPLE_SEED = 1
const SHOWN = 4 // questions that a reader sees, of the task and of the old facts
const RUINED = 1 // nats: a loss that is this far above both its start and a blind guess does not come back
const KEPT_BYTES = 48e6 // of what was learned, kept to go back to

/** Texts of two batches as one, the shorter ones filled up. */
function together(one, other) {
  const n = one.n + other.n
  const T = Math.max(one.T, other.T)
  const tokens = new Uint16Array(n * T).fill(BEGIN)
  const learned = new Uint8Array(n * (T - 1))
  let row = 0
  for (const texts of [one, other])
    for (let i = 0; i < texts.n; i++, row++) {
      tokens.set(texts.tokens.subarray(i * texts.T, (i + 1) * texts.T), row * T)
      const own = texts.learned?.subarray(i * (texts.T - 1), (i + 1) * (texts.T - 1))
      if (own) learned.set(own, row * (T - 1))
      else learned.fill(1, row * (T - 1), row * (T - 1) + texts.T - 1)
    }
  return { n, T, tokens, learned }
}

export class Run {
  /** Of what `config` asks for, its fields named as in TrainConfig; `every` steps it is evaluated. */
  constructor(native, config, every, helpers = []) {
    Object.assign(this, {
      native,
      config,
      every,
      helpers,
      step: 0,
      kept: new Map(),
      worst: Infinity,
      seconds: 0,
    })
    const { task, n_texts, seed, batch_size, base_share } = config
    const { length } = native
    native.prepare(config, Math.max(batch_size, VALIDATION))
    if (config.from) native.take(config.from)
    this.texts = textsOf(task, 'train', n_texts, length)
    native.do('deal', 0, seed | 0, this.texts.n)
    this.replaced = Math.round(base_share * batch_size)
    if (this.replaced) {
      this.own = windows(new Source(), 0, OWN_TEXTS, length)
      native.do('deal', 1, seed | 0, this.own.n)
    }
    this.answers = ANSWERING.includes(task)
    if (every === Infinity) return // one that only computes shares
    this.measured = textsOf(task, 'validation', task === FACTS ? n_texts : VALIDATION, length)
    this.old = known('validation', QUESTIONS, PEOPLE, length)
    this.asked = this.answers
      ? asked(task, 'validation', task === FACTS ? n_texts : 3 * QUESTIONS, length)
      : []
    this.base = windows(new Source({ split: 'validation' }), STARTS.validation, VALIDATION, length)
  }

  get over() {
    return this.step >= this.config.steps || this.diverged
  }

  /** The texts of the next step. */
  batch() {
    const { native, config, replaced } = this
    const rows = native.dealt(0, config.batch_size)
    if (!replaced) return some(this.texts, rows)
    const instead = some(this.own, native.dealt(1, replaced))
    return together(instead, some(this.texts, rows.slice(replaced)))
  }

  /** The loss of the next step's texts; their gradients stand ready then. */
  async gradients() {
    const { native, helpers } = this
    const batch = this.batch()
    let loss
    try {
      loss = native.read('gradients', share(batch, rowsOf(0, 1 + helpers.length, batch.n)), batch.n)
    } catch (refused) {
      if (refused.message !== 'diverged') throw refused
      return NaN
    }
    for (const helper of helpers) {
      const other = await helper.share()
      if (!other.gradient) return NaN
      loss += other.loss
      const { gradient } = native
      for (let i = 0; i < gradient.length; i++) gradient[i] += other.gradient[i]
    }
    return loss
  }

  /** Evaluate the model as it is before the first step, ahead of it. */
  lookAhead() {
    this.before = this.measure()
  }

  /** Take one step: {step, loss, norms, evaluation}, the last one null at most steps. */
  async advance() {
    const { native, config, step } = this
    const evaluation =
      step === 0 && this.before !== undefined ? this.before : step % this.every ? null : this.measure()
    const begun = performance.now()
    const loss = await this.gradients()
    if (step === 0) this.worst = Math.max(loss * (this.answers ? 2 : 1), Math.log(VOCAB_SIZE)) + RUINED
    const norms = native.norms()
    this.diverged = !(loss <= this.worst && norms.every(Number.isFinite))
    if (!this.diverged) {
      if (step + 1 < config.steps) for (const helper of this.helpers) helper.goOn(native.gradient.slice())
      native.update(config)
      this.step += 1
    }
    this.seconds += (performance.now() - begun) / 1000 // of training, without the looks at the answers
    return { step, loss, norms, evaluation }
  }

  /** What the most likely answers to questions are. */
  say = (questions) => decode(this.native.answers(questions.map(({ words }) => encode(words))))

  /** What the model can do now; what it has learned by now is kept. */
  measure() {
    this.keep()
    return this.evaluate()
  }

  /** What the model can do with `strength` times what was learned. */
  evaluate(strength = 1) {
    const { native, config, step } = this
    const { task } = config
    native.do('apply', strength)
    const share = (questions) => right(this.say, questions).filter(Boolean).length / questions.length
    const written = TELLING.includes(task)
      ? native.write(WRITTEN, SAMPLE_SEED).map((text) => decode(text))
      : []
    return {
      step,
      loss: native.loss(this.measured),
      base_loss: native.loss(this.base),
      task: this.answers ? share(this.asked) : shareTold(task, written),
      facts: share(this.old.facts),
      stories: share(this.old.stories),
      samples: this.answers ? [] : samples(this.say, task, written, native.length),
      asked: this.shown(this.asked),
      old: this.shown(this.old.facts),
    }
  }

  /** Some questions, spread over all: {question, said, answer}. */
  shown(questions) {
    const apart = Math.max(1, Math.floor(questions.length / SHOWN) | 1) // odd: not always the same kind
    const some = questions.filter((_, i) => i % apart === 0).slice(0, SHOWN)
    if (!some.length) return []
    const said = this.say(some)
    return some.map(({ words, answer }, i) => ({
      question: readable(lastStory(words)),
      said: said[i],
      answer,
    }))
  }

  /** Keep what was learned by now, so that it can be looked at later; every second one goes when they are too many. */
  keep() {
    const { kept, native, step } = this
    kept.set(step, native.values.slice())
    const most = Math.max(8, Math.floor(KEPT_BYTES / native.values.byteLength))
    if (kept.size <= most) return
    for (const [i, key] of [...kept.keys()].entries()) if (i % 2) kept.delete(key)
  }

  /** Do something with what had been learned at a step, now or at the last one before it that was kept. */
  backAt(step, work) {
    const { native, kept } = this
    if (step >= this.step) return work()
    const now = native.values.slice()
    native.values.set(kept.get([...kept.keys()].findLast((each) => each <= step)))
    try {
      return work()
    } finally {
      native.values.set(now)
    }
  }

  /** What one layer has learned: its factors, delta_w and its singular values, now or at a step that was kept. */
  look(layer, step = this.step) {
    return this.backAt(step, () => this.seen(layer, step))
  }

  seen(layer, step) {
    const { native } = this
    const of = (name) => native.tensor(`${layer}.${name}`)?.slice() ?? null
    const [out, into] = this.shape(layer)
    const change = native.change(layer, out * into)
    return { layer, step, shape: [out, into], lora_A: of('lora_A'), lora_B: of('lora_B'), ...change }
  }

  shape(layer) {
    const i = this.native.places.get(`${layer}.weight`)
    return [this.native.c.base_rows(i), this.native.c.base_columns(i)]
  }
}
