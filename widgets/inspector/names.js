// Names of layers as each tool spells them. compute/adapters/formats/writing.py does the same.

const KEPT = 'lora_live.names' // where kohya's file keeps the names as they were: underscores do not tell full stops
const PARTS = { te: 'text_encoder', te1: 'text_encoder', te2: 'text_encoder_2', te3: 'text_encoder_3' }
const PIPELINE = /^(unet|transformer|diffusion_model|text_encoder|text_encoder_2)\./

/** A name with full stops, from kohya's; `words` are those of models that hold an underscore themselves. */
export function dotted(name, words) {
  const found = /^lora_(unet|te1?|te2|te3|transformer)_/.exec(name)
  if (!found) return name
  let rest = name.slice(found[0].length)
  for (const word of words)
    rest = rest.replace(new RegExp(`(?<![a-z])${word}(?![a-z])`, 'g'), word.replaceAll('_', '\0'))
  rest = rest.replaceAll('_', '.').replaceAll('\0', '_')
  const unet = /^((down|up|input|output)_blocks|mid_block|middle_block|conv_|time_)/.test(rest)
  return `${PARTS[found[1]] ?? (unet ? 'unet' : 'transformer')}.${rest}`
}

/** A name as kohya spells it. */
export function underscored(name) {
  if (/^(lora_unet_|lora_te|lora_transformer_|lycoris_)/.test(name)) return name
  const under = (text) => text.replaceAll('.', '_').replace(/[[\]]/g, '')
  for (const [part, prefix] of [
    ['text_encoder_2.', 'lora_te2_'],
    ['text_encoder.', 'lora_te1_'],
  ])
    if (name.startsWith(part)) return prefix + under(name.slice(part.length))
  const rest = name.replace(/^(unet|transformer|diffusion_model)\.(?!h\.)/, '')
  return `lora_unet_${under(rest.replaceAll('.processor.', '.'))}`
}

/** What spells names with full stops: from the map in the header, or taken apart. */
export function fullNames(metadata, words) {
  let told = {}
  try {
    told = JSON.parse(metadata?.[KEPT] ?? '{}') ?? {}
  } catch {
    // a map that is none says nothing
  }
  return (name) =>
    Object.hasOwn(told, name) && typeof told[name] === 'string' ? told[name] : dotted(name, words)
}

/** The header of a kohya file whose names were others. */
export const keptNames = (names) =>
  names.length ? { [KEPT]: JSON.stringify(Object.fromEntries(names)) } : {}

/** A name as diffusers spells it: with the part of the pipeline. */
export const piped = (name) => (PIPELINE.test(name) ? name : `transformer.${name}`)
