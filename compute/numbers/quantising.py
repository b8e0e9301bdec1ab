"""Weights in a few bits: grids of levels, blocks with a scale each, and the scales in few bits as well. No torch."""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from compute.numbers.bounds import finite

# bitsandbytes, functional.py, create_normal_map and the kernels: what QLoRA calls NF4.
NF4 = (
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
)


def _mirrored(*sizes: float) -> tuple[float, ...]:
    return (*(-size for size in reversed(sizes)), 0.0, *sizes)


def _evenly(steps: int) -> tuple[float, ...]:
    return _mirrored(*(step / steps for step in range(1, steps + 1)))


# Levels of each format, ascending, the largest magnitude 1. "uniform" has no zero, and uses all sixteen codes.
LEVELS: dict[str, tuple[float, ...]] = {
    "nf4": NF4,
    "int4": _evenly(7),
    "uniform": tuple((2 * code - 15) / 15 for code in range(16)),
    "fp4": _mirrored(*(value / 6 for value in (0.5, 1, 1.5, 2, 3, 4, 6))),
    "bnb-fp4": _mirrored(1 / 192, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1),
    "int3": _evenly(3),
    "int2": _evenly(1),
}
FLOAT32 = "float32"  # the format of a model that is stored as it is computed with
BLOCK = 64  # weights that share a scale, in QLoRA
SCALE_BLOCK = 256  # scales that share a scale, in double quantisation
SCALE_BITS, STORED_BITS = 32, 8  # of a scale as it is, and doubly quantised


class Quantised(NamedTuple):
    """Hold a matrix in few bits.

    Attributes
    ----------
    codes : ndarray of uint8
        Place of each number's level among the LEVELS of the format; shape of the matrix.
    absmax : (blocks,) ndarray of float64
        Scale of each block: its largest magnitude, 0 or more.
    format : str
        A key of LEVELS.
    """

    codes: np.ndarray
    absmax: np.ndarray
    format: str


def constructed_nf4() -> np.ndarray:
    """Return the sixteen levels of NF4 as quantiles of the normal distribution.

    Returns
    -------
    (16,) ndarray of float64
        Ascending, from -1 to 1, with an exact 0: seven negative levels and eight positive ones.

    Notes
    -----
    Each half ends at the quantile of o = ((1 - 1/32) + (1 - 1/30)) / 2 and is spaced evenly in probability from there
    to one half; then all are divided by the largest. Equation 4 of the paper, read as it is printed, asks for the
    quantile at 0, which is infinite. These agree with the published levels to 2e-7; the rest is the rounding of o and
    of float32 there.

    References
    ----------
    Dettmers et al. 2023, arXiv:2305.14314, section 3; bitsandbytes, functional.py, create_normal_map.

    Examples
    --------
    >>> bool(np.abs(constructed_nf4() - NF4).max() < 2e-7)
    True
    """
    end = ((1 - 1 / 32) + (1 - 1 / 30)) / 2
    positive, negative = (
        [NormalDist().inv_cdf(p) for p in np.linspace(end, 0.5, levels + 1)[:-1]] for levels in (8, 7)
    )
    return np.array([*(-size for size in negative), 0.0, *reversed(positive)]) / max(positive)


def quantise(values: np.ndarray, format: str, block: int = BLOCK) -> Quantised:
    """Return numbers as codes and one scale for each block.

    Parameters
    ----------
    values : (out, in) ndarray of float
        Any shape; finite. Blocks are cut from it row by row.
    format : str
        A key of LEVELS.
    block : int
        Numbers in a block, at least 1; must divide the size of the matrix.

    Returns
    -------
    Quantised
        Of each number, divided by its block's largest magnitude, the nearest level; of two that are as near, the
        lower one.

    Raises
    ------
    ValueError
        If there is no such format, the blocks do not fill the matrix, or a value is not finite.

    Notes
    -----
    A block of zeros has the scale 0 and comes back as zeros. Cost: O(size * log(levels)).

    References
    ----------
    Dettmers et al. 2023, arXiv:2305.14314, section 2 (block-wise quantisation) and equations 1 and 2.

    Examples
    --------
    >>> quantise(np.array([0.5, -2.0, 0.1, 1.0]), "int2", block=2).absmax.tolist()
    [2.0, 1.0]
    """
    levels = _levels(format)
    values = np.asarray(values, dtype=np.float64)
    if block < 1 or values.size % block:
        raise ValueError(f"block must divide the {values.size} numbers of the matrix, got {block}.")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite numbers.")
    rows = values.reshape(-1, block)
    absmax = np.abs(rows).max(axis=1)
    normal = rows / np.where(absmax > 0, absmax, 1)[:, None]  # -1..1
    between = (levels[1:] + levels[:-1]) / 2
    codes = np.searchsorted(between, normal).astype(np.uint8)
    return Quantised(codes.reshape(values.shape), absmax, format)


