// What llama.cpp makes of an adapter's layers: other names, and for some models rows in another order.
// compute/adapters/formats/llama_cpp.py does the same, and lends its names.

import { recoded } from './experts.js'
import { NotOpened, told } from './refused.js'

const TURNED = 'llama' // whose rotary embedding takes neighbours as pairs
const FLOATS = ['F32', 'F16', 'BF16'] // that llama.cpp computes with
const INVOKED = 'adapter.alora.invocation_tokens' // by which it switches an adapter on

/** What llama.cpp calls the weight of a layer; `base` is the base's config.json. */
function named(name, { names, tied }, base) {
  const [, block, matrix] = /^(?:model\.)?layers\.(\d+)\.(.+)$/.exec(name) ?? []
  if (Object.hasOwn(names, matrix ?? '')) return `blk.${Number(block)}.${names[matrix]}.weight`
  if (name === 'lm_head' && (base.tie_word_embeddings ?? tied.includes(base.model_type)) !== true)
    return 'output.weight'
  throw new NotOpened('unplaced', { name: told(name) })
}

/** Rows of q_proj or k_proj where llama.cpp has them for a Llama: within each head by turns one of either half. */
function turned(bytes, name, rows, base) {
  if (!/attn_[qk]\.weight$/.test(name)) return bytes
  const own = base.num_attention_heads
  const heads = name.endsWith('k.weight') ? base.num_key_value_heads || own : own
  if (!Number.isInteger(heads) || heads < 1 || rows % (2 * heads))
    throw new NotOpened('heads', { heads: told(heads ?? null), rows, name })
  const [half, size] = [rows / heads / 2, bytes.length / rows]
  const found = new Uint8Array(bytes.length)
  for (let i = 0; i < rows; i++) {
    const [head, at] = [i - (i % (2 * half)), i % (2 * half)]
    const from = (head + (at % 2) * half + (at >> 1)) * size
    found.set(bytes.subarray(from, from + size), i * size)
  }
  return found
}

/** Tensors [name, shape, bytes, dtype] and values of a GGUF adapter of layers whose alpha is one. */
export function adapted(layers, alpha, { metadata, config, weights }, { llama, base }, notes) {
  const before = weights?.some(({ gguf }) => gguf)
  const kind = String(base?.model_type)
  const known = Object.keys(llama.models)
  if (!before && !base) throw new NotOpened('baseless')
  if (!before && !known.includes(kind))
    throw new NotOpened('unknown', { kind: told(kind), known: known.join(', ') })
  if (INVOKED in metadata || config?.alora_invocation_tokens?.length) throw new NotOpened('switched')
  if (!alpha) throw new NotOpened('silent')
  const model = before ? metadata['general.architecture'] : llama.models[kind]
  const tensors = layers.flatMap(({ name, shape, factors, experts }) => {
    const own = before ? name : named(name, llama, base)
    const fits = FLOATS.includes(factors.dtype)
    if (!fits) notes.add('wide')
    const [out, into] = shape
    const { A, B, r, dtype } = fits ? factors : recoded(factors, 'F32')
    const many = experts ? [experts] : []
    return [
      [`${own}.lora_a`, [...many, r, into], A, dtype],
      [`${own}.lora_b`, [...many, out, r], before || model !== TURNED ? B : turned(B, own, out, base), dtype],
    ]
  })
  const values = [
    ['general.type', 'adapter'],
    ...(model ? [['general.architecture', model]] : []),
    ['adapter.type', 'lora'],
    ['adapter.lora.alpha', alpha],
  ]
  return { tensors, values }
}
