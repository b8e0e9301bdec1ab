"""Fold an adapter into the weight and take it out again, in the precision that the weight is stored in. No torch.

The adapter stays in fp32, as PEFT keeps it. There are two ways to add it: delta_w is rounded first, to the precision of
the weight, as PEFT's safe_merge does; or it is added as it is, as PEFT does unless it is told otherwise. A sum is
rounded in both, because it is stored. PEFT takes delta_w out rounded, whichever way it went in.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from compute.numbers.bounds import finite
from compute.numbers.precision import rounded


def merge_weights(W: np.ndarray, delta_w: np.ndarray, precision: str) -> np.ndarray:
    """Return the weight with the adapter in it.

    Parameters
    ----------
    W : (out, in) ndarray
        The weight.
    delta_w : (out, in) ndarray
        What the adapter adds, scaling included.
    precision : str
        A key of PRECISIONS: how the weights are stored.

    Returns
    -------
    (out, in) ndarray of float64
        W + delta_w: both are rounded to the precision, and so is their sum.

    Raises
    ------
    ValueError
        If the shapes differ, there is no such precision, or a number is too large for it.

    Notes
    -----
    An entry of delta_w that is smaller than half of what separates W's entry from its neighbour vanishes. Cost:
    O(out * in).

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.1; huggingface/peft 0.21.2, src/peft/tuners/lora/layer.py, Linear.merge
    with safe_merge.

    Examples
    --------
    >>> W = np.array([[1.0, 1.0]])
    >>> merge_weights(W, np.array([[0.003, 0.005]]), "bf16").tolist()  # neighbours of 1 are 0.0078 away
    [[1.0, 1.0078125]]
    """
    same_shape(W, delta_w)
    return rounded(rounded(W, precision) + rounded(delta_w, precision), precision)


def merge_unrounded(W: np.ndarray, delta_w: np.ndarray, precision: str) -> np.ndarray:
    """Return the weight with the adapter in it, added as it is: the way of PEFT's merge by default.

    Parameters
    ----------
    W : (out, in) ndarray
        The weight.
    delta_w : (out, in) ndarray of float32
        What the adapter adds, scaling included.
    precision : str
        A key of PRECISIONS: how the weights are stored.

    Returns
    -------
    (out, in) ndarray of float64
        W, rounded to the precision, plus delta_w in fp32, their sum rounded.

    Raises
    ------
    ValueError
        If the shapes differ, there is no such precision, or a number is too large for it.

    Notes
    -----
    Closer to W + delta_w than `merge_weights`: it rounds once less. But `unmerge_weights` subtracts a rounded delta_w,
    so that what goes in and what comes out are not the same, each time by the same little. In fp32 both ways are one.
    Torch adds the two in fp32 and then rounds the sum to the precision.

    References
    ----------
    huggingface/peft 0.21.2, src/peft/tuners/lora/layer.py, Linear.merge (adds delta_w as it is) and Linear.unmerge
    (subtracts it in the type of the weight).

    Examples
    --------
    >>> W, delta_w = np.array([[1.0]]), np.array([[0.0117]])  # 1.498 of what separates 1 from its neighbour
    >>> merge_unrounded(W, delta_w, "bf16").item(), merge_weights(W, delta_w, "bf16").item()
    (1.0078125, 1.015625)
    """
    same_shape(W, delta_w)
    return rounded(rounded(rounded(W, precision) + rounded(delta_w, "fp32"), "fp32"), precision)


def unmerge_weights(merged: np.ndarray, delta_w: np.ndarray, precision: str) -> np.ndarray:
    """Return the weight with the adapter taken out.

    Parameters
    ----------
    merged : (out, in) ndarray
        What `merge_weights` gave.
    delta_w : (out, in) ndarray
        The same that was added.
    precision : str
        A key of PRECISIONS: how the weights are stored.

    Returns
    -------
    (out, in) ndarray of float64
        merged - delta_w, rounded.

    Raises
    ------
    ValueError
        If the shapes differ, there is no such precision, or a number is too large for it.

    Notes
    -----
    An entry w comes back exactly where w + d needed no rounding. It also does where the sum stands on a grid that is
    no coarser than w's, unless w + d lies just in the middle of two neighbours or w is a power of two: merging then
    moved the sum by less than half of w's own unit. Where adding d carried the sum beyond the next power of two,
    the last digit of w may be gone for good. Cost: O(out * in).

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.1 (recovers W by subtracting, in exact arithmetic).

    Examples
    --------
    >>> W, delta_w = np.array([[0.9921875, 1.5]]), np.array([[0.0625, 0.0625]])
    >>> unmerge_weights(merge_weights(W, delta_w, "bf16"), delta_w, "bf16").tolist()  # the first passed 1
    [[0.9921875, 1.5]]
    >>> W = np.array([[0.98828125]])
    >>> unmerge_weights(merge_weights(W, delta_w[:, :1], "bf16"), delta_w[:, :1], "bf16").tolist()
    [[0.984375]]
    """
    return merge_weights(merged, -delta_w, precision)


def at_strength(delta_w: np.ndarray, strength: float) -> np.ndarray:
    """Return an adapter turned down or up, with the digits that torch would keep.

    Parameters
    ----------
    delta_w : (out, in) ndarray of float32
        What the adapter adds at strength 1.
    strength : float
        What it is multiplied by.

    Returns
    -------
    (out, in) ndarray of float32
        strength * delta_w, both in fp32.

    Raises
    ------
    ValueError
        If an entry is not finite, or too large for fp32.

    Examples
    --------
    >>> at_strength(np.ones((1, 2), dtype=np.float32), 0.5).tolist()
    [[0.5, 0.5]]
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what is too large is told below
        turned = np.float32(strength) * np.asarray(delta_w, dtype=np.float32)
    if not np.isfinite(turned).all():
        raise ValueError(
            f"At strength {strength} the adapter has entries that are no finite numbers of fp32."
        )
    return turned


