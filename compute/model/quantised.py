"""The mini-model as QLoRA keeps it: its linear layers stored in a few bits, and turned back to compute with."""

import copy

import torch

from compute.model.gpt import GPT
from compute.model.layers import TARGET_MODULES
from compute.numbers.quantising import BLOCK, FLOAT32, in_few_bits


@torch.no_grad()
def quantised_model(model: GPT, base_format: str, block: int = BLOCK) -> GPT:
    """Return a model whose linear layers have been stored in a format and read again.

    Parameters
    ----------
    model : GPT
        A plain model on the CPU. It is not touched.
    base_format : str
        "float32", or a key of `compute.numbers.quantising.LEVELS`.
    block : int
        Numbers that share a scale; must divide the size of each layer.

    Returns
    -------
    GPT
        A copy, in float32: its weights are numbers that the format has. Embeddings, lm_head and norms stay as they
        were. With "float32" the model itself.

    Raises
    ------
    ValueError
        If there is no such format, or the blocks do not fill a layer.

    Notes
    -----
    QLoRA turns the codes back each time a layer computes. The result is the same as here, where it is done once: the
    frozen weights never change. What is saved is memory, and in a model this small there is none to save. Scales are
    float32 and not quantised themselves.

    References
    ----------
    Dettmers et al. 2023, arXiv:2305.14314, section 3, equations 5 and 6.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> base = load_base()
    >>> weight = quantised_model(base, "nf4").blocks[0].attention.v_proj.weight
    >>> max(len(row.unique()) for row in weight)  # a row is one block here: at most sixteen levels
    16
    """
    if base_format == FLOAT32:
        return model
    stored = copy.deepcopy(model)
    for name, weight in stored.named_parameters():
        if name.removesuffix(".weight").endswith(TARGET_MODULES):
            weight.copy_(torch.from_numpy(in_few_bits(weight.numpy(), base_format, block)))
    return stored


@torch.no_grad()
def noisy_model(model: GPT, stored: GPT, seed: int) -> GPT:
    """Return a model that was changed at random by as much as storing changed it: the control of `quantised_model`.

    Parameters
    ----------
    model : GPT
        A plain model on the CPU. It is not touched.
    stored : GPT
        The same model after `quantised_model`.
    seed : int
        Of the noise.

    Returns
    -------
    GPT
        A copy. To each weight that was stored, Gaussian noise was added whose Frobenius norm is that of the rounding.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> base = load_base()
    >>> noisy = noisy_model(base, quantised_model(base, "nf4"), seed=0)
    >>> torch.equal(noisy.lm_head.weight, base.lm_head.weight)  # was not stored
    True
    """
    generator = torch.Generator().manual_seed(seed)
    noisy = copy.deepcopy(model)
    for name, weight in noisy.named_parameters():
        if name.removesuffix(".weight").endswith(TARGET_MODULES):
            size = (stored.get_parameter(name) - weight).norm()
            noise = torch.randn(weight.shape, generator=generator)
            weight += noise * size / noise.norm()
    return noisy
