"""Adapters as files: adapter_model.safetensors and adapter_config.json, in the format of the peft library."""

import copy
import json
import math
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from compute.adapters.dora import DoRALinear
from compute.adapters.formats.scales import pattern_value
from compute.adapters.layer import LoRALinear, delta_w, lora_layers
from compute.adapters.scaling import scaling_of
from compute.model.gpt import GPT
from compute.numbers.refusal import FileRefused, quote

PREFIX = "base_model.model."  # PEFT wraps the model twice
FACTORS = (".lora_A", ".lora_B")
# What DoRA's rows are as long as: our name, and PEFT's.
LENGTH, MAGNITUDE = ".row_length", ".lora_magnitude_vector"
EMBEDDINGS = ("embed_tokens", "lm_head")  # what may be trained whole beside an adapter
MAX_BYTES = 20_000_000  # r = 64 on every layer and both embeddings take 1.5 million
# An init that changes the weight of the base layer too would need that change, which is not in the files.
INITS_THAT_KEEP_THE_BASE = (True, False, "gaussian", "orthogonal")
EXPECTED: dict[str, tuple] = {  # what a config may say, or leave out
    "bias": ("none", None),
    "init_lora_weights": (*INITS_THAT_KEEP_THE_BASE, None),
}
OFF = (  # what this model does not do
    *(
        "use_qalora",
        "use_bdlora",
        "lora_bias",
        "fan_in_fan_out",
        "layer_replication",
    ),
    *("target_parameters", "trainable_token_indices", "alora_invocation_tokens"),
    *("arrow_config", "kasa_config", "monteclora_config", "velora_config"),
)


class AdapterFiles(NamedTuple):
    """Hold the two files of an adapter.

    Attributes
    ----------
    weights : bytes
        adapter_model.safetensors.
    config : str
        Text of adapter_config.json.
    """

    weights: bytes
    config: str


def adapter_state(model: GPT) -> dict[str, torch.Tensor]:
    """Return what an adapter consists of.

    Parameters
    ----------
    model : GPT
        A model with adapters.

    Returns
    -------
    dict of str to tensor
        Every parameter that can learn, on the CPU: "blocks.0.attention.q_proj.lora_A" and so on, and
        "embed_tokens.weight" and "lm_head.weight" if they learn too.

    Examples
    --------
    >>> from compute.adapters.layer import inject
    >>> from compute.model.checkpoint import load_base
    >>> adapted = inject(load_base(), ["q_proj"], 2, 8, "alpha/r", "B=0", torch.Generator())
    >>> [tuple(tensor.shape) for tensor in adapter_state(adapted).values()][:2]
    [(2, 64), (64, 2)]
    """
    return {name: p.detach().cpu() for name, p in model.named_parameters() if p.requires_grad}


def save_adapter(model: GPT) -> AdapterFiles:
    """Return the files with which the peft library puts the adapter on the base model.

    Parameters
    ----------
    model : GPT
        A model with adapters of LoRA or of DoRA, all of the same r, alpha and scaling rule, as
        `compute.adapters.layer.inject` or `compute.adapters.dora.inject_dora` makes it.

    Returns
    -------
    AdapterFiles
        Bytes and text.

    References
    ----------
    huggingface/peft, docs/source/developer_guides/checkpoint.md (names of the tensors, fields of the config).

    Examples
    --------
    >>> from compute.adapters.layer import inject
    >>> from compute.model.checkpoint import load_base
    >>> files = save_adapter(inject(load_base(), ["q_proj"], 2, 8, "alpha/r", "B=0", torch.Generator()))
    >>> sorted(load(files.weights))[0]
    'base_model.model.blocks.0.attention.q_proj.lora_A.weight'
    """
    state = adapter_state(model)
    layers = dict(lora_layers(model))
    layer = next(iter(layers.values()))
    tensors = {
        PREFIX + name.replace(LENGTH, MAGNITUDE) + ".weight" * name.endswith(FACTORS): tensor.contiguous()
        for name, tensor in state.items()
    }
    config = {
        "peft_type": "LORA",
        "task_type": None,
        "base_model_name_or_path": None,
        "r": layer.r,
        "lora_alpha": layer.alpha,
        "use_rslora": layer.scaling_rule == "alpha/sqrt(r)",
        "use_dora": isinstance(layer, DoRALinear),
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted({name.rpartition(".")[2] for name in layers}),
        **_some_blocks(model, layers),
        "modules_to_save": [name for name in EMBEDDINGS if f"{name}.weight" in state] or None,
        "inference_mode": True,
    }
    return AdapterFiles(save(tensors, metadata={"format": "pt"}), json.dumps(config, indent=2) + "\n")


