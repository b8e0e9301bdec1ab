"""Texts as tensors."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch.nn.functional import pad

from compute.numbers.bounds import whole
from compute.world.dice import Dice
from compute.world.stories import SPLITS, Source
from compute.world.tasks import examples
from compute.world.texts import Asked, write
from compute.world.tokens import BEGIN, encode


def windows(source: Source, start: int, count: int, block_size: int) -> torch.Tensor:
    """Return texts of a source, each a begin token and the words after it.

    Parameters
    ----------
    source : Source
        What is told.
    start : int
        Number of the first text, from 0. A text is the same whichever others are asked for, so that a run which goes
        on reads on.
    count : int
        Number of texts n, at least 1.
    block_size : int
        Words in each text.

    Returns
    -------
    (n, block_size + 1) tensor of int64
        On the CPU. Texts of the same number in two splits are drawn by other dice.

    Raises
    ------
    ValueError
        If a number is below its least.

    Examples
    --------
    >>> texts = windows(Source(), 0, 4, 64)
    >>> texts.shape, bool((texts[2:] == windows(Source(), 2, 2, 64)).all())
    (torch.Size([4, 65]), True)
    """
    whole("start", start, 0)
    whole("count", count, 1)
    split = [*SPLITS].index(source.split)
    numbers = range(start, start + count)
    return torch.tensor([encode(write(source, block_size, Dice(split, number))) for number in numbers])


def batches(texts: torch.Tensor, batch_size: int, steps: int, seed: int) -> torch.Tensor:
    """Return which texts each step of a run trains on.

    Parameters
    ----------
    texts : (n, T) tensor
        Texts to choose from.
    batch_size : int
        Texts in a step.
    steps : int
        Steps.
    seed : int
        Seed of the choice.

    Returns
    -------
    (steps, batch_size) tensor of int64
        Indices into texts, drawn independently.

    Examples
    --------
    >>> batches(torch.zeros(10, 3), batch_size=4, steps=2, seed=0).shape
    torch.Size([2, 4])
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(len(texts), (steps, batch_size), generator=generator)


class Texts(NamedTuple):
    """Hold texts, and which of their words are learned from.

    Attributes
    ----------
    tokens : (n, T) tensor of int64
        Each a begin token and the words after it; shorter ones are filled up with begin tokens.
    learned : (n, T - 1) tensor of bool, or None
        Whether the next token is, at least one in each row. None where all are.
    """

    tokens: torch.Tensor
    learned: torch.Tensor | None = None

    def some(self, rows: torch.Tensor) -> "Texts":
        """Return some of the texts, by their numbers (m,), cut where the longest of them ends."""
        if self.learned is None:
            return Texts(self.tokens[rows])
        learned = self.learned[rows]
        longest = int(learned.any(0).nonzero().max()) + 1
        return Texts(self.tokens[rows, : longest + 1], learned[:, :longest])

    def to(self, device: torch.device) -> "Texts":
        """Return the texts on a device."""
        return Texts(
            self.tokens.to(device), self.learned if self.learned is None else self.learned.to(device)
        )


def together(one: Texts, other: Texts) -> Texts:
    """Return the texts of two, those of the first first.

    Parameters
    ----------
    one, other : Texts
        Either may be shorter than the other, or empty.

    Returns
    -------
    Texts
        All of them, the shorter ones filled up.

    Examples
    --------
    >>> texts = together(texts_of("new facts", "train", 2, 64), texts_of("formal voice", "train", 1, 64))
    >>> texts.tokens.shape, texts.learned.sum(1).tolist()
    (torch.Size([3, 65]), [1, 1, 64])
    """
    if one.learned is None and other.learned is None:
        return Texts(torch.cat([one.tokens, other.tokens]))
    T = max(one.tokens.shape[1], other.tokens.shape[1])
    tokens, learned = [], []
    for each in (one, other):
        missing = (0, T - each.tokens.shape[1])
        every = torch.ones(each.tokens[:, 1:].shape, dtype=torch.bool)
        tokens.append(pad(each.tokens, missing, value=BEGIN))
        learned.append(pad(every if each.learned is None else each.learned, missing))
    return Texts(torch.cat(tokens), torch.cat(learned))


