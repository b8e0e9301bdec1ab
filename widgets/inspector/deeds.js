// What can be done with an adapter: cut it to fewer directions, and write it in another format. The scale is told by the
// file that is written; of layers that are cut it is 1, multiplied into both factors.

import { recoded, withExperts } from './experts.js'
import { ggufWritten } from './gguf.js'
import { changeOf, numbersIn } from './layers.js'
import { energyOf, factorized } from './linear.js'
import { adapted } from './llama_cpp.js'
import { fullNames, keptNames, piped, underscored } from './names.js'
import { pause } from './pause.js'
import { NotOpened, told as quoted } from './refused.js'
import { bytesOf, encoded, fitting, written } from './safetensors.js'

const SIZES = { F64: 8, F32: 4, F16: 2, BF16: 2, F8_E4M3: 1, F8_E5M2: 1 }
const WIDE = ['F64', 'F32', 'F16', 'BF16'] // that are written
const TIE = 1e-9 // as in compute/matrices/spectrum.py

/** How many directions a layer keeps: {all, rank, energy, error}, of which `amount` is a count or a percentage. */
const KEEPS = {
  all: ({ s }) => s.length,
  rank: ({ s }, amount) => Math.min(amount, s.length),
  energy: ({ s }, amount) =>
    Math.max(
      0,
      energyOf(s).findIndex((share) => share >= amount / 100 - TIE),
    ),
  error: ({ s }, amount) =>
    Math.max(
      0,
      energyOf(s).findIndex((share) => Math.sqrt(Math.max(0, 1 - share)) <= (amount / 100) * (1 + TIE)),
    ),
}

/** Directions bought one by one where they hold most for their numbers, until `amount` percent of all numbers are spent. */
function budget(layers, amount) {
  const offers = layers.flatMap(({ s, shape: [out, into] }, i) =>
    Array.from(s, (value) => ({ i, cost: out + into, gain: (value * value) / (out + into) })),
  )
  const all = layers.reduce((sum, { r, shape: [out, into] }) => sum + r * (out + into), 0)
  let left = (all * amount) / 100
  const kept = layers.map(() => 0)
  for (const { i, cost, gain } of offers.sort((one, other) => other.gain - one.gain)) {
    if (cost > left || !gain) continue
    left -= cost
    kept[i] += 1
  }
  return kept
}

/** What can be cut and written: products of two factors of which the spectrum is known, and which are the whole change. */
export const writable = ({ s, kind, dora }) =>
  Boolean(s) && !dora && !['lokr', 'full', 'embedding'].includes(kind)

/**
 * What a cut leaves: {kept: by the name of a layer, error, before, after}: the relative error of all layers together, and
 * bytes of their factors. Layers that cannot be cut stay out.
 */
export function planned(layers, cut, amount) {
  const some = layers.filter(writable)
  const counts = cut === 'budget' ? budget(some, amount) : some.map((layer) => KEEPS[cut](layer, amount))
  let [before, after, all, lost] = [0, 0, 0, 0]
  some.forEach(({ s, r, shape: [out, into], dtype, bytes }, i) => {
    before += bytes
    after += Math.min(counts[i], r) * (out + into) * (SIZES[dtype] ?? 4)
    s.forEach((value, j) => {
      all += value * value
      if (j >= counts[i]) lost += value * value
    })
  })
  return {
    kept: new Map(some.map(({ name }, i) => [name, counts[i]])),
    error: all ? Math.sqrt(lost / all) : 0,
    before,
    after,
    ranks: counts,
    out: layers.length - some.length,
  }
}

/** One side of a layer that is cut: rows of numbers, (k, n). */
function rows(factor, small, s, k, scale) {
  const n = factor ? factor.n : (small[0]?.length ?? 0)
  const found = new Float64Array(k * n)
  for (let d = 0; d < k; d++) {
    const by = Math.sqrt(s[d] * Math.abs(scale))
    const row = found.subarray(d * n, (d + 1) * n)
    if (!factor) small[d].forEach((value, i) => (row[i] = by * value))
    else
      factor.columns.forEach((q, j) => {
        const weight = by * small[d][j]
        for (let i = 0; i < n; i++) row[i] += weight * q[i]
      })
  }
  return found
}

