"""LoRA from scratch: a layer beside a frozen one, how it starts, how it is put in, merged and taken out.

The words are PEFT's: r, alpha, lora_A (r, in), lora_B (out, r), scaling, delta_w, target modules, base layer.
"""

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import nn
from torch.nn import functional as F

from compute.adapters.adapted import AdaptedLinear, adapted_layers, with_layers
from compute.adapters.inits import start
from compute.adapters.scaling import scaling_of
from compute.model.gpt import GPT


class LoRALinear(AdaptedLinear):
    """Add scaling * lora_B @ lora_A to a linear layer that stays as it is.

    Parameters
    ----------
    base : nn.Linear
        The layer, kept whole. Its weight W (out, in) no longer asks for a gradient.
    r : int
        Rank of the adapter, at least 1.
    alpha : float
        Numerator of the scaling.
    scaling_rule : str
        "alpha/r" or "alpha/sqrt(r)" (rsLoRA).

    Raises
    ------
    ValueError
        If r is below 1 or the rule is unknown.

    Notes
    -----
    y = x @ W.T + scaling * (x @ lora_A.T) @ lora_B.T. Two thin products cost r * (in + out) multiply-accumulates
    a token, where delta_w itself would cost in * out. The factors start at zero, which is a saddle: no gradient
    reaches either, and no training leaves it. `initialize` gives them a start.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.1; Kalajdzievski 2023, arXiv:2312.03732 (alpha/sqrt(r)).

    Examples
    --------
    >>> layer = LoRALinear(nn.Linear(6, 4, bias=False), r=2, alpha=4, scaling_rule="alpha/r")
    >>> layer.scaling, layer.lora_A.shape, layer.lora_B.shape
    (2.0, torch.Size([2, 6]), torch.Size([4, 2]))
    """

    def __init__(self, base: nn.Linear, r: int, alpha: float, scaling_rule: str):
        super().__init__(base)
        self.scaling = scaling_of(scaling_rule, alpha, r)
        self.r, self.alpha, self.scaling_rule = r, alpha, scaling_rule
        self.lora_A = nn.Parameter(base.weight.new_zeros(r, base.in_features))
        self.lora_B = nn.Parameter(base.weight.new_zeros(base.out_features, r))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's answer (..., out) to x (..., in)."""
        inner = self.scaling * F.linear(x, self.lora_A)  # (..., r): the fewest numbers to scale
        return self.base(x) + F.linear(inner, self.lora_B)

    def delta_w(self) -> torch.Tensor:
        """Return scaling * lora_B @ lora_A, (out, in)."""
        return self.scaling * self.lora_B @ self.lora_A


def initialize(layer: LoRALinear, init: str, generator: torch.Generator) -> None:
    """Give the factors of a new layer, both still zero, the numbers that training starts from.

    Parameters
    ----------
    layer : LoRALinear
        A layer as it was made.
    init : str
        A key of `compute.adapters.inits.INITS`.
    generator : torch.Generator
        Where they are drawn from, on the CPU.

    Raises
    ------
    ValueError
        If there is no such init, or it cannot have this r.

    Notes
    -----
    "PiSSA" changes the weight of the layer beneath, too: it moves a part of it into the factors.

    Examples
    --------
    >>> layer = LoRALinear(nn.Linear(6, 4, bias=False), r=2, alpha=4, scaling_rule="alpha/r")
    >>> initialize(layer, "B=0", torch.Generator().manual_seed(0))
    >>> bool(layer.lora_A.abs().max() <= 6**-0.5), bool(layer.lora_B.any())
    (True, False)
    """
    lora_A, lora_B, W = start(init, layer.base.weight, layer.r, layer.scaling, generator)
    with torch.no_grad():
        layer.lora_A.copy_(lora_A)
        layer.lora_B.copy_(lora_B)
        layer.base.weight.copy_(W)


