"""Runs of which only the losses are wanted, many of them: recordings of sweeps are made of these."""

import math
from typing import NamedTuple

import torch

from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.text.batches import windows
from compute.training.config import TrainConfig, refuse_unused
from compute.training.loop import out_of_bounds, prepare, updates


class ShortRun(NamedTuple):
    """Hold the losses of one run.

    Attributes
    ----------
    loss : list of float
        On the texts of each step before its update, in nats per token. Shorter than the run if it diverged.
    final : float or None
        After the last update, on texts of the task that were not trained on. None if the run diverged.
    """

    loss: list[float]
    final: float | None


def short_run(config: TrainConfig, base: GPT | None = None) -> ShortRun:
    """Finetune on the CPU and return the losses.

    Parameters
    ----------
    config : TrainConfig
        The run.
    base : GPT, optional
        A plain model on the CPU, which is not touched. If left out, the base model of the lessons.

    Returns
    -------
    ShortRun
        The same numbers as those of `compute.training.loop.train` on a CPU, which also measures what a model
        forgets and writes, and takes half as long again for it. A run diverges where it does there.

    Examples
    --------
    >>> run = short_run(TrainConfig(task="legal", steps=3, batch_size=4))
    >>> len(run.loss), run.final < run.loss[0] + 1
    (3, True)
    """
    base = load_base() if base is None else base
    model = prepare(config, base)
    losses: list[float] = []
    for loss in updates(model, config):
        if not math.isfinite(loss) or loss > out_of_bounds([*losses, loss][0], base.config.vocab_size):
            return ShortRun(losses, None)
        losses.append(loss)
    with torch.no_grad():
        final = model.loss(windows(config.task, "validation", base.config.block_size)).item()
    return ShortRun(losses, final if math.isfinite(final) else None)


def first_gain(config: TrainConfig, base: GPT) -> float:
    """Return how fast the first step lowers the loss of its texts, as its learning rate grows from zero.

    Parameters
    ----------
    config : TrainConfig
        A LoRA run that starts with lora_B = 0.
    base : GPT
        A plain model on the CPU, which is not touched.

    Returns
    -------
    float
        In nats per token and unit of learning rate.

    Raises
    ------
    ValueError
        If the run is no LoRA run that starts with lora_B = 0, or trains the embeddings too.

    Notes
    -----
    Only lora_B moves in the first step: SGD by -lr * grad_lora_B, Adam by -lr in the direction of each entry's sign.
    So the loss falls by lr times the sum of the squares, or of the magnitudes, of all grad_lora_B.

    Examples
    --------
    >>> base = load_base()
    >>> one, other = (first_gain(TrainConfig(alpha=alpha, optimizer="sgd"), base) for alpha in (8, 16))
    >>> round(other / one, 3)  # the scaling counts twice
    4.0
    """
    refuse_unused(config, "first_gain", "method", "init", "train_embeddings")
    model = prepare(config, base)
    next(updates(model, config))
    power = 2 if config.optimizer == "sgd" else 1
    grads = [p.grad for name, p in model.named_parameters() if name.endswith("lora_B") and p.grad is not None]
    return sum(grad.abs().pow(power).sum().item() for grad in grads)


def frequency_loss(task: str, block_size: int) -> float:
    """Return the loss of a writer who knows how often each word comes, and nothing else.

    Parameters
    ----------
    task : str
        One of `compute.text.voices.TASKS`.
    block_size : int
        Words in each text.

    Returns
    -------
    float
        Mean cross-entropy in nats per token on the task's validation texts, of the word counts in its training
        texts, each word counted once more so that none is impossible.

    Examples
    --------
    >>> 3 < frequency_loss("new language", 32) < 3.5  # a blind guess has 5.6
    True
    """
    counts = torch.bincount(windows(task, "training", block_size)[:, 1:].flatten()).double()
    words = windows(task, "validation", block_size)[:, 1:].flatten()
    counts = torch.nn.functional.pad(counts, (0, max(0, int(words.max()) + 1 - len(counts)))) + 1
    return -(counts[words] / counts.sum()).log().mean().item()
