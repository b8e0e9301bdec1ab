// The safetensors format: the length of a header, the header as JSON, the numbers. Read header first, and each tensor
// when it is needed, so that no file is held whole.

import { NotOpened, told } from './refused.js'

const MAX_HEADER = 100e6 // as the format's own library
const MAX_TENSORS = 200_000

/** The number that 16 bits of IEEE's half are. */
function half(bits) {
  const [sign, exponent, rest] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023]
  if (exponent === 31) return rest ? NaN : sign * Infinity
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + rest / 1024) : 2 ** -14 * (rest / 1024))
}

/** The number that 8 bits are, with three digits of mantissa and no infinity. */
function e4m3(bits) {
  const [sign, exponent, rest] = [bits & 0x80 ? -1 : 1, (bits >> 3) & 15, bits & 7]
  if (exponent === 15 && rest === 7) return NaN
  return sign * (exponent ? 2 ** (exponent - 7) * (1 + rest / 8) : 2 ** -6 * (rest / 8))
}

/** A table of all numbers of a small format, made when it is first needed. */
function tabled(many, number) {
  let table
  return () => (table ??= Float64Array.from({ length: many }, (_, bits) => number(bits)))
}
const HALVES = tabled(65536, half)
const [E4M3, E5M2] = [tabled(256, e4m3), tabled(256, (bits) => half(bits << 8))]
function looked(table, bits) {
  const numbers = table()
  const found = new Float32Array(bits.length)
  for (let i = 0; i < found.length; i++) found[i] = numbers[bits[i]]
  return found
}
function brain(bits) {
  const wide = new Uint32Array(bits.length)
  for (let i = 0; i < wide.length; i++) wide[i] = bits[i] << 16
  return new Float32Array(wide.buffer)
}

/** By the name of a dtype: bytes of a number, and how a buffer is read. Little-endian, as every browser's machine is. */
export const DTYPES = {
  F64: [8, (buffer) => new Float64Array(buffer)],
  F32: [4, (buffer) => new Float32Array(buffer)],
  F16: [2, (buffer) => looked(HALVES, new Uint16Array(buffer))],
  BF16: [2, (buffer) => brain(new Uint16Array(buffer))],
  F8_E4M3: [1, (buffer) => looked(E4M3, new Uint8Array(buffer))],
  F8_E5M2: [1, (buffer) => looked(E5M2, new Uint8Array(buffer))],
}
/** Q8_0 of ggml: blocks of a half and 32 whole numbers that it multiplies (ggml-common.h, block_q8_0). */
function blocked(buffer) {
  const [bytes, halves] = [new DataView(buffer), HALVES()]
  const found = new Float32Array((buffer.byteLength / 34) * 32)
  for (let i = 0; i < found.length; i++) {
    const at = Math.floor(i / 32) * 34
    found[i] = halves[bytes.getUint16(at, true)] * bytes.getInt8(at + 2 + (i % 32))
  }
  return found
}
const OTHERS = { I64: 8, U64: 8, I32: 4, U32: 4, I16: 2, U16: 2, I8: 1, U8: 1, BOOL: 1 } // their size is checked

/** Numbers as bytes of a dtype, each rounded to the nearest; what is too large becomes infinite, as in NumPy. */
export function encoded(values, dtype) {
  if (dtype === 'F64') return new Uint8Array(Float64Array.from(values).buffer)
  const single = Float32Array.from(values)
  if (dtype === 'F32') return new Uint8Array(single.buffer)
  const short = new Uint16Array(single.length)
  const bits = new Uint32Array(single.buffer)
  if (dtype === 'BF16')
    for (let i = 0; i < short.length; i++) {
      const word = bits[i]
      const nan = (word & 0x7fffffff) > 0x7f800000
      short[i] = nan ? (word >>> 16) | 64 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16
    }
  else for (let i = 0; i < short.length; i++) short[i] = halved(values[i])
  return new Uint8Array(short.buffer)
}

/** The same, where none is too large for it. */
export function fitting(values, dtype) {
  const bytes = encoded(values, dtype)
  if (DTYPES[dtype][1](bytes.buffer).every(Number.isFinite)) return bytes
  throw new NotOpened('overflow', { dtype })
}

const [DOUBLE, WORDS] = (() => {
  const one = new Float64Array(1)
  return [one, new Uint32Array(one.buffer)]
})()

