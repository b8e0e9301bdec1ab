"""Numbers as fp32, fp16 and bf16 hold them: what is rounded away, and how far apart neighbours stand. No torch."""

from typing import NamedTuple

import numpy as np


class Precision(NamedTuple):
    """Tell how a format holds a number.

    Attributes
    ----------
    bits : int
        Binary digits of the significand, the first one included, which is not stored.
    smallest : float
        Smallest positive number with all these digits; numbers below it stand as far apart as those right above.
    largest : float
        Largest finite number.
    """

    bits: int
    smallest: float
    largest: float


# bf16 is the first half of an fp32: the same range, a third of the digits. fp16 has more digits and less range.
PRECISIONS = {
    "fp32": Precision(24, 2.0**-126, (2 - 2.0**-23) * 2.0**127),
    "bf16": Precision(8, 2.0**-126, (2 - 2.0**-7) * 2.0**127),
    "fp16": Precision(11, 2.0**-14, 65504.0),
}
# A float of eight bits (E4M3), for numbers that were divided by a scale: Micikevicius et al. 2022, table 1.
SCALED = {"fp8": Precision(4, 2.0**-6, 448.0)}


def _known(precision: str) -> Precision:
    known = PRECISIONS | SCALED
    if precision not in known:
        raise ValueError(f"precision must be one of {', '.join(known)}, got {precision!r}.")
    return known[precision]


def spacing(values: np.ndarray, precision: str) -> np.ndarray:
    """Return how far apart the numbers of a format stand where the given ones are.

    Parameters
    ----------
    values : ndarray of float
        Any shape; finite.
    precision : str
        A key of PRECISIONS or of SCALED.

    Returns
    -------
    ndarray of float64
        One unit in the last place of each value, a power of two. At a power of two it is the distance to the next
        larger number; the next smaller one is half as far.

    Raises
    ------
    ValueError
        If there is no such precision.

    Notes
    -----
    2**(1 - bits) times the largest power of two that is not above the value. Cost: O(size).

    References
    ----------
    Goldberg 1991, doi:10.1145/103162.103163, section "Relative Error and Ulps".

    Examples
    --------
    >>> float(spacing(np.array(1.0), "bf16")), float(spacing(np.array(1.0), "fp16"))
    (0.0078125, 0.0009765625)
    """
    bits, smallest, _ = _known(precision)
    size = np.maximum(np.abs(np.asarray(values, dtype=np.float64)), smallest)
    _, exponent = np.frexp(size)  # size = m * 2**exponent with m in 0.5..1
    return np.ldexp(1.0, exponent - bits)


def rounded(values: np.ndarray, precision: str) -> np.ndarray:
    """Return numbers as a format holds them.

    Parameters
    ----------
    values : ndarray of float
        Any shape; finite.
    precision : str
        A key of PRECISIONS or of SCALED.

    Returns
    -------
    ndarray of float64
        Of each value the nearest number that the format has; of two that are as near, the one whose last digit is
        even.

    Raises
    ------
    ValueError
        If there is no such precision, or a value is beyond the largest number of the format, or is none.

    Notes
    -----
    A sum or product of two numbers of a format may be computed in float64 and rounded by this function: float64 has
    53 digits, more than twice those of each format and two, so that rounding twice is rounding once. Cost: O(size).

    References
    ----------
    IEEE 754-2019, section 4.3.1 (round to nearest, ties to even); Figueroa 1995, doi:10.1145/221332.221334 (when
    double rounding is harmless).

    Examples
    --------
    >>> rounded(np.array([1 + 2**-8, 1 + 3 * 2**-8, 1.01]), "bf16").tolist()  # two ties, and one that is none
    [1.0, 1.015625, 1.0078125]
    """
    bits, smallest, largest = _known(precision)
    values = np.asarray(values, dtype=np.float64)
    size, stored, dropped = np.abs(values), values.view(np.int64), 53 - bits
    # Halfway cases go to the even neighbour; the sum carries into the exponent where it must.
    normal = (stored + ((1 << (dropped - 1)) - 1 + ((stored >> dropped) & 1))) >> dropped << dropped
    unit = np.ldexp(smallest, 1 - bits)
    result = np.where(size < smallest, np.rint(values / unit) * unit, normal.view(np.float64))
    if not ((size <= 2 * largest) & (np.abs(result) <= largest)).all():
        raise ValueError(f"{precision} holds numbers up to {largest:.4g}, got others.")
    return result
