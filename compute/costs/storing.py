"""What many tasks take on disk: a whole model for each, or one base and an adapter for each."""

from compute.costs.architectures import Architecture, parameters
from compute.costs.counting import lora_numbers

BYTES = 2  # of a number kept in 16 bits


def copies_bytes(model: Architecture, tasks: int) -> int:
    """Return what a full finetune for each task takes.

    Parameters
    ----------
    model : Architecture
        The model.
    tasks : int
        Tasks, 0 or more.

    Returns
    -------
    int
        Bytes of that many whole models, 16 bits a number.

    Examples
    --------
    >>> from compute.costs.architectures import ARCHITECTURES
    >>> copies_bytes(ARCHITECTURES["gpt2"], 10) == 10 * 2 * 124439808
    True
    """
    return tasks * parameters(model) * BYTES


def adapters_bytes(model: Architecture, targets: str, r: int, tasks: int) -> int:
    """Return what one base model and an adapter for each task take.

    Parameters
    ----------
    model : Architecture
        The model.
    targets : {"q-v", "attention", "all-linear"}
        Which linear layers have an adapter.
    r : int
        Rank of each adapter, 0 or more.
    tasks : int
        Tasks, 0 or more.

    Returns
    -------
    int
        Bytes of one whole model and that many adapters, 16 bits a number.

    Raises
    ------
    ValueError
        If there is no such choice of targets, or r is negative.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.2 (many tasks on one base).

    Examples
    --------
    >>> from compute.costs.architectures import ARCHITECTURES
    >>> adapters_bytes(ARCHITECTURES["llama-2-7b"], "all-linear", 16, tasks=1) / copies_bytes(
    ...     ARCHITECTURES["llama-2-7b"], tasks=1
    ... ) > 1  # one task alone is no saving
    True
    """
    return (parameters(model) + tasks * lora_numbers(model, targets, r)) * BYTES


def most_saved(model: Architecture, targets: str, r: int) -> float:
    """Return how many times less adapters can ever take, however many tasks there are.

    Parameters
    ----------
    model : Architecture
        The model.
    targets : {"q-v", "attention", "all-linear"}
        Which linear layers have an adapter.
    r : int
        Rank of each adapter, at least 1.

    Returns
    -------
    float
        Numbers of the model over those of one adapter: the limit of `copies_bytes` over `adapters_bytes`.

    Raises
    ------
    ValueError
        If there is no such choice of targets, or r is below 1.

    Notes
    -----
    With M numbers in the model, a in an adapter and N tasks the ratio is N / (1 + N a / M). At N = M / a tasks, when
    the adapters together are as large as the base, it is half of the limit M / a.

    Examples
    --------
    >>> from compute.costs.architectures import ARCHITECTURES
    >>> round(most_saved(ARCHITECTURES["llama-2-7b"], "all-linear", 16), 1)
    168.6
    """
    if r < 1:
        raise ValueError(f"r must be at least 1, got {r}.")
    return parameters(model) / lora_numbers(model, targets, r)
