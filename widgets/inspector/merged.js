// Several adapters made into one: side by side, as a sum cut to a rank, by TIES or by DARE, with weights of either sign.
// compute/adapters/formats/combining.py does the same.

import { cutTo, stored, windowOf } from './deeds.js'
import { apart } from './experts.js'
import { commonName } from './keys.js'
import { changeOf } from './layers.js'
import { balanced, byColumns, decomposed, dot, factorized, triangle } from './linear.js'
import { uniform } from './noise.js'
import { pause } from './pause.js'
import { NotOpened, told } from './refused.js'

export const WAYS = ['concatenation', 'svd', 'ties', 'dare']
const MOST = 2 ** 26 // numbers of a matrix that TIES and DARE make of each adapter
const SMALL = 96 // shorter side up to which all directions are found at once
const [MORE, TURNS, STILL] = [8, 24, 1e-7] // directions beside those wanted, turns at most, and what a turn must still gain

/** One factor of several: columns beside each other, each times a number. */
const beside = (n, parts) => ({
  n,
  columns: parts.flatMap(({ columns, by }) => columns.map((column) => column.map((value) => value * by))),
})

/**
 * The layers {name, shape, factors} of one adapter made of `sources`, each {about, weight}. A layer that only some have
 * counts as zero in the others. `choice` is {way, rank, density, seed}; rank null is the largest there is.
 */
export async function merged(sources, choice, tell = () => {}) {
  const groups = new Map()
  const kindOf = ({ config }, { spelling }) => spelling + JSON.stringify(config?.target_parameters ?? null)
  const [{ about: first }] = sources
  for (const { about, weight } of sources)
    for (const layer of about.layers) {
      const { name, kind, dora, expert, shape, scale } = layer
      if (['lokr', 'full', 'embedding'].includes(kind) || dora)
        throw new NotOpened('unmerged', { name: told(name) })
      const key = commonName(apart(name) ?? name) // experts of MLX's stacks are those that PEFT has apart
      const group = groups.get(key) ?? []
      groups.set(key, [...group, { layer, by: weight * scale }])
      if (group.some(({ layer: other }) => other.shape.join() !== shape.join()))
        throw new NotOpened('apart', { name: told(name) })
      const strange = expert && !apart(name) && kindOf(about, layer) !== kindOf(first, first.layers[0])
      const many = ({ layer: other }) => expert && other.expert && other.expert[1] !== expert[1]
      if (strange || group.some(many)) throw new NotOpened('otherExperts', { name: told(name) })
    }
  const next = uniform(choice.seed)
  const made = []
  for (const group of groups.values()) {
    const [{ layer }] = group
    const found = await one(group, choice, next)
    made.push({
      name: layer.name,
      shape: layer.shape,
      expert: layer.expert,
      spelling: layer.spelling,
      factors: stored(found, layer.shape, layer.dtype, windowOf(layer)),
    })
    tell(made.length, groups.size)
    await pause()
  }
  return made
}

async function one(group, { way, rank, density }, next) {
  const [{ layer }] = group
  const [out, into] = layer.shape
  const pairs = []
  for (const { layer: each, by } of group) {
    const { B, A } = await changeOf(each)
    const both = balanced(B, A)
    if (!both) throw new NotOpened('unfinished', { name: told(each.name) })
    pairs.push({ B: both[0].columns, A: both[1].columns, by })
  }
  const most = Math.min(rank ?? Math.max(...group.map(({ layer: { r } }) => r)), out, into)
  if (way === 'concatenation' || way === 'svd') {
    const root = ({ by }) => Math.sqrt(Math.abs(by))
    const B = beside(
      out,
      pairs.map((pair) => ({ columns: pair.B, by: Math.sign(pair.by) * root(pair) })),
    )
    const A = beside(
      into,
      pairs.map((pair) => ({ columns: pair.A, by: root(pair) })),
    )
    const r = B.columns.length
    if (way === 'concatenation' && r) return { left: flat(B), right: flat(A), r }
    return cutTo(await factorized(B, A), layer.shape, most)
  }
  if (out * into > MOST) throw new NotOpened('wide', { name: told(layer.name) })
  const changes = []
  for (const pair of pairs) changes.push(await dense(pair, out, into))
  const whole = way === 'ties' ? await ties(changes, density) : await dare(changes, density, next)
  return cutTo(await firstDirections(whole, out, into, most, next), layer.shape, most)
}

