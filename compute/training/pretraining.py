"""How a base model comes to be: a small transformer that reads texts, from nothing."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_

from compute.model.gpt import GPT, GPTConfig
from compute.numbers.bounds import whole
from compute.training import loop
from compute.world.batches import windows
from compute.world.stories import Source
from compute.world.tokens import encode

BATCH_SIZE = 32
LEARNING_RATE = 1e-3
PERIOD, PLACE, SHARP = 100.0, 1.5, 8.0  # of the first weights: slowest turn, length beside a word's, gain
ANSWERS = 11  # times a word that answers counts as much as another; there are few of them
WARM_UP = 0.05  # of the steps
LARGEST_NORM = 1.0  # of all gradients together; a longer one is shortened
KEEP_EVERY = 500  # steps
AVERAGES = ("exp_avg", "exp_avg_sq")  # that AdamW holds of each number


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


@torch.no_grad()
def first_weights(config: GPTConfig, generator: torch.Generator) -> GPT:
    """Return a model that has read nothing yet, each head of whose first block looks back a word further.

    Parameters
    ----------
    config : GPTConfig
        Sizes. A head's width hs = n_embd / n_head is even.
    generator : torch.Generator
        Where all other first weights come from.

    Returns
    -------
    GPT
        The model, on the CPU.

    Raises
    ------
    ValueError
        If a head's width is odd.

    Notes
    -----
    Who is where must be found in two steps: the place learns who stood a few words before it, then the question finds
    the place that has learned of the one asked. A model of GPT-2's first weights finds neither without the other, and
    knows the two places of a story and not whose is which even after thousands of steps. So the first step is given.
    A place t of the text is hs / 2 pairs sin(w t), cos(w t), w from 1 to 1 / PERIOD, in the first hs numbers of its
    vector, where words have none. Turning each pair by -w d makes a query for the word d places before, and head d of
    the first block starts with that. All linear layers start sqrt(768 / n_embd) times as large as in GPT-2, whose
    width was 768, so that what they write is as large as there.

    References
    ----------
    Vaswani et al. 2017, arXiv:1706.03762, section 3.5 (positions); Trockman & Kolter 2023, arXiv:2305.09828 (first
    weights that look like trained ones).

    Examples
    --------
    >>> model = first_weights(GPTConfig(vocab_size=10), torch.Generator().manual_seed(0))
    >>> x = model.blocks[0].norm_1(model.embed(torch.arange(10)[None]))
    >>> q, k = (
    ...     layer(x)[0, :, 16:32]
    ...     for layer in (model.blocks[0].attention.q_proj, model.blocks[0].attention.k_proj)
    ... )
    >>> (q @ k.T)[5].argmax().item()  # the second head, at place 5
    3
    """
    hs = config.n_embd // config.n_head
    if hs % 2:
        raise ValueError(f"A head's width, n_embd / n_head, must be even, got {hs}.")
    model = GPT(config, generator)
    for block in model.blocks:
        for weight in (*block.attention.parameters(), *block.mlp.parameters()):
            weight *= math.sqrt(768 / config.n_embd)
    w = PERIOD ** -(torch.arange(hs // 2) / (hs // 2))
    turns = torch.arange(config.block_size)[:, None] * w  # (block_size, hs / 2)
    places = torch.stack([turns.sin(), turns.cos()], -1).flatten(1)  # (block_size, hs)
    model.embed_tokens.weight[:, :hs] = 0
    model.embed_positions.weight.zero_()
    model.embed_positions.weight[:, :hs] = PLACE * places / math.sqrt(hs / 2)
    first = model.blocks[0].attention
    q, k = (layer.weight.view(config.n_head, hs, -1).zero_() for layer in (first.q_proj, first.k_proj))
    k[:, :, :hs] = SHARP * torch.eye(hs)
    for head in range(config.n_head):
        back = (head + 1) * w
        pairs = torch.stack([back.cos(), -back.sin(), back.sin(), back.cos()], -1).view(-1, 2, 2)
        q[head, :, :hs] = SHARP * torch.block_diag(*pairs)
    return model


def reading_loss(model: GPT, texts: torch.Tensor) -> torch.Tensor:
    """Return the loss that a base learns from.

    Parameters
    ----------
    model : GPT
        The model.
    texts : (n, T) tensor of int64
        Texts of the world.

    Returns
    -------
    () tensor
        Mean cross-entropy in nats per token, in which a word that follows a question mark counts ANSWERS times.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> reading_loss(load_base(), windows(Source(), 0, 4, 64)).item() < 2
    True
    """
    before, after = texts[:, :-1], texts[:, 1:]
    each = F.cross_entropy(model(before).flatten(0, 1), after.flatten(), reduction="none")
    counts = 1.0 + (ANSWERS - 1) * (before == encode("?")[-1]).flatten()
    return (each * counts).sum() / counts.sum()


def pretrain(
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
        Is told the number of each step, from 1, and its loss, before its update: nats per token, answers ANSWERS times.

    Returns
    -------
    GPT
        The model, on the CPU: the same, bit for bit, however often it was stopped.

    Raises
    ------
    ValueError
        If there are fewer than 2 steps, or what is kept there is another run.

    Examples
    --------
    >>> from compute.world.tokens import vocab_size
    >>> losses = []
    >>> config = GPTConfig(vocab_size(), block_size=16, n_layer=1, n_embd=16)
    >>> model = pretrain(config, Source(), 0, 4, Path("a"), lambda _, loss: losses.append(loss))
    >>> len(losses), losses[-1] < losses[0]
    (4, True)
    """
    whole("steps", steps, 2)
    model = first_weights(config, torch.Generator().manual_seed(seed))
    run = json.dumps({"config": asdict(config), "seed": seed, "steps": steps, "source": repr(source)})

    def texts(step: int) -> torch.Tensor:
        return windows(source, step * BATCH_SIZE, BATCH_SIZE, config.block_size)

    read_texts(model, partial(reading_loss, model), texts, steps, run, kept, tell)
    return model


