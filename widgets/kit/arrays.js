const KINDS = { f4: Float32Array, f8: Float64Array, i1: Int8Array, i2: Int16Array }

/** Decode {kind, data} (base64, little endian, as NumPy's tobytes gives it) into a typed array. */
export function decode({ kind, data }) {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0))
  return new KINDS[kind](bytes.buffer)
}

/** Numbers that Python shipped in equal steps (matrix.py), and where they end. */
export function dequantised({ kind, data, top }) {
  const steps = decode({ kind, data })
  const last = kind === 'i1' ? 127 : 32767
  return { values: Float32Array.from(steps, (step) => (step * top) / last), top }
}

/** One row of a (rows, columns) array that lies flat in memory. */
export const row = (flat, columns, i) => flat.subarray(i * columns, (i + 1) * columns)

/** The largest magnitude in an array. */
export function peak(values) {
  let top = 0
  for (let i = 0; i < values.length; i++) top = Math.max(top, Math.abs(values[i]))
  return top
}
