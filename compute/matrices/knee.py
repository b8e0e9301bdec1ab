"""Where the error of a copy comes within a tolerance, what that saves, and when there is no knee at all.

A rank that meets a tolerance can always be found: at full rank nothing is missed. Calling that rank a knee would make
every curve bend. Here a knee needs a bend, by a rule that leaves nothing to taste.
"""

from typing import NamedTuple

import numpy as np

from compute.costs.sizes import break_even_rank
from compute.matrices.spectrum import TIE, knee_rank

MEASURES = ("norm", "squared")


class Found(NamedTuple):
    """Say at which rank the error comes within the tolerance, and what is to be thought of it.

    Attributes
    ----------
    rank : int
        Smallest rank whose error is within the tolerance, from 1 to k.
    verdict : str
        "flat" or "full" if there is no knee, "costs" if there is one that saves nothing, "saves" otherwise.
    """

    rank: int
    verdict: str


def find_knee(s: np.ndarray, shape: tuple[int, int], tolerance: float, measure: str = "norm") -> Found:
    """Return the rank that meets a tolerance, and whether it is a knee.

    Parameters
    ----------
    s : (k,) array_like of real numbers
        Singular values, descending, none negative, not all zero.
    shape : (int, int)
        Shape (out, in) of the matrix, both at least 1.
    tolerance : float
        Largest error accepted, between 0 and 1, both excluded.
    measure : str
        What the tolerance bounds: "norm" is the relative error, "squared" its square, 1 - energy.

    Returns
    -------
    Found
        The rank and one of four verdicts, of which the first that fits counts. "flat": all singular values are equal,
        so each direction kept takes the same share away and no place of the curve differs from another. "full": the
        tolerance is met only when every direction is kept. "costs": the factors hold as many numbers as the matrix or
        more. "saves": they hold fewer.

    Raises
    ------
    ValueError
        If the measure is unknown, tolerance is outside (0, 1), a side is below 1, or s is no descending list of
        singular values.

    Notes
    -----
    At a knee the directions kept hold more energy each, on average, than those dropped, and some are dropped. For a
    descending s that fails in two cases only: all values are equal, or none is dropped. Values count as equal if the
    smallest reaches the largest to nine digits. Equal values have the squared error 1 - r / k, a straight line. Cost:
    O(k).

    References
    ----------
    Eckart & Young 1936, doi:10.1007/BF02288367 (the error of rank r).

    Examples
    --------
    >>> find_knee([1.0, 0.6, 0.3, 0, 0, 0, 0, 0], (8, 8), 0.05)
    Found(rank=3, verdict='saves')
    >>> find_knee(np.ones(24), (24, 24), 0.05), find_knee(np.ones(24), (24, 24), 0.05, "squared").rank
    (Found(rank=24, verdict='flat'), 23)
    """
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {', '.join(MEASURES)}, got {measure!r}.")
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance must be between 0 and 1, both excluded, got {tolerance}.")
    s = np.asarray(s, dtype=np.float64)
    rank = knee_rank(s, tolerance if measure == "norm" else float(np.sqrt(tolerance)))
    if s[-1] >= s[0] * (1 - TIE):
        return Found(rank, "flat")
    if rank == len(s):
        return Found(rank, "full")
    return Found(rank, "saves" if rank < break_even_rank(shape) else "costs")


def first_within(losses: dict[int, float], floor: float, tolerance: float) -> int | None:
    """Return the smallest rank whose loss comes within a tolerance of a floor.

    Parameters
    ----------
    losses : dict of int to float
        Loss of a trained model by its rank.
    floor : float
        Loss that is compared with, such as that of full finetuning, in the same unit.
    tolerance : float
        Largest distance above the floor that is accepted, 0 or more, in the same unit.

    Returns
    -------
    int or None
        The smallest such rank, None if no rank comes that close. Between two ranks nothing is known, and a larger rank
        may be further away again: training is no exact fit.

    Raises
    ------
    ValueError
        If there is no rank, or tolerance is negative.

    Examples
    --------
    >>> losses = {1: 2.0, 4: 1.7, 16: 1.69}
    >>> first_within(losses, floor=1.2, tolerance=0.5), first_within(losses, floor=1.2, tolerance=0.1)
    (4, None)
    """
    if not losses:
        raise ValueError("losses must hold at least one rank, got none.")
    if tolerance < 0:
        raise ValueError(f"tolerance must be at least 0, got {tolerance}.")
    close = [r for r in sorted(losses) if losses[r] <= floor + tolerance + TIE]
    return close[0] if close else None
