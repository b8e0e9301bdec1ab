// The trainer of compute/native as a Worker calls it; trainer.h there says what each function does and in what order.

import { BEGIN } from './world/tokens.js'

const METHODS = ['lora', 'full', 'embeddings', 'norms', 'dora']
const RULES = ['alpha/r', 'alpha/sqrt(r)']
const INITS = ['B=0', 'A=0', 'both zero', 'both random', 'mixed', 'orthogonal', 'PiSSA']
const LAYER = /^(blocks\.(\d+)\.\w+\.(\w+_proj))\.weight$/
const OPTIMIZERS = ['adamw', 'sgd']
const REFUSALS = ['', 'model', 'memory', 'early', 'setting', 'texts', 'word', 'nothing learned', 'diverged']

/** Why the trainer did not do what it was asked, as one of REFUSALS. */
export class Refused extends Error {
  constructor(code) {
    super(REFUSALS[code])
    this.code = code
  }
}

/** Where each tensor of a safetensors file of float16 stands in it, by name: [from, to]. */
function places(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const data = 8 + Number(view.getBigUint64(0, true))
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, data)))
  const of = ([name, { data_offsets }]) => [name, data_offsets.map((offset) => data + offset)]
  return Object.fromEntries(Object.entries(header).map(of))
}

/** One trainer: a model, and a run of it. */
export class Native {
  /** From the bytes of the compiled module, of a base in safetensors, and the sizes of the model. */
  static async load(module, base, { vocab_size, block_size, n_layer, n_head, n_embd }) {
    const { instance } = await WebAssembly.instantiate(module, {})
    const native = new Native(instance.exports, block_size, n_layer)
    native.do('create', vocab_size, block_size, n_layer, n_head, n_embd)
    const found = places(base)
    native.places = new Map() // of the base's tensors, by name
    for (let i = 0; i < native.c.base_count(); i++) {
      const name = native.name(native.c.base_name(i))
      native.places.set(name, i)
      new Uint8Array(native.c.memory.buffer).set(base.subarray(...found[name]), native.c.base_at(i))
      native.c.widen(i)
    }
    return native
  }

  constructor(exports, length, blocks) {
    this.c = exports
    this.length = length // of a text, at most
    this.blocks = blocks
  }

  do(name, ...given) {
    const code = this.c[name](...given)
    if (code) throw new Refused(code)
  }