def _some_blocks(model: GPT, layers: dict[str, LoRALinear]) -> dict[str, Any]:
    """Return how PEFT is told which blocks have adapters, nothing if all have."""
    blocks = sorted({int(name.split(".")[1]) for name in layers})
    if len(blocks) == len(model.blocks):
        return {}
    return {"layers_to_transform": blocks, "layers_pattern": "blocks"}


@torch.no_grad()
def on_base(model: GPT, base: GPT) -> GPT:
    """Return the same model as adapters on the base that it came from.

    Parameters
    ----------
    model : GPT
        A model with adapters on changed weights, as PiSSA leaves them. It is not touched.
    base : GPT
        The plain model that was adapted, on the CPU.

    Returns
    -------
    GPT
        A copy whose adapters have twice the rank, or that of the layer if it is less, and the same scaling.

    Notes
    -----
    What changed is scaling * (lora_B @ lora_A - the product at the start), a matrix of rank 2 r at most; its thin
    SVD gives the factors. The answers are equal up to rounding.

    References
    ----------
    huggingface/peft 0.21.2, tuners/lora/model.py (subtract_mutated_init): the same conversion when it saves.

    Examples
    --------
    >>> from compute.adapters.layer import inject
    >>> from compute.model.checkpoint import load_base
    >>> base = load_base()
    >>> model = on_base(inject(base, ["q_proj"], 4, 8, "alpha/r", "PiSSA", torch.Generator()), base)
    >>> [layer.r for _, layer in lora_layers(model)]
    [8, 8, 8]
    """
    moved = copy.deepcopy(model)
    for name, layer in list(lora_layers(moved)):
        W = base.get_submodule(name).weight.to(layer.base.weight)
        U, s, Vh = torch.linalg.svd(layer.base.weight + delta_w(layer) - W, full_matrices=False)
        layer.base.weight.copy_(W)
        r = min(2 * layer.r, len(s))
        alpha = layer.scaling / scaling_of(layer.scaling_rule, 1, r)
        new = LoRALinear(layer.base, r, alpha, layer.scaling_rule)
        root = (s[:r] / new.scaling).sqrt()
        new.lora_A.copy_(root[:, None] * Vh[:r])
        new.lora_B.copy_(U[:, :r] * root)
        moved.set_submodule(name, new)
    return moved


