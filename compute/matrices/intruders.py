"""Intruder dimensions: strong singular vectors of a finetuned weight that no singular vector of the base resembles."""

import numpy as np
from numpy.typing import ArrayLike

from compute.matrices.svd import factorize, first_directions
from compute.numbers.bounds import finite

FAINT = 1e-6  # of the largest singular value
TOP, EPSILON = 10, 0.5  # peft's defaults


def largest_cosines(W: np.ndarray, delta_w: np.ndarray, top: int | None = None) -> np.ndarray:
    """Return how much each singular vector of a finetuned weight resembles one of the base.

    Parameters
    ----------
    W : (out, in) ndarray
        The weight before.
    delta_w : (out, in) ndarray
        What was added to it.
    top : int, optional
        How many of the vectors of W + delta_w are looked at, strongest first; all if left out.

    Returns
    -------
    (k,) ndarray of float64
        For each left singular vector of W + delta_w, strongest first, the largest absolute cosine with a left
        singular vector of W. 1 for a vector that was there, near 0 for one that is new; k = min(out, in), or top.

    Raises
    ------
    ValueError
        If the shapes differ, or a matrix is not finite.

    Notes
    -----
    Left vectors, as in peft. A vector whose singular value is close to another's may turn into the other's direction
    after the smallest change, and then resembles neither fully. With `top` the vectors of W come from the smaller of
    its Gram matrices, several times faster than an SVD; those whose singular value is below a millionth of the largest,
    of which a Gram matrix keeps no digit, are left out. Cost: O(out * in * min(out, in)) either way.

    References
    ----------
    Shuttleworth et al. 2024, arXiv:2410.21228; huggingface/peft 0.21.2, tuners/lora/intruders.py.

    Examples
    --------
    >>> largest_cosines(np.diag([3.0, 2.0]), np.zeros((2, 2))).tolist()
    [1.0, 1.0]
    >>> new = np.array([[1.0, 1.0], [1.0, 1.0]])  # a strong new direction, between both old ones
    >>> largest_cosines(np.diag([0.2, 0.1]), 5 * new).round(2).tolist()
    [0.71, 0.71]
    """
    if W.shape != delta_w.shape or W.ndim != 2:
        raise ValueError(
            f"W is {W.shape} and delta_w is {delta_w.shape}; both must have the same rows and columns."
        )
    finite("W and delta_w", W, delta_w)
    if top is None:
        before, after = factorize(W).U, factorize(W + delta_w).U  # (out, k)
    else:
        before, after = _left_vectors(W), first_directions(W + delta_w, min(top, *W.shape)).U
    return np.minimum(np.abs(after.T @ before).max(axis=1, initial=0.0), 1.0)


def _left_vectors(W: np.ndarray) -> np.ndarray:
    """Return the left singular vectors of a matrix, but those of values that are next to nothing."""
    W = W / (np.abs(W).max() or 1.0)  # whose squares do not underflow
    if W.shape[0] <= W.shape[1]:
        squares, U = np.linalg.eigh(W @ W.T)
        return U[:, squares > FAINT**2 * squares[-1]]
    squares, V = np.linalg.eigh(W.T @ W)
    kept = squares > FAINT**2 * squares[-1]
    return W @ V[:, kept] / np.sqrt(squares[kept])


def count_intruders(cosines: ArrayLike, top: int = TOP, epsilon: float = EPSILON) -> int:
    """Return how many of the strongest singular vectors are intruders.

    Parameters
    ----------
    cosines : (k,) array_like
        From `largest_cosines`.
    top : int
        How many are looked at, strongest first.
    epsilon : float
        A vector is an intruder if its largest cosine is below this.

    Returns
    -------
    int
        From 0 to top.

    References
    ----------
    huggingface/peft 0.21.2, tuners/lora/intruders.py (reduce_intruder_dimension, with these defaults).

    Examples
    --------
    >>> count_intruders([0.9, 0.4, 0.5, 0.1], top=3)
    1
    """
    return int((np.asarray(cosines)[:top] < epsilon).sum())