def dequantise(quantised: Quantised) -> np.ndarray:
    """Return the numbers that codes and scales stand for.

    Parameters
    ----------
    quantised : Quantised
        From `quantise`, perhaps with other scales.

    Returns
    -------
    ndarray of float64
        Level times scale, in the shape of the codes.

    Examples
    --------
    >>> dequantise(quantise(np.array([0.4, -2.0]), "int4", block=2)).round(3).tolist()
    [0.286, -2.0]
    """
    levels = _levels(quantised.format)[quantised.codes].reshape(len(quantised.absmax), -1)
    return (levels * quantised.absmax[:, None]).reshape(quantised.codes.shape)


def in_few_bits(values: np.ndarray, format: str, block: int = BLOCK) -> np.ndarray:
    """Return what is left of numbers that were stored in a format.

    Parameters
    ----------
    values : ndarray of float
        As for `quantise`.
    format : str
        A key of LEVELS.
    block : int
        Numbers in a block.

    Returns
    -------
    ndarray of float64
        dequantise(quantise(...)).

    Raises
    ------
    ValueError
        As `quantise` does.

    Examples
    --------
    >>> in_few_bits(np.array([[0.5, -2.0], [0.1, 1.0]]), "int2", block=2).tolist()
    [[0.0, -2.0], [0.0, 1.0]]
    """
    return dequantise(quantise(values, format, block))


def double_quantised(absmax: np.ndarray, block: int = SCALE_BLOCK) -> np.ndarray:
    """Return what is left of scales that were themselves stored in 8 bits.

    Parameters
    ----------
    absmax : (blocks,) ndarray of float
        Scales.
    block : int
        Scales that share a scale, at least 1; the last block may be shorter.

    Returns
    -------
    (blocks,) ndarray of float64
        Their mean is taken away, each block is put on 255 even levels by its largest magnitude, and the mean is
        added again.

    Raises
    ------
    ValueError
        If block is below 1, or there are no scales, or one is not finite.

    Notes
    -----
    The paper takes the mean away too, and stores the rest in an 8-bit floating-point format, where this grid is even.
    Cost: O(blocks).

    References
    ----------
    Dettmers et al. 2023, arXiv:2305.14314, section 3, "Double Quantization".

    Examples
    --------
    >>> double_quantised(np.array([1.0, 2.0, 3.0])).tolist()
    [1.0, 2.0, 3.0]
    """
    if block < 1:
        raise ValueError(f"block must be at least 1, got {block}.")
    absmax = np.asarray(absmax, dtype=np.float64)
    finite("absmax", absmax)
    middle = absmax.mean()
    stored = []
    for i in range(0, len(absmax), block):
        part = absmax[i : i + block] - middle
        step = (np.abs(part).max() or 1.0) / 127
        stored.append(np.rint(part / step) * step)
    return np.concatenate(stored) + middle


def bits_per_number(format: str, block: int = BLOCK, double: bool = False) -> float:
    """Return the bits that a number takes, its share of the scales included.

    Parameters
    ----------
    format : str
        A key of LEVELS.
    block : int
        Numbers in a block, at least 1.
    double : bool
        Whether the scales are quantised, too.

    Returns
    -------
    float
        Bits of a code + 32 / block; doubly quantised, + 8 / block + 32 / (256 * block).

    Raises
    ------
    ValueError
        If there is no such format or block is below 1.

    References
    ----------
    Dettmers et al. 2023, arXiv:2305.14314, section 3 (0.5 and 0.127 bits).

    Examples
    --------
    >>> bits_per_number("nf4"), bits_per_number("nf4", double=True)
    (4.5, 4.126953125)
    """
    if block < 1:
        raise ValueError(f"block must be at least 1, got {block}.")
    code = math.ceil(math.log2(len(_levels(format))))
    if double:
        return code + STORED_BITS / block + SCALE_BITS / (SCALE_BLOCK * block)
    return code + SCALE_BITS / block


def _levels(format: str) -> np.ndarray:
    if format not in LEVELS:
        raise ValueError(f"format must be one of {', '.join(LEVELS)}, got {format!r}.")
    return np.array(LEVELS[format])


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