def inject(
    model: GPT,
    target_modules: Sequence[str],
    r: int,
    alpha: float,
    scaling_rule: str,
    init: str,
    generator: torch.Generator,
    layers: Sequence[int] | None = None,
) -> GPT:
    """Return a copy of a model in which the named layers have an adapter and nothing else can learn.

    Parameters
    ----------
    model : GPT
        A plain model on the CPU. It is not touched.
    target_modules : sequence of str
        Last parts of the names of linear layers, such as "q_proj": each such layer of every block is adapted.
    r : int
        Rank of each adapter, at least 1.
    alpha : float
        Numerator of the scaling.
    scaling_rule : str
        "alpha/r" or "alpha/sqrt(r)".
    init : str
        A key of `compute.adapters.inits.INITS`.
    generator : torch.Generator
        Where the factors are drawn from, on the CPU.
    layers : sequence of int, optional
        The blocks that have adapters, counted from 0. If left out, all.

    Returns
    -------
    GPT
        The copy. Its parameters ask for no gradient, except lora_A and lora_B.

    Raises
    ------
    ValueError
        If a name or a block fits no linear layer, or r, the rule or the init is not allowed.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.2 (which matrices to adapt).

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> adapted = inject(load_base(), ["q_proj", "v_proj"], 4, 8, "alpha/r", "B=0", torch.Generator())
    >>> sum(p.numel() for p in adapted.parameters() if p.requires_grad)  # 3 blocks, 2 layers, 4 * (64 + 64)
    3072
    """

    def change(name: str, layer: nn.Linear) -> LoRALinear:
        new = LoRALinear(layer, r, alpha, scaling_rule)
        initialize(new, init, generator)
        return new

    return with_layers(model, target_modules, change, layers)


def lora_layers(model: nn.Module) -> Iterator[tuple[str, LoRALinear]]:
    """Yield the layers of a model that have a LoRA adapter.

    Parameters
    ----------
    model : nn.Module
        With or without an adapter.

    Yields
    ------
    name : str
        As in "blocks.0.attention.q_proj".
    layer : LoRALinear
        The layer of that name.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> list(lora_layers(load_base()))
    []
    """
    yield from ((name, layer) for name, layer in model.named_modules() if isinstance(layer, LoRALinear))


@torch.no_grad()
def delta_w(layer: AdaptedLinear) -> torch.Tensor:
    """Return what the adapter adds to the weight of its layer.

    Parameters
    ----------
    layer : AdaptedLinear
        An adapted layer.

    Returns
    -------
    (out, in) tensor
        Of LoRA scaling * lora_B @ lora_A: the scaling is included, as in PEFT and unlike the BA of the paper.

    Examples
    --------
    >>> layer = LoRALinear(nn.Linear(6, 4, bias=False), r=2, alpha=4, scaling_rule="alpha/r")
    >>> initialize(layer, "both random", torch.Generator())
    >>> x = torch.ones(6)
    >>> torch.allclose(layer(x), layer.base(x) + delta_w(layer) @ x, atol=1e-6)
    True
    """
    return layer.delta_w()


@torch.no_grad()
def merge(model: GPT, strength: float = 1.0) -> GPT:
    """Return a plain model that answers as the adapted one does.

    Parameters
    ----------
    model : GPT
        A model with adapters, of LoRA or of another kind that adds a delta_w. It is not touched.
    strength : float
        Multiplies every delta_w: 0 gives the base, 1 the adapted model, and both ends may be left behind.

    Returns
    -------
    GPT
        A copy in which each adapted layer is one linear layer with the weight W + strength * delta_w.

    Notes
    -----
    Equal in exact arithmetic; in float32 the logits differ by rounding. Trained embeddings are taken over
    whole, whatever the strength.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.1 ("No Additional Inference Latency").

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> adapted = inject(load_base(), ["q_proj"], 4, 8, "alpha/r", "both random", torch.Generator())
    >>> list(lora_layers(merge(adapted)))
    []
    """
    merged = copy.deepcopy(model)
    for name, layer in list(adapted_layers(merged)):
        layer.base.weight += strength * delta_w(layer)
        merged.set_submodule(name, layer.base)
    return merged
