"""Bottleneck adapters: small networks set into every block, one after attention and one after the MLP."""

import copy

import torch
from torch import nn
from torch.nn import functional as F

from compute.model.gpt import GPT


class Bottleneck(nn.Module):
    """Let a part of a block answer, and add what a small network makes of that answer.

    Parameters
    ----------
    base : nn.Module
        The attention or the MLP of a block, kept whole.
    n_embd : int
        Width of its answer.
    width : int
        Width of the small network, at least 1.
    generator : torch.Generator
        Where the first weights of its way down are drawn from, on the CPU.

    Raises
    ------
    ValueError
        If the width is below 1.

    Notes
    -----
    h = base(x); y = h + gelu(h @ down.T + bias) @ up.T + bias. The residual connection of the block comes after it.
    `up` starts at zero, so the model starts as it was. Because a nonlinear function stands between the two matrices,
    no weight of the base can take them in: it does not merge. It holds 2 * n_embd * width + width + n_embd numbers.

    References
    ----------
    Houlsby et al. 2019, arXiv:1902.00751, section 2.1 and figure 2.

    Examples
    --------
    >>> part = Bottleneck(nn.Identity(), 64, 4, torch.Generator())
    >>> x = torch.ones(2, 7, 64)
    >>> torch.equal(part(x), x), sum(p.numel() for p in part.parameters())
    (True, 580)
    """

    def __init__(self, base: nn.Module, n_embd: int, width: int, generator: torch.Generator):
        super().__init__()
        if width < 1:
            raise ValueError(f"width must be at least 1, got {width}.")
        self.base = base
        self.down = nn.utils.skip_init(nn.Linear, n_embd, width)
        self.up = nn.utils.skip_init(nn.Linear, width, n_embd)
        nn.init.kaiming_uniform_(self.down.weight, a=5**0.5, generator=generator)  # as torch starts a layer
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the answer to x (n, T, C), of the same shape."""
        h = self.base(x)
        return h + self.up(F.gelu(self.down(h)))  # (n, T, width) in between


def inject_bottlenecks(model: GPT, width: int, generator: torch.Generator) -> GPT:
    """Return a copy of a model with two bottlenecks in each block, where nothing else can learn.

    Parameters
    ----------
    model : GPT
        A plain model on the CPU. It is not touched.
    width : int
        Width of each bottleneck, at least 1.
    generator : torch.Generator
        Where the first weights are drawn from, on the CPU.

    Returns
    -------
    GPT
        The copy.

    Raises
    ------
    ValueError
        If the width is below 1.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> adapted = inject_bottlenecks(load_base(), 4, torch.Generator())
    >>> sum(p.numel() for p in adapted.parameters() if p.requires_grad)  # 3 blocks, 2 of 580
    3480
    """
    adapted = copy.deepcopy(model).requires_grad_(False)
    n_embd = model.config.n_embd
    for block in adapted.blocks:
        block.attention = Bottleneck(block.attention, n_embd, width, generator)
        block.mlp = Bottleneck(block.mlp, n_embd, width, generator)
    return adapted