/** The bits of the half that is nearest to a number, ties to even. */
function halved(value) {
  DOUBLE[0] = value
  const sign = (WORDS[1] >>> 16) & 0x8000
  const size = Math.abs(value)
  if (Number.isNaN(size)) return 0x7e00
  if (size >= 65520) return sign | 0x7c00
  const exponent = Math.max(-14, ((WORDS[1] >>> 20) & 0x7ff) - 1023)
  const steps = size * 2 ** (10 - exponent) // 1024 to 2048; below 1024 where the half is subnormal
  const below = Math.floor(steps)
  const rest = steps - below
  const whole = below + (rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? 1 : 0)
  return sign | ((exponent + 14) * 1024 + whole) // a carry goes into the exponent by itself
}

/** JSON with names and values, of which nobody has said a thing twice. */
export function parsed(bytes, reason, values) {
  try {
    const found = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    if (typeof found === 'object' && found !== null && !Array.isArray(found)) return found
  } catch {
    // said below
  }
  throw new NotOpened(reason, values)
}

/** The tensors that a file names: {metadata, tensors: Map of name to {name, dtype, shape, count, blob, from, to}}. */
export async function header(blob, name = '', most = MAX_HEADER) {
  const damaged = new NotOpened('damaged', { name: told(name) })
  if (blob.size < 8) throw damaged
  const length = Number(new DataView(await blob.slice(0, 8).arrayBuffer()).getBigUint64(0, true))
  if (length > most || 8 + length > blob.size) throw damaged
  const bytes = new Uint8Array(await blob.slice(8, 8 + length).arrayBuffer())
  const { __metadata__: metadata, ...entries } = parsed(bytes, 'damaged', damaged.values)
  const tensors = new Map()
  const names = Object.keys(entries)
  if (names.length > MAX_TENSORS) throw damaged
  for (const each of names) {
    const { dtype, shape, data_offsets: offsets } = entries[each] ?? {}
    if (!Array.isArray(shape) || !Array.isArray(offsets) || offsets.length !== 2) throw damaged
    const whole = [...shape, ...offsets].every((side) => Number.isSafeInteger(side) && side >= 0)
    if (!whole || shape.length > 8) throw damaged
    const [from, to] = offsets
    const count = shape.reduce((product, side) => product * side, 1)
    const size = DTYPES[dtype]?.[0] ?? OTHERS[dtype]
    if (to >= from && 8 + length + to > blob.size) throw new NotOpened('cut', damaged.values)
    if (to < from || (size && to - from !== count * size)) throw damaged
    const at = 8 + length
    tensors.set(each, { name: each, dtype: String(dtype), shape, count, blob, from: at + from, to: at + to })
  }
  return { metadata: typeof metadata === 'object' ? (metadata ?? {}) : {}, tensors }
}

/** The numbers of a tensor, exactly: a Float64Array or, of narrower types, a Float32Array. */
export async function numbersOf({ name, dtype, blob, from, to }) {
  if (dtype === 'Q8_0') return blocked(await blob.slice(from, to).arrayBuffer())
  if (!Object.hasOwn(DTYPES, dtype)) throw new NotOpened('stored', { name: told(name), dtype: told(dtype) })
  return DTYPES[dtype][1](await blob.slice(from, to).arrayBuffer())
}

/** The bytes of a tensor as they are stored. */
export const bytesOf = async ({ blob, from, to }) => new Uint8Array(await blob.slice(from, to).arrayBuffer())

/** A safetensors file from [name, shape, bytes, dtype], as a list of pieces for a Blob; a pair of texts is metadata. */
export function written(tensors, metadata = {}) {
  let end = 0
  const entries = Object.fromEntries(
    tensors.map(([name, shape, bytes, dtype = 'F32']) => {
      const from = end
      end += bytes.byteLength
      return [name, { dtype, shape, data_offsets: [from, end] }]
    }),
  )
  const said = JSON.stringify({ __metadata__: { format: 'pt', ...metadata }, ...entries })
  const text = new TextEncoder().encode(said)
  const padded = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(32) // data begin at a multiple of 8
  padded.set(text)
  const length = new Uint8Array(8)
  new DataView(length.buffer).setBigUint64(0, BigInt(padded.length), true)
  return [length, padded, ...tensors.map(([, , bytes]) => bytes)]
}

/** Pieces as one array of bytes. */
export function joined(pieces) {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
  }
  return all
}