def load_adapter(base: GPT, files: AdapterFiles) -> GPT:
    """Return a copy of the base model with an adapter from files, ours or those of the peft library.

    Parameters
    ----------
    base : GPT
        The plain model that the adapter was trained on. It is not touched.
    files : AdapterFiles
        Bytes and text.

    Returns
    -------
    GPT
        The copy. Only what came from the files can learn.

    Raises
    ------
    FileRefused
        If a file is damaged, does not fit the model, or asks for what this model does not do.

    Notes
    -----
    Which layers are adapted, and with which r, is read from the weights, so that target_modules and rank_pattern may
    be written in any of the ways that PEFT knows. alpha, alpha_pattern, the scaling rule and whether it is DoRA come
    from the config.

    Examples
    --------
    >>> from compute.adapters.layer import inject
    >>> from compute.model.checkpoint import load_base
    >>> base = load_base()
    >>> adapted = inject(base, ["q_proj"], 2, 8, "alpha/r", "both random", torch.Generator())
    >>> tokens = torch.tensor([[0, 5, 9]])
    >>> torch.equal(load_adapter(base, save_adapter(adapted))(tokens), adapted(tokens))
    True
    """
    config, tensors = _read_config(files.config), _read_weights(files.weights)
    model = copy.deepcopy(base).requires_grad_(False)
    linear = {name: layer for name, layer in base.named_modules() if isinstance(layer, nn.Linear)}
    while tensors:
        key = min(tensors)
        name = key.removesuffix(".weight").removesuffix(".lora_A").removesuffix(".lora_B")
        if name in EMBEDDINGS and key == f"{name}.weight":
            own = model.get_submodule(name).weight.requires_grad_()
            _copy(key, tensors.pop(key), own)
            continue
        pair = [tensors.pop(f"{name}{factor}.weight", None) for factor in FACTORS]
        if name not in linear or pair[0] is None or pair[1] is None:
            raise FileRefused(
                f"The adapter holds {quote(key)}, which has no place in this model or no partner."
            )
        if pair[0].dim() != 2 or not 1 <= len(pair[0]) <= min(linear[name].weight.shape):
            raise FileRefused(f"{quote(name)}: lora_A has the shape {tuple(pair[0].shape)}.")
        rule = "alpha/sqrt(r)" if config.get("use_rslora") else "alpha/r"
        settings = model.get_submodule(name), len(pair[0]), _alpha_of(name, config), rule
        if config.get("use_dora"):
            layer: LoRALinear = DoRALinear(*settings, torch.Generator())  # whose draws are written over
            _copy(name + MAGNITUDE, _magnitude(name, tensors), layer.row_length)
        else:
            layer = LoRALinear(*settings)
        _copy(f"{name}.lora_A", pair[0], layer.lora_A)
        _copy(f"{name}.lora_B", pair[1], layer.lora_B)
        model.set_submodule(name, layer)
    return model


def _magnitude(name: str, tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    for key in (f"{name}{MAGNITUDE}", f"{name}{MAGNITUDE}.weight"):
        if key in tensors:
            return tensors.pop(key)
    raise FileRefused(f"adapter_config.json says use_dora, and {quote(name)} has no lora_magnitude_vector.")


def _alpha_of(name: str, config: dict[str, Any]) -> float:
    try:
        own = pattern_value(config.get("alpha_pattern"), name)
    except ValueError as error:
        raise FileRefused(f"alpha_pattern in adapter_config.json: {error}") from None
    return config["lora_alpha"] if own is None else own


def _copy(name: str, values: torch.Tensor, target: nn.Parameter) -> None:
    if values.shape != target.shape:
        raise FileRefused(
            f"{name} has the shape {tuple(values.shape)}; {tuple(target.shape)} fits this model."
        )
    if not values.is_floating_point() or not values.isfinite().all():
        raise FileRefused(f"{name} holds something that is no finite number.")
    with torch.no_grad():
        target.copy_(values)


def _read_config(text: str) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        raise FileRefused("adapter_config.json is no JSON.") from None
    if not isinstance(config, dict):
        raise FileRefused("adapter_config.json is not an object with names and values.")
    if config.get("peft_type") != "LORA":
        raise FileRefused(
            f"peft_type is {quote(str(config.get('peft_type')))} in adapter_config.json, not 'LORA'."
        )
    refused = [name for name in OFF if config.get(name)]
    refused += [name for name, allowed in EXPECTED.items() if config.get(name) not in allowed]
    if refused:
        told = f"{refused[0]} is {quote(str(config[refused[0]]))}"
        raise FileRefused(f"{told} in adapter_config.json; this model cannot do that.")
    alpha = config.get("lora_alpha")
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or not math.isfinite(alpha):
        raise FileRefused(f"lora_alpha is {quote(str(alpha))} in adapter_config.json; a number is needed.")
    return config


def _read_weights(data: bytes) -> dict[str, torch.Tensor]:
    if len(data) > MAX_BYTES:
        raise FileRefused(f"The adapter has {len(data):,} bytes; at most {MAX_BYTES:,} are read.")
    try:
        tensors = load(data)
    except SafetensorError:
        raise FileRefused("The adapter is no .safetensors file, or is damaged.") from None
    if not tensors:
        raise FileRefused("The adapter holds no tensor.")
    return {key.removeprefix(PREFIX): tensor for key, tensor in tensors.items()}
