import { decode, peak, row } from './arrays.js'
import { LowRank } from './lowrank.js'

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
