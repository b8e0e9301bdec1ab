"""IA3: no matrix is added; learned numbers make features of a layer larger or smaller."""

import torch
from torch import nn

from compute.adapters.adapted import AdaptedLinear, with_layers
from compute.model.gpt import GPT

OF_OUTPUT = ("k_proj", "v_proj")  # keys and values are scaled
OF_INPUT = ("down_proj",)  # and what stands inside the MLP, where it is widest


class IA3Linear(AdaptedLinear):
    """Scale what a linear layer answers, or what it is given, feature by feature.

    Parameters
    ----------
    base : nn.Linear
        The layer, kept whole.
    of_input : bool
        Whether the features of the input are scaled, not those of the output.

    Notes
    -----
    y = scale * (x @ W.T), or y = (scale * x) @ W.T. All numbers start at 1, which changes nothing. The same as
    scaling the rows of W, or its columns: so it merges. It has no rank to choose.

    References
    ----------
    Liu et al. 2022, arXiv:2205.05638; huggingface/peft, tuners/ia3/layer.py.

    Examples
    --------
    >>> layer = IA3Linear(nn.Linear(6, 4, bias=False), of_input=True)
    >>> layer.scale.tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """

    def __init__(self, base: nn.Linear, of_input: bool):
        super().__init__(base)
        self.of_input = of_input
        self.scale = nn.Parameter(base.weight.new_ones(base.in_features if of_input else base.out_features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's answer (..., out) to x (..., in)."""
        return self.base(self.scale * x) if self.of_input else self.scale * self.base(x)

    def delta_w(self) -> torch.Tensor:
        """Return the weight of the layer less that of its base, (out, in)."""
        return ((self.scale if self.of_input else self.scale[:, None]) - 1) * self.base.weight


def inject_scales(model: GPT) -> GPT:
    """Return a copy of a model in which keys, values and the inside of each MLP are scaled, and nothing else can learn.

    Parameters
    ----------
    model : GPT
        A plain model. It is not touched.

    Returns
    -------
    GPT
        The copy.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> scaled = inject_scales(load_base())
    >>> sum(p.numel() for p in scaled.parameters() if p.requires_grad)  # 3 * (64 + 64 + 256)
    1152
    """
    return with_layers(
        model, (*OF_OUTPUT, *OF_INPUT), lambda name, layer: IA3Linear(layer, of_input=name in OF_INPUT)
    )
