import { decode, peak, row } from './arrays.js'

/**
 * The rank-r copy of a matrix, sum over i < r of s[i] U[:, i] Vh[i, :], kept up to date as r moves.
 * Moving r by one adds or takes away one outer product; a longer way back than from nothing starts from nothing.
 */
class LowRank {
  constructor({ U, s, Vh, rows, columns }) {
    Object.assign(this, { U, s, Vh, rows, columns, k: s.length })
    this.copy = new Float64Array(rows * columns) // (rows, columns)
    this.residual = new Float64Array(rows * columns)
    this.r = 0
    this.peak = 0
    for (let r = 1; r <= this.k; r++) {
      this.add(r - 1, 1)
      this.peak = Math.max(this.peak, peak(this.copy))
    }
    this.full = this.copy.slice()
    this.r = this.k
    this.seek(0)
  }

  add(i, sign) {
    const { U, Vh, k, rows, columns, copy } = this
    const at = i * columns
    for (let y = 0, cell = 0; y < rows; y++) {
      const weight = sign * this.s[i] * U[y * k + i]
      for (let x = 0; x < columns; x++) copy[cell++] += weight * Vh[at + x]
    }
  }

  /** Make `copy` the rank-r copy and `residual` what it misses. */
  seek(r) {
    if (r < this.r && r < this.r - r) {
      this.copy.fill(0)
      this.r = 0
    }
    while (this.r < r) this.add(this.r++, 1)
    while (this.r > r) this.add(--this.r, -1)
    if (r === this.k) this.copy.set(this.full) // exact: no rounding is left over from the way here
    for (let i = 0; i < this.full.length; i++) this.residual[i] = this.full[i] - this.copy[i]
  }

  /** Balanced factors U sqrt(s) (rows, k) and sqrt(s) Vh (k, columns) of the whole matrix. */
  factors() {
    const { U, s, Vh, k, rows, columns } = this
    const lora_B = new Float64Array(rows * k)
    const lora_A = new Float64Array(k * columns)
    for (let i = 0; i < k; i++) {
      const root = Math.sqrt(s[i])
      for (let y = 0; y < rows; y++) lora_B[y * k + i] = U[y * k + i] * root
      for (let x = 0; x < columns; x++) lora_A[i * columns + x] = Vh[i * columns + x] * root
    }
    return { lora_B, lora_A }
  }
}

/** A matrix as Python ships it (matrix.py), unpacked: factors to draw from, curves, controls. */
export class Matrix {
  constructor(arrays) {
    const { key, label, note, shape, steps, drawn, knee, tolerance, break_even, snippet, k } = arrays
    Object.assign(this, {
      key,
      label,
      note,
      shape,
      steps,
      drawn,
      knee,
      tolerance,
      break_even,
      snippet,
      k,
    })
    for (const name of ['U', 's', 'Vh', 'error', 'energy']) this[name] = decode(arrays[name])
    const norm = Math.sqrt(this.s.reduce((sum, value) => sum + value * value, 0))
    this.share = this.s.map((value) => value / norm) // of the norm, so that noise can stand beside it
    this.noise = arrays.controls.map(({ label, name, k, ...bands }) => {
      const rows = (what, columns) => [0, 1, 2].map((i) => row(decode(bands[what]), columns, i))
      return { label, name, error: rows('error', k + 1), energy: rows('energy', k + 1), s: rows('s', k) }
    })
    const [rows, columns] = drawn
    this.lowrank = new LowRank({ U: this.U, s: this.s, Vh: this.Vh, rows, columns })
    this.factors = this.lowrank.factors()
    this.tops = {
      matrix: this.lowrank.peak,
      factor: Math.max(peak(this.factors.lora_B), peak(this.factors.lora_A)),
    }
  }

  /** All numbers that a sentence about rank r may use; widgets/rank/__init__.py makes the same. */
  values(r) {
    const [out, into] = this.shape
    const [noise] = this.noise
    const stored = r * (out + into)
    const total = out * into
    const last = r - 1 // index of the r-th singular value; there is none at r = 0
    return {
      r,
      label: this.label,
      tolerance: this.tolerance,
      out,
      in: into,
      stored,
      total,
      times: stored < total ? total / stored : stored / total,
      error: this.error[r],
      energy: this.energy[r],
      s: r ? this.s[last] : 0,
      share: r ? this.share[last] : 0,
      noise_name: noise.name,
      noise_low: noise.error[0][r],
      noise_error: noise.error[1][r],
      noise_high: noise.error[2][r],
      noise_energy: noise.energy[1][r],
      noise_s: r ? noise.s[1][last] : 0,
    }
  }
}

/** Which sentence fits: nothing kept, fewer numbers than the matrix has, as many, or more. */
export function savingCase({ r, stored, total }) {
  if (r === 0) return 'nothing'
  if (stored === total) return 'even'
  return stored < total ? 'saves' : 'costs'
}
