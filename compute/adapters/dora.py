"""DoRA: an adapter of LoRA turns the rows of a weight, and a number for each row says how long it is."""

from collections.abc import Sequence

import torch
from torch import nn

from compute.adapters.adapted import with_layers
from compute.adapters.layer import LoRALinear, initialize
from compute.matrices.row_changes import magnitude
from compute.model.gpt import GPT


class DoRALinear(LoRALinear):
    """Learn the direction of each row of a weight by LoRA, and its length by a number of its own.

    Parameters
    ----------
    base : nn.Linear
        The layer, kept whole.
    r : int
        Rank of the adapter, at least 1.
    alpha : float
        Numerator of the scaling.
    scaling_rule : str
        "alpha/r" or "alpha/sqrt(r)".
    generator : torch.Generator
        Where lora_A is drawn from, on the CPU.

    Raises
    ------
    ValueError
        If r is below 1 or the rule is unknown.

    Notes
    -----
    With V = W + scaling * lora_B @ lora_A, the weight is row_length * V / magnitude(V), row by row. It starts as W:
    lora_B at zero, row_length at magnitude(W). It need not be low-rank: the length of every row may change.
    As in the paper, no gradient passes through magnitude(V). It takes r * out * in multiply-accumulates at each
    forward pass, however few tokens there are.

    References
    ----------
    Liu et al. 2024, arXiv:2402.09353, equation 5 and section 4.3 (the norm as a constant).

    Examples
    --------
    >>> layer = DoRALinear(nn.Linear(6, 4, bias=False), 2, 4, "alpha/r", torch.Generator())
    >>> {name: tuple(p.shape) for name, p in layer.named_parameters() if p.requires_grad}
    {'lora_A': (2, 6), 'lora_B': (4, 2), 'row_length': (4,)}
    """

    def __init__(self, base: nn.Linear, r: int, alpha: float, scaling_rule: str, generator: torch.Generator):
        super().__init__(base, r, alpha, scaling_rule)
        initialize(self, "B=0", generator)
        self.row_length = nn.Parameter(magnitude(base.weight.detach()))

    def _ratio(self, V: torch.Tensor) -> torch.Tensor:
        """Return by how much each row of V is stretched, (out,)."""
        return self.row_length / magnitude(V.detach())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's answer (..., out) to x (..., in)."""
        with torch.no_grad():
            V = self.base.weight + super().delta_w()  # (out, in), for its lengths only
        return self._ratio(V) * super().forward(x)

    def delta_w(self) -> torch.Tensor:
        """Return the weight of the layer less that of its base, (out, in)."""
        V = self.base.weight + super().delta_w()
        return self._ratio(V)[:, None] * V - self.base.weight


def inject_dora(
    model: GPT,
    target_modules: Sequence[str],
    r: int,
    alpha: float,
    scaling_rule: str,
    generator: torch.Generator,
    layers: Sequence[int] | None = None,
) -> GPT:
    """Return a copy of a model in which direction and length of the named layers' rows learn, and nothing else.

    Parameters
    ----------
    model : GPT
        A plain model on the CPU. It is not touched.
    target_modules : sequence of str
        Last parts of the names of linear layers.
    r : int
        Rank of each adapter, at least 1.
    alpha : float
        Numerator of the scaling.
    scaling_rule : str
        "alpha/r" or "alpha/sqrt(r)".
    generator : torch.Generator
        Where lora_A is drawn from, on the CPU.
    layers : sequence of int, optional
        The blocks that have adapters, counted from 0. If left out, all.

    Returns
    -------
    GPT
        The copy.

    Raises
    ------
    ValueError
        If a name or a block fits no linear layer, or r or the rule is not allowed.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> adapted = inject_dora(load_base(), ["q_proj"], 4, 8, "alpha/r", torch.Generator())
    >>> sum(p.numel() for p in adapted.parameters() if p.requires_grad)  # 3 blocks, 4 * (64 + 64) + 64
    1728
    """
    return with_layers(
        model,
        target_modules,
        lambda name, layer: DoRALinear(layer, r, alpha, scaling_rule, generator),
        layers,
    )
