const KINDS = { f4: Float32Array, f8: Float64Array, i1: Int8Array, i2: Int16Array }

/** Decode {kind, data} (base64, little endian, as NumPy's tobytes gives it) into a typed array. */
export function decode({ kind, data }) {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0))
  return new KINDS[kind](bytes.buffer)
}

/** One row of a (rows, columns) array that lies flat in memory. */
export const row = (flat, columns, i) => flat.subarray(i * columns, (i + 1) * columns)

/** The largest magnitude in an array. */
export function peak(values) {
  let top = 0
  for (let i = 0; i < values.length; i++) top = Math.max(top, Math.abs(values[i]))
  return top
}
