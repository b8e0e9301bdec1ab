"""The mini-model with adapters merged, taken out, stacked and peeled off in a precision, and what that does to it."""

import copy
from collections.abc import Mapping, Sequence
from itertools import repeat

import numpy as np
import torch

from compute.adapters.layer import delta_w, lora_layers
from compute.adapters.merging import at_strength, in_and_out, merge_unrounded, merge_weights, unmerge_weights
from compute.model.gpt import GPT
from compute.numbers.precision import rounded
from compute.world.batches import Texts

WAYS = {"rounded": merge_weights, "unrounded": merge_unrounded}  # how delta_w is added before it is taken out


def with_weights(model: GPT, weights: Mapping[str, np.ndarray]) -> GPT:
    """Return a copy of a plain model with other weights in some layers.

    Parameters
    ----------
    model : GPT
        A model without adapters. It is not touched.
    weights : dict of str to (out, in) ndarray
        By the name of the layer, as in "blocks.0.attention.q_proj".

    Returns
    -------
    GPT
        The copy, which computes in float32.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> name = "blocks.1.attention.v_proj"
    >>> changed = with_weights(load_base(), {name: np.zeros((64, 64))})
    >>> bool(changed.get_submodule(name).weight.any())
    False
    """
    changed = copy.deepcopy(model)
    with torch.no_grad():
        for name, values in weights.items():
            changed.get_submodule(name).weight.copy_(torch.tensor(values))
    return changed


def beside(adapted: GPT, precision: str, strength: float) -> GPT:
    """Return a model whose adapted layers are stored in a precision, with the adapter still beside them.

    Parameters
    ----------
    adapted : GPT
        A model with adapters. It is not touched.
    precision : str
        A key of `compute.numbers.precision.PRECISIONS`, for the frozen weights.
    strength : float
        Multiplies what each adapter adds; 0 leaves the base.

    Returns
    -------
    GPT
        The copy. The factors stay in float32, and so does all arithmetic.

    Examples
    --------
    >>> from compute.adapters.layer import inject
    >>> from compute.model.checkpoint import load_base
    >>> adapted = inject(load_base(), ["q_proj"], 2, 8, "alpha/r", "both random", torch.Generator())
    >>> {layer.scaling for _, layer in lora_layers(beside(adapted, "bf16", 0.5))}
    {2.0}
    """
    changed = copy.deepcopy(adapted)
    with torch.no_grad():
        for _, layer in lora_layers(changed):
            layer.base.weight.copy_(torch.tensor(rounded(layer.base.weight.numpy(), precision)))
            layer.scaling *= strength
    return changed


def merged_losses(
    base: GPT, adapted: Sequence[GPT], texts: Sequence[Texts], precision: str, strength: float
) -> dict[str, float]:
    """Return the losses along the way of two adapters: merged, taken out, stacked, one peeled off.

    Parameters
    ----------
    base : GPT
        The plain model that both adapters were trained on.
    adapted : sequence of two GPT
        The base with the adapter that is merged first, and with the one that is stacked on it. Both adapt the same
        layers.
    texts : sequence of two Texts
        Of the task of each.
    precision : str
        A key of `compute.numbers.precision.PRECISIONS`: how the weights of the adapted layers are stored.
    strength : float
        Multiplies what each adapter adds.

    Returns
    -------
    dict of str to float
        In nats per token that is learned. Of the first task: "base", "unmerged" (the first
        adapter beside), "merged", "restored" (merged and taken out), "stacked" (both merged). Of the second:
        "second_alone" (merged without the first), "second_stacked", "second_peeled" (both merged, the first taken
        out).

    Notes
    -----
    Only the storage of the adapted layers is rounded. Activations and products stay in float32, so that what these
    losses show is the merge and nothing else.

    Examples
    --------
    >>> from compute.adapters.layer import inject
    >>> from compute.model.checkpoint import load_base
    >>> from compute.world.batches import texts_of
    >>> base, texts = load_base(), texts_of("formal voice", "test", 4, 64)
    >>> adapted = inject(base, ["q_proj"], 2, 8, "alpha/r", "B=0", torch.Generator())  # adds nothing yet
    >>> losses = merged_losses(base, [adapted] * 2, [texts] * 2, "bf16", 1.0)
    >>> losses["base"] == losses["merged"] == losses["stacked"]
    True
    """
    one, two = (deltas(each, strength) for each in adapted)
    W = {name: base.get_submodule(name).weight.detach().numpy() for name in one}
    merged = {name: merge_weights(W[name], one[name], precision) for name in W}
    stacked = {name: merge_weights(merged[name], two[name], precision) for name in W}
    models = {
        "base": {name: rounded(W[name], precision) for name in W},
        "merged": merged,
        "restored": {name: unmerge_weights(merged[name], one[name], precision) for name in W},
        "stacked": stacked,
        "second_alone": {name: merge_weights(W[name], two[name], precision) for name in W},
        "second_stacked": stacked,
        "second_peeled": {name: unmerge_weights(stacked[name], one[name], precision) for name in W},
    }
    losses = {
        name: _loss(with_weights(base, weights), texts[name.startswith("second")])
        for name, weights in models.items()
    }
    return losses | {"unmerged": _loss(beside(adapted[0], precision, strength), texts[0])}


