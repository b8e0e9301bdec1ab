/** What has been told of a run: a loss and norms for every step, what the model could do at some of them. */
export class History {
  constructor(steps) {
    Object.assign(this, { steps, losses: [], norms: [], evaluations: [], looked: null, over: false })
  }

  add(news) {
    for (const { loss, norms, evaluation } of news) {
      if (norms && Number.isFinite(loss)) {
        this.losses.push(loss)
        this.norms.push(norms)
      }
      if (evaluation) this.evaluations.push(evaluation)
    }
  }

  /** Updates made so far. */
  get step() {
    return this.over && !this.diverged ? this.steps : this.losses.length
  }

  /** What the base could do; undefined before anything is known. */
  get first() {
    return this.evaluations[0]
  }

  /** The last evaluation at a step or before it; undefined before the first. */
  evaluation(step) {
    return this.evaluations.findLast((each) => each.step <= step)
  }
}

/** A run that was recorded: compute/experiments/watched.py. All of it is there from the start, of one layer. */
export class Recording extends History {
  constructor({ losses, norms, asked, old, evaluations, frames, scaling }) {
    super(losses.length)
    const said = (questions, words) => questions.map((each, i) => ({ ...each, said: words[i] }))
    const whole = (each) => ({
      ...each,
      asked: said(asked, each.asked),
      old: said(old, each.old),
      samples: [],
    })
    const recorded = { losses, norms, frames, scaling, evaluations: evaluations.map(whole), over: true }
    Object.assign(this, recorded)
    this.look(this.steps)
  }

  /** Show what the layer had learned at a step, as a Worker tells it of a run of its own. */
  look(step) {
    const { lora_A, lora_B, s } = this.frames.findLast((each) => each.step <= step)
    const r = s.length
    const [out, into] = [lora_B.length / r, lora_A.length / r]
    const entry = (i) => {
      const [y, x] = [Math.floor(i / into), i % into]
      let sum = 0
      for (let j = 0; j < r; j++) sum += lora_B[y * r + j] * lora_A[j * into + x]
      return this.scaling * sum
    }
    const delta_w = Float32Array.from({ length: out * into }, (_, i) => entry(i))
    this.looked = { step, shape: [out, into], lora_A, lora_B, delta_w, s }
  }
}