/** Numbers by rows (n, r) from (r, n), or back. */
function transposed(values, r, n, Kind = Float64Array) {
  const found = new Kind(values.length)
  for (let j = 0; j < r; j++) for (let i = 0; i < n; i++) found[i * r + j] = values[j * n + i]
  return found
}

const KINDS = { 8: BigUint64Array, 4: Uint32Array, 2: Uint16Array, 1: Uint8Array }
/** The same for numbers as they are stored, to the last bit. */
function turnedBytes(bytes, r, n, size) {
  const whole = new KINDS[size](bytes.buffer, bytes.byteOffset, bytes.byteLength / size)
  return new Uint8Array(transposed(whole, r, n, KINDS[size]).buffer)
}

/** Both factors of a layer as {A: bytes (r, in), B: bytes (out, r), r, scale, window}, cut to k directions or as they are. */
async function factorsOf(layer, k) {
  const { shape, scale, dtype, kind, parts, r } = layer
  const [out, into] = shape
  const window = windowOf(layer)
  if (k === null && ['lora', 'gguf', 'mlx'].includes(kind)) {
    const pair = [parts.A ?? parts.down ?? parts.a, parts.B ?? parts.up ?? parts.b]
    const types = new Set(pair.map((part) => part.dtype))
    const whole = types.size === 1 && dtype in SIZES && pair.every(({ every }) => !every)
    const alike = whole || (types.size === 1 && WIDE.includes(dtype))
    const type = alike ? dtype : types.has('F64') ? 'F64' : 'F32' // which hold exactly what differs, and Q8_0
    const bytes = async (part) => (whole ? bytesOf(part) : encoded(await numbersIn(part), type))
    const [a, b] = await Promise.all(pair.map(bytes))
    if (kind !== 'mlx') return { A: a, B: b, r, scale, window, dtype: type }
    const size = SIZES[type]
    const [A, B] = [turnedBytes(a, into, r, size), turnedBytes(b, r, out, size)]
    return { A, B, r, scale, window, dtype: type }
  }
  const { B, A } = await changeOf(layer)
  const found = cutTo(await factorized(B, A), shape, k ?? Infinity, Math.abs(scale))
  if (scale < 0) found.right.forEach((value, i) => (found.right[i] = -value))
  return stored(found, shape, dtype, window)
}

/** The first k directions of a decomposition, their size shared by both sides: {left: (r, out), right: (r, into), r}. */
export function cutTo({ s, Q_B, Q_A, U, V }, [out, into], k, scale = 1) {
  const some = Math.min(Math.max(1, Math.min(k, s.length)), U.length)
  if (!some) return { left: new Float64Array(out), right: new Float64Array(into), r: 1 } // no direction still has a place in the file
  return { left: rows(Q_B, U, s, some, scale), right: rows(Q_A, V, s, some, scale), r: some }
}

/** Factors (r, out) and (r, into) as they are written, with the scale 1. */
export function stored({ left, right, r }, [out], dtype, window) {
  const type = WIDE.includes(dtype) ? dtype : 'F32'
  const B = fitting(transposed(left, r, out), type)
  return { A: fitting(right, type), B, r, scale: 1, window, dtype: type }
}

/** The kernel of a convolution with its inputs, null for a linear layer. */
export function windowOf({ parts, kind }) {
  const first = parts.A ?? parts.down
  return first?.shape.length === 4 && kind === 'lora' ? first.shape.slice(1) : null
}

const alphaOf = ({ scale, r }) => scale * r

