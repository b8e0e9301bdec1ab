"""A change of a matrix taken apart, as DoRA does it: how much longer its rows became, how far they turned."""

from typing import Any, NamedTuple

import numpy as np

from compute.numbers.bounds import finite


class Split(NamedTuple):
    """Hold both parts of a change.

    Attributes
    ----------
    magnitude : float
        Mean over the rows of the absolute change of their length, 0 or more, in the unit of the weights.
    direction : float
        Mean over the rows of one less the cosine between before and after, 0 to 2.
    """

    magnitude: float
    direction: float


def split_change(before: np.ndarray, after: np.ndarray) -> Split:
    """Return how far the rows of a matrix changed in length, and how far in direction.

    Parameters
    ----------
    before : (out, in) ndarray of float
        The weight of the base. No row is zero.
    after : (out, in) ndarray of float
        The weight after finetuning. No row is zero.

    Returns
    -------
    Split
        Means over the rows.

    Raises
    ------
    ValueError
        If the shapes differ, an entry is not finite, or a row is zero and has no direction.

    Notes
    -----
    magnitude is the mean of abs(m_after - m_before), m being the length of a row: of all weights that make one output
    feature. direction is the mean of 1 - cos(row_before, row_after). The paper writes (in, out) matrices and speaks of
    columns; PEFT takes the norm over the inputs, as here. The cosine is taken from the
    distance of the unit rows, 1 - cos = |u - v|**2 / 2, which loses no digits where they are close.
    Cost: O(out * in).

    References
    ----------
    Liu et al. 2024, arXiv:2402.09353, the section on figure 2; PEFT, tuners/lora/dora.py.

    Examples
    --------
    >>> W = np.array([[3.0, 4.0], [0.0, 2.0]])
    >>> split_change(W, 2 * W)  # longer, and not turned
    Split(magnitude=3.5, direction=0.0)
    >>> turned = split_change(W, np.array([[-4.0, 3.0], [0.0, 2.0]]))  # one of two rows by a right angle
    >>> turned.magnitude, round(turned.direction, 9)
    (0.0, 0.5)
    """
    if np.shape(before) != np.shape(after):
        raise ValueError(f"Both must have one shape, got {np.shape(before)} and {np.shape(after)}.")
    finite("both", before, after)
    m_before, m_after = magnitude(before), magnitude(after)  # (out,)
    if not (m_before.all() and m_after.all()):
        raise ValueError("A row of zeros has no direction.")
    apart = before / m_before[:, None] - after / m_after[:, None]  # (out, in)
    turned = (apart**2).sum(axis=1) / 2
    return Split(float(np.abs(m_after - m_before).mean()), float(turned.mean()))


def line_through(points: list[Split]) -> tuple[float, float]:
    """Return the slope of the magnitude against the direction, and their correlation.

    Parameters
    ----------
    points : list of Split
        At least two with different directions and magnitudes.

    Returns
    -------
    slope : float
        Of the least-squares line, in the unit of the weights.
    correlation : float
        Pearson's, -1 to 1.

    Raises
    ------
    ValueError
        If there are no two points with different directions and no two with different magnitudes, or one is not
        finite.

    Examples
    --------
    >>> slope, correlation = line_through([Split(1.0, 0.1), Split(2.0, 0.2), Split(3.0, 0.3)])
    >>> round(slope, 9), round(correlation, 9)
    (10.0, 1.0)
    """
    y, x = np.array(points, dtype=np.float64).reshape(-1, 2).T
    if not (np.isfinite([x, y]).all() and len({*x}) > 1 and len({*y}) > 1):
        raise ValueError(
            "A line needs finite points, two of other direction and two of other magnitude among them."
        )
    dx, dy = x - x.mean(), y - y.mean()
    return float(dx @ dy / (dx @ dx)), float(dx @ dy / np.sqrt((dx @ dx) * (dy @ dy)))


def magnitude(W: Any) -> Any:
    """Return the length of each row of a weight.

    Parameters
    ----------
    W : (out, in) array or tensor
        A weight, y = x @ W.T: row i makes output feature i.

    Returns
    -------
    (out,) array or tensor
        Euclidean norms, 0 for a row of zeros. W / magnitude(W)[:, None] is its direction: rows of length 1.

    Notes
    -----
    The paper writes the weight as (in, out), where the same numbers are the norms of columns. One for each output
    feature is meant either way. Cost: out * in multiply-accumulates.

    References
    ----------
    Liu et al. 2024, arXiv:2402.09353 (DoRA), equation 5; huggingface/peft, tuners/lora/dora.py (get_weight_norm).

    Examples
    --------
    >>> import numpy as np
    >>> magnitude(np.array([[3.0, 4.0], [0.0, 2.0]])).tolist()
    [5.0, 2.0]
    """
    return (W * W).sum(1) ** 0.5
