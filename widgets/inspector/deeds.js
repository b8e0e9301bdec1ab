// What can be done with an adapter: cut it to fewer directions, and write it in another format. The scale is told by the
// file that is written; of layers that are cut it is 1, multiplied into both factors.

import { changeOf } from './layers.js'
import { energyOf, factorized } from './linear.js'
import { fullNames, keptNames, piped, underscored } from './names.js'
import { pause } from './pause.js'
import { bytesOf, encoded, numbersOf, written } from './safetensors.js'

const SIZES = { F64: 8, F32: 4, F16: 2, BF16: 2, F8_E4M3: 1, F8_E5M2: 1 }
const TIE = 1e-9 // as in compute/matrices/spectrum.py

/** How many directions a layer keeps: {rank, energy, error}, of which `amount` is a count or a percentage. */
const KEEPS = {
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

/** Whether a layer can be handed on as it is stored: lora_A by rows and lora_B by rows. */
const plain = ({ kind, parts, dtype }) =>
  ['lora', 'gguf', 'mlx'].includes(kind) &&
  Object.values(parts).every((part) => part.dtype === dtype && !part.every)

/** Both factors of a layer as {A: bytes (r, in), B: bytes (out, r), r, scale, window}, cut to k directions or as they are. */
async function factorsOf(layer, k) {
  const { shape, scale, dtype, kind, parts, r } = layer
  const [out, into] = shape
  const window = windowOf(layer)
  if (k === null && plain(layer)) {
    const type = dtype in SIZES ? dtype : 'F32' // which holds Q8_0 exactly
    const bytes = async (part) => (dtype in SIZES ? bytesOf(part) : encoded(await numbersOf(part), type))
    const [a, b] = [
      await bytes(parts.A ?? parts.down ?? parts.a),
      await bytes(parts.B ?? parts.up ?? parts.b),
    ]
    if (kind !== 'mlx') return { A: a, B: b, r, scale, window, dtype: type }
    const size = SIZES[type]
    return {
      A: turnedBytes(a, into, r, size),
      B: turnedBytes(b, r, out, size),
      r,
      scale,
      window,
      dtype: type,
    }
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
  const type = ['F64', 'F16', 'BF16'].includes(dtype) ? dtype : 'F32'
  const B = encoded(transposed(left, r, out), type)
  return { A: encoded(right, type), B, r, scale: 1, window, dtype: type }
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
    target_modules: made.map(({ name }) => name).sort(),
  }
}

/** Both factors under PEFT's names. */
const pair = (start, { A, B, r, window, dtype }, [out, into], a = 'lora_A', b = 'lora_B') => [
  [`${start}.${a}.weight`, window ? [r, ...window] : [r, into], A, dtype],
  [`${start}.${b}.weight`, window ? [out, r, 1, 1] : [out, r], B, dtype],
]

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

// Each format: how it spells a name, the tensors of a layer, and what is written into the header and beside them.
const FORMATS = {
  peft: {
    spelt: (name) => name.replace(/^unet\./, ''),
    tensors: ({ name, factors, shape }) => pair(`base_model.model.${name}`, factors, shape),
    config: (made) => ({
      peft_type: 'LORA',
      task_type: null,
      base_model_name_or_path: null,
      ...loraConfig(made),
      lora_dropout: 0,
      bias: 'none',
      modules_to_save: null,
      inference_mode: true,
    }),
    file: 'adapter_model.safetensors',
  },
  kohya: {
    tensors: ({ name, factors, shape }) => [
      ...pair(name, factors, shape, 'lora_down', 'lora_up'),
      [`${name}.alpha`, [], encoded([alphaOf(factors)], 'F32'), 'F32'],
    ],
    header: (made) =>
      keptNames(made.filter(({ name, old }) => name !== old).map(({ name, old }) => [name, old])),
    file: 'lora.safetensors',
  },
  diffusers: {
    spelt: piped,
    tensors: ({ name, factors, shape }) => pair(name, factors, shape),
    header: pipelineConfig,
    file: 'pytorch_lora_weights.safetensors',
  },
  mlx: {
    spelt: (name) => name,
    tensors: ({ name, factors: { A, B, r, dtype }, shape: [out, into] }) => [
      [`${name}.lora_a`, [into, r], turnedBytes(A, r, into, SIZES[dtype]), dtype],
      [`${name}.lora_b`, [r, out], turnedBytes(B, out, r, SIZES[dtype]), dtype],
    ],
    config: (made) => ({
      fine_tune_type: 'lora',
      num_layers: -1,
      lora_parameters: { rank: made[0].factors.r, scale: made[0].factors.scale, dropout: 0 },
    }),
    file: 'adapters.safetensors',
  },
}
export const TARGETS = Object.keys(FORMATS)

/** Files [{name, type, pieces}] of layers {name, shape, factors}, whose names are as their file spelt them. */
export function filesOf(layers, format, { metadata, words }) {
  const { spelt, tensors, config, header = () => ({}), file } = FORMATS[format]
  const full = fullNames(metadata, words)
  const made = layers.map(({ name, ...layer }) => ({
    ...layer,
    name: spelt ? spelt(full(name)) : underscored(name),
    old: name,
  }))
  if (!made.length) return []
  const files = [
    { name: file, type: 'application/octet-stream', pieces: written(made.flatMap(tensors), header(made)) },
  ]
  if (config)
    files.push({
      name: 'adapter_config.json',
      type: 'application/json',
      pieces: [`${JSON.stringify(config(made), null, 2)}\n`],
    })
  return files
}

/**
 * The adapter in a format, after a cut or as it is (`kept` null): files [{name, type, pieces}]. `told` hears of each layer.
 * MLX has one scale and one rank for all, so that there a file whose layers differ is multiplied out.
 */
export async function converted({ layers, metadata }, format, kept, words, told = () => {}) {
  const some = layers.filter(writable)
  const uneven = new Set(some.map(({ scale }) => scale)).size > 1
  const made = []
  for (const [i, layer] of some.entries()) {
    const whole = format === 'mlx' && uneven ? layer.s.length : null
    const factors = await factorsOf(layer, kept?.get(layer.name) ?? whole)
    made.push({ name: layer.name, shape: layer.shape, factors })
    told(i + 1, some.length)
    await pause()
  }
  return filesOf(made, format, { metadata, words })
}
