"""Runs of which only the end is wanted, many of them: recordings of sweeps are made of these."""

import math
from typing import NamedTuple

import torch

from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.training.answers import base_loss, shares, write_texts
from compute.training.config import TrainConfig, refuse_unused
from compute.training.loop import out_of_bounds, prepare, updates
from compute.world.batches import texts_of
from compute.world.tasks import ANSWERING, FACTS, TELLING

# On how much an outcome is measured, for validation on half as much.
TEXTS, QUESTIONS = 256, 512  # of a task
WRITTEN = 64  # texts
STORIES = 128  # of the base's own, and of each kind of question on them
PEOPLE = 256  # whom the base knows


class Outcome(NamedTuple):
    """Hold what a run came to.

    Attributes
    ----------
    loss : float
        On texts of the task that were not trained on, in nats per word that is learned; of new facts on all of them.
    base_loss : float
        On texts of the base's own, in nats per word.
    task : float
        Share of the task's answers that are right, or of the sentences written that are as the task wants them.
    facts : float
        Share of the facts that the base knew, and that the model still does.
    stories : float
        Share of the questions about stories.
    numbers : int
        That were trained.
    """

    loss: float
    base_loss: float
    task: float
    facts: float
    stories: float
    numbers: int


def finetuned(config: TrainConfig, base: GPT | None = None) -> GPT | None:
    """Finetune and return the model.

    Parameters
    ----------
    config : TrainConfig
        The run.
    base : GPT, optional
        A plain model on the CPU, which is not touched. If left out, the base model of the lessons.

    Returns
    -------
    GPT or None
        The model with what was learned. None if the run diverged.

    Examples
    --------
    >>> model = finetuned(TrainConfig(task="new facts", method="ia3", n_texts=8, steps=2, batch_size=4))
    >>> sum(p.numel() for p in model.parameters() if p.requires_grad)
    1152
    """
    base = load_base() if base is None else base
    model, first = prepare(config, base), math.nan
    for loss in updates(model, config):
        first = loss if math.isnan(first) else first
        if not math.isfinite(loss) or loss > out_of_bounds(
            first, base.config.vocab_size, config.task in ANSWERING
        ):
            return None
    return model


def outcomes(
    config: TrainConfig, splits: tuple[str, ...], base: GPT | None = None
) -> dict[str, Outcome] | None:
    """Finetune and return what came of it.

    Parameters
    ----------
    config : TrainConfig
        The run.
    splits : tuple of str
        On which texts it is measured, each of "validation" and "test".
    base : GPT, optional
        A plain model on the CPU, which is not touched. If left out, the base model of the lessons.

    Returns
    -------
    dict of str to Outcome, or None
        By split. None if the run diverged.

    Examples
    --------
    >>> config = TrainConfig(task="new facts", n_texts=8, steps=2, batch_size=4)
    >>> outcomes(config, ("test",))["test"].numbers
    13824
    """
    model = finetuned(config, base)
    if model is None:
        return None
    found = {split: measured_on(model, config.task, split, config.n_texts) for split in splits}
    return None if any(math.isnan(each.loss + each.base_loss) for each in found.values()) else found


def measured_on(model: GPT, task: str, split: str, n_texts: int) -> Outcome:
    """Return what a model can do, measured on more than a run that is watched has time for.

    Parameters
    ----------
    model : GPT
        The model, with or without an adapter, on the CPU.
    task : str
        One of `compute.world.tasks.TASKS`.
    split : str
        "validation" or "test".
    n_texts : int
        Of new facts, how many there were to learn.

    Returns
    -------
    Outcome
        Of 256 texts or 512 questions of the task, of 64 texts written, of every person that the base knows and of 384
        questions about stories. Half as many of each for "validation".

    Examples
    --------
    >>> found = measured_on(load_base(), "who had it first", "validation", 8)
    >>> found.task < 0.1 < 0.9 < found.facts
    True
    """
    share = 1 if split == "test" else 2
    block_size = model.config.block_size
    count = n_texts if task == FACTS else (TEXTS if task in TELLING else QUESTIONS) // share
    with torch.no_grad():
        loss = model.loss(*texts_of(task, split, count, block_size)).item()
    written = write_texts(model, WRITTEN // share, seed=0) if task in TELLING else []
    right = shares(model, task, split, STORIES // share, PEOPLE // share, written, n_texts)
    numbers = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return Outcome(loss, base_loss(model, split, STORIES // share), **right, numbers=numbers)


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


def frequency_loss(
    task: str, block_size: int, split: str = "validation", n_texts: int = TrainConfig.n_texts
) -> float:
    """Return the loss of a writer who knows how often each word comes, and nothing else.

    Parameters
    ----------
    task : str
        One of `compute.world.tasks.TASKS`.
    block_size : int
        Words in each text.
    split : str
        On which texts, "validation" or "test".
    n_texts : int
        As of the TrainConfig: those that the words are counted in.

    Returns
    -------
    float
        Mean cross-entropy in nats per word that is learned, of the word counts in the task's training texts, each
        word counted once more so that none is impossible.

    Examples
    --------
    >>> 3.5 < frequency_loss("mirror voice", 64, "test", 512) < 4  # a blind guess has 5.8
    True
    """
    told = n_texts if task == FACTS else 256
    both = (texts_of(task, of, count, block_size) for of, count in (("train", n_texts), (split, told)))
    read, words = (
        texts.tokens[:, 1:].flatten() if texts.learned is None else texts.tokens[:, 1:][texts.learned]
        for texts in both
    )
    size = max(int(read.max()), int(words.max())) + 1
    counts = torch.bincount(read, minlength=size).double() + 1
    return -(counts[words] / counts.sum()).log().mean().item()
