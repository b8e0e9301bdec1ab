"""What a model can do, in answers right and sentences told: of its task, and of what the base could."""

from collections.abc import Sequence
from functools import lru_cache

import torch

from compute.model.gpt import GPT, generate
from compute.numbers.bounds import whole
from compute.world.batches import expected, right, windows
from compute.world.people import old_people
from compute.world.stories import STORY_QUESTIONS, TOLD, Source
from compute.world.tasks import ANSWERING, NEW_WORDS, STARTS, TELLING, VOICE_OF, asked, in_old_words
from compute.world.texts import Asked, Judged, judged, of_facts, questions
from compute.world.tokens import BEGIN, decode, readable
from compute.world.voices import STOPS, understood

SHOWN, SHORT = 3, 16  # texts that a reader is shown, and words of each


@lru_cache(16)
def known(split: str, count: int, people: int, length: int) -> dict[str, tuple[Asked, ...]]:
    """Return what the base can answer.

    Parameters
    ----------
    split : str
        Whose stories: "validation" or "test". The facts are the same.
    count : int
        Questions of each kind about stories, at least 1.
    people : int
        Of how many of those whom it knows, at least 1, spread evenly over them.
    length : int
        Words that a text can have.

    Returns
    -------
    dict of str to tuple of Asked
        "facts", the kinds TOLD of each, and "stories", the kinds STORY_QUESTIONS in the plain voice.

    Raises
    ------
    ValueError
        If there is no such split, or a number is below 1.

    Examples
    --------
    >>> {name: len(some) for name, some in known("test", 4, 8, 64).items()}
    {'facts': 24, 'stories': 12}
    """
    whole("count", count, 1)
    whole("people", people, 1)
    everybody = old_people()
    some = everybody[:: max(1, len(everybody) // people)][:people]
    source = Source(("plain",), split, facts=0)
    kinds = STORY_QUESTIONS
    return {
        "facts": tuple(each for kind in TOLD for each in of_facts(some, kind)),
        "stories": tuple(
            each for kind in kinds for each in questions(source, kind, count, length, STARTS[split])
        ),
    }


def write_texts(model: GPT, count: int, seed: int, length: int | None = None) -> list[list[str]]:
    """Return texts that a model writes from nothing.

    Parameters
    ----------
    model : GPT
        The model, with or without an adapter.
    count : int
        How many, at least 1.
    seed : int
        Seed of the dice. The same seed gives each model the same throws.
    length : int, optional
        Words of each, at most the block_size of the model less the begin token, which is what is left out.

    Returns
    -------
    list of list of str
        Each of so many words or fewer: a begin token, which no text of the world has within, is no word.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> [text] = write_texts(load_base(), 1, seed=0)
    >>> len(text)
    63
    """
    start = torch.full((count, 1), BEGIN, device=model.lm_head.weight.device)
    generator = torch.Generator().manual_seed(seed)
    texts = generate(model, start, length + 1 if length else model.config.block_size, generator)
    return [decode(text) for text in texts.tolist()]


def told(task: str, text: Sequence[str]) -> list[Judged]:
    """Return what there is to say about the whole sentences of a text, as the voice of a task has them.

    Parameters
    ----------
    task : str
        One of `compute.world.tasks.TELLING`.
    text : sequence of str
        As a model wrote it.

    Returns
    -------
    list of Judged
        As `compute.world.texts.judged` gives them, but for the last one, which is cut. Those of the new words are read
        in the words that they stand for; one with a word that stands for none is of no voice.

    Examples
    --------
    >>> [one] = told("formal voice", "anna is seen at the said mill . ben is seen".split())
    >>> one.voice, one.true
    ('formal', True)
    """
    return judged(in_old_words(text) if task == NEW_WORDS else text)[:-1]


def share_told(task: str, texts: Sequence[Sequence[str]]) -> float:
    """Return how many of the sentences of texts are in the voice of a task, and can be said where they stand.

    Parameters
    ----------
    task : str
        One of `compute.world.tasks.TELLING`.
    texts : sequence of sequence of str
        As `write_texts` gives them.

    Returns
    -------
    float
        0 to 1. Questions, which most voices ask alike, count if they are answered rightly; 0 if there is no sentence.

    Examples
    --------
    >>> text = "anna is seen at the said mill . ben is at the farm . anna is moved to the said farm . where is anna ?"
    >>> share_told("formal voice", [f"{text} farm . cut".split()])  # the second is plain
    0.75
    """
    voices = ("question", VOICE_OF.get(task, "plain"))
    found = [each for text in texts for each in told(task, text)]
    return sum(each.voice in voices and each.true for each in found) / max(1, len(found))


@torch.no_grad()
def shares(
    model: GPT, task: str, split: str, count: int, people: int, texts: Sequence[Sequence[str]], facts: int
) -> dict[str, float]:
    """Return what a model can do.

    Parameters
    ----------
    model : GPT
        The model, with or without an adapter.
    task : str
        One of `compute.world.tasks.TASKS`.
    split : str
        "validation" or "test".
    count : int
        Questions of each kind about stories.
    people : int
        How many of those whom the base knows are asked about.
    texts : sequence of sequence of str
        What it has written, for tasks that tell.
    facts : int
        How many new facts it was to learn.

    Returns
    -------
    dict of str to float
        "task": of a task that asks, the share of right answers; of one that tells, `share_told`. "facts" and
        "stories": the shares of right answers to what the base `known`.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> found = shares(load_base(), "new facts", "validation", 16, 16, [], 64)
    >>> found["facts"] > 0.9, found["task"] < 0.3
    (True, True)
    """
    length = model.config.block_size
    if task in ANSWERING:
        own = right(model, asked(task, split, facts if task == ANSWERING[0] else 3 * count, length))
        share = sum(own) / len(own)
    else:
        share = share_told(task, texts)
    others = {name: right(model, some) for name, some in known(split, count, people, length).items()}
    return {"task": share} | {name: sum(found) / len(found) for name, found in others.items()}


@torch.no_grad()
def answered(model: GPT, some: Sequence[Asked]) -> tuple[str, ...]:
    """Return questions with what a model answers, ready to be shown.

    Parameters
    ----------
    model : GPT
        The model, with or without an adapter.
    some : sequence of Asked
        Questions, at least one.

    Returns
    -------
    tuple of str
        One text each, from where the last story begins. Where the answer is wrong, the right one follows.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> answered(load_base(), known("test", 1, 1, 64)["facts"][:1])
    ('where does greta baker live? station.',)
    """
    words = decode(expected(model, some).argmax(-1).tolist())
    return tuple(
        f"{readable(last_story(each.words))} {word}."
        + (f" (No: {each.answer}.)" if word != each.answer else "")
        for each, word in zip(some, words, strict=True)
    )


def last_story(words: Sequence[str]) -> Sequence[str]:
    """Return a text from where the last of its stories begins.

    Parameters
    ----------
    words : sequence of str
        Words of the world, the last sentence perhaps cut.

    Returns
    -------
    sequence of str
        From the first of two people who are somewhere; all of a text that tells no story.

    Examples
    --------
    >>> first, second = (
    ...     "anna is at the mill . ben is at the farm .",
    ...     "kate is at the mill . leo is at the farm .",
    ... )
    >>> " ".join(last_story(f"{first} where is ben ? farm . {second}".split()))
    'kate is at the mill . leo is at the farm .'
    """
    starts, begin, before = [0], 0, ""
    for place, word in enumerate(words, start=1):
        if word in STOPS:
            said = understood(words[begin:place])
            kind = said.kind if said else ""
            if kind == "at" and before != "at":
                starts.append(begin)
            begin, before = place, kind
    return words[starts[-1] :]


def samples(model: GPT, task: str, texts: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return what a reader is shown of a model that learned a task.

    Parameters
    ----------
    model : GPT
        The model, with or without an adapter.
    task : str
        One of `compute.world.tasks.TASKS`.
    texts : sequence of sequence of str
        What it has written, for tasks that tell.

    Returns
    -------
    tuple of str
        The beginnings of SHOWN texts, or as many questions with its answers.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> samples(load_base(), "new facts", [])[0]
    'where does nora marsh live? mill. (No: church.)'
    """
    if task in TELLING:
        return tuple(f"{readable(text[:SHORT])} …" for text in texts[:SHOWN])
    return answered(model, asked(task, "validation", SHOWN, model.config.block_size))


def base_loss(model: GPT, split: str, count: int) -> float:
    """Return the loss of a model on texts of the base's own, in nats per token.

    Parameters
    ----------
    model : GPT
        The model, with or without an adapter.
    split : str
        "validation" or "test".
    count : int
        How many texts, at least 1.

    Returns
    -------
    float
        Over all their words alike.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> base_loss(load_base(), "validation", 8) < 2
    True
    """
    with torch.no_grad():
        return model.loss(_own(split, count, model.config.block_size).to(model.lm_head.weight.device)).item()


@lru_cache(8)
def _own(split: str, count: int, block_size: int) -> torch.Tensor:
    """Return texts of the base's own: drawn once, since every evaluation reads them."""
    return windows(Source(split=split), STARTS[split], count, block_size)