def in_and_out(
    W: np.ndarray,
    adapters: Iterable[np.ndarray],
    precision: str,
    merge: Callable[[np.ndarray, np.ndarray, str], np.ndarray] = merge_weights,
) -> Iterator[np.ndarray]:
    """Yield the weight after each adapter was merged and taken out again.

    Parameters
    ----------
    W : (out, in) ndarray
        The weight.
    adapters : iterable of (out, in) ndarray
        One delta_w for each cycle.
    precision : str
        A key of PRECISIONS: how the weights are stored.
    merge : function
        `merge_weights` or `merge_unrounded`. What is taken out is rounded first.

    Yields
    ------
    (out, in) ndarray of float64
        W as stored, after each cycle.

    Raises
    ------
    ValueError
        If a shape differs, there is no such precision, or a number is too large for it.

    Examples
    --------
    >>> W, delta_w = np.array([[0.5]]), np.array([[-0.525]])
    >>> [now.item() for now in in_and_out(W, [delta_w] * 3, "bf16")]
    [0.5, 0.5, 0.5]
    >>> [now.item() for now in in_and_out(W, [delta_w] * 3, "bf16", merge_unrounded)]
    [0.498046875, 0.49609375, 0.494140625]
    """
    now = rounded(W, precision)
    for delta_w in adapters:
        now = unmerge_weights(merge(now, delta_w, precision), delta_w, precision)
        yield now


def drift(
    W: np.ndarray,
    adapters: Iterable[np.ndarray],
    precision: str,
    merge: Callable[[np.ndarray, np.ndarray, str], np.ndarray] = merge_weights,
) -> list[float]:
    """Return how far W has gone after each adapter was merged and taken out again.

    Parameters
    ----------
    W : (out, in) ndarray
        The weight, not zero.
    adapters : iterable of (out, in) ndarray
        One delta_w for each cycle.
    precision : str
        A key of PRECISIONS: how the weights are stored.
    merge : function
        `merge_weights` or `merge_unrounded`.

    Returns
    -------
    list of float
        After each cycle, the distance from the W that was stored first, over its norm. All zero in exact arithmetic.

    Raises
    ------
    ValueError
        If a shape differs, there is no such precision, or a number is too large for it.

    Notes
    -----
    The same adapter again, rounded before it is added, does next to nothing: what its first cycle left adds without
    rounding. Added unrounded it goes on, because more or less is taken out than went in. Different adapters move W at
    random, so that the distance grows with the square root of their number. Cost: O(out * in) a cycle.

    Examples
    --------
    >>> W, delta_w = np.full((2, 2), 0.98828125), np.full((2, 2), 0.0625)
    >>> [round(value, 4) for value in drift(W, [delta_w] * 3, "bf16")]
    [0.004, 0.004, 0.004]
    """
    start = rounded(W, precision)
    return [relative_change(start, now) for now in in_and_out(W, adapters, precision, merge)]


def unchanged_share(before: np.ndarray, after: np.ndarray) -> float:
    """Return the share of entries that are exactly the same in both.

    Parameters
    ----------
    before, after : (out, in) ndarray
        Two weights of one shape, as stored.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    ValueError
        If the shapes differ, or an entry is not finite.

    Examples
    --------
    >>> unchanged_share(np.zeros((2, 2)), np.eye(2))
    0.5
    """
    same_shape(before, after)
    return float((before == after).mean())