/** r and alpha of layers, and those that differ, as PEFT spells them; `spelt` makes a key of the patterns of a name. */
function loraConfig(made, spelt = (name) => name) {
  const [{ factors: usual }] = made
  const differing = (of) =>
    Object.fromEntries(
      made
        .filter(({ factors }) => of(factors) !== of(usual))
        .map(({ name, factors }) => [spelt(name), of(factors)]),
    )
  return {
    r: usual.r,
    lora_alpha: alphaOf(usual),
    use_rslora: false,
    use_dora: false,
    rank_pattern: differing(({ r }) => r),
    alpha_pattern: differing(alphaOf),
    target_modules: made
      .filter(({ experts }) => !experts)
      .map(({ name }) => name)
      .sort(),
  }
}

/** Both factors under PEFT's names; of experts with a side for them, or `flat` in one matrix, as PEFT keeps them. */
function pair(start, { factors, shape: [out, into], experts }, [a, b] = ['lora_A', 'lora_B'], flat = false) {
  const { A, B, r, window, dtype } = factors
  const many = experts ? [experts] : []
  const sides = flat
    ? [
        [experts * r, into],
        [out, r * experts],
      ]
    : window
      ? [
          [r, ...window],
          [out, r, 1, 1],
        ]
      : [
          [...many, r, into],
          [...many, out, r],
        ]
  const left = flat ? turnedBytes(B, experts, out * r, SIZES[dtype]) : B
  return [
    [`${start}.${a}.weight`, sides[0], A, dtype],
    [`${start}.${b}.weight`, sides[1], left, dtype],
  ]
}

const literal = (name) => `^${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`

/** What stands in the header of a file of diffusers: the config of each part of the pipeline. */
function pipelineConfig(made) {
  const parts = new Map()
  for (const { name, factors } of made) {
    const [, part, inner] = /^([^.]+)\.(.+)$/.exec(name)
    parts.set(part, [...(parts.get(part) ?? []), { name: inner, factors }])
  }
  const told = [...parts].flatMap(([part, some]) =>
    Object.entries(loraConfig(some, literal)).map(([key, value]) => [`${part}.${key}`, value]),
  )
  return { lora_adapter_metadata: JSON.stringify(Object.fromEntries(told), null, 2) }
}

// Each format: how it spells a name, the tensors of a layer, and what is written into the header and beside them; `one` is
// the number of which it has one for all layers.
const FORMATS = {
  peft: {
    spelt: (name) => name.replace(/^unet\./, ''),
    tensors: (layer, { config }) =>
      pair(
        `base_model.model.${layer.name}`,
        layer,
        undefined,
        layer.experts && Boolean(config?.target_parameters),
      ),
    config: (made, { config }) => ({
      task_type: null,
      base_model_name_or_path: null,
      lora_dropout: 0,
      bias: 'none',
      modules_to_save: null,
      inference_mode: true,
      ...(config?.peft_type === 'LORA' ? config : {}),
      ...loraConfig(made),
      peft_type: 'LORA',
    }),
    file: 'adapter_model.safetensors',
  },
  kohya: {
    tensors: (layer) => [
      ...pair(layer.name, layer, ['lora_down', 'lora_up']),
      [`${layer.name}.alpha`, [], encoded([alphaOf(layer.factors)], 'F32'), 'F32'],
    ],
    header: (made) =>
      keptNames(made.filter(({ name, old }) => name !== old).map(({ name, old }) => [name, old])),
    file: 'lora.safetensors',
  },
  diffusers: {
    spelt: piped,
    tensors: (layer) => pair(layer.name, layer),
    header: pipelineConfig,
    file: 'pytorch_lora_weights.safetensors',
  },
  mlx: {
    spelt: (name) => name,
    one: ({ scale }) => scale,
    linear: 'unlinear',
    tensors({ name, factors: { A, B, r, dtype }, shape: [out, into], experts }) {
      const turned = (bytes, rows, columns) =>
        experts ? bytes : turnedBytes(bytes, rows, columns, SIZES[dtype])
      return [
        [`${name}.lora_a`, experts ? [experts, r, into] : [into, r], turned(A, r, into), dtype],
        [`${name}.lora_b`, experts ? [experts, out, r] : [r, out], turned(B, out, r), dtype],
      ]
    },
    config: (made) => ({
      fine_tune_type: 'lora',
      num_layers: -1,
      lora_parameters: { rank: made[0].factors.r, scale: made[0].factors.scale, dropout: 0 },
    }),
    file: 'adapters.safetensors',
  },
  gguf: { spelt: (name) => name, one: alphaOf, linear: 'shaped', file: 'adapter.gguf' },
}
// What is no layer is handed on in its own format alone.
const OWN = {
  'PEFT LoRA': 'peft',
  'kohya LoRA': 'kohya',
  'diffusers LoRA': 'diffusers',
  'MLX LoRA': 'mlx',
}
export const TARGETS = Object.keys(FORMATS)

