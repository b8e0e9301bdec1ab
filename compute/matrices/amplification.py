"""How much of W lies in the directions of delta_w, and how much larger delta_w is there: the paper's Table 7."""

from typing import NamedTuple

import numpy as np

from compute.matrices.controls import random_within
from compute.matrices.svd import factorize
from compute.numbers.bounds import finite


class Amplified(NamedTuple):
    """Hold the four numbers of a column of Table 7, and how many directions were taken.

    Attributes
    ----------
    r : int
        Directions on each side.
    size : float
        Frobenius norm of delta_w.
    kept : float
        Frobenius norm of W within the strongest r directions of delta_w.
    strongest : float
        Of W within its own strongest r directions, the most that r directions can hold.
    random : float
        Of W within r random directions.
    whole : float
        Frobenius norm of W.
    """

    r: int
    size: float
    kept: float
    strongest: float
    random: float
    whole: float

    @property
    def factor(self) -> float:
        """Amplification: the size of delta_w over that of W in the same directions.

        Raises
        ------
        ValueError
            If W has nothing in these directions.
        """
        if not self.kept:
            raise ValueError(
                "W has nothing in the directions of delta_w: no factor says how much larger delta_w is."
            )
        return self.size / self.kept

    @property
    def chance(self) -> float:
        """What the factor would be if delta_w pointed anywhere.

        Raises
        ------
        ValueError
            If W has nothing in random directions, so is zero.
        """
        if not self.random:
            raise ValueError("W is zero: no factor says how much larger delta_w is.")
        return self.size / self.random


# Query projection of one layer of GPT-3: Hu et al. 2021, arXiv:2106.09685, section 7.3 and table 7.
WIDTH = 12_288
TABLE_7 = {
    4: Amplified(r=4, size=6.91, kept=0.32, strongest=21.67, random=0.02, whole=61.95),
    64: Amplified(r=64, size=3.57, kept=1.90, strongest=37.71, random=0.33, whole=61.95),
}


def within(W: np.ndarray, U: np.ndarray, V: np.ndarray) -> float:
    """Return how much of a matrix lies within some directions.

    Parameters
    ----------
    W : (out, in) ndarray
        The matrix.
    U : (out, r) ndarray
        Orthonormal columns: directions of the outputs.
    V : (in, r) ndarray
        Orthonormal columns: directions of the inputs.

    Returns
    -------
    float
        Frobenius norm of U.T @ W @ V, from 0 to that of W.

    Raises
    ------
    ValueError
        If the shapes do not fit, or one is empty or not finite.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 7.3.

    Examples
    --------
    >>> round(within(np.diag([3.0, 4.0]), np.eye(2)[:, :1], np.eye(2)[:, :1]), 9)
    3.0
    """
    finite("W, U and V", W, U, V)
    return float(np.linalg.norm(U.T @ W @ V))


def amplified(W: np.ndarray, delta_w: np.ndarray, r: int) -> Amplified:
    """Return what Table 7 measures, of a weight and its change.

    Parameters
    ----------
    W : (out, in) ndarray
        The weight before.
    delta_w : (out, in) ndarray
        What was added to it, not zero.
    r : int
        Directions of delta_w that are taken, strongest first: its rank, where that is small.

    Returns
    -------
    Amplified
        `random` is that of `random_within`.

    Raises
    ------
    ValueError
        If the shapes differ, or r is not possible.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 7.3 (the amplification factor).

    Examples
    --------
    >>> W, delta_w = np.diag([4.0, 3.0, 1.0]), np.diag([0.0, 0.0, 2.0])
    >>> found = amplified(W, delta_w, r=1)  # delta_w points where W is weakest
    >>> round(found.kept, 9), round(found.strongest, 9), round(found.factor, 9)
    (1.0, 4.0, 2.0)
    """
    if W.shape != delta_w.shape:
        raise ValueError(f"W is {W.shape} and delta_w is {delta_w.shape}; the two must be equal.")
    whole = float(np.linalg.norm(W))
    random = random_within(W.shape, r, whole)  # refuses an r that is not possible
    learned, own = factorize(delta_w), factorize(W)
    return Amplified(
        r=r,
        size=float(np.linalg.norm(delta_w)),
        kept=within(W, learned.U[:, :r], learned.Vh[:r].T),
        strongest=float(np.linalg.norm(own.s[:r])),
        random=random,
        whole=whole,
    )
