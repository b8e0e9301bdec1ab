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

  /** The last evaluation at a step or before it; undefined before the first. */
  evaluation(step) {
    return this.evaluations.findLast((each) => each.step <= step)
  }
}
