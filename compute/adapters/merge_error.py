"""How far a merge is from what it should be: in entries, in weights, in outputs. Error and loss are two numbers."""

import numpy as np

from compute.numbers.bounds import finite


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
