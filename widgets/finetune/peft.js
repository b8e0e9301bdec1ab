// An adapter as the two files of the peft library: compute/adapters/peft_format.py. After any other method, the weights
// that learned, under their own names.

import { joined, written } from '../inspector/safetensors.js'

const PREFIX = 'base_model.model.' // PEFT wraps the model twice
const EMBEDDINGS = ['embed_tokens', 'lm_head']

/** A safetensors file of float32, from [name, shape, values]. */
const safetensors = (tensors) =>
  joined(
    written(
      tensors.map(([name, shape, values]) => [
        name,
        shape,
        new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
      ]),
    ),
  )

/** A factor and its start as one: PiSSA changed the weights beneath, so that what was learned is the difference. */
function since(start, [name, shape, values]) {
  const [rows, columns] = shape
  if (name.endsWith('lora_A')) return [name, [2 * rows, columns], Float32Array.of(...values, ...start)]
  if (!name.endsWith('lora_B')) return [name, shape, values]
  const both = new Float32Array(2 * values.length)
  for (let i = 0; i < rows; i++) {
    both.set(values.subarray(i * columns, (i + 1) * columns), 2 * i * columns)
    for (let k = 0; k < columns; k++) both[(2 * i + 1) * columns + k] = -start[i * columns + k]
  }
  return [name, [rows, 2 * columns], both]
}

/** What a run has learned, as files: {name: bytes or text}. */
export function files({ native, config, kept }) {
  let at = 0
  const twice = config.init === 'PiSSA' ? 2 : 1
  const tensors = native.learned.map(({ name, shape }) => {
    const values = native.tensor(name).slice()
    const tensor = [name, shape[0] ? shape : [shape[1]], values]
    const start = kept.get(0).subarray(at, (at += values.length))
    return twice === 2 ? since(start, tensor) : tensor
  })
  if (config.method !== 'lora') return { 'model.safetensors': safetensors(tensors) }
  const layers = new Set(config.layers)
  const blocks = [...Array(native.blocks).keys()]
  const some = blocks.every((block) => layers.has(block))
    ? {}
    : { layers_to_transform: blocks.filter((block) => layers.has(block)), layers_pattern: 'blocks' }
  const told = {
    peft_type: 'LORA',
    task_type: null,
    base_model_name_or_path: null,
    r: twice * config.r,
    lora_alpha: config.alpha * (config.scaling_rule === 'alpha/r' ? twice : Math.sqrt(twice)), // the same scaling
    use_rslora: config.scaling_rule === 'alpha/sqrt(r)',
    lora_dropout: 0,
    bias: 'none',
    target_modules: [...config.target_modules].sort(),
    ...some,
    modules_to_save: config.train_embeddings ? EMBEDDINGS : null,
    inference_mode: true,
  }
  return {
    'adapter_model.safetensors': safetensors(
      tensors.map(([name, ...rest]) => [
        `${PREFIX}${name}${/\.lora_[AB]$/.test(name) ? '.weight' : ''}`,
        ...rest,
      ]),
    ),
    'adapter_config.json': `${JSON.stringify(told, null, 2)}\n`,
  }
}
