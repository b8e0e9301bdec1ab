"""Texts as tensors."""

from collections.abc import Sequence

import torch

from compute.numbers.bounds import whole
from compute.world.dice import Dice
from compute.world.stories import SPLITS, Source
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
    return (said == torch.tensor(answers)).tolist()


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
        Probabilities, in the order of the questions.

    Examples
    --------
    >>> from compute.model.gpt import GPT, GPTConfig
    >>> from compute.world.people import old_people
    >>> from compute.world.texts import of_facts
    >>> model = GPT(GPTConfig(323, 64), torch.Generator().manual_seed(0))
    >>> expected(model, of_facts(old_people(), "what likes")).shape
    torch.Size([256, 323])
    """
    texts = [encode(each.words) for each in asked]
    longest = max(map(len, texts))
    # What stands after a question does not matter: the model looks back only.
    padded = torch.tensor([[*text, *[BEGIN] * (longest - len(text))] for text in texts])
    ends = torch.tensor([len(text) - 1 for text in texts])
    return model(padded)[torch.arange(len(texts)), ends].softmax(-1)
