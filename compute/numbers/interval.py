"""How far the mean of a few repeats may be from what is true, and how far two ways are apart."""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from scipy.special import stdtrit

from compute.numbers.bounds import number, whole


def of_mean(values: Sequence[float]) -> tuple[float, float]:
    """Return how far the mean of a few repeats may be from the mean of very many.

    Parameters
    ----------
    values : sequence of float
        What each repeat came to, at least 2: of two things that share their seeds, the differences seed by seed.

    Returns
    -------
    low : float
        Lower end of the 95 % interval.
    high : float
        Upper end.

    Raises
    ------
    ValueError
        If there are fewer than 2 values, or one is not finite.

    Notes
    -----
    Student's interval: the mean, and on each side of it the standard error times the 0.975 quantile of his t with one
    degree of freedom less than there are values. With 5 values that is 2.78, with very many 1.96. It takes the values
    for draws from a normal distribution.

    References
    ----------
    Student 1908, doi:10.1093/biomet/6.1.1.

    Examples
    --------
    >>> [round(end, 2) for end in of_mean([1.0, 2.0, 3.0, 4.0, 5.0])]
    [1.04, 4.96]
    """
    n = len(values)
    whole("number of values", n, 2)
    for value in values:
        number("value", value)
    mean = fmean(values)
    # statistics' own counts in fractions, which takes ten times as long.
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    half = float(stdtrit(n - 1, 0.975)) * math.sqrt(variance / n)
    return mean - half, mean + half


class Apart(NamedTuple):
    """Hold how much more one way gives than another, over repeats that both have.

    Attributes
    ----------
    mean : float
        Of the differences, pair by pair.
    low : float
        Lower end of the 95 % interval of that mean.
    high : float
        Upper end.
    """

    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Return "above" or "below" where the whole interval lies there, "level" where it holds zero."""
        return "above" if self.low > 0 else "below" if self.high < 0 else "level"


def apart(ones: Sequence[float], others: Sequence[float]) -> Apart:
    """Return how much more one way gives than another, pair by pair.

    Parameters
    ----------
    ones, others : sequence of float
        What each gave, in the same order: of the same seeds, or of the same texts. At least two.

    Returns
    -------
    Apart
        The mean difference and its 95 % interval, as `of_mean` has it.

    Raises
    ------
    ValueError
        If they are not of one length, or fewer than two.

    Examples
    --------
    >>> apart([1.0, 2.0, 3.0], [0.5, 1.0, 1.5]).verdict, apart([1.0, 2.0], [1.5, 1.5]).verdict
    ('level', 'level')
    >>> apart([1.0, 2.0, 3.1], [0.0, 1.0, 2.0]).verdict
    'above'
    """
    gaps = [one - other for one, other in zip(ones, others, strict=True)]
    return Apart(fmean(gaps), *of_mean(gaps))
