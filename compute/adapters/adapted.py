"""What methods that change a weight have in common: a frozen linear layer, and what is learned beside it."""

import copy
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn

from compute.model.gpt import GPT


class AdaptedLinear(nn.Module):
    """Keep a linear layer as it is, beside what is learned.

    Parameters
    ----------
    base : nn.Linear
        The layer, kept whole. Its weight W (out, in) no longer asks for a gradient.

    Notes
    -----
    A kind of adapter is a subclass: it holds what learns, answers in `forward` as a layer with the weight
    W + delta_w would, and says in `delta_w` what that is. So each can be merged.

    Examples
    --------
    >>> AdaptedLinear(nn.Linear(6, 4, bias=False)).base.weight.requires_grad
    False
    """

    def __init__(self, base: nn.Linear):
        super().__init__()
        self.base = base.requires_grad_(False)

    def delta_w(self) -> torch.Tensor:
        """Return what is added to the weight, (out, in)."""
        raise NotImplementedError


def adapted_layers(model: nn.Module) -> Iterator[tuple[str, AdaptedLinear]]:
    """Yield the layers of a model beside which something is learned.

    Parameters
    ----------
    model : nn.Module
        With or without an adapter, of any kind.

    Yields
    ------
    name : str
        As in "blocks.0.attention.q_proj".
    layer : AdaptedLinear
        The layer of that name.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> list(adapted_layers(load_base()))
    []
    """
    yield from ((name, layer) for name, layer in model.named_modules() if isinstance(layer, AdaptedLinear))


def with_layers(
    model: GPT,
    names: Sequence[str],
    change: Callable[[str, nn.Linear], nn.Module],
    layers: Sequence[int] | None = None,
) -> GPT:
    """Return a frozen copy of a model in which the named layers are replaced.

    Parameters
    ----------
    model : GPT
        A plain model. It is not touched.
    names : sequence of str
        Last parts of the names of linear layers, such as "q_proj": each such layer is replaced.
    change : function of str and nn.Linear
        Returns what stands in the place of a layer; it is given one of `names` and the layer of the copy, block
        after block.
    layers : sequence of int, optional
        In which blocks, counted from 0. If left out, in all of them.

    Returns
    -------
    GPT
        The copy. Its parameters ask for no gradient, except those that are new.

    Raises
    ------
    ValueError
        If a name fits no linear layer, a number no block, or there is none of either.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> adapted = with_layers(load_base(), ["q_proj", "down_proj"], lambda name, layer: AdaptedLinear(layer))
    >>> len([*adapted_layers(adapted)])
    6
    """
    adapted = copy.deepcopy(model).requires_grad_(False)
    blocks = range(len(adapted.blocks)) if layers is None else layers
    if not blocks or not set(blocks) <= set(range(len(adapted.blocks))):
        raise ValueError(f"layers must be some of 0 to {len(adapted.blocks) - 1}, got {tuple(blocks)}.")
    inside = tuple(f"blocks.{block}." for block in blocks)
    found = [
        (name, layer)
        for name, layer in adapted.named_modules()
        if isinstance(layer, nn.Linear) and name.rpartition(".")[2] in names and name.startswith(inside)
    ]
    missing = set(names) - {name.rpartition(".")[2] for name, _ in found}
    if missing or not found:
        raise ValueError(f"target_modules must name linear layers, got {', '.join(missing) or 'none'}.")
    for name, layer in found:
        adapted.set_submodule(name, change(name.rpartition(".")[2], layer))
    return adapted
