// By what a layer's factors are multiplied: by PEFT or the tool that the format belongs to, and by others that may load
// it. The rules, and where they stand in the code of each project: compute/adapters/formats/scales.py.

const MOST = 200 // letters of a pattern; and no repeat of a repeat, which may take for ever
const NESTED = /[*+}]\)?[*+{]|\([^()]*[*+{][^()]*\)[*+{]|\\[1-9]|\(\?/
const REPEATS = 3
const [ADALORA_RANK, ADALORA_SHIFT] = [12, 1e-5]
const SAME = 1e-3 // relative
const PIPELINE =
  /^(lora_(unet|te\d?|prior|transformer)_|lycoris_|(unet|text_encoder(_\d)?|diffusion_model)\.)/
const DIFFUSION =
  /(^|[._])(single_)?transformer_blocks[._]|(^|[._])(double|single|joint|down|up|mid|input|middle|output)_blocks?[._]/
const LANGUAGE = /(^|\.)(layers|h|blocks|blk|layer)\.\d+\.|(^|\.)(embed_tokens|lm_head|wte)(\.|$)/
const PIPED = /^(transformer(_\d)?|unet|text_encoder(_\d)?|diffusion_model)\.(?!h\.\d)/
const FORMATS = {
  kohya: 'kohya LoRA',
  old: 'diffusers LoRA',
  hada: 'LoHa',
  lokr: 'LoKr',
  diff: 'full difference',
  mlx: 'MLX LoRA',
  gguf: 'GGUF LoRA',
}

const number = (value) => (typeof value === 'number' && Math.abs(value) < 1e300 ? value : null)
const ratio = (alpha, r, rooted) => alpha / (rooted === true ? Math.sqrt(r) : r)

const entries = (patterns) => Object.entries((typeof patterns === 'object' && patterns) || {})

/** A pattern as PEFT reads it, an expression for the end of a name; null if it is not tried. */
function expression(pattern) {
  const repeats = pattern.match(/[*+{]/g)?.length ?? 0
  if (pattern.length > MOST || repeats > REPEATS || NESTED.test(pattern)) return null
  try {
    return new RegExp(`^(?:.*\\.)?(?:${pattern})$`)
  } catch {
    return null // Python's expressions have a few signs more
  }
}

/** What a pattern says of a module. */
export function patterned(patterns, module) {
  for (const [pattern, value] of entries(patterns)) {
    if (module === pattern || module.endsWith(`.${pattern}`) || expression(pattern)?.test(module))
      return number(value)
  }
  return null
}

/** The patterns of a config that are not tried: what they say of a layer is not known. */
export function untried(config) {
  return [config?.rank_pattern, config?.alpha_pattern]
    .flatMap(entries)
    .map(([pattern]) => pattern)
    .filter((pattern) => !expression(pattern))
}

/** What diffusers keeps in the header: the fields of a config behind the name of the part of the pipeline. */
function headerConfig({ lora_adapter_metadata: text }, name) {
  let told
  try {
    told = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof told !== 'object' || !told) return null
  const part = `${name.split('.')[0]}.`
  const own = Object.entries(told).filter(([key]) => key.startsWith(part))
  return own.length ? Object.fromEntries(own.map(([key, value]) => [key.slice(part.length), value])) : told
}

/** r and alpha that a config gives a layer: {r, alpha}, each null where it says nothing. */
export function configured({ module, kind, spelling, adapter }, config) {
  if (!config || ['mlx', 'gguf'].includes(spelling)) return { r: null, alpha: null }
  const name = adapter && module.endsWith(`.${adapter}`) ? module.slice(0, -adapter.length - 1) : module
  const own = ['loha', 'lokr'].includes(kind) ? 'alpha' : 'lora_alpha'
  const r = (kind === 'adalora' ? null : patterned(config.rank_pattern, name)) ?? number(config.r)
  return {
    r: r >= 1 ? Math.floor(r) : null,
    alpha: patterned(config.alpha_pattern, name) ?? number(config[own]),
  }
}

/** The r that a program reads off the factors; of LoKr that of the second pair. */
const rankOf = ({ kind, parts, r }) =>
  Math.max((kind === 'lokr' && (parts.lokr_w2_b ?? parts.lokr_w1_b)?.shape[0]) || r, 1)

const bothWhole = ({ kind, parts }) => kind === 'lokr' && Boolean(parts.lokr_w1 && parts.lokr_w2)

function byConfig(layer, { config }) {
  const { r, alpha } = configured(layer, config)
  if (!config || alpha === null) return null
  if (layer.kind === 'adalora') {
    const first = number(config.init_r ?? ADALORA_RANK) || layer.r
    return (alpha > 0 ? alpha : first) / (first + ADALORA_SHIFT)
  }
  if (['loha', 'lokr'].includes(layer.kind))
    return ['LOHA', 'LOKR'].includes(config.peft_type) ? alpha / (r ?? rankOf(layer)) : null
  return ratio(alpha, rankOf(layer), config.use_rslora)
}

function byHeader(layer, { metadata }) {
  const said = headerConfig(metadata, layer.name)
  const inner = layer.name.slice(layer.name.indexOf('.') + 1)
  const alpha = said && (patterned(said.alpha_pattern, inner) ?? number(said.lora_alpha))
  return said && alpha !== null ? ratio(alpha, rankOf(layer), said.use_rslora) : null
}

const byKohya = (layer) =>
  layer.kind === 'full' || bothWhole(layer) || !layer.alpha ? 1 : layer.alpha / rankOf(layer)

function byGguf(layer, { metadata }) {
  const alpha = Number(metadata['adapter.lora.alpha'])
  return alpha && Number.isFinite(alpha) ? alpha / rankOf(layer) : 1
}

/** The scale that PEFT applies, or the tool that the format belongs to. */
export function ownScale(layer, about) {
  const { spelling, kind } = layer
  if (spelling === 'mlx') return number(about.config?.lora_parameters?.scale) ?? 1
  if (spelling === 'gguf') return byGguf(layer, about)
  if (kind === 'full') return 1
  const header = () => (['peft', 'old'].includes(spelling) ? byHeader(layer, about) : null)
  return byConfig(layer, about) ?? header() ?? byKohya(layer)
}

// The scale in each program; null where it cannot load the layer.
const RULES = {
  PEFT: (layer, about) => (layer.wrapped && !layer.adapter ? byConfig(layer, about) : null),
  diffusers(layer, about) {
    const { kind, spelling, wrapped, adapter, alpha } = layer
    const known = ['lora', 'tucker'].includes(kind) && ['peft', 'old', 'kohya'].includes(spelling)
    if (!known || wrapped || adapter || STOPS_DIFFUSERS.some((part) => about.parts.has(part))) return null
    return byHeader(layer, about) ?? (alpha === null ? 1 : alpha / rankOf(layer))
  },
  ComfyUI(layer) {
    const { kind, spelling, wrapped, alpha, expert } = layer
    if (kind === 'adalora' || ['mlx', 'gguf'].includes(spelling) || expert) return null
    if (wrapped && ['loha', 'lokr', 'full'].includes(kind)) return null
    return kind === 'full' || bothWhole(layer) || alpha === null ? 1 : alpha / rankOf(layer)
  },
  kohya: (layer) =>
    ['kohya', 'hada', 'lokr', 'diff'].includes(layer.spelling) && !layer.wrapped ? byKohya(layer) : null,
  'llama.cpp'(layer, about) {
    const { kind, spelling, adapter, parts, expert } = layer
    if (spelling === 'gguf') return byGguf(layer, about)
    const plain = isLora(kind) && spelling === 'peft' && !adapter && !(parts.A?.shape.length > 2)
    if (!plain || about.saved || ['magnitude', 'bias', 'E'].some((part) => about.parts.has(part))) return null
    const alpha = number(about.config?.lora_alpha)
    if (alpha === null || (expert && about.config.target_parameters)) return null
    return alpha ? alpha / rankOf(layer) : 1
  },
  vLLM(layer, { config, parts }) {
    const { r, alpha } = configured(layer, config)
    if (!isLora(layer.kind) || layer.spelling !== 'peft' || layer.adapter || alpha === null) return null
    const saved = config.modules_to_save ?? []
    const refused =
      config.use_dora ||
      parts.has('magnitude') ||
      config.lora_bias ||
      (config.bias ?? 'none') !== 'none' ||
      !Array.isArray(saved) ||
      saved.some((name) => !['classifier', 'score'].includes(name)) ||
      number(config.r) === null ||
      !('target_modules' in config) ||
      (layer.parts.A?.shape.length > 2 && !layer.expert)
    return refused ? null : ratio(alpha, r ?? rankOf(layer), config.use_rslora)
  },
  MLX: (layer, about) =>
    layer.spelling === 'mlx' && about.config?.lora_parameters && 'num_layers' in about.config
      ? ownScale(layer, about)
      : null,
}
const STOPS_DIFFUSERS = [
  'mid',
  'hada_w1_a',
  'lokr_w1',
  'lokr_w1_a',
  'lokr_w2',
  'lokr_w2_a',
  'diff',
  'set_weight',
  'w_norm',
]
const isLora = (kind) => ['lora', 'embedding', 'tucker'].includes(kind)
export const RUNTIMES = Object.keys(RULES)
const OF_PICTURES = ['diffusers', 'ComfyUI', 'kohya']
const OF_WORDS = ['llama.cpp', 'vLLM']

/** Which kind of model a layer belongs to, as far as its name tells. */
function modelOf(name) {
  if (PIPELINE.test(name) || DIFFUSION.test(name)) return 'diffusion'
  return LANGUAGE.test(name) ? 'language' : ''
}

/** The scale of a layer in each of RUNTIMES. */
export function audit(layer, about) {
  const model = modelOf(layer.name)
  return RUNTIMES.map((name) => {
    if (model === 'language' && OF_PICTURES.includes(name)) return null
    if (model === 'diffusion' && OF_WORDS.includes(name)) return null
    return RULES[name](layer, about)
  })
}

/** Layers of the same scales together: [{own, scales, differ, names}], those in which programs differ first. */
export function audits(about) {
  const found = new Map()
  for (const layer of about.layers) {
    const scales = audit(layer, about)
    const key = [layer.scale, ...scales].join()
    if (!found.has(key)) {
      const known = scales.filter((scale) => scale !== null)
      const most = Math.max(...known.map(Math.abs))
      const differ = known.length > 1 && Math.max(...known) - Math.min(...known) > SAME * most
      found.set(key, { own: layer.scale, scales, differ, names: [] })
    }
    found.get(key).names.push(layer.name)
  }
  return [...found.values()].sort(
    (one, other) => other.differ - one.differ || other.names.length - one.names.length,
  )
}

/** What a file is called: the formats of its layers, the most frequent first. */
export function formatOf({ config, metadata }, layers) {
  const many = new Map()
  for (const { kind, spelling, name, wrapped } of layers) {
    const piped = 'lora_adapter_metadata' in metadata || PIPED.test(name)
    const format =
      kind === 'adalora'
        ? 'AdaLoRA'
        : (FORMATS[spelling] ?? (piped && !wrapped && !config ? 'diffusers LoRA' : 'PEFT LoRA'))
    many.set(format, (many.get(format) ?? 0) + 1)
  }
  const names = [...many].sort(([one, times], [other, often]) => often - times || (one < other ? -1 : 1))
  return names.map(([name]) => name).join(' + ')
}
