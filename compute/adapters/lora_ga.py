"""LoRA-GA: a start of the factors that reads the gradient of the first texts, so that the first step goes its way."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from compute.adapters.inits import Start
from compute.adapters.layer import lora_layers

GAMMA = 16.0  # of LoRA-GA's authors, and PEFT's default
M = TypeVar("M", bound=nn.Module)


@torch.no_grad()
def gradient_start(grad_W: torch.Tensor, W: torch.Tensor, r: int, scaling: float) -> Start:
    """Return the factors that LoRA-GA makes of the gradient of a layer's weight.

    Parameters
    ----------
    grad_W : (out, in) tensor
        Gradient of the loss for the whole weight.
    W : (out, in) tensor
        The weight.
    r : int
        Rank of the adapter, at least 1 and at most half of min(out, in).
    scaling : float
        What lora_B @ lora_A is multiplied by in the layer.

    Returns
    -------
    Start
        Both factors, and the weight without their product: together they are the given weight, up to rounding.

    Raises
    ------
    ValueError
        If r is not possible.

    Notes
    -----
    With grad_W = U @ diag(s) @ Vh, lora_A holds the first r rows of Vh and lora_B the next r columns of U, both times
    c = out**(1/4) / GAMMA**(1/2). A first step of gradient descent then changes scaling * lora_B @ lora_A by
    -lr * (scaling * c)**2 times the best copy of grad_W that has rank 2 r, but for a part that falls with lr**2: no
    other factors of this rank come nearer to what full finetuning does there. This is what the paper and its authors'
    code have. PEFT 0.21.2 takes the same directions, but multiplies lora_B by their singular values as well and lora_A
    by nothing, so that its start is smaller by far where the gradient is small.

    References
    ----------
    Wang, Yu & Li 2024, arXiv:2407.05000, sections 3.2 and 3.3; huggingface/peft 0.21.2, tuners/lora/layer.py
    (lora_ga_init).

    Examples
    --------
    >>> lora_A, lora_B, rest = gradient_start(torch.diag(torch.tensor([3.0, 2.0, 1.0])), torch.eye(3), 1, 2.0)
    >>> lora_A.abs().argmax().item(), lora_B.abs().argmax().item()
    (0, 1)
    >>> torch.allclose(rest + 2.0 * lora_B @ lora_A, torch.eye(3))
    True
    """
    most = min(W.shape) // 2
    if not 1 <= r <= most:
        raise ValueError(f"LoRA-GA needs an r from 1 to {most} for this layer, got {r}.")
    U, _, Vh = torch.linalg.svd(grad_W, full_matrices=False)
    c = W.shape[0] ** 0.25 / GAMMA**0.5
    lora_A, lora_B = c * Vh[:r], c * U[:, r : 2 * r]
    return Start(lora_A, lora_B, W - scaling * lora_B @ lora_A)


def start_by_gradient(model: M, loss_of: Callable[[M], torch.Tensor]) -> None:
    """Give the factors of all adapters of a model, whose product is still zero, LoRA-GA's start.

    Parameters
    ----------
    model : nn.Module
        As `compute.adapters.layer.inject` makes it with lora_B = 0, or one LoRALinear. It is changed in place, the
        weights beneath the adapters too.
    loss_of : function of the model
        The loss whose gradient is read: of the first texts of a run.

    Examples
    --------
    >>> from compute.adapters.layer import LoRALinear
    >>> layer, x = (
    ...     LoRALinear(nn.Linear(6, 4, bias=False), r=2, alpha=4, scaling_rule="alpha/r"),
    ...     torch.randn(9, 6),
    ... )
    >>> before = layer(x)
    >>> start_by_gradient(layer, lambda layer: layer(x).square().mean())
    >>> torch.allclose(layer(x), before, atol=1e-5), bool(layer.lora_A.any() and layer.lora_B.any())
    (True, True)
    """
    layers = [layer for _, layer in lora_layers(model)]
    weights = [layer.base.weight.requires_grad_() for layer in layers]
    grads = torch.autograd.grad(loss_of(model), weights)
    for layer, W, grad_W in zip(layers, weights, grads, strict=True):
        W.requires_grad_(False)
        began = gradient_start(grad_W, W, layer.r, layer.scaling)
        with torch.no_grad():
            layer.lora_A.copy_(began.lora_A)
            layer.lora_B.copy_(began.lora_B)
            W.copy_(began.W)
