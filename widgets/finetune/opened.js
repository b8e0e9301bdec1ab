// An adapter that a reader opens: the two files of the peft library, or an archive that holds them. It is read as
// compute/adapters/peft_format.py reads it: which layers have factors, and of which rank, stands in the weights. Whether
// they fit this model, the Worker finds out.

import { unzipped } from './unzipped.js'
import { KEEPS_THE_BASE, NOT_DONE } from './world/tables.json'

const [CONFIG, WEIGHTS] = ['adapter_config.json', 'adapter_model.safetensors']
export const MAX_BYTES = 20e6 // r = 64 on every layer and both embeddings take 1.5 million
const MAX_HEADER = 1e6
const FACTOR = /^(?:base_model\.model\.)?(blocks\.(\d+)\.\w+\.(\w+)\.lora_[AB])\.weight$/
const WHOLE = /^(?:base_model\.model\.)?((?:embed_tokens|lm_head)\.weight)$/

/** Why a file is not opened: `reason` is a key of the words for it, with what fills their gaps. */
export class NotOpened extends Error {
  constructor(reason, values = {}) {
    super(reason)
    Object.assign(this, { reason, values })
  }
}

const half = (bits) => {
  const [sign, exponent, rest] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023]
  if (exponent === 31) return rest ? NaN : sign * Infinity
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + rest / 1024) : 2 ** -14 * (rest / 1024))
}
const brain = (bits) => new Float32Array(Uint32Array.of(bits << 16).buffer)[0]
const READ = {
  F32: [4, (view, at) => view.getFloat32(at, true)],
  F16: [2, (view, at) => half(view.getUint16(at, true))],
  BF16: [2, (view, at) => brain(view.getUint16(at, true))],
}

function parsed(bytes, reason) {
  let found
  try {
    found = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new NotOpened(reason)
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found)) throw new NotOpened(reason)
  return found
}

/** The tensors of a safetensors file: {name: {shape, values}}. */
export function tensors(bytes) {
  const damaged = new NotOpened('damaged')
  if (bytes.length < 8) throw damaged
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = Number(view.getBigUint64(0, true))
  const data = 8 + length
  if (length > MAX_HEADER || data > bytes.length) throw damaged
  const { __metadata__, ...header } = parsed(bytes.subarray(8, data), 'damaged')
  const found = new Map()
  for (const [name, told] of Object.entries(header)) {
    const { dtype, shape, data_offsets } = told ?? {}
    if (!Array.isArray(shape) || !Array.isArray(data_offsets)) throw damaged
    if (!Object.hasOwn(READ, dtype)) throw new NotOpened('stored', { dtype: String(dtype).slice(0, 40) })
    const [size, number] = READ[dtype]
    const [from, to] = data_offsets
    const count = shape.reduce((product, each) => product * each, 1)
    const whole = [...shape, from, to].every((each) => Number.isSafeInteger(each) && each >= 0)
    if (!whole || to - from !== count * size || data + to > bytes.length) throw damaged
    const values = Float32Array.from({ length: count }, (_, i) => number(view, data + from + i * size))
    if (!values.every(Number.isFinite)) throw new NotOpened('infinite', { name: name.slice(0, 80) })
    found.set(name, { shape, values })
  }
  return found
}

/** What adapter_config.json says: {alpha, scaling_rule}. */
function settings(config) {
  if (config.peft_type !== 'LORA')
    throw new NotOpened('kind', { kind: String(config.peft_type).slice(0, 40) })
  const asked = NOT_DONE.find((name) => {
    const value = config[name]
    return Array.isArray(value)
      ? value.length
      : typeof value === 'object' && value
        ? Object.keys(value).length
        : value
  })
  const other = !['none', null, undefined].includes(config.bias)
    ? 'bias'
    : !KEEPS_THE_BASE.includes(config.init_lora_weights ?? null) && 'init_lora_weights'
  if (asked || other) throw new NotOpened('asks', { name: asked || other })
  if (!Number.isFinite(config.lora_alpha)) throw new NotOpened('alpha')
  return { alpha: config.lora_alpha, scaling_rule: config.use_rslora ? 'alpha/sqrt(r)' : 'alpha/r' }
}

/** Which layers have factors: {r, target_modules, layers, train_embeddings}, and the values by the names of the model. */
function factors(found) {
  const values = {}
  const [places, ranks] = [new Set(), new Set()]
  const [targets, blocks] = [new Set(), new Set()]
  for (const [name, tensor] of found) {
    const [, factor, block, target] = FACTOR.exec(name) ?? []
    const own = factor ?? WHOLE.exec(name)?.[1]
    if (!own || tensor.shape.length !== 2) throw new NotOpened('place', { name: name.slice(0, 80) })
    values[own] = tensor
    if (!factor) continue
    places.add(`${block}.${target}`)
    targets.add(target)
    blocks.add(Number(block))
    ranks.add(tensor.shape[factor.endsWith('A') ? 0 : 1])
  }
  if (!places.size) throw new NotOpened('empty')
  if (ranks.size > 1 || places.size < targets.size * blocks.size) throw new NotOpened('uneven')
  const config = {
    r: [...ranks][0],
    target_modules: [...targets],
    layers: [...blocks].sort((one, other) => one - other),
    train_embeddings: Object.keys(values).some((name) => WHOLE.test(name)),
  }
  return { config, values }
}

/** The adapter in files that a reader gives: {config: fields of a TrainConfig, from: {name: {shape, values}}}. */
export async function opened(files) {
  const given = new Map()
  for (const file of files) {
    if (file.size > MAX_BYTES)
      throw new NotOpened('large', { name: file.name.slice(0, 80), most: MAX_BYTES / 1e6 })
    const bytes = new Uint8Array(await file.arrayBuffer())
    if (!file.name.toLowerCase().endsWith('.zip')) given.set(file.name, bytes)
    else
      for (const [name, inside] of await unzipped(bytes, [CONFIG, WEIGHTS], MAX_BYTES).catch(() => {
        throw new NotOpened('archive')
      }))
        given.set(name, inside)
  }
  const of = (ending) => [...given].find(([name]) => name.toLowerCase().endsWith(ending))?.[1]
  const [config, weights] = [of('.json'), of('.safetensors')]
  if (!config || !weights) throw new NotOpened('both')
  const said = settings(parsed(config, 'json'))
  const { config: found, values } = factors(tensors(weights))
  return { config: { method: 'lora', init: 'B=0', ...said, ...found }, from: values }
}
