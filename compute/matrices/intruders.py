"""Intruder dimensions: strong singular vectors of a finetuned weight that no singular vector of the base resembles."""

import numpy as np
from numpy.typing import ArrayLike

from compute.matrices.svd import factorize
from compute.numbers.bounds import number, sides, whole

TOP, EPSILON = 10, 0.5  # peft's defaults


def largest_cosines(W: np.ndarray, delta_w: np.ndarray) -> np.ndarray:
    """Return how much each singular vector of a finetuned weight resembles one of the base.

    Parameters
    ----------
    W : (out, in) ndarray
        The weight before.
    delta_w : (out, in) ndarray
        What was added to it.

    Returns
    -------
    (k,) ndarray of float64
        For each left singular vector of W + delta_w, strongest first, the largest absolute cosine with a left
        singular vector of W. 1 for a vector that was there, near 0 for one that is new; k = min(out, in).

    Raises
    ------
    ValueError
        If the shapes differ, or a matrix is not finite.

    Notes
    -----
    Left vectors, as in peft. A vector whose singular value is close to another's may turn into the other's direction
    after the smallest change, and then resembles neither fully.

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
    if W.shape != delta_w.shape:
        raise ValueError(f"W is {W.shape} and delta_w is {delta_w.shape}; the two must be equal.")
    before, after = factorize(W).U, factorize(W + delta_w).U  # (out, k)
    return np.minimum(np.abs(after.T @ before).max(axis=1), 1.0)


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


def random_change(shape: tuple[int, int], r: int, size: float, rng: np.random.Generator) -> np.ndarray:
    """Return the control of an adapter: a random change of its rank and size.

    Parameters
    ----------
    shape : (int, int)
        Shape (out, in).
    r : int
        Rank, at most the shorter side.
    size : float
        Frobenius norm.
    rng : numpy.random.Generator
        Where the entries come from.

    Returns
    -------
    (out, in) ndarray of float64
        The product of two Gaussian factors, or a Gaussian matrix where r is the shorter side.

    Raises
    ------
    ValueError
        If a side is below 1, r outside 1 to the shorter side, or the size negative or not finite.

    Examples
    --------
    >>> change = random_change((6, 5), 2, 3.0, np.random.default_rng(0))
    >>> int(np.linalg.matrix_rank(change)), round(float(np.linalg.norm(change)), 9)
    (2, 3.0)
    """
    sides(shape)
    whole("r", r, 1, min(shape))
    number("size", size, 0)
    if r < min(shape):
        change = rng.standard_normal((shape[0], r)) @ rng.standard_normal((r, shape[1]))
    else:
        change = rng.standard_normal(shape)
    return change * (size / np.linalg.norm(change))


def chance_cosine(n: int, k: int, draws: int, seed: int) -> float:
    """Return how much a random direction resembles one of k given ones.

    Parameters
    ----------
    n : int
        Numbers in a direction.
    k : int
        Orthonormal directions to compare with, at most n.
    draws : int
        Random directions.
    seed : int
        Of the draws.

    Returns
    -------
    float
        The mean of the largest absolute cosine.

    Raises
    ------
    ValueError
        If n, k or draws is below 1, k above n, or the seed negative.

    Notes
    -----
    About sqrt(2 log(k) / n): in a small matrix even a random direction looks a little like some old one, and the
    threshold must lie above that.

    Examples
    --------
    >>> chance_cosine(64, 64, 2000, 0) > 2 * chance_cosine(1024, 1024, 200, 0)
    True
    """
    whole("n", n, 1)
    whole("k", k, 1, n)
    whole("draws", draws, 1)
    whole("seed", seed, 0)
    directions = np.random.default_rng(seed).standard_normal((draws, n))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return float(np.abs(directions[:, :k]).max(axis=1).mean())
