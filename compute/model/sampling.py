"""What a model writes, and in whose voice."""

from collections import Counter
from collections.abc import Sequence

import torch

from compute.model.gpt import GPT, generate
from compute.text.tokenizer import decode, encode, readable
from compute.text.voices import NO_VOICE, STOP, VOICES, longest_sentence, voice_of


def write_sentences(
    model: GPT, number: int, seed: int, prompt: str = "", temperature: float = 1.0, length: int | None = None
) -> list[list[str]]:
    """Return sentences that a model writes.

    Parameters
    ----------
    model : GPT
        The model, with or without an adapter.
    number : int
        How many sentences.
    seed : int
        Seed of the dice. The same seed gives each model the same throws.
    prompt : str
        How each sentence begins; empty for the choice of the model.
    temperature : float
        1 samples as the model predicts; less is more cautious. Above 0.
    length : int, optional
        Tokens after which a sentence is cut. If left out, the block_size of the model.

    Returns
    -------
    list of list of str
        The words of each, up to the first full stop after the prompt, which may be missing where length ran out.

    Raises
    ------
    compute.text.tokenizer.UnknownWord
        If the prompt has a word that the model does not know.
    ValueError
        If the prompt is longer than length, or the temperature is not above 0.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> len(write_sentences(load_base(), number=3, seed=0, prompt="the old"))
    3
    """
    start = encode(prompt)
    tokens = torch.tensor([start] * number, device=model.lm_head.weight.device)
    generator = torch.Generator().manual_seed(seed)
    texts = generate(model, tokens, length or model.config.block_size, generator, temperature).tolist()
    sentences = []
    for text in texts:
        words, new = decode(text[: len(start)]), decode(text[len(start) :])
        end = new.index(STOP) + 1 if STOP in new else len(new)
        sentences.append(words + new[:end])
    return sentences


def voice_shares(model: GPT, number: int, seed: int) -> dict[str, float]:
    """Return how often a model writes in each voice.

    Parameters
    ----------
    model : GPT
        The model, with or without an adapter.
    number : int
        How many sentences are written and told apart.
    seed : int
        Seed of the dice.

    Returns
    -------
    dict of str to float
        A share in 0..1 for each of VOICES, and for "none": what no grammar makes. They sum to 1.

    Notes
    -----
    The standard error of a share p is sqrt(p * (1 - p) / number): below 0.036 for 200 sentences. What has no full
    stop after the length of the longest sentence of any voice is "none", so that no more is written.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> shares = voice_shares(load_base(), number=50, seed=0)
    >>> max(shares, key=shares.get)
    'plain'
    """
    enough = min(model.config.block_size, 1 + longest_sentence())  # a begin token, and the words
    sentences = write_sentences(model, number, seed, length=enough)
    counted = Counter(voice_of(words) for words in sentences)
    return {voice: counted[voice] / number for voice in (*VOICES, NO_VOICE)}


def samples(model: GPT, number: int, seed: int, prompt: str = "") -> tuple[str, ...]:
    """Return sentences that a model writes, ready to be shown.

    Parameters
    ----------
    model : GPT
        The model, with or without an adapter.
    number : int
        How many sentences.
    seed : int
        Seed of the dice.
    prompt : str
        How each sentence begins.

    Returns
    -------
    tuple of str
        One text each; an ellipsis ends what was cut after 20 tokens.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> samples(load_base(), number=1, seed=0, prompt="the old dog")[0].startswith("the old dog")
    True
    """
    length = min(model.config.block_size, 20 + len(encode(prompt)))
    return tuple(map(as_text, write_sentences(model, number, seed, prompt, length=length)))


def as_text(words: Sequence[str]) -> str:
    """Return a sentence of a model, ready to be shown.

    Parameters
    ----------
    words : sequence of str
        As `write_sentences` gives them.

    Returns
    -------
    str
        One text; an ellipsis ends what has no full stop.

    Examples
    --------
    >>> as_text(["the", "old", "dog", "runs", "to"])
    'the old dog runs to …'
    """
    return readable(words) + " …" * (words[-1:] != [STOP])
