"""What a layer costs to run and to train: multiply-accumulates for each token, with an adapter and without."""

from compute.costs.sizes import stored_numbers

FLOPS_PER_MAC = 2  # a multiplication and an addition


def merged_macs(shape: tuple[int, int]) -> int:
    """Return the multiply-accumulates of a plain layer.

    Parameters
    ----------
    shape : (int, int)
        Shape (out, in) of its weight, both at least 1.

    Returns
    -------
    int
        out * in for each token: of W alone, and of W + delta_w, which has the same shape.

    Raises
    ------
    ValueError
        If a side is below 1.

    Notes
    -----
    Times FLOPS_PER_MAC it is the FLOPs. Cost: O(1).

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.1 ("No Additional Inference Latency").

    Examples
    --------
    >>> merged_macs((24, 24))
    576
    """
    stored_numbers(shape, 0)  # refuses a shape that is none
    return shape[0] * shape[1]


def unmerged_macs(shape: tuple[int, int], r: int) -> int:
    """Return the multiply-accumulates of a layer with an adapter beside it.

    Parameters
    ----------
    shape : (int, int)
        Shape (out, in) of the frozen weight, both at least 1.
    r : int
        Rank of the adapter, 0 or more.

    Returns
    -------
    int
        out * in + r * (out + in) for each token. The scaling and the sum of both paths, r multiplications and out
        additions, are not counted.

    Raises
    ------
    ValueError
        If a side is below 1 or r is negative.

    Notes
    -----
    A number of a factor is used once for each token, so the adapter costs as many multiply-accumulates as it
    stores numbers. Cost: O(1).

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, equation 3 (both paths).

    Examples
    --------
    >>> unmerged_macs((24, 24), r=4), FLOPS_PER_MAC * unmerged_macs((24, 24), r=4)
    (768, 1536)
    """
    return merged_macs(shape) + stored_numbers(shape, r)


def merging_macs(shape: tuple[int, int], r: int) -> int:
    """Return the multiply-accumulates of merging, which is done once.

    Parameters
    ----------
    shape : (int, int)
        Shape (out, in) of the weight, both at least 1.
    r : int
        Rank of the adapter, 0 or more.

    Returns
    -------
    int
        out * r * in, for lora_B @ lora_A. Scaling and adding it to W are not counted.

    Raises
    ------
    ValueError
        If a side is below 1 or r is negative.

    Notes
    -----
    As much as the adapter's own path costs for r * out * in / (r * (out + in)) tokens, which is the break-even rank
    of the matrix. Cost: O(1).

    Examples
    --------
    >>> merging_macs((4096, 4096), r=8)
    134217728
    """
    stored_numbers(shape, r)
    return merged_macs(shape) * r


def training_macs(shape: tuple[int, int], r: int | None = None) -> int:
    """Return the multiply-accumulates of a step of training in a layer whose input has a gradient.

    Parameters
    ----------
    shape : (int, int)
        Shape (out, in) of the weight, both at least 1.
    r : int, optional
        Rank of the adapter, 0 or more, beside a weight that is frozen. Without it the weight itself is trained.

    Returns
    -------
    int
        For each token. Of the weight: 3 * out * in, forward, for the gradient of the input and for that of the weight.
        Of an adapter: 2 * out * in + 3 * r * (out + in).

    Raises
    ------
    ValueError
        If a side is below 1 or r is negative.

    Notes
    -----
    What a frozen weight saves is its gradient, so that on a square matrix the share of the work that remains is
    2 / 3 + 2 * r / n. The step of the optimiser is not counted: it does not grow with the tokens. Cost: O(1).

    References
    ----------
    Schulman & Thinking Machines Lab 2025, LoRA Without Regret, on compute.

    Examples
    --------
    >>> round(training_macs((4096, 4096), r=16) / training_macs((4096, 4096)), 4)
    0.6745
    """
    return 3 * merged_macs(shape) if r is None else 2 * merged_macs(shape) + 3 * stored_numbers(shape, r)
