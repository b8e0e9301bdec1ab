// The base beside the adapter: how large each change is against the weight, what a merge into few bits loses of it, and
// what a DoRA truly changes. A weight is read when its turn comes, and let go. compute/adapters/formats/beside.py does it too.

import { commonName } from './keys.js'
import { changeOf } from './layers.js'
import { pause } from './pause.js'
import { DTYPES, numbersOf } from './safetensors.js'

// How floats round: digits, and the exponent of the least number that has them all; and the largest that there is.
const FLOATS = { bf16: [8, -126], fp16: [11, -14], fp8: [4, -6] }
const LARGEST = { bf16: (2 - 2 ** -7) * 2 ** 127, fp16: 65504 } // the others have a scale
export const STORED = [...Object.keys(FLOATS), 'int8']
const [LARGEST_FP8, CODES] = [448, 127]
const MOST = 2 ** 27 // numbers of a weight: half a gigabyte
const MAGIC = 1.5 * 2 ** 52 // a number added to it and taken off again is whole
const QUANTISED = ['weight_scale', 'weight_scale_inv', 'scales', 'qzeros', 'absmax', 'weight.absmax', 'SCB']
const product = (sides) => sides.reduce((all, side) => all * side, 1)
const blocks = (name) => name.split('_').filter((word) => /^\d+$/.test(word))

/** Which weight each layer changes: {pairs: [[layer, tensor]], missing: {none, several, bits, shape, kind}: names}. */
export async function matched({ layers }, weights) {
  const base = weights.flatMap(({ tensors }) => [...tensors.values()])
  const all = new Set(base.map(({ name }) => name))
  const named = new Map()
  for (const tensor of base) {
    if (tensor.shape.length < 2) continue
    const name = commonName(tensor.name.replace(/\.weight$/, ''))
    named.set(name, [...(named.get(name) ?? []).slice(0, 1), tensor]) // that there are two is enough
  }
  const backwards = [...named.keys()].map(reversed).sort()
  const pairs = []
  const missing = {}
  for (const layer of layers) {
    const { name, adapter } = layer
    const plain = adapter && name.endsWith(`.${adapter}`) ? name.slice(0, -1 - adapter.length) : name
    const found = called(commonName(plain), named, backwards)
    const why = wrong(layer, found, all)
    if (why) missing[why] = [...(missing[why] ?? []), name]
    else pairs.push([layer, found[0]])
    await pause()
  }
  return { pairs, missing }
}

const reversed = (name) => [...name].reverse().join('')

/** The tensors of a name, or of one that ends so, or of the longest that it ends in; numbers of blocks are the same. */
function called(name, named, backwards) {
  if (named.has(name)) return named.get(name)
  const alike = (other) => blocks(other).join() === blocks(name).join()
  const start = `${reversed(name)}_`
  const longer = []
  for (let i = firstFrom(backwards, start); backwards[i]?.startsWith(start) && longer.length < 2; i++) {
    const other = reversed(backwards[i])
    if (alike(other)) longer.push(...named.get(other))
  }
  if (longer.length) return longer
  for (let at = name.indexOf('_'); at >= 0; at = name.indexOf('_', at + 1)) {
    const rest = name.slice(at + 1)
    if (named.has(rest) && alike(rest)) return named.get(rest)
  }
  return []
}

/** Where in a sorted list what is not below a text begins. */
function firstFrom(sorted, text) {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle] < text) low = middle + 1
    else high = middle
  }
  return low
}

/** Why what was found is not the weight of a layer, or null. */
function wrong({ shape: [out, into], expert, kind }, [tensor, other], all) {
  if (expert || ['lokr', 'full'].includes(kind)) return 'kind'
  if (!tensor) return 'none'
  if (other) return 'several'
  const stem = tensor.name.replace(/weight$/, '')
  if (!Object.hasOwn(DTYPES, tensor.dtype) || QUANTISED.some((mark) => all.has(stem + mark))) return 'bits'
  const [rows, columns] = [tensor.shape[0], product(tensor.shape.slice(1))]
  const fits = (rows === out && columns === into) || (rows === into && columns === out)
  return fits && tensor.count <= MOST ? null : 'shape'
}

