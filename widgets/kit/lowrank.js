import { peak } from './arrays.js'

/**
 * The rank-r copy of a matrix, sum over i < r of s[i] U[:, i] Vh[i, :], kept up to date as r moves.
 * Moving r by one adds or takes away one outer product; a longer way back than from nothing starts from nothing.
 */
export class LowRank {
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