  /** Views of the memory; it may have grown since the last one. */
  floats(at, count) {
    return new Float32Array(this.c.memory.buffer, at, count)
  }
  whole(at, count) {
    return new Int32Array(this.c.memory.buffer, at, count)
  }
  name(at) {
    const bytes = new Uint8Array(this.c.memory.buffer, at)
    return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)))
  }

  /** r and alpha of each layer that has an adapter, by its name: those that a config names, or the same for all of some. */
  adapters({ adapters, layers, target_modules, r, alpha }) {
    if (adapters) return adapters
    const found = [...this.places.keys()].map((name) => LAYER.exec(name)).filter(Boolean)
    const chosen = found.filter(
      ([, , block, target]) => layers.includes(+block) && target_modules.includes(target),
    )
    return Object.fromEntries(chosen.map(([, layer]) => [layer, { r, alpha }]))
  }

  /** Make a run; at most so many texts are given in one call. */
  prepare(config, texts) {
    const { method, scaling_rule, init, seed, train_embeddings } = config
    this.room = texts
    const ranks = this.whole(this.c.ranks_at(), this.c.base_count()).fill(0)
    const alphas = new Float64Array(this.c.memory.buffer, this.c.alphas_at(), ranks.length)
    for (const [layer, { r, alpha }] of Object.entries(this.adapters(config))) {
      const i = this.places.get(`${layer}.weight`)
      if (i === undefined) throw new Error('unfit')
      ranks[i] = r
      alphas[i] = alpha
    }
    this.do(
      'prepare',
      METHODS.indexOf(method),
      RULES.indexOf(scaling_rule),
      INITS.indexOf(init),
      seed | 0,
      Number(train_embeddings),
      texts,
    )
    this.learned = Array.from({ length: this.c.learned_count() }, (_, i) => ({
      name: this.name(this.c.learned_name(i)),
      shape: [this.c.learned_rows(i), this.c.learned_columns(i)].filter(Boolean), // a vector has one size
    }))
  }

  /** Start from given values, {name: {shape, values}}: those of all that learns, and nothing else. */
  take(given) {
    const fits = ({ name, shape }) => String(given[name]?.shape) === String(shape)
    if (!this.learned.every(fits) || this.learned.length < Object.keys(given).length) throw new Error('unfit')
    for (const { name } of this.learned) this.tensor(name).set(given[name].values)
  }

  /** All that learns, side by side in the order of `learned`. */
  get values() {
    return this.floats(this.c.learned_at(0), this.c.learned_size())
  }

  /** Their gradients, in the same order. */
  get gradient() {
    return this.floats(this.c.gradient_at(), this.c.learned_size())
  }

  /** A tensor that learns: a view of it, or null. */
  tensor(name) {
    const i = this.learned.findIndex((each) => each.name === name)
    if (i < 0) return null
    const { shape } = this.learned[i]
    return this.floats(
      this.c.learned_at(i),
      shape.reduce((size, each) => size * each),
    )
  }

  /** Which `count` of n texts a step reads, after `deal`. */
  dealt(hand, count) {
    const at = this.c.dealt(hand, count)
    return Array.from(this.whole(at, count))
  }

  /** Write texts as `textsOf` gives them, and call a function that reads them: `gradients` or `evaluate`. */
  read(name, { n, T, tokens, learned }, total = n) {
    this.whole(this.c.tokens_at(), n * T).set(tokens)
    if (learned) new Uint8Array(this.c.memory.buffer, this.c.masks_at(), learned.length).set(learned)
    this.do(name, n, T - 1, learned ? 1 : 0, total)
    return this.c.loss()
  }

  /** The mean loss over texts, as many as there are. */
  loss(texts) {
    let sum = 0
    for (let from = 0; from < texts.n; from += this.room) {
      const to = Math.min(texts.n, from + this.room)
      const part = {
        n: to - from,
        T: texts.T,
        tokens: texts.tokens.subarray(from * texts.T, to * texts.T),
        learned: texts.learned?.subarray(from * (texts.T - 1), to * (texts.T - 1)),
      }
      sum += this.read('evaluate', part, texts.n)
    }
    return sum
  }

  /** The most likely next tokens after rows of tokens. */
  answers(rows) {
    const said = []
    for (let from = 0; from < rows.length; from += this.room) {
      const some = rows.slice(from, from + this.room)
      const T = Math.max(...some.map(({ length }) => length))
      const tokens = this.whole(this.c.tokens_at(), some.length * T).fill(BEGIN)
      const places = this.whole(this.c.places_at(), some.length)
      some.forEach((row, i) => {
        tokens.set(row, i * T)
        places[i] = row.length - 1
      })
      this.do('answer', some.length, T)
      said.push(...this.whole(this.c.said_at(), some.length))
    }
    return said
  }

  /** Texts that the model writes from nothing, with the same throws of the dice every time. */
  write(count, seed) {
    const { length } = this
    this.whole(this.c.tokens_at(), count * length).fill(BEGIN)
    this.do('generate', seed, count, 1, length, 1)
    const tokens = this.whole(this.c.tokens_at(), count * length)
    return Array.from({ length: count }, (_, i) => tokens.slice(i * length, (i + 1) * length))
  }

  update({ optimizer, learning_rate }) {
    this.do('update', OPTIMIZERS.indexOf(optimizer), learning_rate)
  }

  /** Frobenius norms of the gradients of all lora_A, of all lora_B, and of what else learns. */
  norms() {
    return [0, 1, 2].map((kind) => this.c.gradient_norm(kind))
  }

  /** A layer's delta_w, row by row, and its singular values, descending; null where nothing was learned. */
  change(layer, count) {
    const i = this.places.get(`${layer}.weight`)
    const at = this.c.delta_w(i)
    if (!at) return null
    const delta_w = this.floats(at, count).slice()
    const s = Array.from(new Float64Array(this.c.memory.buffer, this.c.spectrum(i), this.c.spectrum_size()))
    return { delta_w, s }
  }
}
