"""The law that the singular values of a large noise matrix follow."""

import numpy as np

from compute.numbers.bounds import sides, whole

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
