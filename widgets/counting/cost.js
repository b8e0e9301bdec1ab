const GB = 1e9
const MB = 1e6

/** What full finetuning, LoRA and QLoRA train and keep, from the sizes that Python ships (__init__.py). */
export class Cost {
  constructor(arrays) {
    this.arrays = arrays
  }

  /** The numbers of one state of the choices; `tokens` is what the model can read of the chosen context. */
  at({ model: name, targets, precision, r, batch, context }) {
    const { models, precisions } = this.arrays
    const model = models[name]
    const { weights, gradients, optimiser } = precisions[precision]
    const tokens = Math.min(Number(context), model.block_size)
    return {
      model,
      target: model.targets[targets],
      weights,
      gradients,
      optimiser,
      r,
      tokens,
      cut: tokens < Number(context),
      trained: r * model.targets[targets].per_rank,
      activations: this.activations(model, Number(batch), tokens, weights),
    }
  }

  /** Bytes of the input of each block and of the scores of all tokens. */
  activations({ n_embd, n_layer, vocab_size }, batch, tokens, weights) {
    return batch * tokens * (n_embd * n_layer * weights + vocab_size * this.arrays.logits)
  }

  /** Bytes of weights, gradients and optimiser states by method. */
  states({ model, trained, weights, gradients, optimiser }) {
    const { total, linear } = model
    const keep = (frozen, numbers) => ({
      weights: frozen + numbers * weights,
      gradients: numbers * gradients,
      optimiser: numbers * optimiser,
    })
    const fourBit = (total - linear) * weights + (linear * this.arrays.nf4) / 8
    return { full: keep(0, total), lora: keep(total * weights, trained), qlora: keep(fourBit, trained) }
  }

  /** All numbers that the sentence may use; __init__.py makes the same. */
  values(state) {
    const { model, target, trained, weights } = state
    const { full, lora, qlora } = this.states(state)
    const sum = (states) => states.weights + states.gradients + states.optimiser
    return {
      r: state.r,
      label: model.label,
      targets: target.said,
      total: model.total,
      trained,
      per_rank: target.per_rank,
      bytes: weights,
      fewer: model.total / trained,
      adapter_mb: (trained * weights) / MB,
      model_gb: (model.total * weights) / GB,
      full: sum(full) / GB,
      lora: sum(lora) / GB,
      qlora: sum(qlora) / GB,
      less: sum(full) / sum(lora),
      context: state.tokens,
      activations: state.activations / GB,
      even: target.adapted / target.per_rank,
      largest: this.arrays.cards.at(-1),
    }
  }

  /** What a bar and a row of the table say, by method. */
  bars(state, methods) {
    const { cards } = this.arrays
    const largest = cards.at(-1)
    return Object.entries(this.states(state)).map(([name, { weights, gradients, optimiser }]) => {
      const size = weights + gradients + optimiser + state.activations
      return {
        name,
        method: methods[name],
        method_trained: name === 'full' ? state.model.total : state.trained,
        weights: weights / GB,
        gradients: gradients / GB,
        optimiser: optimiser / GB,
        extra: state.activations / GB,
        sum: size / GB,
        card: cards.find((card) => size <= card * GB) ?? null,
        cards: Math.ceil(size / (largest * GB)),
        largest,
      }
    })
  }

  /** What the code needs. */
  code({ model, target, r, weights, gradients, optimiser }) {
    const { n_layer, total, linear } = model
    const each = weights + gradients + optimiser
    return { layers: target.layers, n_layer, total, linear, r, nf4: this.arrays.nf4, weight: weights, each }
  }
}
