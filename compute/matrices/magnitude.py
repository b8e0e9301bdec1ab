"""The length of each row of a weight, which DoRA learns apart from its direction. Needs no torch."""

from typing import Any


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
