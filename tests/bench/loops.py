"""The plainest training there is, beside which ours is measured: no evaluations, no norms, nobody who watches.

These are jobs: a worker of the runner imports them by name, so that both loops run in the same process as ours.
"""

import copy
import warnings
from collections.abc import Iterator
from time import perf_counter, process_time
from typing import Any

from compute.training.config import TrainConfig


def bare_loop(config: dict[str, Any], layers: str, steps: int) -> Iterator[list[tuple[float, float]]]:
    """Train with the LoRA layers of "ours" or "peft"; yield when each step ended, by the clock and by the processor."""

    from compute.model.checkpoint import load_base
    from compute.training.loop import OPTIMIZERS, device, prepare
    from compute.world.batches import batches, texts_of

    chosen, base = TrainConfig(**config), load_base()
    if layers == "ours":
        model = prepare(chosen, base).to(device())
        loss_of = model.loss
    else:
        model = wrapped(chosen, base).to(device())
        loss_of = model.base_model.model.loss  # past the wrapper's own forward, which would cost time besides
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = OPTIMIZERS[chosen.optimizer](learning, lr=chosen.learning_rate)
    texts = texts_of(chosen.task, "train", chosen.n_texts, base.config.block_size).to(device())
    marks = []
    for batch in batches(texts.tokens, chosen.batch_size, steps, chosen.seed):
        optimizer.zero_grad()
        loss = loss_of(*texts.some(batch))
        loss.backward()
        optimizer.step()
        marks.append((perf_counter(), process_time()))
    yield marks


def wrapped(config: TrainConfig, base):
    """Return the base with an adapter of the peft library, of the same sizes as ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what other libraries say while they are imported is not ours
        import peft
    chosen = peft.LoraConfig(r=config.r, lora_alpha=config.alpha, target_modules=list(config.target_modules))
    return peft.get_peft_model(copy.deepcopy(base), chosen)
