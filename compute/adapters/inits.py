"""Where the factors start: seven ways, four that are told with LoRA and three that are told less."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

Factors = tuple[torch.Tensor, torch.Tensor]  # lora_A (r, in), lora_B (out, r)


def _kaiming(rows: int, columns: int, like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return nn.init.kaiming_uniform_(like.new_empty(rows, columns), a=math.sqrt(5), generator=generator)


def _b_zero(W: torch.Tensor, r: int, scaling: float, generator: torch.Generator) -> Factors:
    return _kaiming(r, W.shape[1], W, generator), W.new_zeros(W.shape[0], r)


def _a_zero(W: torch.Tensor, r: int, scaling: float, generator: torch.Generator) -> Factors:
    return W.new_zeros(r, W.shape[1]), _kaiming(W.shape[0], r, W, generator)


def _both_zero(W: torch.Tensor, r: int, scaling: float, generator: torch.Generator) -> Factors:
    return W.new_zeros(r, W.shape[1]), W.new_zeros(W.shape[0], r)


def _both_random(W: torch.Tensor, r: int, scaling: float, generator: torch.Generator) -> Factors:
    return _kaiming(r, W.shape[1], W, generator), _kaiming(W.shape[0], r, W, generator)


def _mixed(W: torch.Tensor, r: int, scaling: float, generator: torch.Generator) -> Factors:
    lora_A, lora_B = _both_random(W, r, scaling, generator)
    half = (r + 1) // 2
    lora_A[half:] = 0  # these directions start as with A=0,
    lora_B[:, :half] = 0  # and these as with B=0, so that lora_B @ lora_A is exactly zero
    return lora_A, lora_B


def _orthogonal(W: torch.Tensor, r: int, scaling: float, generator: torch.Generator) -> Factors:
    if r % 2:
        raise ValueError(f"init orthogonal needs an even r, got {r}.")
    out_size, in_size = W.shape
    half = r // 2
    Q, _ = torch.linalg.qr(torch.randn(r, r, generator=generator))
    # Rows of an orthogonal matrix: what lora_A reads into is what lora_B never looks at.
    lora_A = (torch.randn(in_size, half, generator=generator) @ Q[0::2]).T / 10  # (r, in)
    lora_B = torch.randn(half, out_size, generator=generator).T @ Q[1::2] / 10  # (out, r)
    return lora_A.to(W.dtype), lora_B.to(W.dtype)


def _pissa(W: torch.Tensor, r: int, scaling: float, generator: torch.Generator) -> Factors:
    U, s, Vh = torch.linalg.svd(W, full_matrices=False)
    root = (s[:r] / scaling).sqrt()
    return root[:, None] * Vh[:r], U[:, :r] * root


INITS: dict[str, Callable[[torch.Tensor, int, float, torch.Generator], Factors]] = {
    "B=0": _b_zero,
    "A=0": _a_zero,
    "both zero": _both_zero,
    "both random": _both_random,
    "mixed": _mixed,
    "orthogonal": _orthogonal,
    "PiSSA": _pissa,
}


class Start(NamedTuple):
    """Hold where an adapted layer starts.

    Attributes
    ----------
    lora_A : (r, in) tensor
        The factor that reads the layer's input.
    lora_B : (out, r) tensor
        The factor that writes to the layer's output.
    W : (out, in) tensor
        The frozen weight: as it was, except with PiSSA.
    """

    lora_A: torch.Tensor
    lora_B: torch.Tensor
    W: torch.Tensor


@torch.no_grad()
def start(init: str, W: torch.Tensor, r: int, scaling: float, generator: torch.Generator) -> Start:
    """Return the numbers that training starts from.

    Parameters
    ----------
    init : str
        A key of INITS. "B=0", "A=0" and "both zero" name the factors that are zero; the others are drawn. "mixed"
        starts the first half of the r directions as with "B=0", rounded up, and the others as with "A=0".
        "orthogonal" draws both factors so that their product is zero. "PiSSA" takes both from the r largest singular
        directions of W, and takes these directions out of W.
    W : (out, in) tensor
        Weight of the layer, on the CPU.
    r : int
        Rank of the adapter, at least 1; even for "orthogonal". PiSSA can give no more than min(out, in).
    scaling : float
        What lora_B @ lora_A is multiplied by in the layer.
    generator : torch.Generator
        Where factors are drawn from, on the CPU.

    Returns
    -------
    Start
        Both factors and the weight beneath them. W + scaling * lora_B @ lora_A is the given W, except with
        "both random"; with "orthogonal" and "PiSSA" up to rounding.

    Raises
    ------
    ValueError
        If there is no such init, or r is not possible for it.

    Notes
    -----
    What "B=0", "A=0", "both random" and "mixed" draw is uniform within 1 / sqrt(fan_in), fan_in being in for lora_A
    and r for lora_B: Kaiming's rule with a = sqrt(5), which loralib and PEFT use for lora_A. "orthogonal" draws as
    PEFT does. With G = dL/dW the gradients are grad_lora_A = scaling * lora_B.T @ G and
    grad_lora_B = scaling * G @ lora_A.T: a factor learns in the first step if the other one is not zero.

    References
    ----------
    He et al. 2015, arXiv:1502.01852, section 2.2; microsoft/LoRA, loralib/layers.py at 0771c1e; huggingface/peft
    0.21.2, tuners/lora/layer.py (orthogonal_init, pissa_init); Meng et al. 2024, arXiv:2404.02948 (PiSSA).

    Examples
    --------
    >>> W = torch.eye(4)
    >>> for init in INITS:
    ...     lora_A, lora_B, rest = start(init, W, 2, 2.0, torch.Generator().manual_seed(0))
    ...     unchanged = torch.allclose(rest + 2.0 * lora_B @ lora_A, W, atol=1e-6)
    ...     print(f"{init}: {bool(lora_A.any())}, {bool(lora_B.any())}, {unchanged}")
    B=0: True, False, True
    A=0: False, True, True
    both zero: False, False, True
    both random: True, True, False
    mixed: True, True, True
    orthogonal: True, True, True
    PiSSA: True, True, True
    """
    if init not in INITS:
        raise ValueError(f"init must be one of {', '.join(INITS)}, got {init!r}.")
    if init == "PiSSA" and r > min(W.shape):
        raise ValueError(f"init PiSSA needs an r of at most {min(W.shape)} for this layer, got {r}.")
    lora_A, lora_B = INITS[init](W, r, scaling, generator)
    return Start(lora_A, lora_B, W - scaling * lora_B @ lora_A if init == "PiSSA" else W)
