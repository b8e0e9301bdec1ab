// The files of a zip archive, each read when it is asked for. Its directory stands at its end: APPNOTE.TXT of PKWARE,
// sections 4.3.12 and 4.3.16.

const [END, ENTRY, LOCAL] = [0x06054b50, 0x02014b50, 0x04034b50]
const END_BYTES = 22
const LOCAL_BYTES = 30
const FURTHEST = 65536 + END_BYTES // from the end of the file, because of a comment there
const [STORED, DEFLATED] = [0, 8]

const viewOf = async (blob) => new DataView(await blob.arrayBuffer())

/** What a stream gives, as long as it is no more than `most` bytes. */
async function all(stream, most) {
  const reader = stream.getReader()
  const pieces = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.length
    if (size > most) throw new Error('too large')
    pieces.push(value)
  }
  return new Blob(pieces)
}

/** One file of an archive as a Blob: a part of the archive where it is stored, what comes out where it is deflated. */
async function inside(blob, { method, packed, from }, most) {
  const view = await viewOf(blob.slice(from, from + LOCAL_BYTES))
  if (view.getUint32(0, true) !== LOCAL) throw new Error('damaged')
  const begin = from + LOCAL_BYTES + view.getUint16(26, true) + view.getUint16(28, true)
  const piece = blob.slice(begin, begin + packed)
  if (method === STORED) return piece
  if (method !== DEFLATED) throw new Error('damaged')
  return all(piece.stream().pipeThrough(new DecompressionStream('deflate-raw')), most)
}

/**
 * The files of an archive whose path is `wanted`: [[path, Blob]], the first one of each path. None may have more than
 * `most` bytes. Throws where the archive is damaged.
 */
export async function unzipped(blob, wanted, most) {
  const tail = await viewOf(blob.slice(Math.max(0, blob.size - FURTHEST)))
  let end = tail.byteLength - END_BYTES
  while (tail.getUint32(end, true) !== END) end -= 1 // a RangeError before the beginning
  const count = tail.getUint16(end + 10, true)
  const size = tail.getUint32(end + 12, true)
  const begin = tail.getUint32(end + 16, true)
  const view = await viewOf(blob.slice(begin, begin + size))
  const found = new Map()
  let at = 0
  for (let i = 0; i < count; i++) {
    if (view.getUint32(at, true) !== ENTRY) throw new Error('damaged')
    const [method, packed] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true)]
    const [letters, more, words] = [28, 30, 32].map((place) => view.getUint16(at + place, true))
    const from = view.getUint32(at + 42, true)
    const path = new TextDecoder().decode(new Uint8Array(view.buffer, at + 46, letters))
    at += 46 + letters + more + words
    if (found.has(path) || !wanted(path)) continue
    found.set(path, await inside(blob, { method, packed, from }, most))
  }
  return [...found]
}
