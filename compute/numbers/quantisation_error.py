"""What is lost when a matrix is stored in few bits, and how its levels are used. No torch."""

import numpy as np

from compute.numbers.bounds import finite
from compute.numbers.quantising import LEVELS, Quantised


def relative_squared_error(values: np.ndarray, copy: np.ndarray) -> float:
    """Return the sum of squares of what a copy misses, over that of the matrix.

    Parameters
    ----------
    values : ndarray of float
        The matrix; not all zero.
    copy : ndarray of float
        Of the same shape.

    Returns
    -------
    float
        0 for an exact copy. Its root is the relative error.

    Raises
    ------
    ValueError
        If the matrix is all zero, the shapes differ, or an entry is not finite.

    Examples
    --------
    >>> relative_squared_error(np.array([3.0, 4.0]), np.array([3.0, 3.0]))
    0.04
    """
    if np.shape(values) != np.shape(copy):
        raise ValueError(f"Both must have one shape, got {np.shape(values)} and {np.shape(copy)}.")
    finite("matrix and copy", values, copy)
    total = float(np.square(values).sum())
    if total == 0:
        raise ValueError("A matrix of zeros has no relative error.")
    return float(np.square(np.subtract(values, copy)).sum()) / total


def usage(quantised: Quantised) -> np.ndarray:
    """Return how often each level is used.

    Parameters
    ----------
    quantised : Quantised
        A matrix in few bits.

    Returns
    -------
    (levels,) ndarray of float64
        Share of the numbers that stand on each level, in the order of the levels; the sum is 1.

    Examples
    --------
    >>> from compute.numbers.quantising import quantise
    >>> usage(quantise(np.array([1.0, 0.1, -0.2, 0.9]), "int2", block=4)).tolist()
    [0.0, 0.5, 0.5]
    """
    counts = np.bincount(quantised.codes.ravel(), minlength=len(LEVELS[quantised.format]))
    return counts / quantised.codes.size


def usage_entropy(shares: np.ndarray) -> float:
    """Return how many bits of a code are really needed.

    Parameters
    ----------
    shares : (levels,) ndarray of float
        From `usage`.

    Returns
    -------
    float
        -sum(share * log2(share)), from 0 to log2(levels), which all levels used alike would reach.

    Raises
    ------
    ValueError
        If there are no shares, or one is negative or not finite.

    References
    ----------
    Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x, section 6.

    Examples
    --------
    >>> usage_entropy(np.array([0.25, 0.25, 0.25, 0.25]))
    2.0
    """
    finite("shares", shares)
    if np.min(shares) < 0:
        raise ValueError(f"A share is 0 or more, got {np.min(shares)}.")
    used = shares[shares > 0]
    return float(-(used * np.log2(used)).sum())
