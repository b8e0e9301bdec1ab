"""How the base model came to be: a small transformer that reads the base's own mix of voices, from nothing."""

from collections.abc import Callable

import torch

from compute.model.gpt import GPT, GPTConfig
from compute.text.batches import windows
from compute.text.tokenizer import vocab_size
from compute.training import loop

BATCH_SIZE = 32
LEARNING_RATE = 3e-3


def pretrain(seed: int, steps: int, tell: Callable[[int, float], None] = lambda step, loss: None) -> GPT:
    """Return a model that was trained from nothing.

    Parameters
    ----------
    seed : int
        Seed of its first weights. Every seed reads the same texts in the same order.
    steps : int
        Number of updates, at least 2.
    tell : function of int and float, optional
        Is told the number of each step, from 1, and its loss, in nats per token, before its update.

    Returns
    -------
    GPT
        The model, on the CPU.

    Notes
    -----
    No text is read twice. The learning rate rises to LEARNING_RATE in the first twentieth of the steps and falls from
    there. The base of the lessons is what compute.experiments.base makes of seed 0.

    References
    ----------
    Loshchilov & Hutter 2017, arXiv:1711.05101 (AdamW); Smith & Topin 2017, arXiv:1708.07120 (the schedule).

    Examples
    --------
    >>> losses = []
    >>> model = pretrain(1, steps=4, tell=lambda step, loss: losses.append(loss))
    >>> len(losses), losses[-1] < losses[0]
    (4, True)
    """
    model = GPT(GPTConfig(vocab_size()), torch.Generator().manual_seed(seed))
    texts = windows("base", "training", model.config.block_size, count=BATCH_SIZE * steps)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.05
    )
    optimizer.register_step_post_hook(lambda *_: schedule.step())
    for step, loss in enumerate(loop.steps(model.loss, texts.split(BATCH_SIZE), optimizer), start=1):
        tell(step, loss)
    return model
