// What can be done with an adapter: cut it to fewer directions, and write it in another format. The scale is told by the
// file that is written; of layers that are cut it is 1, multiplied into both factors.

import { changeOf } from './layers.js'
import { energyOf, factorized } from './linear.js'
import { pause } from './pause.js'
import { bytesOf, encoded, written } from './safetensors.js'

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
  const first = parts.A ?? parts.down
  const window = first?.shape.length === 4 && kind === 'lora' ? first.shape.slice(1) : null
  const type = ['F64', 'F16', 'BF16'].includes(dtype) ? dtype : 'F32'
  if (k === null && plain(layer)) {
    const [a, b] = [
      await bytesOf(parts.A ?? parts.down ?? parts.a),
      await bytesOf(parts.B ?? parts.up ?? parts.b),
    ]
    if (kind !== 'mlx') return { A: a, B: b, r, scale, window, dtype }
    const size = SIZES[dtype]
    return { A: turnedBytes(a, into, r, size), B: turnedBytes(b, r, out, size), r, scale, window, dtype }
  }
  const { B, A } = await changeOf(layer)
  const { s, Q_B, Q_A, U, V } = await factorized(B, A)
  const most = Math.max(1, Math.min(k ?? s.length, U.length)) // a layer of no direction still has a place in the file
  const some = Math.min(most, U.length)
  const left = some ? rows(Q_B, U, s, some, scale) : new Float64Array(out)
  const right = some ? rows(Q_A, V, s, some, scale) : new Float64Array(into)
  if (scale < 0) right.forEach((value, i) => (right[i] = -value))
  const rank = some || 1
  return {
    A: encoded(right, type),
    B: encoded(transposed(left, rank, out), type),
    r: rank,
    scale: 1,
    window,
    dtype: type,
  }
}

const under = (name) => name.replaceAll('.', '_').replace(/[[\]]/g, '')

// Each format: names and shapes of a layer's tensors, and what is written beside them.
const FORMATS = {
  peft: {
    tensors: ({ name }, { A, B, r, window, dtype }, [out, into]) => [
      [`base_model.model.${name}.lora_A.weight`, window ? [r, ...window] : [r, into], A, dtype],
      [`base_model.model.${name}.lora_B.weight`, window ? [out, r, 1, 1] : [out, r], B, dtype],
    ],
    config: (made) => {
      const [{ r, scale }] = made.map(({ factors }) => factors)
      const alpha = (factors) => factors.scale * factors.r
      const pattern = (of, usual) =>
        Object.fromEntries(
          made.map(({ name, factors }) => [name, of(factors)]).filter(([, value]) => value !== usual),
        )
      return {
        peft_type: 'LORA',
        task_type: null,
        base_model_name_or_path: null,
        r,
        lora_alpha: scale * r,
        use_rslora: false,
        use_dora: false,
        rank_pattern: pattern((factors) => factors.r, r),
        alpha_pattern: pattern(alpha, scale * r),
        target_modules: made.map(({ name }) => name).sort(),
        lora_dropout: 0,
        bias: 'none',
        modules_to_save: null,
        inference_mode: true,
      }
    },
    file: 'adapter_model.safetensors',
  },
  kohya: {
    tensors: ({ name }, { A, B, r, scale, window, dtype }, [out, into]) => {
      const own = /^lora_/.test(name)
        ? name
        : `lora_${/^text_encoder/.test(name) ? 'te' : 'unet'}_${under(bare(name))}`
      return [
        [`${own}.lora_down.weight`, window ? [r, ...window] : [r, into], A, dtype],
        [`${own}.lora_up.weight`, window ? [out, r, 1, 1] : [out, r], B, dtype],
        [`${own}.alpha`, [], encoded([scale * r], 'F32'), 'F32'],
      ]
    },
    file: 'lora.safetensors',
  },
  mlx: {
    tensors: ({ name }, { A, B, r, dtype }, [out, into]) => [
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
const bare = (name) => name.replace(/^(unet|transformer|text_encoder(_\d)?|diffusion_model)\./, '')
export const TARGETS = Object.keys(FORMATS)

/**
 * The adapter in a format, after a cut or as it is (`kept` null): files [{name, type, pieces}]. `told` hears of each layer.
 * MLX has one scale and one rank for all, so that there a file whose layers differ is multiplied out.
 */
export async function converted(layers, format, kept, told = () => {}) {
  const { tensors, config, file } = FORMATS[format]
  const some = layers.filter(writable)
  const uneven = new Set(some.map(({ scale }) => scale)).size > 1
  const made = []
  for (const [i, layer] of some.entries()) {
    const whole = format === 'mlx' && uneven ? layer.s.length : null
    made.push({ name: layer.name, layer, factors: await factorsOf(layer, kept?.get(layer.name) ?? whole) })
    told(i + 1, some.length)
    await pause()
  }
  if (!made.length) return []
  const all = made.flatMap(({ layer, factors }) => tensors(layer, factors, layer.shape))
  const files = [{ name: file, type: 'application/octet-stream', pieces: written(all) }]
  if (config)
    files.push({
      name: 'adapter_config.json',
      type: 'application/json',
      pieces: [`${JSON.stringify(config(made), null, 2)}\n`],
    })
  return files
}
