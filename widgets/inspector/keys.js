// What the name of a tensor says: which module it belongs to, and which part of it it is. As PEFT (utils/save_and_load.py),
// sd-scripts (networks/lora.py), diffusers (loaders/lora_conversion_utils.py), LyCORIS (modules/) and mlx-lm
// (tuner/lora.py) spell them.

// By the spelling of a tool: PEFT's, sd-scripts', that of diffusers until 0.20, LyCORIS', that of MLX and llama.cpp.
const FORMS = [
  ['peft', /^(.+)\.lora_(A|B|E|embedding_A|embedding_B)(?:\.(?!weight$|bias$)([^.]+))?(?:\.(weight|bias))?$/],
  ['', /^(.+)\.(lora_magnitude_vector|dora_scale|magnitude)(?:\.(?!weight$)([^.]+))?(?:\.weight)?$/],
  ['kohya', /^(.+)\.lora_(down|up|mid)\.weight$/],
  ['old', /^(.+?)(?:\.lora_linear_layer|\.lora|_lora)\.(down|up)\.weight$/],
  ['hada', /^(.+)\.(hada_(?:w[12]_[ab]|t[12]))(?:\.([^.]+))?$/],
  ['lokr', /^(.+)\.(lokr_(?:w[12](?:_[ab])?|t2))(?:\.([^.]+))?$/],
  ['small', /^(.+)\.lora_([ab])$/],
  ['diff', /^(.+)\.(diff|diff_b|set_weight|w_norm|b_norm)$/],
  ['', /^(.+)\.(alpha|scalar|reshape_weight|m)$/],
]
const MAGNITUDES = ['lora_magnitude_vector', 'dora_scale', 'm']
const PREFIX = 'base_model.model.' // PEFT wraps the model twice
const MOST = 500 // letters

/**
 * What a tensor's name says: {module, part, spelling, adapter, wrapped}, or null. The name of an adapter other than
 * "default" stands behind that of its module; `adapter` is what stands in the key, as PEFT has it in memory.
 */
export function placed(name) {
  if (name.length > MOST) return null
  const wrapped = name.startsWith(PREFIX)
  const rest = wrapped ? name.slice(PREFIX.length) : name
  for (const [spelling, pattern] of FORMS) {
    const found = pattern.exec(rest)
    if (!found) continue
    const [, module, said, adapter = '', end] = found
    const part = end === 'bias' ? 'bias' : MAGNITUDES.includes(said) ? 'magnitude' : said
    const behind = ['', 'default', 'weight'].includes(adapter) ? '' : `.${adapter}`
    return { module: module + behind, part, spelling, adapter, wrapped }
  }
  return null
}

// Methods that change no weight by a product of two factors, by what their tensors are called.
export const OTHERS = [
  ['VERA', /vera_(lambda|A|B)/],
  ['IA3', /ia3_l|\.on_input$/],
  ['PROMPT_TUNING', /prompt_embeddings|prompt_encoder/],
  ['OFT', /\.oft_(r|R|blocks|diag)|oft_blocks/],
  ['BOFT', /boft_/],
  ['FOURIERFT', /fourierft_/],
  ['VBLORA', /vblora_/],
  ['XLORA', /internal_xlora/],
  ['RANDLORA', /randlora_/],
  ['HRA', /hra_u/],
  ['BONE', /bone_|miss_/],
  ['ROAD', /road_(theta|alpha)/],
  ['C3A', /c3a_kernel/],
  ['SHIRA', /shira_/],
  ['LN_TUNING', /ln_tuning_/],
  ['GLORA', /\.a1\.weight$|\.b2\.weight$/],
]

const BLOCK =
  /^(.*?(?:^|[._])(?:layers?|blocks?|h|resnets|attentions|blk|encoder_layers|single_blocks|double_blocks)[._](\d+))[._](.+)$/
const NUMBER = /^(.*?[._](\d+))[._](.+)$/

/** Where a module stands: the block, and the matrix in it. */
export function whereIs(module) {
  let [block, matrix] = ['', module]
  for (;;) {
    const [, before, , rest] = BLOCK.exec(matrix) ?? (block ? [] : (NUMBER.exec(matrix) ?? []))
    if (!rest || /^\d+$/.test(rest)) break
    block = block ? `${block}.${before}` : before
    matrix = rest
  }
  return { block, matrix }
}

const PART =
  /^(?:lora_unet_|lora_transformer_|lycoris_|unet\.|diffusion_model\.|transformer\.(?!h\.)|(lora_te|text_encoder)(_?\d)?[_.])/

/** What a layer is called by every tool alike: as kohya writes it, which has underscores for full stops. */
export function commonName(name) {
  const [head = '', text, number] = PART.exec(name) ?? []
  const rest = name.slice(head.length).replaceAll('.processor.', '.').replaceAll('.', '_')
  return text ? `te${(number ?? '1').at(-1)}_${rest}` : rest
}

/** Several matrices in one. */
export const FUSED = /(qkv|Wqkv|c_attn|query_key_value|in_proj|gate_up_proj|kv_proj)(_proj)?(\[\d+\])?$/
