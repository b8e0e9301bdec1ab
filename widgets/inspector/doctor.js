// What is odd about an adapter: [{kind, names}], the gravest first. Kinds are keys of the words for them.

import { told } from './refused.js'
import { untried } from './scales.js'

const DEAD = 1e-3 // of the median norm
const SPIKE = { share: 0.99, times: 5 } // energy in one direction, and norm over the median
const ALIKE = 1e-12 // relative difference of all singular values of two layers

const ORDER = [
  'config',
  'untried',
  'infinite',
  'stored',
  'zero',
  'half',
  'misfit',
  'twice',
  'alike',
  'spike',
  'dead',
  'dora',
  'large',
  'fused',
  'saved',
  'base',
  'vector',
  'unmatched',
  'aside',
]

/** Layers that have the same singular values and shape as another: names in pairs. */
function copies(layers) {
  const seen = new Map()
  const found = []
  for (const { name, shape, s, norm } of layers) {
    if (!norm || !s.length) continue
    const key = `${shape} ${s.length} ${norm.toPrecision(9)}`
    const other = seen
      .get(key)
      ?.find((one) => one.s.every((value, i) => Math.abs(value - s[i]) <= ALIKE * s[0]))
    if (other) found.push(`${other.name} = ${name}`)
    seen.set(key, [...(seen.get(key) ?? []), { name, s }])
  }
  return found
}

export function findings({ layers, notes, config }) {
  const found = new Map()
  const add = (kind, ...names) => names.length && found.set(kind, [...(found.get(kind) ?? []), ...names])
  if (!config && layers.some(({ wrapped }) => wrapped)) add('config', layers[0].name)
  add('untried', ...untried(config).map(told))
  const norms = layers
    .map(({ norm }) => norm)
    .filter(Boolean)
    .sort((one, other) => one - other)
  const middle = norms[Math.floor(norms.length / 2)] ?? 0
  for (const { name, s, why, norm, stable, r, dora, fused } of layers) {
    if (why) add(why, name)
    else if (!norm) add('zero', name)
    else if (norm < DEAD * middle) add('dead', name)
    else if (r >= 4 && s.length >= 4 && 1 / stable > SPIKE.share && norm > SPIKE.times * middle)
      add('spike', name)
    if (dora) add('dora', name)
    if (fused) add('fused', name)
  }
  add('alike', ...copies(layers.filter(({ s }) => s)))
  for (const { kind, name, parts } of notes)
    add(kind, parts && kind !== 'misfit' ? `${name} (${parts})` : name)
  return ORDER.filter((kind) => found.has(kind)).map((kind) => ({ kind, names: found.get(kind) }))
}