def read_texts(
    model: GPT,
    loss_of: Callable[[torch.Tensor], torch.Tensor],
    texts: Callable[[int], torch.Tensor],
    steps: int,
    run: str,
    kept: Path,
    tell: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """Let a model read texts, in place; a run that was stopped goes on where it was kept.

    Parameters
    ----------
    model : GPT
        All of it learns, by AdamW at the `rate` of each step.
    loss_of : callable
        What is to fall, for the texts of a step.
    texts : function of int
        The texts of a step, counted from 0.
    steps : int
        Number of updates, at least 2.
    run : str
        What tells this run from others.
    kept : Path
        As for `pretrain`.
    tell : function of int and float, optional
        Is told the number of each step, from 1, and its loss before its update.

    Raises
    ------
    ValueError
        If there are fewer than 2 steps, or what is kept there is another run.

    References
    ----------
    Loshchilov & Hutter 2017, arXiv:1711.05101 (AdamW), and 2016, arXiv:1608.03983 (the cosine).

    Examples
    --------
    >>> model, losses = GPT(GPTConfig(10, n_layer=1), torch.Generator().manual_seed(0)), []
    >>> same = torch.arange(8)[None] % 3
    >>> read_texts(model, model.loss, lambda _: same, 4, "a", Path("a"), lambda _, loss: losses.append(loss))
    >>> len(losses), losses[-1] < losses[0]
    (4, True)
    """
    whole("steps", steps, 2)
    optimizer = torch.optim.AdamW(model.parameters())
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
    every = (texts(step) for step in range(start, steps))
    for step, loss in enumerate(loop.steps(loss_of, every, optimizer), start=start + 1):
        tell(step, loss)
    kept.unlink(missing_ok=True)


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
