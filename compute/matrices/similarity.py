"""How alike two sets of directions are: the paper's subspace similarity."""

import numpy as np

from compute.numbers.bounds import finite, whole

LOOSE = 1e-6  # how far from orthonormal rows may be: those of an SVD in float32 are off by less


def subspace_similarity(one: np.ndarray, other: np.ndarray, i: int, j: int) -> float:
    """Return how much of the first directions of one set lies within those of another.

    Parameters
    ----------
    one : (k, n) ndarray
        Orthonormal rows, strongest first.
    other : (l, n) ndarray
        The same.
    i : int
        How many of `one` are taken, 1 to k.
    j : int
        How many of `other`, 1 to l.

    Returns
    -------
    float
        From 0, at right angles, to 1, where the smaller subspace lies within the larger.

    Raises
    ------
    ValueError
        If i or j is not possible, the lengths of the rows differ, or they are not orthonormal.

    Notes
    -----
    The squared Frobenius norm of one[:i] @ other[:j].T over min(i, j): the mean squared cosine of the angles between
    the two subspaces.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 7.2 (equation 4).

    Examples
    --------
    >>> subspace_similarity(np.eye(4)[:2], np.eye(4)[1:3], 2, 2)  # one of two directions in common
    0.5
    """
    finite("one and other", one, other)
    if not one.ndim == other.ndim == 2:
        raise ValueError(f"one and other must be matrices, got {one.ndim} and {other.ndim} dimensions.")
    whole("i", i, 1, len(one))
    whole("j", j, 1, len(other))
    if one.shape[1] != other.shape[1]:
        raise ValueError(f"the rows have {one.shape[1]} and {other.shape[1]} numbers; the two must be equal.")
    for name, rows in (("one", one), ("other", other)):
        # Entries first: products of larger ones than orthonormal rows have may overflow.
        if np.abs(rows).max() > 1 + LOOSE or np.abs(rows @ rows.T - np.eye(len(rows))).max() > LOOSE:
            raise ValueError(f"{name} must have orthonormal rows.")
    return float(np.linalg.norm(one[:i] @ other[:j].T) ** 2 / min(i, j))


def chance_similarity(i: int, j: int, n: int) -> float:
    """Return what `subspace_similarity` is on average if either set is drawn by lot.

    Parameters
    ----------
    i : int
        Directions of the one, 1 to n.
    j : int
        Directions of the other, 1 to n.
    n : int
        Numbers that each direction has.

    Returns
    -------
    float
        max(i, j) / n.

    Raises
    ------
    ValueError
        If i or j is not possible.

    Examples
    --------
    >>> chance_similarity(8, 64, 1024)
    0.0625
    """
    whole("i", i, 1, n)
    whole("j", j, 1, n)
    return max(i, j) / n
