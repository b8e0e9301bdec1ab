// Some files of a zip archive. Its directory stands at its end: APPNOTE.TXT of PKWARE, sections 4.3.12 and 4.3.16.

const [END, ENTRY] = [0x06054b50, 0x02014b50]
const END_BYTES = 22
const [STORED, DEFLATED] = [0, 8]

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
  return new Uint8Array(await new Blob(pieces).arrayBuffer())
}

/** The files of an archive with these names, in whatever folder: [[name, bytes]]. Throws where it is damaged. */
export async function unzipped(bytes, wanted, most) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let end = bytes.length - END_BYTES
  while (view.getUint32(end, true) !== END) end -= 1 // a RangeError before the beginning
  const count = view.getUint16(end + 10, true)
  let at = view.getUint32(end + 16, true)
  const found = []
  for (let i = 0; i < count; i++) {
    if (view.getUint32(at, true) !== ENTRY) throw new Error('damaged')
    const [method, packed] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true)]
    const [letters, more, words] = [28, 30, 32].map((place) => view.getUint16(at + place, true))
    const from = view.getUint32(at + 42, true)
    const name = new TextDecoder()
      .decode(bytes.subarray(at + 46, at + 46 + letters))
      .split('/')
      .at(-1)
    at += 46 + letters + more + words
    if (!wanted.includes(name) || found.some(([known]) => known === name)) continue
    const begin = from + 30 + view.getUint16(from + 26, true) + view.getUint16(from + 28, true)
    const piece = new Blob([bytes.subarray(begin, begin + packed)]).stream()
    if (method !== STORED && method !== DEFLATED) throw new Error('damaged')
    found.push([
      name,
      await all(method === STORED ? piece : piece.pipeThrough(new DecompressionStream('deflate-raw')), most),
    ])
  }
  return found
}
