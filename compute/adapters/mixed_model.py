"""A mix of adapters put on a base model."""

import copy
from collections.abc import Sequence

import torch

from compute.adapters.mixing import Layers, mixed_delta_w
from compute.model.gpt import GPT


@torch.no_grad()
def mixed_model(base: GPT, adapters: Sequence[Layers], weights: Sequence[float], method: str) -> GPT:
    """Return the base model with a mix of adapters in its weights.

    Parameters
    ----------
    base : GPT
        A plain model on the CPU. It is not touched.
    adapters : sequence of Layers
        Factors by the name of the layer, all on the same layers. None gives the base.
    weights : sequence of float
        One for each, finite and not negative.
    method : str
        One of `compute.adapters.mixing.METHODS`.

    Returns
    -------
    GPT
        A plain model: W + mixed_delta_w in each adapted layer, added up in float64 and kept in float32.

    Raises
    ------
    ValueError
        If `compute.adapters.mixing.combine` refuses the arguments.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> from compute.experiments.mixing import load_factors
    >>> base = load_base()
    >>> mixed = mixed_model(base, [load_factors("legal"), load_factors("facts")], [1.0, 1.0], "products")
    >>> sum(bool((a != b).any()) for a, b in zip(base.parameters(), mixed.parameters()))
    18
    """
    model = copy.deepcopy(base)
    for name in adapters[0] if adapters else ():
        weight = model.get_submodule(name).weight
        delta_w = mixed_delta_w([each[name] for each in adapters], weights, method)
        weight.copy_(weight.double() + torch.from_numpy(delta_w))
    return model
