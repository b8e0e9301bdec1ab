"""How a base model comes to be: a small transformer that reads texts, from nothing."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn.utils import clip_grad_norm_

from compute.model.gpt import GPT, GPTConfig
from compute.numbers.bounds import whole
from compute.text.batches import windows
from compute.text.tokenizer import vocab_size
from compute.training import loop
from compute.world.batches import windows as texts_of
from compute.world.stories import Source

BATCH_SIZE = 32
LEARNING_RATE = 3e-3
WARM_UP = 0.05  # of the steps
LARGEST_NORM = 1.0  # of all gradients together; a longer one is shortened
KEEP_EVERY = 500  # steps
AVERAGES = ("exp_avg", "exp_avg_sq")  # that AdamW holds of each number


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


def rate(done: int, steps: int) -> float:
    """Return the learning rate of a step.

    Parameters
    ----------
    done : int
        Steps made before it, at least 0 and below `steps`.
    steps : int
        Steps of the whole run.

    Returns
    -------
    float
        It rises to LEARNING_RATE in the first twentieth of the steps, and falls from there along half a cosine.

    Raises
    ------
    ValueError
        If there are fewer than 2 steps, or no such step.

    Examples
    --------
    >>> rate(49, 1000) == LEARNING_RATE, rate(999, 1000) < LEARNING_RATE / 1000
    (True, True)
    """
    whole("steps", steps, 2)
    whole("done", done, 0, steps - 1)
    rises = max(1, round(WARM_UP * steps))
    if done < rises:
        return LEARNING_RATE * (done + 1) / rises
    return LEARNING_RATE * (1 + math.cos(math.pi * (done + 1 - rises) / (steps - rises))) / 2


def read_world(
    config: GPTConfig,
    source: Source,
    seed: int,
    steps: int,
    kept: Path,
    tell: Callable[[int, float], None] = lambda step, loss: None,
) -> GPT:
    """Return a model that has read texts of a source; a run that was stopped goes on where it was kept.

    Parameters
    ----------
    config : GPTConfig
        Sizes.
    source : Source
        What it reads of.
    seed : int
        Seed of its first weights. Every seed reads the same texts in the same order, and none twice.
    steps : int
        Number of updates, at least 2.
    kept : Path
        Where the run is kept, every KEEP_EVERY steps: weights and both averages of AdamW, as safetensors. The file
        is removed at the end.
    tell : function of int and float, optional
        Is told the number of each step, from 1, and its loss, in nats per token, before its update.

    Returns
    -------
    GPT
        The model, on the CPU: the same, bit for bit, however often it was stopped.

    Raises
    ------
    ValueError
        If there are fewer than 2 steps, or what is kept there is another run.

    References
    ----------
    Loshchilov & Hutter 2017, arXiv:1711.05101 (AdamW), and 2016, arXiv:1608.03983 (the cosine).

    Examples
    --------
    >>> from compute.world.tokens import vocab_size as world_size
    >>> losses = []
    >>> config = GPTConfig(world_size(), block_size=16, n_layer=1, n_embd=16)
    >>> model = read_world(config, Source(), 0, 4, Path("a"), lambda _, loss: losses.append(loss))
    >>> len(losses), losses[-1] < losses[0]
    (4, True)
    """
    whole("steps", steps, 2)
    model = GPT(config, torch.Generator().manual_seed(seed))
    optimizer = torch.optim.AdamW(model.parameters())
    run = json.dumps({"config": asdict(config), "seed": seed, "steps": steps, "source": repr(source)})
    start = done = _taken_up(kept, run, model, optimizer)

    def before(*_) -> None:
        for group in optimizer.param_groups:
            group["lr"] = rate(done, steps)
        clip_grad_norm_(model.parameters(), LARGEST_NORM)

    def after(*_) -> None:
        nonlocal done
        done += 1
        if done % KEEP_EVERY == 0:
            _keep(kept, run, done, model, optimizer)

    optimizer.register_step_pre_hook(before)
    optimizer.register_step_post_hook(after)
    texts = (
        texts_of(source, step * BATCH_SIZE, BATCH_SIZE, config.block_size) for step in range(start, steps)
    )
    for step, loss in enumerate(loop.steps(model.loss, texts, optimizer), start=start + 1):
        tell(step, loss)
    kept.unlink(missing_ok=True)
    return model


def _keep(kept: Path, run: str, done: int, model: GPT, optimizer: torch.optim.Optimizer) -> None:
    tensors = dict(model.state_dict())
    for name, parameter in model.named_parameters():
        for average in AVERAGES:
            tensors[f"{average}.{name}"] = optimizer.state[parameter][average]
    beside = kept.with_name(f"{kept.name}.new")  # whoever stops it here finds the last one whole
    save_file(tensors, beside, {"run": run, "done": str(done)})
    beside.replace(kept)


def _taken_up(kept: Path, run: str, model: GPT, optimizer: torch.optim.Optimizer) -> int:
    """Set a model and its optimiser to what is kept, and return the steps that were made; 0 if nothing is."""
    if not kept.exists():
        return 0
    with safe_open(kept, "pt") as file:
        about = file.metadata()
        if about["run"] != run:
            raise ValueError(f"{kept} keeps another run: finish that one, or remove the file.")
        model.load_state_dict({name: file.get_tensor(name) for name in model.state_dict()})
        for name, parameter in model.named_parameters():
            averages = {average: file.get_tensor(f"{average}.{name}") for average in AVERAGES}
            optimizer.state[parameter] = {"step": torch.tensor(float(about["done"])), **averages}
    return int(about["done"])
