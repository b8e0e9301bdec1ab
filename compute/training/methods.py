"""The menu: every method of finetuning that a run can choose, put on a model."""

import copy

import torch
from torch import nn

from compute.adapters.adalora import inject_directions
from compute.adapters.bitfit import inject_biases
from compute.adapters.bottleneck import inject_bottlenecks
from compute.adapters.dora import inject_dora
from compute.adapters.ia3 import inject_scales
from compute.adapters.layer import inject
from compute.adapters.lora_xs import inject_squares
from compute.adapters.peft_format import EMBEDDINGS
from compute.adapters.soft_prompt import PromptedGPT
from compute.adapters.vera import inject_vectors
from compute.model.gpt import GPT
from compute.training.config import TrainConfig


def with_method(config: TrainConfig, base: GPT) -> GPT:
    """Return a copy of a model in which what the method of a run trains can learn.

    Parameters
    ----------
    config : TrainConfig
        The run.
    base : GPT
        A plain model on the CPU. It is not touched.

    Returns
    -------
    GPT
        The copy, as it is before the first step.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> base = load_base()
    >>> def learning(method):
    ...     model = with_method(TrainConfig(method=method, r=4), base)
    ...     return sum(p.numel() for p in model.parameters() if p.requires_grad)
    >>> {method: learning(method) for method in ("full", "lora", "ia3", "soft prompt")}
    {'full': 193408, 'lora': 13824, 'ia3': 1152, 'soft prompt': 256}
    """
    generator = torch.Generator().manual_seed(config.seed)
    targets, r, alpha, rule = config.target_modules, config.r, config.alpha, config.scaling_rule
    match config.method:
        case "lora":
            return inject(base, targets, r, alpha, rule, config.init, generator, layers=config.layers)
        case "dora":
            return inject_dora(base, targets, r, alpha, rule, generator, layers=config.layers)
        case "adalora":
            return inject_directions(base, targets, r, alpha, generator)
        case "vera":
            return inject_vectors(base, targets, r, generator)
        case "lora-xs":
            return inject_squares(base, targets, r)
        case "ia3":
            return inject_scales(base)
        case "bitfit":
            return inject_biases(base)
        case "bottleneck":
            return inject_bottlenecks(base, r, generator)
        case "soft prompt":
            return PromptedGPT(base, r, generator)
    model = copy.deepcopy(base)
    match config.method:
        case "embeddings":
            return _only(model, *(model.get_submodule(name) for name in EMBEDDINGS))
        case "norms":
            return _only(model, *(part for part in model.modules() if isinstance(part, nn.LayerNorm)))
    return model.requires_grad_()  # full finetuning


def _only(model: GPT, *parts: nn.Module) -> GPT:
    """Return a model of which nothing but some parts can learn."""
    model.requires_grad_(False)
    for part in parts:
        part.requires_grad_()
    return model