/** The layers with one number for all: lora_B of those whose own differs is multiplied by what differs. */
function evened(layers, of, notes) {
  const many = new Map()
  for (const { factors } of layers) many.set(of(factors), (many.get(of(factors)) ?? 0) + 1)
  const most = Math.max(...many.values())
  const usual = Math.max(...[...many.keys()].filter((each) => many.get(each) === most))
  if (many.size > 1) notes.add('lossy')
  if (many.size > 1 && !usual) throw new NotOpened('unscaled')
  return layers.map((layer) => {
    const { factors } = layer
    if (of(factors) === usual) return layer
    const by = of(factors) / usual
    const type = factors.dtype.startsWith('F8') ? 'F32' : factors.dtype
    return { ...layer, factors: { ...recoded(factors, type, by), scale: factors.scale / by } }
  })
}

/**
 * What is written of layers {name, shape, factors, expert, spelling}, whose names are as their file spelt them, and of tensors
 * `beside` them: {files: [{name, type, pieces}], notes}. `known` are words of names, what llama.cpp calls layers, and the
 * base's config.json.
 */
export function filesOf(layers, format, about, known, beside = []) {
  const notes = new Set()
  const { spelt, tensors, config, one, linear, header = () => ({}), file } = FORMATS[format]
  if (!layers.length) return { files: [], notes }
  const odd = linear && layers.find(({ factors }) => factors.window)
  if (odd) throw new NotOpened(linear, { name: quoted(odd.name) })
  const full = fullNames(about.metadata, known.words)
  const whole = withExperts(layers, format, notes)
  const named = (one ? evened(whole, one, notes) : whole).map((layer) => ({
    ...layer,
    name: spelt ? spelt(full(layer.name)) : underscored(layer.name),
    old: layer.name,
  }))
  const of = (pieces, name = file, type = 'application/octet-stream') => ({ name, type, pieces })
  if (format === 'gguf') {
    const { tensors: some, values } = adapted(named, alphaOf(named[0].factors), about, known, notes)
    return { files: [of(ggufWritten(some, values))], notes }
  }
  const all = [...beside, ...named.flatMap((layer) => tensors(layer, about))]
  const files = [of(written(all, header(named)))]
  if (config) {
    const text = `${JSON.stringify(config(named, about), null, 2)}\n`
    files.push(of([text], 'adapter_config.json', 'application/json'))
  }
  return { files, notes }
}

/**
 * The adapter in a format, after a cut or as it is (`kept` null), as `filesOf` gives it. `told` hears of each layer.
 */
export async function converted(about, format, kept, known, told = () => {}) {
  const out = about.layers.find(({ dora, kind }) => dora || kind === 'embedding')
  if (format === 'gguf' && out)
    throw new NotOpened(out.dora ? 'magnitude' : 'shaped', { name: quoted(out.name) })
  const some = about.layers.filter(writable)
  const made = []
  for (const [i, layer] of some.entries()) {
    const { name, shape, expert, spelling } = layer
    const factors = await factorsOf(layer, kept?.get(name) ?? null)
    made.push({ name, shape, factors, expert, spelling })
    told(i + 1, some.length)
    await pause()
  }
  const beside = []
  for (const { name, shape, dtype, ...place } of format === OWN[about.format] ? about.loose : [])
    beside.push([name, shape, await bytesOf(place), dtype])
  return filesOf(made, format, about, known, beside)
}
