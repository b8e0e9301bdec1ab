"""What an adapter costs: numbers stored, and the rank at which it saves nothing any more."""

import math

from compute.numbers.bounds import whole


def stored_numbers(shape: tuple[int, int], r: int) -> int:
    """Return how many numbers lora_A and lora_B hold together.

    Parameters
    ----------
    shape : (int, int)
        Shape (out, in) of the adapted matrix, both at least 1.
    r : int
        Rank of the adapter, 0 or more.

    Returns
    -------
    int
        r * (out + in): out * r in lora_B and r * in in lora_A.

    Raises
    ------
    ValueError
        If a side is below 1 or r is negative.

    Notes
    -----
    Multiply by 2 for bytes in float16 or bfloat16, by 4 in float32. Cost: O(1).

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.1 (B is d x r, A is r x k).

    Examples
    --------
    >>> stored_numbers((4096, 4096), r=8)
    65536
    """
    out_size, in_size = _sides(shape)
    if r < 0:
        raise ValueError(f"r must be at least 0, got {r}.")
    return r * (out_size + in_size)


def break_even_rank(shape: tuple[int, int]) -> float:
    """Return the rank at which the two factors hold as many numbers as the matrix.

    Parameters
    ----------
    shape : (int, int)
        Shape (out, in) of the adapted matrix, both at least 1.

    Returns
    -------
    float
        out * in / (out + in), between half the shorter side (square) and the shorter side (very thin).

    Raises
    ------
    ValueError
        If a side is below 1.

    Notes
    -----
    From r * (out + in) = out * in. An adapter of this rank or above saves no storage. Cost: O(1).

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.1 (the sizes of the factors).

    Examples
    --------
    >>> break_even_rank((24, 24)), break_even_rank((4096, 4096))
    (12.0, 2048.0)
    """
    out_size, in_size = _sides(shape)
    return out_size * in_size / (out_size + in_size)


def rank_dimension(shape: tuple[int, int], r: int) -> int:
    """Return the number of independent directions in which a matrix of rank r can move.

    Parameters
    ----------
    shape : (int, int)
        Shape (out, in) of the matrix, both at least 1.
    r : int
        Rank, 0 to min(out, in).

    Returns
    -------
    int
        r * (out + in - r), the dimension of the manifold of (out, in) matrices of rank r.

    Raises
    ------
    ValueError
        If a side is below 1 or r is outside 0 to min(out, in).

    Notes
    -----
    It is r**2 less than `stored_numbers`: lora_B @ G and inv(G) @ lora_A have the same product for every
    invertible r x r matrix G. At r = min(out, in) it is out * in, the freedom of the whole matrix. Cost: O(1).

    References
    ----------
    Vandereycken 2013, doi:10.1137/110845768, proposition 2.1.

    Examples
    --------
    >>> rank_dimension((4096, 4096), r=4), stored_numbers((4096, 4096), r=4)
    (32752, 32768)
    """
    out_size, in_size = _sides(shape)
    if not 0 <= r <= min(shape):
        raise ValueError(f"r must be between 0 and {min(shape)}, got {r}.")
    return r * (out_size + in_size - r)


def times_smaller(shape: tuple[int, int], r: int) -> float:
    """Return how many times fewer numbers the factors hold than the matrix.

    Parameters
    ----------
    shape : (int, int)
        Shape (out, in) of the adapted matrix, both at least 1.
    r : int
        Rank of the adapter, at least 1.

    Returns
    -------
    float
        out * in / (r * (out + in)); below 1 when the factors hold more than the matrix.

    Raises
    ------
    ValueError
        If a side or r is below 1.

    Notes
    -----
    Equal to break_even_rank(shape) / r. Cost: O(1).

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.1 (the sizes of the factors).

    Examples
    --------
    >>> times_smaller((4096, 4096), r=8), times_smaller((24, 24), r=24)
    (256.0, 0.5)
    """
    if r < 1:
        raise ValueError(f"r must be at least 1, got {r}.")
    return break_even_rank(shape) / r


def first_step_ratio(shape: tuple[int, int], r: int, optimizer: str) -> float:
    """Return how many times as far the first step of training goes with lora_A = 0 as with lora_B = 0.

    Parameters
    ----------
    shape : (int, int)
        Shape (out, in) of the layer, both at least 1.
    r : int
        Rank of the adapter, at least 1 and well below out and in.
    optimizer : str
        "sgd" or "adamw".

    Returns
    -------
    float
        Ratio of the Frobenius norms of the changes of delta_w, at the same learning rate.

    Raises
    ------
    ValueError
        If a side or r is below 1, or the optimiser is neither of the two.

    Notes
    -----
    What is drawn is uniform within 1 / sqrt(fan_in). With G = dL/dW the step of gradient descent is
    -lr * scaling**2 * G @ lora_A.T @ lora_A for lora_B = 0, where lora_A.T @ lora_A has r eigenvalues near 1/3; for
    lora_A = 0 it is -lr * scaling**2 * lora_B @ lora_B.T @ G, and those of lora_B @ lora_B.T are near out / (3 r).
    A G without preferred directions makes the ratio sqrt(out * in) / r. AdamW's first step has the same size in
    every entry of the factor that learns, whatever its gradient: sqrt(in / r).

    References
    ----------
    Hayou, Ghosh, Yu 2024, arXiv:2406.08447 (what the two starts do as the width grows).

    Examples
    --------
    >>> first_step_ratio((4096, 4096), 8, "sgd")
    512.0
    >>> round(first_step_ratio((4096, 4096), 8, "adamw"), 1)
    22.6
    """
    out_size, in_size = _sides(shape)
    whole("r", r, 1)
    if optimizer == "sgd":
        return math.sqrt(out_size * in_size) / r
    if optimizer == "adamw":
        return math.sqrt(in_size / r)
    raise ValueError(f"optimizer must be sgd or adamw, got {optimizer!r}.")


def _sides(shape: tuple[int, int]) -> tuple[int, int]:
    out_size, in_size = shape
    if min(shape) < 1:
        raise ValueError(f"shape must be (out, in) with both at least 1, got {tuple(shape)}.")
    return out_size, in_size
