"""What singular values say about a matrix: how much a rank keeps, and how many ranks it has in effect.

Every function takes s, the singular values in descending order. Multiplying the matrix by a number changes none
of the results. "Effective rank" has several definitions in the literature; here each has a name of its own.
"""

import numpy as np

# Singular values carry rounding of about 1e-15 * s[0]. A level that is met to nine digits counts as met: a spectrum
# that meets it exactly, as [3, 1] keeps 0.9 at rank 1, would come out one rank too high on some machines.
TIE = 1e-9


def energy(s: np.ndarray) -> np.ndarray:
    """Return the share of the squared singular values that the first r of them hold.

    Parameters
    ----------
    s : (k,) array_like of real numbers
        Singular values, descending, none negative, not all zero.

    Returns
    -------
    (k + 1,) ndarray of float64
        energy[r] for rank r = 0..k, between 0 and 1, never falling. energy[0] is 0 and energy[k] is 1, exactly.

    Raises
    ------
    ValueError
        If s is not a descending list of finite, non-negative numbers with a positive one among them.

    Notes
    -----
    energy[r] = sum(s[:r]**2) / sum(s**2), the share of the squared Frobenius norm that the best rank-r copy
    keeps. It is not "explained variance": nothing is centred. Cost: O(k). For the part that is lost use
    `relative_error`: close to 1 the difference 1 - energy[r] has few correct digits.

    References
    ----------
    Eckart & Young 1936, doi:10.1007/BF02288367 (the best rank-r copy keeps the r largest values).

    Examples
    --------
    >>> energy([2.0, 1.0, 1.0, 0.0]).round(4).tolist()
    [0.0, 0.6667, 0.8333, 1.0, 1.0]
    """
    kept = np.cumsum(_squares(s))
    return np.concatenate([[0.0], kept / kept[-1]])


def relative_error(s: np.ndarray) -> np.ndarray:
    """Return the Frobenius norm of what rank r loses, relative to that of the matrix.

    Parameters
    ----------
    s : (k,) array_like of real numbers
        Singular values, descending, none negative, not all zero.

    Returns
    -------
    (k + 1,) ndarray of float64
        error[r] for rank r = 0..k, between 0 and 1, never rising. error[0] is 1 and error[k] is 0, exactly.

    Raises
    ------
    ValueError
        If s is not a descending list of finite, non-negative numbers with a positive one among them.

    Notes
    -----
    error[r] = sqrt(sum(s[r:]**2) / sum(s**2)), which is sqrt(1 - energy[r]) in exact arithmetic. It is summed
    from the small end: 1 - energy[r] cannot resolve anything below 1e-16, that is an error of 1e-8. Its square is
    the relative squared loss, a different number: say which one you show. Cost: O(k).

    References
    ----------
    Eckart & Young 1936, doi:10.1007/BF02288367.

    Examples
    --------
    >>> relative_error([4.0, 3.0]).tolist()
    [1.0, 0.6, 0.0]
    >>> s = np.array([1.0, 1e-12])
    >>> float(relative_error(s)[1]), float(np.sqrt(1 - energy(s)[1]))
    (1e-12, 0.0)
    """
    lost = np.cumsum(_squares(s)[::-1])[::-1]
    return np.sqrt(np.concatenate([lost / lost[0], [0.0]]))


def r90(s: np.ndarray) -> int:
    """Return the smallest rank that keeps 90 % of the energy.

    Parameters
    ----------
    s : (k,) array_like of real numbers
        Singular values, descending, none negative, not all zero.

    Returns
    -------
    int
        Smallest r with energy[r] >= 0.9, from 1 to k.

    Raises
    ------
    ValueError
        If s is not a descending list of finite, non-negative numbers with a positive one among them.

    Notes
    -----
    The share is that of the squared singular values; a share of the plain ones gives a larger number. n equal
    values have r90 = ceil(0.9 * n). A large square matrix of Gaussian noise has r90 of about 0.51 * n: a value
    well below n is no sign of structure. Cost: O(k).

    References
    ----------
    Biderman et al. 2024, arXiv:2405.09673, section 4.6 (counts the directions that keep 90 %).

    Examples
    --------
    >>> r90(np.ones(24)), r90([10.0, 3.0, 1.0])
    (22, 1)
    """
    return int(np.argmax(energy(s) >= 0.9 - TIE))


def stable_rank(s: np.ndarray) -> float:
    """Return the squared Frobenius norm divided by the squared spectral norm.

    Parameters
    ----------
    s : (k,) array_like of real numbers
        Singular values, descending, none negative, not all zero.

    Returns
    -------
    float
        From 1 (one value, or one that dwarfs the others) to k (all equal). Never above the algebraic rank.

    Raises
    ------
    ValueError
        If s is not a descending list of finite, non-negative numbers with a positive one among them.

    Notes
    -----
    stable_rank = sum(s**2) / s[0]**2. It asks how strong the first direction is, not how many ranks an
    approximation needs. A large square matrix of Gaussian noise has n / 4. Cost: O(k).

    References
    ----------
    Rudelson & Vershynin 2007, doi:10.1145/1255443.1255449, section 1.1 ("numerical rank").

    Examples
    --------
    >>> stable_rank([2.0, 1.0, 1.0]), stable_rank(np.ones(24))
    (1.5, 24.0)
    """
    squares = _squares(s)
    return float(squares.sum() / squares[0])


