"""How often a model goes on in the voice that it is given the start of."""

import torch

from compute.model.gpt import GPT, generate
from compute.text.batches import windows
from compute.text.tokenizer import decode
from compute.text.voices import STOP, longest_sentence, voice_of

GIVEN = 2  # words of a sentence that a model is to go on with: they tell the voice


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
