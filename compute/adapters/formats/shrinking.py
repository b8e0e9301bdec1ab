"""Spare ranks: how many each layer keeps, what that costs in error, and the factors that are left."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from compute.adapters.formats.contents import directions_for
from compute.adapters.formats.layers import Layer, layer_svd
from compute.matrices.spectrum import relative_error
from compute.matrices.svd import balanced_factors
from compute.numbers.bounds import number, whole


class Kept(NamedTuple):
    """Hold what truncation leaves of all layers.

    Attributes
    ----------
    ranks : dict of str to int
        Rank of each layer.
    error : float
        Frobenius norm of what is lost, of all layers together, over that of all delta_w.
    errors : dict of str to float
        The same of each layer.
    numbers_before : int
        Numbers that the factors have now.
    numbers_after : int
        Numbers that they will have.
    """

    ranks: dict[str, int]
    error: float
    errors: dict[str, float]
    numbers_before: int
    numbers_after: int


def ranks_for(
    spectra: Mapping[str, np.ndarray],
    shapes: Mapping[str, tuple[int, int]],
    *,
    rank: int | None = None,
    energy: float | None = None,
    error: float | None = None,
    numbers: int | None = None,
    overall: bool = False,
) -> dict[str, int]:
    """Return the rank that each layer keeps.

    Parameters
    ----------
    spectra : mapping of str to (k,) ndarray
        Singular values of each layer, descending.
    shapes : mapping of str to (int, int)
        (out, in) of each.
    rank : int, optional
        The most that a layer keeps.
    energy : float, optional
        The least share of the energy that is kept, 0 to 1.
    error : float, optional
        The largest relative error, 0 to 1.
    numbers : int, optional
        The most numbers that all factors may have together, spent where they buy most.
    overall : bool
        Whether energy or error is of all layers together, spent where it buys most, or of each for itself.

    Returns
    -------
    dict of str to int
        At least 1 for each layer that is not zero, and 1 for one that is: a layer of no rank cannot be written.

    Raises
    ------
    ValueError
        If not exactly one of rank, energy, error and numbers is given, it is out of bounds, or there are fewer numbers
        than one direction of each layer takes.

    Notes
    -----
    For an error over all layers directions are taken by s**2 / (out + in), the energy that each number of the file
    buys, the largest first, until what is left is small enough; for a count of numbers until they are spent. Within a
    layer they come in the order of s, so that this is optimal up to the last direction. An energy E is the error
    sqrt(1 - E). Cost: O(n log n) for n values.

    References
    ----------
    Eckart & Young 1936, doi:10.1007/BF02288367 (within a layer); Dantzig 1957, doi:10.1287/opre.5.2.266 (by
    what a unit of cost buys).

    Examples
    --------
    >>> spectra = {"big": np.array([4.0, 2.0]), "small": np.array([1.0, 0.1])}
    >>> shapes = {"big": (8, 8), "small": (8, 8)}
    >>> ranks_for(spectra, shapes, energy=0.9), ranks_for(spectra, shapes, error=0.25, overall=True)
    ({'big': 2, 'small': 1}, {'big': 2, 'small': 1})
    """
    given = [each for each in (rank, energy, error, numbers) if each is not None]
    if len(given) != 1:
        raise ValueError(f"one of rank, energy, error and numbers is needed, got {len(given)}.")
    if numbers is not None:
        return _within(spectra, shapes, numbers)
    if rank is not None:
        whole("rank", rank, 1)
        return {name: max(1, min(rank, len(s))) for name, s in spectra.items()}
    if error is not None:
        number("error", error, 0, 1)
    else:
        assert energy is not None
        number("energy", energy, 0, 1)
        error = float(np.sqrt(1 - energy))
    if overall:
        return _spent_where_it_buys_most(spectra, shapes, error)
    return {name: max(1, directions_for(s, 1 - error**2)) if _alive(s) else 1 for name, s in spectra.items()}


def _alive(s: np.ndarray) -> bool:
    return len(s) > 0 and s[0] > 0


def _by_worth(
    spectra: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, int]]
) -> list[tuple[float, str, int, float]]:
    """Return all directions but the first of each layer, the least worthy first: worth, layer, place and energy."""
    largest = max((s[0] for s in spectra.values() if len(s)), default=0.0) or 1.0
    return sorted(
        (float(square) / sum(shapes[name]), name, i, float(square))
        for name, s in spectra.items()
        for i, square in enumerate((s / largest) ** 2)
        if i
    )


def _within(
    spectra: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, int]], numbers: int
) -> dict[str, int]:
    least = sum(sum(shapes[name]) for name in spectra)
    whole("numbers", numbers, least)
    ranks, left = dict.fromkeys(spectra, 1), numbers - least
    full = set()  # layers of which a direction did not fit: a later one of theirs may not be taken before it
    for worth, name, i, _ in reversed(_by_worth(spectra, shapes)):
        if worth == 0 or name in full:
            continue
        if sum(shapes[name]) <= left and ranks[name] == i:
            ranks[name], left = i + 1, left - sum(shapes[name])
        else:
            full.add(name)
    return ranks


def _spent_where_it_buys_most(
    spectra: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, int]], error: float
) -> dict[str, int]:
    directions = _by_worth(spectra, shapes)
    largest = max((s[0] for s in spectra.values() if len(s)), default=0.0)
    if largest == 0:
        return dict.fromkeys(spectra, 1)
    allowed = error**2 * sum(float(np.sum((s / largest) ** 2)) for s in spectra.values())
    # From the least worthy on, each is dropped while what is lost stays small enough; the first of a layer is kept.
    lost = 0.0
    ranks = {name: max(1, len(s)) for name, s in spectra.items()}
    for _, name, i, square in directions:
        if lost + square > allowed:
            break
        lost += square
        ranks[name] = min(ranks[name], max(1, i))
    return ranks


def truncation(layers: Sequence[Layer], spectra: Mapping[str, np.ndarray], ranks: Mapping[str, int]) -> Kept:
    """Return what truncation would leave, before anything is done.

    Parameters
    ----------
    layers : sequence of Layer
        The layers.
    spectra : mapping of str to (k,) ndarray
        Singular values of each, by name.
    ranks : mapping of str to int
        Rank that each keeps, from `ranks_for`.

    Returns
    -------
    Kept
        Errors and sizes.

    Notes
    -----
    error**2 = sum of the dropped s**2 over sum of all s**2. Cost: O(n) for n values.

    References
    ----------
    Eckart & Young 1936, doi:10.1007/BF02288367.

    Examples
    --------
    >>> layer = Layer("q", (6, 4), "LoRA", "peft", 2, {})
    >>> kept = truncation([layer], {"q": np.array([4.0, 3.0])}, {"q": 1})
    >>> kept.error, kept.numbers_after
    (0.6, 10)
    """
    largest = max((s[0] for s in spectra.values() if len(s)), default=0.0) or 1.0
    lost = total = 0.0
    errors, after = {}, 0
    for layer in layers:
        s, r = spectra[layer.name], ranks[layer.name]
        errors[layer.name] = float(relative_error(s)[min(r, len(s))]) if _alive(s) else 0.0
        lost += float(np.sum((s[r:] / largest) ** 2))
        total += float(np.sum((s / largest) ** 2))
        after += r * sum(layer.shape)
    before = sum(layer.numbers for layer in layers)
    return Kept(dict(ranks), float(np.sqrt(lost / total)) if total else 0.0, errors, before, after)


def truncated(layer: Layer, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the factors of the best copy of a layer of a rank.

    Parameters
    ----------
    layer : Layer
        The layer.
    rank : int
        At least 1. What is beyond the rank of the layer is filled with zeros.

    Returns
    -------
    lora_B : (out, rank) ndarray of float64
        Left factor, without the scale of the layer.
    lora_A : (rank, in) ndarray of float64
        Right factor.

    Raises
    ------
    ValueError
        If the rank is below 1, or the scale is 0 and nothing can be written with it.
    FileRefused
        If a number is not finite.

    Notes
    -----
    scale * lora_B @ lora_A = U[:, :rank] diag(s[:rank]) Vh[:rank]; both factors share the size. Cost:
    `compute.adapters.formats.layers.layer_svd`.

    References
    ----------
    Eckart & Young 1936, doi:10.1007/BF02288367.

    Examples
    --------
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save({"q.lora_B.weight": np.eye(6, 2), "q.lora_A.weight": np.diag([3.0, 4.0])})
    >>> lora_B, lora_A = truncated(read_bytes({"a.safetensors": file}).layers[0], 1)
    >>> lora_B.shape, round(float(lora_B[1, 0] * lora_A[0, 1]), 12)
    ((6, 1), 4.0)
    """
    whole("rank", rank, 1)
    if layer.scale == 0:
        raise ValueError("the scale is 0, so that no factors give delta_w.")
    svd = layer_svd(layer)
    lora_B, lora_A = balanced_factors(svd, min(rank, len(svd.s)))
    more = rank - len(lora_A)
    lora_B, lora_A = np.pad(lora_B, ((0, 0), (0, more))), np.pad(lora_A, ((0, more), (0, 0)))
    root = np.sqrt(abs(layer.scale))
    return np.sign(layer.scale) * lora_B / root, lora_A / root
