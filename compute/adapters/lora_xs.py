"""LoRA-XS: both thin matrices are taken from the weight and frozen; a small square one between them learns."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from compute.adapters.adapted import AdaptedLinear, with_layers
from compute.model.gpt import GPT


class LoRAXSLinear(AdaptedLinear):
    """Add U diag(s) R Vh to a linear layer: r directions of its own weight, recombined.

    Parameters
    ----------
    base : nn.Linear
        The layer, kept whole.
    r : int
        Directions, the strongest of the weight: 1 to min(out, in). r * r numbers learn.

    Raises
    ------
    ValueError
        If there are fewer directions than r, or r is below 1.

    Notes
    -----
    U (out, r), s (r,) and Vh (r, in) are the first of the weight's SVD and stay as they are. R (r, r) starts at zero,
    so the model starts as it was; its gradient is not zero then, since both factors beside it are there. (The paper
    draws R with a standard deviation of 1e-5, to the same effect.) No delta_w leaves the row and column spaces of these
    r directions.

    References
    ----------
    Balazy et al. 2024, arXiv:2405.17604, section 3.

    Examples
    --------
    >>> layer = LoRAXSLinear(nn.Linear(6, 4, bias=False), 3)
    >>> {name: tuple(p.shape) for name, p in layer.named_parameters() if p.requires_grad}
    {'R': (3, 3)}
    """

    lora_A: torch.Tensor
    lora_B: torch.Tensor

    def __init__(self, base: nn.Linear, r: int):
        super().__init__(base)
        if not 1 <= r <= min(base.weight.shape):
            raise ValueError(f"r must be between 1 and {min(base.weight.shape)}, got {r}.")
        U, s, Vh = torch.linalg.svd(base.weight.detach(), full_matrices=False)
        self.register_buffer("lora_B", U[:, :r] * s[:r], persistent=False)  # (out, r)
        self.register_buffer("lora_A", Vh[:r].clone(), persistent=False)  # (r, in)
        self.R = nn.Parameter(base.weight.new_zeros(r, r))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's answer (..., out) to x (..., in)."""
        inner = F.linear(F.linear(x, self.lora_A), self.R)  # (..., r)
        return self.base(x) + F.linear(inner, self.lora_B)

    def delta_w(self) -> torch.Tensor:
        """Return U @ diag(s) @ R @ Vh, (out, in)."""
        return self.lora_B @ self.R @ self.lora_A


def inject_squares(model: GPT, target_modules: Sequence[str], r: int) -> GPT:
    """Return a copy of a model whose named layers have a small square matrix to learn, and nothing else can.

    Parameters
    ----------
    model : GPT
        A plain model on the CPU. It is not touched.
    target_modules : sequence of str
        Last parts of the names of linear layers.
    r : int
        Rows and columns of each, 1 to the smaller side of every layer.

    Returns
    -------
    GPT
        The copy.

    Raises
    ------
    ValueError
        If a name fits no linear layer, or r is out of range.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> adapted = inject_squares(load_base(), ["q_proj"], 4)
    >>> sum(p.numel() for p in adapted.parameters() if p.requires_grad)  # 3 blocks, 4 * 4
    48
    """
    return with_layers(model, target_modules, lambda name, layer: LoRAXSLinear(layer, r))