/** Numbers (rows, columns) turned. */
function turned(values, rows, columns) {
  const found = new values.constructor(values.length)
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) found[j * rows + i] = values[i * columns + j]
  return found
}

/** The weight as the layer changes it, by rows. GPT-2 stores it the other way round, which of a square one the config tells. */
export async function weightOf({ shape: [out, into], kind }, tensor, config) {
  const values = await numbersOf(tensor)
  const square = out === into && kind !== 'embedding' && tensor.shape.length === 2
  const other = square ? config?.fan_in_fan_out === true : tensor.shape[0] !== out
  return other ? turned(values, into, out) : values
}

/**
 * What rounds rows of n numbers as a format stores them, of two neighbours as near the even one; `top` is the largest number
 * of the whole weight. Of a float: 1.5 times the power of two whose last digit is that of the format, added and taken off.
 */
function storing(format, top, n) {
  if (format === 'int8')
    return (row, into) => {
      const step = peak(row) / CODES
      for (let j = 0; j < n; j++) into[j] = step ? (row[j] / step + MAGIC - MAGIC) * step : 0
    }
  const [digits, least] = FLOATS[format]
  const [scaled, magic] = [new Float64Array(n), new Float64Array(n)]
  const [bits, words] = [new Uint32Array(scaled.buffer), new Uint32Array(magic.buffer)]
  const scale = format === 'fp8' ? top / LARGEST_FP8 || 1 : 1
  const lowest = least + 1023
  return (row, into) => {
    for (let j = 0; j < n; j++) scaled[j] = row[j] / scale
    for (let j = 0; j < n; j++) {
      const exponent = (bits[2 * j + 1] >>> 20) & 0x7ff
      words[2 * j + 1] = (((exponent < lowest ? lowest : exponent) + 53 - digits) << 20) | 0x80000
    }
    for (let j = 0; j < n; j++) into[j] = (scaled[j] + magic[j] - magic[j]) * scale
  }
}

/** The largest magnitude of a row. */
function peak(row) {
  let most = 0
  for (let j = 0; j < row.length; j++) {
    const size = Math.abs(row[j])
    if (size > most) most = size
  }
  return most
}

/** Sum of squares. */
function squared(row) {
  let total = 0
  for (let j = 0; j < row.length; j++) total += row[j] * row[j]
  return total
}

/** Both rows added, into a third. */
function added(one, other, into) {
  for (let j = 0; j < into.length; j++) into[j] = one[j] + other[j]
  return into
}

/** Energy of what a merge added less what it should have. */
function off(after, before, row) {
  let total = 0
  for (let j = 0; j < row.length; j++) {
    const rest = after[j] - before[j] - row[j]
    total += rest * rest
  }
  return total
}

/**
 * What makes the rows of delta_w, of a DoRA of its true change: change(i) is the row, in one array for all, `factors(i)` that
 * of left right.T alone. By byOutput or byInput a DoRA stretches rows or columns of the sum. Null where that does not fit.
 */
