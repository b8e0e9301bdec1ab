"""The mini-model's way from words to the next word in plain NumPy, with every number on the way kept."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import load
from scipy.special import erf

from compute.model.layers import layer_name
from compute.numbers.records import WORLD, described

NORM_EPS = 1e-5  # as in torch.nn.LayerNorm

# Of each projection of a block: the place that it reads and the place that it writes.
PROJECTIONS = {
    "q_proj": ("norm_1", "q"),
    "k_proj": ("norm_1", "k"),
    "v_proj": ("norm_1", "v"),
    "o_proj": ("mixed", "o"),
    "up_proj": ("norm_2", "up"),
    "down_proj": ("gelu", "down"),
}


class Weights(NamedTuple):
    """Hold a model.

    Attributes
    ----------
    tensors : dict of str to ndarray of float64
        By the names of `compute.model.gpt.GPT`, read-only.
    n_head : int
        Heads of attention in a block.
    n_layer : int
        Blocks.
    """

    tensors: Mapping[str, np.ndarray]
    n_head: int
    n_layer: int


class Places(NamedTuple):
    """Hold every number on the way through a block, one row for each of T tokens.

    Attributes
    ----------
    into : (T, C) ndarray
        What comes into the block.
    norm_1 : (T, C) ndarray
        A normalised copy, which attention reads.
    q : (T, C) ndarray
        Queries, the heads side by side.
    k : (T, C) ndarray
        Keys, likewise.
    v : (T, C) ndarray
        Values, likewise.
    attention : (n_head, T, T) ndarray
        How much token i takes of token j, in each head; each row sums to 1, and nothing is taken from later tokens.
    mixed : (T, C) ndarray
        What the heads took, side by side.
    o : (T, C) ndarray
        What attention adds.
    middle : (T, C) ndarray
        into + o.
    norm_2 : (T, C) ndarray
        A normalised copy, which the MLP reads.
    up : (T, 4 C) ndarray
        Widened.
    gelu : (T, 4 C) ndarray
        Bent.
    down : (T, C) ndarray
        What the MLP adds.
    out : (T, C) ndarray
        middle + down, which the next block reads.
    """

    into: np.ndarray
    norm_1: np.ndarray
    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    attention: np.ndarray
    mixed: np.ndarray
    o: np.ndarray
    middle: np.ndarray
    norm_2: np.ndarray
    up: np.ndarray
    gelu: np.ndarray
    down: np.ndarray
    out: np.ndarray


class Passed(NamedTuple):
    """Hold what a model made of a text.

    Attributes
    ----------
    blocks : tuple of Places
        One for each block.
    next_word : (T, vocab_size) ndarray
        Probabilities of the token after each; each row sums to 1.
    """

    blocks: tuple[Places, ...]
    next_word: np.ndarray


@cache
def base_weights(path: Path = WORLD) -> Weights:
    """Return the base model without torch.

    Parameters
    ----------
    path : Path
        Name of the file of weights. If left out, the base model of the lessons.

    Returns
    -------
    Weights
        Shared and read-only.

    Raises
    ------
    FileRefused
        If the weights are not those that the text beside them describes.

    Examples
    --------
    >>> base_weights().tensors[layer_name(1, "up_proj") + ".weight"].shape
    (256, 64)
    """
    data, about = described(path)
    tensors = {name: tensor.astype(np.float64) for name, tensor in load(data).items()}
    for tensor in tensors.values():
        tensor.flags.writeable = False
    return Weights(tensors, about["config"]["n_head"], about["config"]["n_layer"])


def follow(weights: Weights, tokens: Sequence[int]) -> Passed:
    """Return every number on the way of one text through a model.

    Parameters
    ----------
    weights : Weights
        The model.
    tokens : sequence of int
        The text, with the token that begins it.

    Returns
    -------
    Passed
        In float64.

    Notes
    -----
    The same as `compute.model.gpt.GPT` up to the rounding of float32, which a test compares.

    References
    ----------
    Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3 (norm before, not after);
    Vaswani et al. 2017, arXiv:1706.03762, section 3.2; Hendrycks & Gimpel 2016, arXiv:1606.08415 (GELU).

    Examples
    --------
    >>> passed = follow(base_weights(), [0, 2, 5])
    >>> passed.next_word.shape, [places.up.shape for places in passed.blocks]
    ((3, 320), [(3, 256), (3, 256), (3, 256)])
    """
    tensors = weights.tensors
    x = tensors["embed_tokens.weight"][list(tokens)] + tensors["embed_positions.weight"][: len(tokens)]
    blocks = []
    for block in range(weights.n_layer):
        blocks.append(_through(weights, block, x))
        x = blocks[-1].out
    logits = _norm(tensors, "norm", x) @ tensors["lm_head.weight"].T
    return Passed(tuple(blocks), _softmax(logits))


def _through(weights: Weights, block: int, x: np.ndarray) -> Places:
    def project(name: str, values: np.ndarray) -> np.ndarray:
        return values @ weights.tensors[f"{layer_name(block, name)}.weight"].T

    def heads(values: np.ndarray) -> np.ndarray:
        return values.reshape(len(values), weights.n_head, -1).swapaxes(0, 1)  # (n_head, T, hs)

    norm_1 = _norm(weights.tensors, f"blocks.{block}.norm_1", x)
    q, k, v = (project(name, norm_1) for name in ("q_proj", "k_proj", "v_proj"))
    scores = heads(q) @ heads(k).swapaxes(1, 2) / np.sqrt(q.shape[1] / weights.n_head)
    scores[:, np.triu(np.ones(scores.shape[1:], dtype=bool), 1)] = -np.inf  # what comes later
    attention = _softmax(scores)
    mixed = (attention @ heads(v)).swapaxes(0, 1).reshape(x.shape)
    o = project("o_proj", mixed)
    middle = x + o
    norm_2 = _norm(weights.tensors, f"blocks.{block}.norm_2", middle)
    up = project("up_proj", norm_2)
    gelu = up * (1 + erf(up / np.sqrt(2))) / 2
    down = project("down_proj", gelu)
    return Places(x, norm_1, q, k, v, attention, mixed, o, middle, norm_2, up, gelu, down, middle + down)


def _norm(tensors: Mapping[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt(x.var(axis=-1, keepdims=True) + NORM_EPS)
    return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def _softmax(scores: np.ndarray) -> np.ndarray:
    steps = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return steps / steps.sum(axis=-1, keepdims=True)