def deltas(adapted: GPT, strength: float) -> dict[str, np.ndarray]:
    """Return what an adapter adds to each of its layers.

    Parameters
    ----------
    adapted : GPT
        A model with adapters.
    strength : float
        Multiplies what each adapter adds.

    Returns
    -------
    dict of str to (out, in) ndarray of float32
        By the name of the layer.

    Examples
    --------
    >>> from compute.adapters.layer import inject
    >>> from compute.model.checkpoint import load_base
    >>> adapted = inject(load_base(), ["q_proj"], 2, 8, "alpha/r", "both random", torch.Generator())
    >>> list(deltas(adapted, 0.5))[0]
    'blocks.0.attention.q_proj'
    """
    return {name: at_strength(delta_w(layer).numpy(), strength) for name, layer in lora_layers(adapted)}


def worn(base: GPT, adapted: GPT, precision: str, cycles: int, way: str) -> GPT:
    """Return the base after an adapter was merged and taken out of it many times.

    Parameters
    ----------
    base : GPT
        The plain model that the adapter was trained on. It is not touched.
    adapted : GPT
        It, with the adapter.
    precision : str
        A key of `compute.numbers.precision.PRECISIONS`: how the weights of the adapted layers are stored.
    cycles : int
        How often, 0 or more.
    way : str
        A key of WAYS.

    Returns
    -------
    GPT
        A plain model, which computes in float32.

    Examples
    --------
    >>> from compute.adapters.layer import inject
    >>> from compute.model.checkpoint import load_base
    >>> base = load_base()
    >>> adapted = inject(base, ["q_proj"], 2, 8, "alpha/r", "both random", torch.Generator())
    >>> once, twice = (worn(base, adapted, "bf16", cycles, "rounded") for cycles in (1, 2))
    >>> sum(bool((a != b).any()) for a, b in zip(once.parameters(), twice.parameters()))
    0
    """
    weights = {}
    for name, change in deltas(adapted, 1.0).items():
        start = rounded(base.get_submodule(name).weight.detach().numpy(), precision)
        *_, weights[name] = [start, *in_and_out(start, repeat(change, cycles), precision, WAYS[way])]
    return with_weights(base, weights)


@torch.no_grad()
def layer_input(model: GPT, layer: str, tokens: torch.Tensor) -> torch.Tensor:
    """Return what a layer is given when a model reads.

    Parameters
    ----------
    model : GPT
        A plain model.
    layer : str
        Name of a linear layer.
    tokens : (n, T) tensor of int64
        Texts.

    Returns
    -------
    (n * T, in) tensor
        One row for each token.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> layer_input(load_base(), "blocks.1.mlp.up_proj", torch.tensor([[0, 5, 9]])).shape
    torch.Size([3, 64])
    """
    seen: list[torch.Tensor] = []
    hook = model.get_submodule(layer).register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    try:
        model(tokens)
    finally:
        hook.remove()
    return seen[0].flatten(0, 1)


@torch.no_grad()
def _loss(model: GPT, texts: Texts) -> float:
    return model.loss(*texts).item()
