"""BitFit: every weight stays as it is, and only what is added after it, the bias, learns."""

import torch
from torch import nn

from compute.adapters.adapted import with_layers
from compute.model.gpt import GPT
from compute.model.layers import TARGET_MODULES


def inject_biases(model: GPT) -> GPT:
    """Return a copy of a model in which biases learn and nothing else.

    Parameters
    ----------
    model : GPT
        A plain model. It is not touched.

    Returns
    -------
    GPT
        The copy. Its linear layers have a bias of zeros, which our base has not; those of the norms, which it has,
        learn as well.

    Notes
    -----
    y = x @ W.T + bias. A bias of k_proj can do nothing: it adds the same number to all scores of a query, and softmax
    takes that away again. So a quarter of the biases of attention never gets a gradient.

    References
    ----------
    Ben Zaken et al. 2021, arXiv:2106.10199 (BitFit), whose models have biases from the start.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> tuned = inject_biases(load_base())
    >>> sum(p.numel() for p in tuned.parameters() if p.requires_grad)  # 3 * (5 * 64 + 256), and 7 norms of 64
    2176
    """
    tuned = with_layers(model, TARGET_MODULES, _with_bias)
    for module in tuned.modules():
        if isinstance(module, nn.LayerNorm):
            module.bias.requires_grad_()
    return tuned


def _with_bias(name: str, layer: nn.Linear) -> nn.Linear:
    layer.bias = nn.Parameter(torch.zeros(layer.out_features))
    return layer
