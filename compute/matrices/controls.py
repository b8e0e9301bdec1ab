"""The controls: what a figure would show if chance had drawn the matrix, the change or the direction."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from compute.matrices.spectrum import energy, relative_error
from compute.numbers.bounds import number, sides, whole

PERCENTILES = (5, 50, 95)
DRAWS = 200  # ten draws lie outside the band on either side, which is enough to place its edges

# At this size the band of the energy is 0.006 high, two pixels of a figure, and 200 draws take about a second. For
# larger noise the band is thinner than the line that draws it, and its cost grows with the cube of the size.
LARGEST_DRAWN = 256

CACHED = 128  # bands kept, enough for every size that a reader can choose; of 4096 x 4096 one takes 0.3 MB


class Band(NamedTuple):
    """Hold the range that noise fills in three plots over the rank.

    Rows are the 5th percentile, the median and the 95th percentile over draws, taken at each rank by itself: no
    single draw need follow a row. The arrays are read-only, because bands are kept and shared.

    Attributes
    ----------
    s : (3, k) ndarray of float64
        Singular values, descending, of draws scaled to Frobenius norm 1.
    energy : (3, k + 1) ndarray of float64
        Share of s squared that rank r keeps, 0..1.
    error : (3, k + 1) ndarray of float64
        Relative error of rank r, 0..1.
    """

    s: np.ndarray
    energy: np.ndarray
    error: np.ndarray


@lru_cache(CACHED)
def noise_band(shape: tuple[int, int], draws: int = DRAWS, seed: int = 0) -> Band:
    """Return the band of matrices whose entries are independent Gaussian noise.

    Parameters
    ----------
    shape : (int, int)
        Shape (out, in) of the matrices, both at least 1.
    draws : int
        Number of matrices, at least 1.
    seed : int
        Seed of the draws.

    Returns
    -------
    Band
        s (3, k), energy (3, k + 1) and error (3, k + 1) with k = min(out, in).

    Raises
    ------
    ValueError
        If a side or draws is below 1.

    Notes
    -----
    The matrices themselves are not drawn. A Gaussian matrix is Q @ R with orthonormal Q, so its singular values
    are those of R, and R can be drawn directly: the roots of chi-squared numbers on its diagonal, Gaussian ones
    above (Bartlett's decomposition). Bands are kept, so asking again is free.
    Cost: O(draws * k**3), whatever the longer side.

    References
    ----------
    Bartlett 1933, doi:10.1017/S0370164600015637; Muirhead 1982, *Aspects of Multivariate Statistical Theory*,
    theorem 3.2.14.

    Examples
    --------
    >>> band = noise_band((24, 24))
    >>> low, median, high = band.energy[:, 12]
    >>> bool(0.5 < low < median < high)  # half of the ranks keep more than half of the energy
    True
    """
    _check_shape(shape)
    _check_draws(draws)
    rng = np.random.default_rng(seed)
    return _band([_triangle(rng, max(shape), min(shape)) for _ in range(draws)])


@lru_cache(CACHED)
def noise_product_band(shape: tuple[int, int], r: int, draws: int | None = None, seed: int = 0) -> Band:
    """Return the band of products of two Gaussian factors: an adapter of rank r that learned nothing.

    It is the control for an adapter. Its factors allow r directions only, and even noise does not use them
    equally.

    Parameters
    ----------
    shape : (int, int)
        Shape (out, in) of the product, both at least 1.
    r : int
        Inner size of the factors, at least 1. It may exceed out or in.
    draws : int, optional
        Number of products, at least 1. If left out it is DRAWS for r to LARGEST_DRAWN, and 1 beyond, where draws
        are slow and hardly differ; the three rows are then equal.
    seed : int
        Seed of the draws.

    Returns
    -------
    Band
        s (3, k), energy (3, k + 1) and error (3, k + 1) with k = min(out, r, in).

    Raises
    ------
    ValueError
        If a side, r or draws is below 1.

    Notes
    -----
    lora_B @ lora_A = Q_B @ (R_B @ R_A.T) @ Q_A.T as in `compute.matrices.svd.factorize_product`; the triangular R_B and
    R_A are drawn directly, as in `noise_band`. The scale of the factors drops out, since s has norm 1.
    Cost: O(draws * r**3), whatever out and in, if r is the smallest of the three.

    References
    ----------
    Bartlett 1933, doi:10.1017/S0370164600015637; Hu et al. 2021, arXiv:2106.09685, section 4.1 (the product).

    Examples
    --------
    >>> for side in (4096, 8):  # eight equal values would be 0.35
    ...     print(noise_product_band((side, side), r=8).s[1].round(2).tolist())
    [0.37, 0.37, 0.36, 0.36, 0.35, 0.35, 0.34, 0.34]
    [0.72, 0.49, 0.35, 0.24, 0.15, 0.08, 0.03, 0.0]
    """
    _check_shape(shape)
    if r < 1:
        raise ValueError(f"r must be at least 1, got {r}.")
    if draws is None:
        draws = DRAWS if r <= LARGEST_DRAWN else 1
    _check_draws(draws)
    out_size, in_size = shape
    rng = np.random.default_rng(seed)
    return _band([_triangle(rng, out_size, r) @ _triangle(rng, in_size, r).T for _ in range(draws)])


@lru_cache(CACHED)
def marchenko_pastur_band(shape: tuple[int, int], k: int | None = None) -> Band:
    """Return the band of a large noise matrix, which is a line, from the Marchenko-Pastur law.

    Parameters
    ----------
    shape : (int, int)
        Shape (out, in) of the matrix, both at least 1.
    k : int, optional
        Number of ranks wanted, 1 to min(out, in); all of them if left out.

    Returns
    -------
    Band
        s (3, k), energy (3, k + 1) and error (3, k + 1); the three rows are equal.

    Raises
    ------
    ValueError
        If a side is below 1 or k is outside 1 to min(out, in).

    Notes
    -----
    `compute.matrices.controls.noise_energy_lost` has the formula. At finite size the energy is off by about
    0.2 / min(out, in). Cost: O(k), and a millisecond for the law itself.

    References
    ----------
    Marchenko & Pastur 1967, doi:10.1070/SM1967v001n04ABEH001994, theorem 1.

    Examples
    --------
    >>> energy = marchenko_pastur_band((4096, 4096)).energy[1]
    >>> round(int(np.argmax(energy >= 0.9)) / 4096, 3)
    0.51
    """
    _check_shape(shape)
    shorter = min(shape)
    k = shorter if k is None else k
    if not 1 <= k <= shorter:
        raise ValueError(f"k must be between 1 and {shorter}, got {k}.")
    lost = noise_energy_lost(shape, k)
    return _shared(
        *(np.tile(row, (3, 1)) for row in (np.sqrt(lost[:-1] - lost[1:]), 1 - lost, np.sqrt(lost)))
    )


def noise_control(shape: tuple[int, int]) -> Band:
    """Return what noise of this shape looks like, drawn or computed, whichever suits the size.

    Parameters
    ----------
    shape : (int, int)
        Shape (out, in) of the matrix, both at least 1.

    Returns
    -------
    Band
        s (3, k), energy (3, k + 1) and error (3, k + 1) with k = min(out, in).

    Raises
    ------
    ValueError
        If a side is below 1.

    Notes
    -----
    `noise_band` if the shorter side is at most LARGEST_DRAWN, else `marchenko_pastur_band`, whose three rows
    are equal. Cost: that of the function chosen.

    References
    ----------
    Marchenko & Pastur 1967, doi:10.1070/SM1967v001n04ABEH001994.

    Examples
    --------
    >>> low, median, high = noise_control((4096, 4096)).error
    >>> bool((low == high).all())
    True
    """
    return noise_band(shape) if min(shape) <= LARGEST_DRAWN else marchenko_pastur_band(shape)


def _triangle(rng: np.random.Generator, n: int, r: int) -> np.ndarray:
    """Draw the R of the QR factorisation of a Gaussian (n, r) matrix; the matrix itself if it is wide."""
    if r > n:
        return rng.standard_normal((n, r))
    R = np.triu(rng.standard_normal((r, r)), 1)
    np.fill_diagonal(R, np.sqrt(rng.chisquare(n - np.arange(r))))
    return R


def _band(cores: list[np.ndarray]) -> Band:
    """Return the percentiles over the spectra of the matrices given."""
    s = np.stack([np.linalg.svd(core, compute_uv=False) for core in cores])  # (draws, k)
    s /= np.linalg.norm(s, axis=1, keepdims=True)
    kept = np.stack([energy(draw) for draw in s])  # (draws, k + 1)
    lost = np.stack([relative_error(draw) for draw in s])  # (draws, k + 1)
    return _shared(*(np.percentile(curves, PERCENTILES, axis=0) for curves in (s, kept, lost)))


def _shared(s: np.ndarray, energy: np.ndarray, error: np.ndarray) -> Band:
    band = Band(s, energy, error)
    for array in band:
        array.flags.writeable = False
    return band


def _check_shape(shape: tuple[int, int]) -> None:
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"shape must be (out, in) with both at least 1, got {tuple(shape)}.")


def _check_draws(draws: int) -> None:
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}.")


GRID = 20_000  # steps of the angle; twice as many move no result by more than 1e-6


def noise_energy_lost(shape: tuple[int, int], k: int) -> np.ndarray:
    """Return the share of energy that rank r misses in a large matrix of independent Gaussian noise.

    Parameters
    ----------
    shape : (int, int)
        Shape (out, in) of the matrix, both at least 1.
    k : int
        Largest rank wanted, 1 to min(out, in).

    Returns
    -------
    (k + 1,) ndarray of float64
        For rank r = 0..k the share of the squared singular values beyond the first r, falling from 1. At
        r = min(out, in) it is 0, exactly.

    Raises
    ------
    ValueError
        If a side is below 1, or k outside 1 to min(out, in).

    Notes
    -----
    Let n and m be the longer and the shorter side and c = m / n. For large sides the values x = s**2 / n of
    unit-variance noise have the density sqrt((b - x) * (x - a)) / (2 * pi * c * x) between a = (1 - sqrt(c))**2
    and b = (1 + sqrt(c))**2. With x = 1 + c + 2 * sqrt(c) * cos(t), the share of values above x is

        count(t) = integral from 0 to t of 2 * sin(u)**2 / (pi * x(u)) du,

    bounded also where the density is not (c = 1, x = 0), and the energy they hold is

        energy(t) = (t - sin(t) * cos(t)) / pi.

    The result is 1 - energy(t) at count(t) = r / m. Both are written with pi - t, so that the small shares at the
    end keep their digits. In a square matrix the energy reaches 0.9 at r / m = 0.5098.
    The law is a limit: at finite size the result is off by about 0.2 / m (tests allow 0.5 / m).
    Cost: O(GRID + k).

    References
    ----------
    Marchenko & Pastur 1967, doi:10.1070/SM1967v001n04ABEH001994, theorem 1.

    Examples
    --------
    >>> lost = noise_energy_lost((4096, 4096), 4096)
    >>> round(float(np.argmax(lost <= 0.1)) / 4096, 4)
    0.51
    """
    sides(shape)
    longer, shorter = max(shape), min(shape)
    whole("k", k, 1, shorter)
    root = np.sqrt(shorter / longer)
    edges = np.linspace(0, np.pi, GRID + 1)
    middle = (edges[:-1] + edges[1:]) / 2  # not the edges: the integrand is 0 / 0 at pi in a square matrix
    x = (1 - root) ** 2 + 4 * root * np.cos(middle / 2) ** 2
    count = np.concatenate([[0.0], np.cumsum(np.sin(middle) ** 2 / x)])
    t = np.interp(np.arange(k + 1) / shorter, count / count[-1], edges)  # (k + 1,)
    rest = np.pi - t
    return (rest - np.sin(rest) * np.cos(rest)) / np.pi


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


def random_within(shape: tuple[int, int], r: int, whole: float) -> float:
    """Return how much of a matrix lies within random directions.

    Parameters
    ----------
    shape : (int, int)
        Shape (out, in) of the matrix.
    r : int
        Directions on each side, at most the shorter one.
    whole : float
        Frobenius norm of the matrix.

    Returns
    -------
    float
        r / sqrt(out * in) times the norm.

    Raises
    ------
    ValueError
        If there are not that many directions, or the norm is negative or not finite.

    Notes
    -----
    The root of the mean of squares over all orthonormal U and V, exactly: the mean of U @ U.T is r / out times the
    identity, that of V @ V.T is r / in times it. Of the matrix only the norm matters.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 7.3, measures one draw; the closed form reproduces it.

    Examples
    --------
    >>> round(random_within((12288, 12288), 4, 61.95), 4), round(random_within((12288, 12288), 64, 61.95), 4)
    (0.0202, 0.3227)
    """
    sides(shape)
    if not 1 <= r <= min(shape):
        raise ValueError(f"r must be between 1 and {min(shape)}, got {r}.")
    number("whole", whole, 0)
    return r / float(np.sqrt(shape[0] * shape[1])) * whole
