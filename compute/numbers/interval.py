"""How far a counted share may be from the true one."""

import math

from compute.numbers.bounds import whole

Z = 1.96  # standard deviations on each side of a mean that hold 95 % of a normal distribution


def wilson(count: int, number: int) -> tuple[float, float]:
    """Return how far a share may be from what was counted.

    Parameters
    ----------
    count : int
        How many of a sample were of a kind, 0 to number.
    number : int
        Size of the sample, at least 1.

    Returns
    -------
    low : float
        Lower end of the 95 % interval of the share, 0..1.
    high : float
        Upper end.

    Raises
    ------
    ValueError
        If the sample is empty, or count is not between 0 and number.

    Notes
    -----
    Wilson's interval: with p the share counted, its ends are the shares q with
    abs(p - q) = Z sqrt(q (1 - q) / number). It stays within 0..1 and has a length also where nothing was counted,
    where the standard error sqrt(p (1 - p) / number) is 0.

    References
    ----------
    Wilson 1927, doi:10.1080/01621459.1927.10502953. Brown, Cai & DasGupta 2001, doi:10.1214/ss/1009213286, section
    3.1.1.

    Examples
    --------
    >>> [round(end, 3) for end in wilson(0, 400)], [round(end, 3) for end in wilson(200, 400)]
    ([0.0, 0.01], [0.451, 0.549])
    """
    whole("number", number, 1)
    whole("count", count, 0, number)
    p, z = count / number, Z * Z / number
    middle, half = (p + z / 2) / (1 + z), math.sqrt(p * (1 - p) * z + z * z / 4) / (1 + z)
    return max(0.0, middle - half), min(1.0, middle + half)