@lru_cache(64)
def texts_of(task: str, split: str, count: int, block_size: int) -> Texts:
    """Return the texts of a task.

    Parameters
    ----------
    task : str
        One of `compute.world.tasks.TASKS`.
    split : str
        "train", "validation" or "test".
    count : int
        How many, at least 1.
    block_size : int
        Words that each can have.

    Returns
    -------
    Texts
        On the CPU, always the same, and fewer where there are no more. Do not write to them: they are kept and shared.

    Raises
    ------
    ValueError
        If there is no such task or split, or count or block_size is below 1.

    Examples
    --------
    >>> texts = texts_of("new facts", "train", 2, 64)
    >>> texts.tokens.shape, texts.learned[0].tolist()  # a begin token, six words of the question, the answer
    (torch.Size([2, 8]), [False, False, False, False, False, False, True])
    """
    found = examples(task, split, count, block_size)
    if all(each.learned == len(each.words) for each in found):
        return Texts(torch.tensor([encode(each.words) for each in found]))
    longest = max(len(each.words) for each in found)
    tokens = [encode(each.words) + [BEGIN] * (longest - len(each.words)) for each in found]
    places = torch.arange(longest)
    ends = torch.tensor([len(each.words) for each in found])[:, None]
    first = ends - torch.tensor([each.learned for each in found])[:, None]
    return Texts(torch.tensor(tokens), (places >= first) & (places < ends))


@torch.no_grad()
def right(model: torch.nn.Module, asked: Sequence[Asked]) -> list[bool]:
    """Return which questions a model answers rightly: the word that it finds the most likely is the answer.

    Parameters
    ----------
    model : GPT
        The model, with or without an adapter.
    asked : sequence of Asked
        Questions, each no longer than its block_size less the begin token.

    Returns
    -------
    list of bool
        In the order of the questions.

    Examples
    --------
    >>> from compute.model.gpt import GPT, GPTConfig
    >>> from compute.world.texts import questions
    >>> from compute.world.tokens import vocab_size
    >>> model = GPT(GPTConfig(vocab_size(), 64), torch.Generator().manual_seed(0))
    >>> sum(right(model, questions(Source(facts=0), "place", 20, 64, seed=0))) < 8
    True
    """
    said = expected(model, asked).argmax(-1)
    _, *answers = encode(each.answer for each in asked)
    return (said.cpu() == torch.tensor(answers)).tolist()


@torch.no_grad()
def expected(model: torch.nn.Module, asked: Sequence[Asked]) -> torch.Tensor:
    """Return how likely a model finds each word as the answer to questions.

    Parameters
    ----------
    model : GPT
        The model, with or without an adapter.
    asked : sequence of Asked
        Questions, at least one, each no longer than its block_size less the begin token.

    Returns
    -------
    (n, vocab_size) tensor
        Probabilities, in the order of the questions, where the model is.

    Examples
    --------
    >>> from compute.model.gpt import GPT, GPTConfig
    >>> from compute.world.people import old_people
    >>> from compute.world.texts import of_facts
    >>> model = GPT(GPTConfig(323, 64), torch.Generator().manual_seed(0))
    >>> expected(model, of_facts(old_people(), "what likes")).shape
    torch.Size([256, 323])
    """
    where = model.lm_head.weight.device
    texts = [encode(each.words) for each in asked]
    longest = max(map(len, texts))
    # What stands after a question does not matter: the model looks back only.
    padded = torch.tensor([[*text, *[BEGIN] * (longest - len(text))] for text in texts], device=where)
    ends = torch.tensor([len(text) - 1 for text in texts], device=where)
    return model(padded)[torch.arange(len(texts), device=where), ends].softmax(-1)
