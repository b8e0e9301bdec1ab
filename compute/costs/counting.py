"""How many numbers an adapter trains on a whole model, and the rank at which it saves nothing."""

from compute.costs.architectures import Architecture, block_matrices, target_modules
from compute.costs.sizes import stored_numbers


def lora_numbers(model: Architecture, targets: str, r: int) -> int:
    """Return how many numbers LoRA trains.

    Parameters
    ----------
    model : Architecture
        The model.
    targets : {"q-v", "attention", "all-linear"}
        Which linear layers have an adapter.
    r : int
        Rank of the adapters, 0 or more.

    Returns
    -------
    int
        Sum of r * (out + in) over the adapted matrices of all blocks.

    Raises
    ------
    ValueError
        If there is no such choice of targets, or r is negative.

    Notes
    -----
    It grows in proportion to r. alpha scales the product of the factors and changes no count. It is what PEFT's
    get_nb_trainable_parameters gives. Cost: O(1).

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.2 and table 4 (18,874,368 numbers on GPT-3: printed as 0.01 %).

    Examples
    --------
    >>> from compute.costs.architectures import ARCHITECTURES
    >>> lora_numbers(ARCHITECTURES["llama-2-7b"], "all-linear", 16)
    39976960
    >>> lora_numbers(ARCHITECTURES["gpt3"], "q-v", 4)
    18874368
    """
    matrices = block_matrices(model)
    return model.n_layer * sum(stored_numbers(matrices[name], r) for name in target_modules(model, targets))


def adapted_numbers(model: Architecture, targets: str) -> int:
    """Return how many numbers the matrices hold that have an adapter.

    Parameters
    ----------
    model : Architecture
        The model.
    targets : {"q-v", "attention", "all-linear"}
        Which linear layers have an adapter.

    Returns
    -------
    int
        Sum of out * in over the adapted matrices of all blocks.

    Raises
    ------
    ValueError
        If there is no such choice of targets.

    Notes
    -----
    Cost: O(1).

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.2 (which matrices).

    Examples
    --------
    >>> from compute.costs.architectures import ARCHITECTURES
    >>> adapted_numbers(ARCHITECTURES["llama-2-7b"], "attention")
    2147483648
    """
    matrices = block_matrices(model)
    shapes = [matrices[name] for name in target_modules(model, targets)]
    return model.n_layer * sum(out * into for out, into in shapes)


def model_break_even_rank(model: Architecture, targets: str) -> float:
    """Return the rank at which the adapters hold as many numbers as the matrices they are put on.

    Parameters
    ----------
    model : Architecture
        The model.
    targets : {"q-v", "attention", "all-linear"}
        Which linear layers have an adapter.

    Returns
    -------
    float
        `adapted_numbers` over the numbers that one unit of r costs.

    Raises
    ------
    ValueError
        If there is no such choice of targets.

    Notes
    -----
    One rank for all matrices together: where they differ in shape, a single one breaks even earlier or later
    (`compute.costs.sizes.break_even_rank`). Cost: O(1).

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.1 (the sizes of the factors).

    Examples
    --------
    >>> from compute.costs.architectures import ARCHITECTURES
    >>> model_break_even_rank(ARCHITECTURES["llama-2-7b"], "q-v")
    2048.0
    """
    return adapted_numbers(model, targets) / lora_numbers(model, targets, 1)