def entropy_rank(s: np.ndarray) -> float:
    """Return the exponential of the entropy of the energy shares.

    Parameters
    ----------
    s : (k,) array_like of real numbers
        Singular values, descending, none negative, not all zero.

    Returns
    -------
    float
        From 1 (a single value above zero) to k (all equal).

    Raises
    ------
    ValueError
        If s is not a descending list of finite, non-negative numbers with a positive one among them.

    Notes
    -----
    entropy_rank = exp(-sum(p * log(p))) with p = s**2 / sum(s**2) and 0 * log(0) = 0. Roy & Vetterli, who named
    it effective rank, take p = s / sum(s), which gives a larger number; here p is the energy share, so that all
    numbers on a page speak of the same p. Cost: O(k).

    References
    ----------
    Roy & Vetterli 2007, "The effective rank: a measure of effective dimensionality", EUSIPCO, section 2.

    Examples
    --------
    >>> entropy_rank([5.0, 0.0]), round(entropy_rank(np.ones(24)), 12)
    (1.0, 24.0)
    """
    squares = _squares(s)
    p = squares[squares > 0] / squares.sum()
    return float(np.exp(-(p * np.log(p)).sum()))


def knee_rank(s: np.ndarray, tolerance: float = 0.05) -> int:
    """Return the smallest rank whose relative error is within the tolerance.

    Parameters
    ----------
    s : (k,) array_like of real numbers
        Singular values, descending, none negative, not all zero.
    tolerance : float
        Largest relative error accepted, between 0 and 1, both excluded. It bounds the norm, unsquared.

    Returns
    -------
    int
        Smallest r with relative_error[r] <= tolerance, from 1 to k.

    Raises
    ------
    ValueError
        If tolerance is outside (0, 1), or s is not a descending list of finite, non-negative numbers with a
        positive one among them.

    Notes
    -----
    For a tolerance t on the squared loss pass sqrt(t). A rank is always found, because error[k] is 0: a flat
    spectrum, which has no bend, gets a knee near k. A knee at or above `compute.costs.sizes.break_even_rank` saves
    nothing. Cost: O(k).

    References
    ----------
    Eckart & Young 1936, doi:10.1007/BF02288367 (the error of rank r).

    Examples
    --------
    >>> s = 0.5 ** np.arange(10)
    >>> knee_rank(s), knee_rank(s, tolerance=np.sqrt(0.05))
    (5, 3)
    >>> knee_rank(np.ones(24))
    24
    """
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance must be between 0 and 1, both excluded, got {tolerance}.")
    return int(np.argmax(relative_error(s) <= tolerance * (1 + TIE)))


def flat_error(n: int, r: int) -> float:
    """Return the relative error at rank r of a matrix with n equal singular values.

    No matrix with n singular values has a larger error at that rank.

    Parameters
    ----------
    n : int
        Number of singular values, at least 1.
    r : int
        Rank kept, 0 to n.

    Returns
    -------
    float
        sqrt(1 - r / n), from 1 (r = 0) to 0 (r = n).

    Raises
    ------
    ValueError
        If n is below 1 or r is outside 0 to n.

    Notes
    -----
    Why it is the largest: the r largest of n shares have at least the mean of all shares, 1 / n, so they hold at
    least r / n, and at most 1 - r / n is lost. Orthogonal matrices, permutations and rotations among them, reach
    it. Cost: O(1).

    Examples
    --------
    >>> round(flat_error(32, 4), 4)
    0.9354
    >>> bool(np.isclose(flat_error(32, 4), relative_error(np.ones(32))[4]))
    True
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}.")
    if not 0 <= r <= n:
        raise ValueError(f"r must be between 0 and {n}, got {r}.")
    return float(np.sqrt(1 - r / n))


def _squares(s: np.ndarray) -> np.ndarray:
    """Return (s / s[0])**2 after checking s; the division keeps all magnitudes in range."""
    s = np.asarray(s, dtype=np.float64)
    if s.ndim != 1 or s.size == 0:
        raise ValueError(f"s must be a list of at least one singular value, got shape {s.shape}.")
    if not (np.isfinite(s) & (s >= 0)).all():
        raise ValueError(f"s must be finite and not negative, got {s[~(np.isfinite(s) & (s >= 0))][0]}.")
    rises = np.flatnonzero(np.diff(s) > 0)
    if rises.size:
        raise ValueError(f"s must be descending, got {s[rises[0] + 1]} after {s[rises[0]]}.")
    if s[0] == 0:
        raise ValueError("s must hold a value above 0, got only zeros.")
    return (s / s[0]) ** 2
