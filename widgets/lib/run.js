/** Two runs of the same task as Python ships them (widgets/lab.py): LoRA at one r, and full finetuning. */
export class Runs {
  constructor(arrays) {
    Object.assign(this, arrays)
    this.last = this.lora.steps.at(-1)
    this.stride = this.lora.steps[1] - this.lora.steps[0]
  }

  /** Index of the last evaluation at or before a step. */
  evaluation(step) {
    return this.lora.steps.findLastIndex((known) => known <= step)
  }

  /** All numbers that a sentence about a step may use; widgets/lab.py makes the same. */
  values(step) {
    const { lora, full, label, r } = this
    const at = this.evaluation(step)
    const train = Math.min(step, lora.loss.length - 1)
    return {
      step: lora.steps[at],
      label,
      r,
      lora_loss: lora.validation_loss[at],
      full_loss: full.validation_loss[at],
      lora_train: lora.loss[train],
      full_train: full.loss[train],
      base_before: lora.base_loss[0],
      lora_base: lora.base_loss[at],
      full_base: full.base_loss[at],
      trainable: lora.trainable,
      full_trainable: full.trainable,
      kilobytes: lora.bytes / 1000,
      seconds: lora.seconds,
    }
  }
}
