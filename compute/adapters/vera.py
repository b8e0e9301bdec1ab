"""VeRA: all layers share two frozen matrices of chance; only how strongly their rows and columns count is learned."""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from compute.adapters.adapted import AdaptedLinear, with_layers
from compute.model.gpt import GPT

D_START = 0.1  # of every number of d, as the paper's and PEFT's start it


class VeRALinear(AdaptedLinear):
    """Add diag(b) B diag(d) A to a linear layer, of which the two vectors learn.

    Parameters
    ----------
    base : nn.Linear
        The layer, kept whole.
    A : (r, in or more) tensor
        Frozen. Of a matrix that is too wide for the layer the first columns are taken.
    B : (out or more, r) tensor
        Frozen. Of a matrix that is too high the first rows are taken.

    Notes
    -----
    y = x @ W.T + b * ((d * (x @ A.T)) @ B.T). d (r,) starts at D_START and b (out,) at zero, so the model starts as it
    was. No file needs to hold A and B: the seed that they were drawn with gives them again.

    References
    ----------
    Kopiczko et al. 2023, arXiv:2310.11454, section 3; huggingface/peft, tuners/vera/layer.py.

    Examples
    --------
    >>> layer = VeRALinear(nn.Linear(6, 4, bias=False), torch.ones(3, 8), torch.ones(8, 3))
    >>> {name: tuple(p.shape) for name, p in layer.named_parameters() if p.requires_grad}
    {'d': (3,), 'b': (4,)}
    """

    A: torch.Tensor
    B: torch.Tensor

    def __init__(self, base: nn.Linear, A: torch.Tensor, B: torch.Tensor):
        super().__init__(base)
        self.register_buffer("A", A[:, : base.in_features], persistent=False)  # (r, in)
        self.register_buffer("B", B[: base.out_features], persistent=False)  # (out, r)
        self.d = nn.Parameter(base.weight.new_full((len(A),), D_START))
        self.b = nn.Parameter(base.weight.new_zeros(base.out_features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's answer (..., out) to x (..., in)."""
        inner = self.d * F.linear(x, self.A)  # (..., r)
        return self.base(x) + self.b * F.linear(inner, self.B)

    def delta_w(self) -> torch.Tensor:
        """Return diag(b) @ B @ diag(d) @ A, (out, in)."""
        return (self.b[:, None] * self.B) @ (self.d[:, None] * self.A)


def inject_vectors(model: GPT, target_modules: Sequence[str], r: int, generator: torch.Generator) -> GPT:
    """Return a copy of a model whose named layers have two vectors each to learn, and nothing else can.

    Parameters
    ----------
    model : GPT
        A plain model on the CPU. It is not touched.
    target_modules : sequence of str
        Last parts of the names of linear layers.
    r : int
        Rows of A and columns of B, at least 1. It adds but one number a layer each, so it may be larger than an
        adapter's.
    generator : torch.Generator
        Where A and B are drawn from, on the CPU: uniformly, within sqrt(6 / columns) of zero.

    Returns
    -------
    GPT
        The copy. All its layers read the same A and B, from the first column and row on.

    Raises
    ------
    ValueError
        If a name fits no linear layer, or r is below 1.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> adapted = inject_vectors(load_base(), ["q_proj"], 16, torch.Generator())
    >>> sum(p.numel() for p in adapted.parameters() if p.requires_grad)  # 3 blocks, 16 + 64
    240
    """
    if r < 1:
        raise ValueError(f"r must be at least 1, got {r}.")
    layers = [
        layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and name.rpartition(".")[2] in target_modules
    ]

    def drawn(rows: int, columns: int) -> torch.Tensor:
        most = math.sqrt(6 / columns)  # Kaiming's bound, gain sqrt(2)
        return torch.empty(rows, columns).uniform_(-most, most, generator=generator)

    A = drawn(r, max((layer.in_features for layer in layers), default=1))
    B = drawn(max((layer.out_features for layer in layers), default=1), r)
    return with_layers(model, target_modules, lambda name, layer: VeRALinear(layer, A, B))
