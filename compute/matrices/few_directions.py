"""A matrix synthesised from few directions: what the usual picture of a finetuned change is drawn from."""

import numpy as np

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