/** Columns one after the other. */
function flat({ n, columns }) {
  const found = new Float64Array(n * columns.length)
  columns.forEach((column, j) => found.set(column, j * n))
  return found
}

/** A product by rows, (out, into). */
async function dense({ B, A, by }, out, into) {
  const found = new Float64Array(out * into)
  for (let i = 0; i < out; i++) {
    const row = found.subarray(i * into, (i + 1) * into)
    B.forEach((column, k) => {
      const times = by * column[i]
      const direction = A[k]
      if (times) for (let j = 0; j < into; j++) row[j] += times * direction[j]
    })
    await pause()
  }
  return found
}

/** The many-th largest of sizes, by halves: numbers above a pivot or below it, until one is left. */
export function largest(values, many) {
  const sizes = values.map(Math.abs)
  let [low, high, at] = [0, sizes.length - 1, many - 1]
  while (low < high) {
    const pivot = sizes[(low + high) >> 1]
    let [i, j] = [low, high]
    while (i <= j) {
      while (sizes[i] > pivot) i++
      while (sizes[j] < pivot) j--
      if (i <= j) {
        const kept = sizes[i]
        sizes[i++] = sizes[j]
        sizes[j--] = kept
      }
    }
    if (at <= j) high = j
    else if (at >= i) low = i
    else break
  }
  return sizes[at]
}

/**
 * The largest entries of each change, of these at each place those with the sign of their sum, and of them the mean
 * (Yadav et al. 2023, arXiv:2306.01708, algorithm 1).
 */
export async function ties(changes, density) {
  const { length } = changes[0]
  const least = []
  for (const change of changes) {
    least.push(largest(change, Math.max(1, Math.round(density * length))))
    await pause()
  }
  const found = new Float64Array(length)
  for (let i = 0; i < length; i++) {
    const kept = changes.map((change, j) => (Math.abs(change[i]) >= least[j] ? change[i] : 0))
    const sign = Math.sign(kept.reduce((sum, value) => sum + value, 0))
    const agree = kept.filter((value) => value && Math.sign(value) === sign)
    found[i] = agree.length ? agree.reduce((sum, value) => sum + value, 0) / agree.length : 0
    if (i % 65536 === 0) await pause()
  }
  return found
}

/** Entries kept by lot, over the share of those that are: on average the plain sum (Yu et al. 2023, arXiv:2311.03099). */
export async function dare(changes, density, next) {
  const found = new Float64Array(changes[0].length)
  for (const change of changes)
    for (let i = 0; i < found.length; i++) {
      if (next() < density) found[i] += change[i] / density
      if (i % 65536 === 0) await pause()
    }
  return found
}

/**
 * The first k directions of a matrix by rows: all of a small one; of others by turning a few more than k directions through
 * the matrix and back until they hold no more of it (Halko et al. 2011, doi:10.1137/090771806, algorithm 4.4).
 */
export async function firstDirections(values, out, into, k, next) {
  const row = (i) => values.subarray(i * into, (i + 1) * into)
  if (Math.min(out, into) <= Math.max(SMALL, k + MORE)) {
    const { columns } = byColumns(values, into, out) // rows are the columns of the matrix turned
    const { s, U, V } = await decomposed(columns)
    return { s, U: V, V: U }
  }
  const wide = Math.min(k + MORE, out, into)
  let right = Array.from({ length: wide }, () => Float64Array.from({ length: into }, () => next() - 0.5))
  let held = 0
  for (let turn = 0; ; turn++) {
    await triangle({ n: into, columns: right })
    const left = right.map(() => new Float64Array(out))
    for (let i = 0; i < out; i++) {
      right.forEach((direction, j) => (left[j][i] = dot(row(i), direction)))
      await pause()
    }
    const holds = left.reduce((sum, column) => sum + dot(column, column), 0)
    if (turn >= TURNS || holds - held <= STILL * holds)
      return factorized({ n: out, columns: left }, { n: into, columns: right })
    held = holds
    await triangle({ n: out, columns: left })
    right = right.map(() => new Float64Array(into))
    for (let i = 0; i < out; i++) {
      const own = row(i)
      left.forEach((column, j) => {
        const [by, direction] = [column[i], right[j]]
        for (let l = 0; l < into; l++) direction[l] += by * own[l]
      })
      await pause()
    }
  }
}