export async function changing(layer, W) {
  const { B, A } = await changeOf(layer)
  const left = B.columns.map((column) => column.map((value) => layer.scale * value))
  const right = A.columns
  const [out, into] = layer.shape
  const row = new Float64Array(into)
  const factors = (i) => {
    row.fill(0)
    let k = 0
    for (; k + 3 < left.length; k += 4) {
      // four at once, so that the row is read and written once for them
      const [a, b, c, d] = [left[k][i], left[k + 1][i], left[k + 2][i], left[k + 3][i]]
      const [one, two, three, four] = [right[k], right[k + 1], right[k + 2], right[k + 3]]
      for (let j = 0; j < into; j++) row[j] += a * one[j] + b * two[j] + (c * three[j] + d * four[j])
    }
    for (; k < left.length; k++) for (let j = 0; j < into; j++) row[j] += left[k][i] * right[k][j]
    return row
  }
  if (!layer.dora) return { left, right, factors, change: factors }
  const m = await numbersOf(layer.dora)
  const inputs =
    layer.kind === 'embedding' ||
    (/dora_scale/.test(layer.dora.name) && layer.dora.shape[0] !== layer.shape[0])
  if (inputs ? into % m.length : m.length !== out) return null
  const kernel = into / m.length
  const squares = new Float64Array(m.length)
  for (let i = 0; i < out; i++) {
    factors(i)
    for (let j = 0; j < into; j++)
      squares[inputs ? Math.floor(j / kernel) : i] += (W[i * into + j] + row[j]) ** 2
    await pause()
  }
  const ratio = squares.map((square, c) => m[c] / Math.sqrt(square))
  const byInput = inputs ? Float64Array.from(row, (_, j) => ratio[Math.floor(j / kernel)]) : null
  const change = (i) => {
    factors(i)
    for (let j = 0; j < into; j++) {
      const whole = W[i * into + j]
      row[j] = (whole + row[j]) * (inputs ? byInput[j] : ratio[i]) - whole
    }
    return row
  }
  return { left, right, byOutput: inputs ? null : ratio, byInput, factors, change }
}

/**
 * One layer beside its weight: {size_W, size, factors, lost: by format, null where it cannot hold the weight}; null where
 * a number is not finite or a magnitude does not fit. `size` is the norm of delta_w, `factors` that of the product alone.
 */
async function besideOne(layer, tensor, config) {
  const W = await weightOf(layer, tensor, config)
  const made = await changing(layer, W)
  if (!made) return null
  const [out, into] = layer.shape
  const [merged, before, after, ours] = [0, 0, 0, 0].map(() => new Float64Array(into))
  let [whole, all, alone, top, high] = [0, 0, 0, 0, 0]
  for (let i = 0; i < out; i++) {
    ours.set(W.subarray(i * into, (i + 1) * into))
    if (layer.dora) alone += squared(made.factors(i))
    const row = made.change(i)
    whole += squared(ours)
    all += squared(row)
    top = Math.max(top, peak(ours))
    high = Math.max(high, peak(added(ours, row, merged)))
    await pause()
  }
  if (!Number.isFinite(whole + all)) return null
  const lost = STORED.map(() => 0)
  const rounds = STORED.map((format) => [storing(format, top, into), storing(format, high, into)])
  for (let i = 0; i < out && all; i++) {
    ours.set(W.subarray(i * into, (i + 1) * into))
    const row = made.change(i)
    added(ours, row, merged)
    rounds.forEach(([first, second], f) => {
      first(ours, before)
      second(merged, after)
      lost[f] += off(after, before, row)
    })
    await pause()
  }
  const of = (format, f) => {
    const holds = all && Math.max(top, high) <= (LARGEST[format] ?? Infinity)
    return holds && Number.isFinite(lost[f] / all) ? lost[f] / all : null
  }
  return {
    size_W: Math.sqrt(whole),
    size: Math.sqrt(all),
    factors: Math.sqrt(layer.dora ? alone : all),
    lost: Object.fromEntries(STORED.map((format, f) => [format, of(format, f)])),
  }
}

/**
 * The layers beside their weights: {rows: [{name, ...}], missing: names by the reason}. `told(done, all)` hears of each,
 * `still()` says whether it is still wanted.
 */
export async function beside(about, weights, told = () => {}, still = () => true) {
  const { pairs, missing } = await matched(about, weights)
  const rows = []
  for (const [i, [layer, tensor]] of pairs.entries()) {
    const found = await besideOne(layer, tensor, about.config)
    if (!still()) break
    if (found) rows.push({ name: layer.name, dora: Boolean(layer.dora), ...found })
    else missing.infinite = [...(missing.infinite ?? []), layer.name]
    told(i + 1, pairs.length)
  }
  return { rows, missing }
}
