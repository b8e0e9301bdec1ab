"""Five square matrices to try a rank on: three with structure, and two that no small rank can hold."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from compute.numbers.bounds import whole

MIN_SIZE = 16  # below it the break-even rank is so small that few ranks are left to choose from
MAX_SIZE = 128  # a matrix of this side is factored in a few milliseconds
MAX_SEED = 2**32 - 1


class Task(NamedTuple):
    """Tell how to make one of the matrices.

    Attributes
    ----------
    make : callable
        Takes (n, seed) if the matrix is drawn, (n) otherwise; returns an (n, n) float64 array.
    seeded : bool
        Whether the matrix depends on the seed.
    """

    make: Callable[..., np.ndarray]
    seeded: bool


def few_patterns(n: int, seed: int) -> np.ndarray:
    """Return a sum of three patterns with strengths 1.0, 0.6 and 0.3.

    Parameters
    ----------
    n : int
        Side of the matrix, at least 3.
    seed : int
        Seed of the patterns.

    Returns
    -------
    (n, n) ndarray of float64
        U @ diag([1.0, 0.6, 0.3]) @ V.T, where U and V (n, 3) have orthonormal columns.

    Notes
    -----
    Rank exactly 3 and these three singular values, whatever n and seed. U and V are the orthonormal factors of
    Gaussian matrices. Cost: O(n**2).

    References
    ----------
    Eckart & Young 1936, doi:10.1007/BF02288367 (a matrix of rank 3 as a sum of three outer products).

    Examples
    --------
    >>> np.linalg.svd(few_patterns(24, seed=7), compute_uv=False)[:4].round(12).tolist()
    [1.0, 0.6, 0.3, 0.0]
    """
    rng = np.random.default_rng(seed)
    U, _ = np.linalg.qr(rng.standard_normal((n, 3)))
    V, _ = np.linalg.qr(rng.standard_normal((n, 3)))
    return (U * [1.0, 0.6, 0.3]) @ V.T


def blur(n: int) -> np.ndarray:
    """Return the matrix that blurs a periodic signal with a Gaussian of width n / 12.

    Parameters
    ----------
    n : int
        Side of the matrix, at least 1.

    Returns
    -------
    (n, n) ndarray of float64
        Circulant and symmetric, all entries positive; every row sums to 1.

    Raises
    ------
    ValueError
        If n is below 1.

    Notes
    -----
    Entry (i, j) is proportional to exp(-d**2 / (2 * (n / 12)**2)), d being the distance of i and j on a circle of
    n places. The singular values are the magnitudes of the discrete Fourier transform of the first row. They
    fall fast but do not reach zero: the rank is n in exact arithmetic, and what a computer finds instead depends
    on its precision. The width grows with n, so the spectrum hardly depends on n. Cost: O(n**2).

    References
    ----------
    Gray 2006, "Toeplitz and Circulant Matrices: A Review", doi:10.1561/0100000006, section 3.1.

    Examples
    --------
    >>> matrix = blur(24)
    >>> s = np.sort(np.abs(np.fft.fft(matrix[0])))[::-1]
    >>> bool(np.allclose(np.linalg.svd(matrix, compute_uv=False), s))
    True
    """
    whole("n", n, 1)
    offset = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    distance = np.minimum(offset, n - offset)  # (n, n), on the circle
    weight = np.exp(-0.5 * (distance / (n / 12)) ** 2)
    return weight / weight[0].sum()  # one sum for all rows, so that rounding keeps the matrix circulant


def reorder(n: int) -> np.ndarray:
    """Return the matrix that moves every entry of a vector one place on.

    Parameters
    ----------
    n : int
        Side of the matrix, at least 1.

    Returns
    -------
    (n, n) ndarray of float64
        The cyclic shift, a permutation: (matrix @ x)[i] = x[i - 1].

    Notes
    -----
    Easy to say, impossible to compress: a permutation is orthogonal, so all n singular values are 1 and the
    error of rank r is sqrt(1 - r / n), the largest there is (`compute.matrices.spectrum.flat_error`). Cost: O(n**2).

    References
    ----------
    Gray 2006, "Toeplitz and Circulant Matrices: A Review", doi:10.1561/0100000006, section 3.1 (the cyclic shift).

    Examples
    --------
    >>> (reorder(4) @ [10, 20, 30, 40]).tolist()
    [40.0, 10.0, 20.0, 30.0]
    """
    return np.roll(np.eye(n), 1, axis=0)


def iid_noise(n: int, seed: int) -> np.ndarray:
    """Return a matrix of independent Gaussian entries with variance 1 / n.

    Parameters
    ----------
    n : int
        Side of the matrix, at least 1.
    seed : int
        Seed of the entries.

    Returns
    -------
    (n, n) ndarray of float64
        Entries of mean 0 and variance 1 / n, so that the squared Frobenius norm is n on average.

    Notes
    -----
    The rank is n, but the singular values are not equal: for large n they follow the quarter-circle law on 0 to
    2. Cost: O(n**2).

    References
    ----------
    Marchenko & Pastur 1967, doi:10.1070/SM1967v001n04ABEH001994.

    Examples
    --------
    >>> s = np.linalg.svd(iid_noise(128, seed=0), compute_uv=False)
    >>> bool(1.8 < s[0] < 2.1 and s[-1] < 0.1)
    True
    """
    return np.random.default_rng(seed).standard_normal((n, n)) / np.sqrt(n)


def flat(n: int, seed: int) -> np.ndarray:
    """Return a random orthogonal matrix, which looks like noise and compresses worse.

    Parameters
    ----------
    n : int
        Side of the matrix, at least 1.
    seed : int
        Seed of the matrix.

    Returns
    -------
    (n, n) ndarray of float64
        Orthogonal, uniform over all orthogonal matrices (Haar measure). Entries have variance 1 / n.

    Notes
    -----
    All n singular values are 1. The orthogonal factor of a Gaussian matrix is uniform only if the diagonal of
    its triangular factor is made positive. Cost: O(n**3).

    References
    ----------
    Mezzadri 2007, "How to generate random matrices from the classical compact groups", arXiv:math-ph/0609050,
    section 5.

    Examples
    --------
    >>> matrix = flat(24, seed=0)
    >>> bool(np.allclose(matrix @ matrix.T, np.eye(24)))
    True
    """
    Q, R = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))
    return Q * np.copysign(1.0, np.diagonal(R))


TASKS = {
    "few-patterns": Task(few_patterns, seeded=True),
    "blur": Task(blur, seeded=False),
    "reorder": Task(reorder, seeded=False),
    "noise": Task(iid_noise, seeded=True),
    "flat": Task(flat, seeded=True),
}


def make_task(name: str, n: int, seed: int) -> np.ndarray:
    """Return one of the matrices by its name.

    Parameters
    ----------
    name : str
        A key of TASKS.
    n : int
        Side of the matrix, MIN_SIZE to MAX_SIZE.
    seed : int
        Seed, 0 to MAX_SEED. Matrices that are not drawn ignore it.

    Returns
    -------
    (n, n) ndarray of float64
        The matrix, the same for the same arguments.

    Raises
    ------
    ValueError
        If the name is unknown, or n or seed is out of its range.

    Notes
    -----
    Cost: that of the function named, at most O(n**3).

    Examples
    --------
    >>> bool((make_task("reorder", 16, seed=1) == make_task("reorder", 16, seed=2)).all())
    True
    >>> TASKS["reorder"].seeded, TASKS["flat"].seeded
    (False, True)
    """
    if name not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, got {name!r}.")
    if not MIN_SIZE <= n <= MAX_SIZE:
        raise ValueError(f"n must be between {MIN_SIZE} and {MAX_SIZE}, got {n}.")
    if not 0 <= seed <= MAX_SEED:
        raise ValueError(f"seed must be between 0 and {MAX_SEED}, got {seed}.")
    task = TASKS[name]
    return task.make(n, seed) if task.seeded else task.make(n)


FALL = 0.6  # each direction is this much weaker than the one before


def few_directions(n: int, k: int, seed: int) -> np.ndarray:
    """Return a sum of k patterns whose strengths fall geometrically.

    Parameters
    ----------
    n : int
        Side of the matrix, at least 1.
    k : int
        Number of patterns, 1 to n.
    seed : int
        Seed of the patterns.

    Returns
    -------
    (n, n) ndarray of float64
        U @ diag(0.6 ** [0, 1, ..., k - 1]) @ V.T, where U and V (n, k) have orthonormal columns.

    Raises
    ------
    ValueError
        If k is outside 1 to n.

    Notes
    -----
    Rank exactly k, by construction: such a matrix says nothing about what finetuning does. U and V are the orthonormal
    factors of Gaussian matrices. Cost: O(n**2 * k).

    References
    ----------
    Eckart & Young 1936, doi:10.1007/BF02288367 (a matrix of rank k as a sum of k outer products).

    Examples
    --------
    >>> np.linalg.svd(few_directions(24, 3, seed=0), compute_uv=False)[:4].round(12).tolist()
    [1.0, 0.6, 0.36, 0.0]
    """
    if not 1 <= k <= n:
        raise ValueError(f"k must be between 1 and {n}, got {k}.")
    rng = np.random.default_rng(seed)
    U, _ = np.linalg.qr(rng.standard_normal((n, k)))
    V, _ = np.linalg.qr(rng.standard_normal((n, k)))
    return (U * FALL ** np.arange(k)) @ V.T
