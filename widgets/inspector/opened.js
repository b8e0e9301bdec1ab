// An adapter that a reader brings, from the files to layers with their spectra.

import { given } from './given.js'
import { changeOf, layersOf } from './layers.js'
import { filled, measures, ofDense, spectrum } from './linear.js'
import { numbersOf } from './safetensors.js'
import { formatOf, ownScale } from './scales.js'

const DENSE_WORK = 1.2e9 // multiplications; a matrix that is given whole and is larger takes a minute
const MOST_DIRECTIONS = 640 // of a product of entries, whose rank is a square

/** What stands in the files, without any of its large tensors: {format, layers, notes, config, metadata, ...}. */
export async function opened(files) {
  const found = await given(files)
  const about = { ...found, ...layersOf(found) }
  const { layers } = about
  for (const layer of layers)
    if (layer.alpha) layer.alpha = layer.alpha.count === 1 ? (await numbersOf(layer.alpha))[0] : null
  for (const layer of layers) layer.scale = ownScale(layer, about)
  return { ...about, format: formatOf(about, layers) }
}

const heavy = ([m, n]) => m * n * Math.min(m, n) > DENSE_WORK

/** Singular values of one side of a Kronecker product. */
const ofSide = async ({ dense, B, A }) => (dense ? ofDense(dense) : spectrum(B, A))

/**
 * The singular values of a layer without its scale: {s}, or {s: null, why} where they are not numbers or would take too
 * long.
 */
async function spectrumOf(layer, change) {
  const { dense, kron, B, A } = await change
  const large = { s: null, why: 'large' }
  const of = (s) => (s ? { s } : { s: null, why: 'infinite' })
  if (dense) return heavy(layer.shape) ? large : of(await ofDense(dense))
  if (kron) {
    if (kron.some(({ dense: whole }) => whole && heavy([whole.length, whole[0].length]))) return large
    const [one, other] = [await ofSide(kron[0]), await ofSide(kron[1])]
    if (!one || !other) return of(null)
    const all = Float64Array.from(Array.from(one, (x) => Array.from(other, (y) => x * y)).flat())
    return of(filled(all.sort().reverse(), Math.min(...layer.shape, all.length)))
  }
  if (B.r > MOST_DIRECTIONS) return large
  return of(await spectrum(B, A))
}

/** What a layer changes, being read: whoever waits for it hears of what goes wrong, and nobody else. */
function reading(layer) {
  const change = layer && changeOf(layer)
  change?.catch(() => {})
  return change
}

/** Give every layer its spectrum, scaled; `told(done, all)` hears of each. `still()` says whether it is still wanted. */
export async function measured(about, told = () => {}, still = () => true) {
  const { layers } = about
  let next = reading(layers[0])
  for (const [i, layer] of layers.entries()) {
    const change = next
    next = reading(layers[i + 1]) // while this one is measured
    const { s, why } = await spectrumOf(layer, change).catch((error) => {
      if (error.reason === 'stored') return { s: null, why: 'stored' }
      throw error
    })
    if (!still()) return
    layer.why = why
    layer.s = s && s.map((value) => value * Math.abs(layer.scale))
    Object.assign(layer, measures(layer.s ?? []))
    told(i + 1, layers.length)
  }
}
