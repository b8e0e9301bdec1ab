// An adapter of llama.cpp: names, types and places of its tensors, as gguf-py/gguf/constants.py numbers them.

import { NotOpened, told } from './refused.js'
import { joined } from './safetensors.js'

const MOST = 64e6 // bytes of a header; one of a model holds its vocabulary
const TYPES = { 0: ['F32', 4], 1: ['F16', 2], 8: ['Q8_0', 34 / 32], 30: ['BF16', 2], 28: ['F64', 8] }
const SIZES = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 }
const [FLOAT, STRING, ARRAY] = [6, 8, 9]
const ALIGNED = 32

/** The tensors and values of a GGUF file, as `header` in safetensors.js gives them. */
export async function ggufHeader(blob, name) {
  const view = new DataView(await blob.slice(0, MOST).arrayBuffer())
  let at = 4
  const take = (size, get) => {
    const value = get.call(view, at, true) // a RangeError where the file has ended
    at += size
    return value
  }
  const u32 = () => take(4, view.getUint32)
  const u64 = () => Number(take(8, view.getBigUint64))
  const text = () => {
    const length = u64()
    if (!(length <= view.byteLength - at)) throw new RangeError('text')
    const found = new TextDecoder().decode(new Uint8Array(view.buffer, at, length))
    at += length
    return found
  }
  const value = (type) => {
    if (type === STRING) return text()
    if (type === ARRAY) {
      const [inner, many] = [u32(), u64()]
      if (inner === ARRAY) throw new RangeError('array')
      if (inner === STRING) for (let i = 0; i < many; i++) text()
      else at += many * (SIZES[inner] ?? NaN)
      if (!(at <= view.byteLength)) throw new RangeError('array')
      return null
    }
    if (!SIZES[type]) throw new RangeError('type')
    if (type === FLOAT) return take(4, view.getFloat32)
    if (type === 12) return take(8, view.getFloat64)
    if (type === 4 || type === 5) return u32()
    at += SIZES[type]
    return null
  }
  try {
    u32() // the version
    const [many, pairs] = [u64(), u64()]
    const metadata = {}
    for (let i = 0; i < pairs; i++) {
      const key = text()
      metadata[key] = value(u32())
    }
    if (metadata['general.type'] !== 'adapter') throw new NotOpened('gguf', { name: told(name) })
    const places = []
    for (let i = 0; i < many; i++) {
      const key = text()
      const sides = u32()
      if (sides > 8) throw new RangeError('sides')
      const shape = Array.from({ length: sides }, u64).reverse()
      places.push([key, shape, u32(), u64()])
    }
    const aligned = metadata['general.alignment'] ?? ALIGNED
    const data = Math.ceil(at / aligned) * aligned
    const tensors = new Map()
    for (const [key, shape, type, begin] of places) {
      const [dtype, size] = TYPES[type] ?? [`type ${type} of GGUF`, 0]
      const count = shape.reduce((product, side) => product * side, 1)
      if (dtype === 'Q8_0' && shape.at(-1) % 32) throw new RangeError('blocks')
      const from = data + begin
      const to = from + count * size
      if (!Number.isSafeInteger(to) || to > blob.size) throw new RangeError('place')
      tensors.set(key, { name: key, dtype, shape, count, blob, from, to })
    }
    return { metadata, tensors, gguf: true }
  } catch (error) {
    if (error instanceof NotOpened) throw error
    throw new NotOpened('damaged', { name: told(name) })
  }
}

const u32 = (value) => new Uint8Array(Uint32Array.of(value).buffer)
const u64 = (value) => new Uint8Array(BigUint64Array.of(BigInt(value)).buffer)
const written = (text) => {
  const bytes = new TextEncoder().encode(text)
  return [u64(bytes.length), bytes]
}
const padded = (bytes) => [bytes, new Uint8Array((ALIGNED - (bytes.length % ALIGNED)) % ALIGNED)]

/** A GGUF file of tensors [name, shape, bytes, dtype] and values [key, text or number], as a list of pieces for a Blob. */
export function ggufWritten(tensors, values) {
  const head = [new TextEncoder().encode('GGUF'), u32(3), u64(tensors.length), u64(values.length)]
  for (const [key, value] of values)
    head.push(
      ...written(key),
      ...(typeof value === 'string'
        ? [u32(STRING), ...written(value)]
        : [u32(FLOAT), new Uint8Array(Float32Array.of(value).buffer)]),
    )
  let end = 0
  const body = []
  for (const [name, shape, bytes, dtype] of tensors) {
    const type = Object.keys(TYPES).find((number) => TYPES[number][0] === dtype)
    head.push(...written(name), u32(shape.length), ...shape.toReversed().map(u64), u32(type), u64(end))
    body.push(...padded(bytes))
    end += Math.ceil(bytes.length / ALIGNED) * ALIGNED
  }
  return [...padded(joined(head)), ...body]
}
