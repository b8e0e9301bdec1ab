"""One adapter of many by itself: switched on alone, measured, and beside random matrices of the same size."""

from collections.abc import Collection, Sequence

import numpy as np

from compute.adapters.merging import relative_change
from compute.adapters.mixing import Layers
from compute.matrices.controls import random_change
from compute.model.forward import Weights, follow


def switched_on(weights: Weights, adapter: Layers, on: Collection[str]) -> Weights:
    """Return a model in which some layers of an adapter are on and the others off.

    Parameters
    ----------
    weights : Weights
        The base. It is not changed.
    adapter : Layers
        Factors by the name of the layer.
    on : collection of str
        Names of layers that are on.

    Returns
    -------
    Weights
        W + delta_w in the layers that are on, W in all others.

    Raises
    ------
    ValueError
        If the adapter has no such layer.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.1.

    Examples
    --------
    >>> from compute.model.forward import base_weights
    >>> switched_on(base_weights(), {}, []) == base_weights()
    True
    """
    if missing := set(on) - adapter.keys():
        raise ValueError(f"the adapter has no {', '.join(sorted(missing))}.")
    for name in on:
        weights = plus(weights, name, adapter[name].delta_w)
    return weights


def plus(weights: Weights, name: str, change: np.ndarray) -> Weights:
    """Return a model with something added to the weight of one layer.

    Parameters
    ----------
    weights : Weights
        The model. It is not changed.
    name : str
        Name of the layer.
    change : (out, in) ndarray
        What is added.

    Returns
    -------
    Weights
        All other tensors are shared.

    Examples
    --------
    >>> from compute.model.forward import base_weights
    >>> more = plus(base_weights(), "lm_head", np.ones((320, 64)))
    >>> bool(np.allclose(more.tensors["lm_head.weight"] - base_weights().tensors["lm_head.weight"], 1))
    True
    """
    key = f"{name}.weight"
    return weights._replace(tensors={**weights.tensors, key: weights.tensors[key] + change})


def random_changes(
    weights: Weights,
    name: str,
    delta_w: np.ndarray,
    tokens: Sequence[int],
    places: Sequence[tuple[int, str]],
    draws: int,
    seed: int,
) -> list[float]:
    """Return how far random matrices as large as delta_w move what a model makes of a text.

    Parameters
    ----------
    weights : Weights
        The base.
    name : str
        The layer that the random matrices are added to.
    delta_w : (out, in) ndarray
        The learned matrix whose size they have.
    tokens : sequence of int
        The text, with the token that begins it.
    places : sequence of (int, str)
        Where to look: a block, and a field of `compute.model.forward.Places`.
    draws : int
        Random matrices, at least 1.
    seed : int
        Of all of them.

    Returns
    -------
    list of float
        The mean of `relative_change` from the base at each of the places.

    Examples
    --------
    >>> from compute.model.forward import base_weights
    >>> name, W = "blocks.0.attention.v_proj", base_weights().tensors["blocks.0.attention.v_proj.weight"]
    >>> [q, v] = random_changes(base_weights(), name, W, [0, 2, 5], [(0, "q"), (0, "v")], draws=2, seed=0)
    >>> q == 0 < v
    True
    """
    rng, size = np.random.default_rng(seed), float(np.linalg.norm(delta_w))
    before = follow(weights, tokens)
    moved = []
    for _ in range(draws):
        noise = random_change(delta_w.shape, min(delta_w.shape), size, rng)
        after = follow(plus(weights, name, noise), tokens)
        pairs = [(getattr(before.blocks[b], p), getattr(after.blocks[b], p)) for b, p in places]
        moved.append([relative_change(*pair) for pair in pairs])
    return np.mean(moved, axis=0).tolist()
