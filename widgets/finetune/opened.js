// An adapter that a reader opens: the two files of the peft library, or an archive that holds them. It is read as
// compute/adapters/peft_format.py reads it: which layers have factors, and of which rank, stands in the weights. Whether
// they fit this model, the Worker finds out.

import { NotOpened, told } from '../inspector/refused.js'
import { header, numbersOf, parsed } from '../inspector/safetensors.js'
import { patterned, untried } from '../inspector/scales.js'
import { unzipped } from '../inspector/unzipped.js'
import { KEEPS_THE_BASE, NOT_DONE } from './world/tables.json'

const WANTED = ['adapter_config.json', 'adapter_model.safetensors']
const MAX_BYTES = 20e6 // r = 64 on every layer and both embeddings take 1.5 million
const MAX_HEADER = 1e6
const OF_LAYER =
  /^(?:base_model\.model\.)?(blocks\.\d+\.\w+\.\w+)\.(?:(lora_[AB])\.weight|lora_magnitude_vector(?:\.weight)?)$/
const WHOLE = /^(?:base_model\.model\.)?((?:embed_tokens|lm_head)\.weight)$/

const lastOf = (path) => path.split('/').at(-1)

/** The tensors of a safetensors file: {name: {shape, values}}. */
async function tensors(blob) {
  const found = new Map()
  const { tensors: named } = await header(blob, '', MAX_HEADER).catch(() => {
    throw new NotOpened('damaged')
  })
  for (const [name, tensor] of named) {
    const values = Float32Array.from(await numbersOf(tensor))
    if (!values.every(Number.isFinite)) throw new NotOpened('infinite', { name: told(name) })
    found.set(name, { shape: tensor.shape, values })
  }
  return found
}

/** What adapter_config.json says: {method, scaling_rule, alpha(layer)}. */
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
  const [pattern] = untried(config)
  if (pattern) throw new NotOpened('pattern', { pattern: told(pattern) })
  if (!Number.isFinite(config.lora_alpha)) throw new NotOpened('alpha')
  return {
    method: config.use_dora ? 'dora' : 'lora',
    scaling_rule: config.use_rslora ? 'alpha/sqrt(r)' : 'alpha/r',
    alpha: (layer) => patterned(config.alpha_pattern, layer) ?? config.lora_alpha,
  }
}

/** The rank of each layer that has factors, {layer: r}, and the values by the names of the model. */
function factors(found) {
  const [ranks, values] = [{}, {}]
  for (const [name, tensor] of found) {
    const [, layer, factor] = OF_LAYER.exec(name) ?? []
    const own = layer ? `${layer}.${factor ?? 'row_length'}` : WHOLE.exec(name)?.[1]
    if (!own || tensor.shape.length !== (layer && !factor ? 1 : 2))
      throw new NotOpened('place', { name: name.slice(0, 80) })
    values[own] = tensor
    if (factor === 'lora_A') ranks[layer] = tensor.shape[0]
  }
  if (!Object.keys(ranks).length) throw new NotOpened('empty')
  return { ranks, values }
}

/** The adapter in files that a reader gives: {config: fields of a TrainConfig, from: {name: {shape, values}}}. */
export async function opened(files) {
  const given = new Map()
  for (const file of files) {
    if (file.size > MAX_BYTES) throw new NotOpened('large', { name: told(file.name), most: MAX_BYTES / 1e6 })
    if (!file.name.toLowerCase().endsWith('.zip')) given.set(file.name, file)
    else
      for (const [path, inside] of await unzipped(
        file,
        (path) => WANTED.includes(lastOf(path)),
        MAX_BYTES,
      ).catch(() => {
        throw new NotOpened('archive')
      }))
        given.set(lastOf(path), inside)
  }
  const of = (ending) => [...given].find(([name]) => name.toLowerCase().endsWith(ending))?.[1]
  const [config, weights] = [of('.json'), of('.safetensors')]
  if (!config || !weights) throw new NotOpened('both')
  const { alpha, ...said } = settings(parsed(new Uint8Array(await config.arrayBuffer()), 'json'))
  const { ranks, values } = factors(await tensors(weights))
  const adapters = Object.fromEntries(
    Object.entries(ranks).map(([layer, r]) => [layer, { r, alpha: alpha(layer) }]),
  )
  const train_embeddings = Object.keys(values).some((name) => WHOLE.test(name))
  return { config: { ...said, init: 'B=0', train_embeddings, adapters }, from: values }
}