def rounding_error(W: np.ndarray, merged: np.ndarray, delta_w: np.ndarray) -> float:
    """Return how far what merging did is from delta_w.

    Parameters
    ----------
    W : (out, in) ndarray
        The weight before, as stored.
    merged : (out, in) ndarray
        The weight after, as stored.
    delta_w : (out, in) ndarray
        What should have been added, not zero.

    Returns
    -------
    float
        Frobenius norm of (merged - W) - delta_w, over that of delta_w: 0 where nothing was rounded, 1 where nothing
        was added.

    Raises
    ------
    ValueError
        If the shapes differ, delta_w is zero, or an entry is not finite.

    Notes
    -----
    Rounding goes up as often as down, so that most of this error cancels in a product with many entries. How much of
    delta_w is really missing, `arrived_share` tells.

    Examples
    --------
    >>> W = np.ones((1, 2))
    >>> rounding_error(W, W, np.full((1, 2), 0.001))
    1.0
    """
    same_shape(W, merged)
    return float(np.linalg.norm(merged - W - delta_w) / _norm(W, delta_w))


def arrived_share(W: np.ndarray, merged: np.ndarray, delta_w: np.ndarray) -> float:
    """Return how much of delta_w is in what merging did.

    Parameters
    ----------
    W : (out, in) ndarray
        The weight before, as stored.
    merged : (out, in) ndarray
        The weight after, as stored.
    delta_w : (out, in) ndarray
        What should have been added, not zero.

    Returns
    -------
    float
        The length of merged - W along delta_w, over the length of delta_w: 1 where all of it arrived, 0 where nothing
        did. Chance may bring it a little above 1.

    Raises
    ------
    ValueError
        If the shapes differ, delta_w is zero, or an entry is not finite.

    Notes
    -----
    <merged - W, delta_w> / <delta_w, delta_w>. One minus it is the loss, which is not the error.

    Examples
    --------
    >>> W = np.ones((1, 4))
    >>> arrived_share(
    ...     W, W + np.array([[0.0, 0.0, 0.0, 0.5]]), np.full((1, 4), 0.125)
    ... )  # all of it, in one place
    1.0
    """
    same_shape(W, merged)
    return float(((merged - W) * delta_w).sum() / _norm(W, delta_w) ** 2)


def relative_change(before: np.ndarray, after: np.ndarray) -> float:
    """Return how far an array has gone from where it was.

    Parameters
    ----------
    before, after : ndarray
        Two of one shape; the first is not zero.

    Returns
    -------
    float
        Frobenius norm of the difference over that of the first, 0 or more.

    Raises
    ------
    ValueError
        If the shapes differ, the first is zero, or an entry is not finite.

    Examples
    --------
    >>> relative_change(np.eye(2), 1.5 * np.eye(2))
    0.5
    """
    same_shape(before, after)
    return float(np.linalg.norm(after - before) / _norm(after, before))


def output_difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest difference between the outputs of two paths.

    Parameters
    ----------
    one, other : (n, out) ndarray
        Outputs for the same n tokens.

    Returns
    -------
    float
        Largest absolute difference of two entries.

    Raises
    ------
    ValueError
        If the shapes differ, or an entry is not finite.

    Examples
    --------
    >>> output_difference(np.zeros((2, 2)), np.array([[0.0, 0.5], [-2.0, 1.0]]))
    2.0
    """
    same_shape(one, other)
    return float(np.abs(one - other).max())


def same_shape(one: np.ndarray, other: np.ndarray) -> None:
    """Refuse two arrays of different shapes, and what is not finite.

    Parameters
    ----------
    one, other : ndarray
        Any two.

    Raises
    ------
    ValueError
        If their shapes differ, or one is empty or not finite.

    Examples
    --------
    >>> same_shape(np.zeros(2), np.zeros(3))
    Traceback (most recent call last):
    ValueError: both must have one shape, got (2,) and (3,).
    """
    if one.shape != other.shape:
        raise ValueError(f"both must have one shape, got {one.shape} and {other.shape}.")
    finite("both", one, other)


def _norm(other: np.ndarray, reference: np.ndarray) -> float:
    same_shape(other, reference)
    norm = float(np.linalg.norm(np.asarray(reference, dtype=np.float64)))
    if norm == 0:
        raise ValueError("nothing can be measured against zero.")
    return norm
