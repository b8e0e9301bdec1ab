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

/** Which layers a config names, and what of them is unlike the first one: fields of adapter_config.json. */
function named(adapters) {
  const layers = Object.keys(adapters).sort()
  const { r, alpha } = adapters[layers[0]]
  const others = (name, usual) => {
    const unlike = layers.filter((layer) => adapters[layer][name] !== usual)
    return Object.fromEntries(unlike.map((layer) => [layer, adapters[layer][name]]))
  }
  return {
    r,
    lora_alpha: alpha,
    rank_pattern: others('r', r),
    alpha_pattern: others('alpha', alpha),
    target_modules: layers,
  }
}

/** The same of a run whose layers were chosen by kind and block. */
function chosen({ r, alpha, scaling_rule, target_modules, layers, init }, { blocks }) {
  const twice = init === 'PiSSA' ? 2 : 1
  const all = [...Array(blocks).keys()]
  return {
    r: twice * r,
    lora_alpha: alpha * (scaling_rule === 'alpha/r' ? twice : Math.sqrt(twice)), // the same scaling
    target_modules: [...target_modules].sort(),
    ...(all.every((block) => layers.includes(block))
      ? {}
      : { layers_to_transform: all.filter((block) => layers.includes(block)), layers_pattern: 'blocks' }),
  }
}

const nameInFile = (name) =>
  PREFIX + name.replace(/\.row_length$/, '.lora_magnitude_vector').replace(/(\.lora_[AB])$/, '$1.weight')

/** What a run has learned, as files: {name: bytes or text}. */
export function files({ native, config, kept }) {
  let at = 0
  const tensors = native.learned.map(({ name, shape }) => {
    const values = native.tensor(name).slice()
    const start = kept.get(0).subarray(at, (at += values.length))
    return config.init === 'PiSSA' ? since(start, [name, shape, values]) : [name, shape, values]
  })
  if (!['lora', 'dora'].includes(config.method)) return { 'model.safetensors': safetensors(tensors) }
  const told = {
    peft_type: 'LORA',
    task_type: null,
    base_model_name_or_path: null,
    ...(config.adapters ? named(config.adapters) : chosen(config, native)),
    use_rslora: config.scaling_rule === 'alpha/sqrt(r)',
    use_dora: config.method === 'dora',
    lora_dropout: 0,
    bias: 'none',
    modules_to_save: config.train_embeddings ? EMBEDDINGS : null,
    inference_mode: true,
  }
  return {
    'adapter_model.safetensors': safetensors(tensors.map(([name, ...rest]) => [nameInFile(name), ...rest])),
    'adapter_config.json': `${JSON.stringify(told, null, 2)}\n`,
  }
}
