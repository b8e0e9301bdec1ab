"""Finetune a model on one task after the other, and ask what is left of each."""

from collections.abc import Iterator

import torch

from compute.model.gpt import GPT, generate
from compute.text.batches import steps_of, windows
from compute.text.tokenizer import decode
from compute.text.voices import STOP, longest_sentence, voice_of
from compute.training.config import TrainConfig
from compute.training.loop import OPTIMIZERS

GIVEN = 2  # words of a sentence that a model is to go on with: they tell the voice


def updates(model: GPT, config: TrainConfig) -> Iterator[int]:
    """Train what a model has to train, and yield after each update how many there have been.

    Parameters
    ----------
    model : GPT
        Any model; what asks for gradients learns, in place. It need not be fresh: this is how a task is learned after
        another.
    config : TrainConfig
        What to learn: task, optimizer, learning_rate, steps, batch_size, seed, n_texts and base_share count.

    Yields
    ------
    int
        Updates made, from 1.

    Notes
    -----
    The optimiser starts anew, as in a run of its own. On a model as `compute.training.loop.prepare` makes it the
    updates are those of `compute.training.loop.train`.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> from compute.training.loop import prepare
    >>> config = TrainConfig(steps=2, batch_size=4)
    >>> [*updates(prepare(config, load_base()), config)]
    [1, 2]
    """
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = OPTIMIZERS[config.optimizer](learning, lr=config.learning_rate)
    for step, texts in enumerate(steps_of(config, model.config.block_size), start=1):
        optimizer.zero_grad()
        model.loss(texts.to(model.lm_head.weight.device)).backward()
        optimizer.step()
        yield step


@torch.no_grad()
def completed_share(model: GPT, voice: str, number: int, seed: int) -> float:
    """Return how often a model goes on in a voice that it is given the start of.

    Parameters
    ----------
    model : GPT
        The model, with or without an adapter.
    voice : str
        One of `compute.text.voices.VOICES`.
    number : int
        How many sentences are begun, always the same ones.
    seed : int
        Seed of the dice.

    Returns
    -------
    float
        Share in 0..1 of the sentences that the voice's grammar can make, as `compute.text.voices.voice_of` tells
        exactly.

    Notes
    -----
    The first GIVEN words are those of unseen sentences. The standard error of a share p is
    sqrt(p * (1 - p) / number).

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> completed_share(load_base(), "plain", number=50, seed=0) > 0.9
    True
    """
    starts = windows(voice, "validation", model.config.block_size, count=number)[:, : 1 + GIVEN]
    generator = torch.Generator().manual_seed(seed)
    length = min(model.config.block_size, 1 + longest_sentence())
    texts = generate(model, starts.to(model.lm_head.weight.device), length, generator).tolist()
    return sum(voice_of(_first_sentence(decode(text))) == voice for text in texts) / number


def _first_sentence(words: list[str]) -> list[str]:
    return words[: words.index(STOP) + 1] if STOP in words else words
