"""Text as tensors: windows of tokens to train on, and others to validate on."""

from functools import lru_cache

import numpy as np
import torch

from compute.numbers.bounds import one_of, whole
from compute.text.tokenizer import encode
from compute.text.voices import TRAINING_TEXTS, VOICES, write

VALIDATION = 64  # 2,048 words: enough to compare models on the same texts, and soon done while a model trains
SPLITS = {"training": TRAINING_TEXTS, "validation": VALIDATION}


@lru_cache(64)
def windows(voice: str, split: str, block_size: int, count: int | None = None) -> torch.Tensor:
    """Return the texts of a voice, each a begin token and the words after it.

    Parameters
    ----------
    voice : str
        One of `compute.text.voices.VOICES`, or "base" for the base's own mix of them.
    split : str
        "training" or "validation"; the two are drawn independently.
    block_size : int
        Words in each text.
    count : int, optional
        Number of texts n; if left out, TRAINING_TEXTS or VALIDATION.

    Returns
    -------
    (n, block_size + 1) tensor of int64
        On the CPU, always the same. Do not write to it: it is kept and shared.

    Raises
    ------
    ValueError
        If there is no such voice or split, or block_size or count is below 1.

    Notes
    -----
    A text may be in both splits by chance. Most are in one only, since four sentences in a row make a window.

    Examples
    --------
    >>> windows("legal", "validation", 32).shape
    torch.Size([64, 33])
    """
    one_of("voice", voice, (*VOICES, "base"))
    one_of("split", split, SPLITS)
    whole("block_size", block_size, 1)
    if count is not None:
        whole("count", count, 1)
    rng = np.random.default_rng([[*SPLITS].index(split), *voice.encode()])
    number = SPLITS[split] if count is None else count
    return torch.tensor([encode(write(voice, block_size, rng)) for _ in range(number)])


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
