/** Two runs of the same task as Python ships them (__init__.py): LoRA at one r, and full finetuning. */
export class Runs {
  constructor(arrays) {
    Object.assign(this, arrays)
  }

  /** Index of a run's last evaluation at or before a step. */
  evaluation(run, step) {
    return run.steps.findLastIndex((known) => known <= step)
  }

  /** The steps at which both runs were evaluated. */
  get stops() {
    return Array.from({ length: this.reached / this.every + 1 }, (_, i) => i * this.every)
  }

  /** All numbers that a sentence about a step may use; __init__.py makes the same. */
  values(step) {
    const { lora, full, label, names, r, sized, every } = this
    const at = this.evaluation(lora, step)
    const fullAt = this.evaluation(full, step)
    return {
      step: Math.floor(Math.min(step, this.reached) / every) * every,
      label,
      r,
      sized,
      lora_name: names.lora,
      full_name: names.full,
      lora_loss: lora.validation_loss[at],
      full_loss: full.validation_loss[fullAt],
      lora_train: lora.loss[Math.min(step, lora.loss.length - 1)],
      full_train: full.loss[Math.min(step, full.loss.length - 1)],
      facts_before: lora.facts[0],
      lora_task: lora.task[at],
      lora_facts: lora.facts[at],
      lora_stories: lora.stories[at],
      full_task: full.task[fullAt],
      full_facts: full.facts[fullAt],
      full_stories: full.stories[fullAt],
      trainable: lora.trainable,
      full_trainable: full.trainable,
      kilobytes: lora.bytes / 1000,
      seconds: lora.seconds,
    }
  }
}
