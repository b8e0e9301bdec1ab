"""Read an adapter of any format: from the names of the tensors to layers, with everything that is left over named."""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from compute.adapters.formats.containers import Contents, Tensor, open_bytes, open_paths
from compute.adapters.formats.keys import Key, other_method, parse_key
from compute.adapters.formats.layers import Layer, along_inputs
from compute.adapters.formats.scales import METADATA, Told, a_number, own_scale, pattern_value
from compute.numbers.refusal import FileRefused, count, quote

MAX_LAYERS = 50_000
MAX_LAYER_NAME = 200  # characters that are shown
MAX_RANK = 65_536
MAX_EXPERTS = 4096
MAX_SIDE = 2**24
WHOLE = "whole model"
FORMATS = {  # by spelling and kind, what a format is called
    "kohya": "kohya LoRA",
    "old": "diffusers LoRA",
    "hada": "LoHa",
    "lokr": "LoKr",
    "diff": "full difference",
    "mlx": "MLX LoRA",
    "gguf": "GGUF LoRA",
}
PIPELINE = re.compile(r"(transformer(_\d)?|unet|text_encoder(_\d)?|diffusion_model)\.(?!h\.\d)")
FUSED = re.compile(r"(qkv|Wqkv|c_attn|query_key_value|in_proj|gate_up_proj|kv_proj)(_proj)?(\[\d+\])?$")
BASE_CHANGED = ("pissa", "olora", "corda", "loftq")  # inits that change the weight of the base model too


@dataclass(frozen=True)
class Adapter:
    """Hold what an adapter consists of.

    Attributes
    ----------
    format : str
        Name of the format: "PEFT LoRA", "kohya LoRA" and so on; several joined by " + ".
    layers : tuple of Layer
        By name, layer 2 before layer 10.
    notes : tuple of str
        Sentences on what the reader should know, and on what was found and is no part of a delta_w.
    left_out : dict of str to str
        Layers that cannot be read, each with the reason.
    unmatched : tuple of str
        Names of the tensors that belong to no layer.
    told : Told
        What decides on the scale.
    tensors : dict of str to Tensor
        Every tensor of the file.
    """

    format: str
    layers: tuple[Layer, ...]
    notes: tuple[str, ...]
    left_out: Mapping[str, str]
    unmatched: tuple[str, ...]
    told: Told
    tensors: Mapping[str, Tensor] = field(repr=False)

    def layer(self, name: str) -> Layer:
        """Return the layer of a name; KeyError if there is none."""
        for each in self.layers:
            if each.name == name:
                return each
        raise KeyError(name)

    @property
    def bytes(self) -> int:
        """Return how many bytes all tensors take."""
        return sum(tensor.size for tensor in self.tensors.values())


def read_adapter(*paths: Path | str) -> Adapter:
    """Return an adapter from files, a folder or an archive.

    Parameters
    ----------
    *paths : Path
        Files that belong together, or one folder or archive. adapter_config.json beside a file is read too.

    Returns
    -------
    Adapter
        Its layers. Only headers were read: the numbers of a layer are read when they are asked for.

    Raises
    ------
    FileRefused
        If a file is damaged or no adapter; the sentence says what it is and what to do instead.

    Notes
    -----
    Cost: that of the headers.

    References
    ----------
    huggingface/peft, docs/source/developer_guides/checkpoint.md, and the projects named in
    `compute.adapters.formats.keys.parse_key`.

    Examples
    --------
    >>> read_adapter("no-such-folder")
    Traceback (most recent call last):
    compute.numbers.refusal.FileRefused: no-such-folder: there is no such file.
    """
    return adapter_of(open_paths(paths))


def read_bytes(files: Mapping[str, bytes]) -> Adapter:
    """Return an adapter from files in memory.

    Parameters
    ----------
    files : mapping of str to bytes
        By name of the file; an archive is one file.

    Returns
    -------
    Adapter
        Its layers.

    Raises
    ------
    FileRefused
        If a file is damaged or no adapter.

    Examples
    --------
    >>> import numpy as np
    >>> from safetensors.numpy import save
    >>> file = save({"q.lora_A.weight": np.ones((2, 4)), "q.lora_B.weight": np.ones((6, 2))})
    >>> adapter = read_bytes(
    ...     {"adapter_model.safetensors": file, "adapter_config.json": b'{"lora_alpha": 8, "r": 2}'}
    ... )
    >>> adapter.format, adapter.layers[0].shape, adapter.layers[0].scale
    ('PEFT LoRA', (6, 4), 4.0)
    """
    return adapter_of(open_bytes(files))


def adapter_of(contents: Contents) -> Adapter:
    """Return an adapter from the tensors of its files.

    Parameters
    ----------
    contents : Contents
        From `compute.adapters.formats.containers`.

    Returns
    -------
    Adapter
        Its layers.

    Raises
    ------
    FileRefused
        If there is nothing of an adapter among the tensors.

    Notes
    -----
    Nothing is left unsaid: a tensor is a part of a layer, or a note or `unmatched` names it. Cost: O(tensors).

    Examples
    --------
    >>> import numpy as np
    >>> from safetensors.numpy import save
    >>> adapter_of(open_bytes({"a.safetensors": save({"h.0.attn.ia3_l": np.ones((4, 1))})})).format
    'IA3'
    """
    groups: dict[str, dict[str, tuple[Key, Tensor]]] = {}
    loose: list[str] = []
    left_out: dict[str, str] = {}
    for name, tensor in contents.tensors.items():
        key = parse_key(name)
        if key is None or key.part == "base":
            loose.append(name)
            continue
        group = groups.setdefault(key.layer, {})
        if key.part in group:
            left_out[key.layer] = f"{quote(name)} and {quote(group[key.part][1].name)} say the same."
            continue
        group[key.part] = (key, tensor)
    for layer in [layer for layer, group in groups.items() if not _has_factors(group)]:
        loose += [tensor.name for _, tensor in groups.pop(layer).values()]
    if not groups:
        return _without_layers(contents, loose)
    if len(groups) > MAX_LAYERS:
        raise FileRefused(f"The file has {count(len(groups), 'layer')}; at most {MAX_LAYERS:,} are read.")
    found = {part for group in groups.values() for part in group}
    found |= {"modules"} if any(".base_layer." not in name for name in loose) else set()
    told = Told(contents.config, contents.metadata, contents.gguf, frozenset(found))
    layers: list[Layer] = []
    notes = list(contents.notes)
    for name in sorted(groups, key=natural_order):
        if name in left_out:
            continue
        try:
            if len(name) > MAX_LAYER_NAME or not name.isprintable():
                raise FileRefused(f"its name must have at most {MAX_LAYER_NAME} characters, all printable.")
            layers += [
                dataclasses.replace(each, scale=own_scale(each, told))
                for each in _layers(name, groups[name], told)
            ]
        except ValueError as error:
            left_out[name] = str(error)
    if not layers:
        name, reason = next(iter(left_out.items()))
        raise FileRefused(f"No layer of the file can be used (of {len(groups):,}); {quote(name)}: {reason}")
    notes += _notes(layers, loose, left_out, told)
    shown = {name[:MAX_LAYER_NAME]: reason for name, reason in left_out.items()}
    return Adapter(
        _format(layers, told), tuple(layers), tuple(notes), shown, tuple(loose), told, contents.tensors
    )


def natural_order(name: str) -> list[str | int]:
    """Return what to sort names by so that layer 2 stands before layer 10.

    Parameters
    ----------
    name : str
        Anything.

    Returns
    -------
    list of str and int
        Words and numbers in turns.

    Examples
    --------
    >>> sorted(["h.10.q", "h.2.q"], key=natural_order)
    ['h.2.q', 'h.10.q']
    """
    pieces = re.split(r"([0-9]+)", name[:MAX_LAYER_NAME])  # int() refuses thousands of digits
    return [int(piece) if i % 2 else piece for i, piece in enumerate(pieces)]


def _has_factors(group: Mapping[str, Any]) -> bool:
    return bool(
        {"A", "B", "embedding_A", "embedding_B", "a", "b", "w1a", "w1b", "w1", "w2a", "w2", "diff"}
        & group.keys()
    )


def _without_layers(contents: Contents, names: list[str]) -> Adapter:
    """Return what is beside LoRA, named; refuse what is no adapter."""
    if found := other_method(names):
        method, sentence = found
        config = str((contents.config or {}).get("peft_type", ""))
        method = {"PREFIX_TUNING": "prefix tuning", "P_TUNING": "P-tuning"}.get(config, method)
        told = Told(contents.config, contents.metadata, contents.gguf, frozenset())
        size = sum(prod(tensor.shape) for tensor in contents.tensors.values())
        notes = (*contents.notes, f"{method}: {sentence}", f"It holds {count(size, 'number')}.")
        return Adapter(method, (), notes, {}, tuple(names), told, contents.tensors)
    first = quote(next(iter(names)))
    raise FileRefused(
        f"The file holds {count(len(names), 'tensor')} ({first} is the first), none of them of a LoRA layer: it is a "
        f"{WHOLE}, or a part of one. An adapter can be cut out of a finetuned model by subtracting its base."
    )


def _layers(name: str, group: Mapping[str, tuple[Key, Tensor]], told: Told) -> list[Layer]:
    """Return the layer of a group of tensors, or one for each expert; raise FileRefused with the reason if none."""
    tensors = {part: tensor for part, (_, tensor) in group.items()}
    keys = [key for key, _ in group.values() if key.spelling]
    for part, tensor in tensors.items():
        if any(not 0 < side <= MAX_SIDE for side in tensor.shape) and part not in ("alpha", "bias"):
            raise FileRefused(f"{part} has a side of 0 or more than {MAX_SIDE:,}.")
    made = _build(name, tensors, told)
    alpha, notes = None, list(made.not_applied)
    if "alpha" in tensors:
        if prod(tensors["alpha"].shape) != 1:
            raise FileRefused("alpha is more than one number.")
        alpha = a_number(float(tensors["alpha"].read().ravel()[0]))
        if alpha is None:
            notes.append("alpha is no finite number, and counts as absent.")
    if "magnitude" in tensors:
        axis = (
            "inputs" if along_inputs(dataclasses.replace(made, magnitude=tensors["magnitude"])) else "outputs"
        )
        notes.append(
            f"DoRA: a magnitude along the {axis}. W + delta_w is scaled to it, so that the true change needs W; "
            "what is shown is the product of the factors alone."
        )
    if "bias" in tensors:
        notes.append("A bias is trained beside the matrix; it has no rank.")
    if "reshape" in tensors:
        notes.append("The weight is padded to another shape first (reshape_weight).")
    if "scalar" in tensors:
        notes.append("A number (scalar) that LyCORIS folds into the factors when it saves; not applied.")
    told_r, told_alpha = _configured_numbers(name, made, told)
    return [
        dataclasses.replace(
            made,
            name=name if expert is None else f"{name}[{expert[0]}]",
            expert=expert,
            alpha=alpha,
            told_r=told_r,
            told_alpha=told_alpha,
            wrapped=any(key.wrapped for key in keys),
            in_memory=next((key.adapter for key in keys if key.adapter), ""),
            magnitude=tensors.get("magnitude"),
            not_applied=tuple(notes),
        )
        for expert in ([(i, made.expert[1]) for i in range(made.expert[1])] if made.expert else [None])
    ]


def _configured_numbers(name: str, layer: Layer, told: Told) -> tuple[int | None, float | None]:
    """Return r and alpha that adapter_config.json gives a layer."""
    config = told.config
    if config is None or layer.spelling in ("mlx", "gguf"):
        return None, None
    own = "alpha" if layer.kind in ("LoHa", "LoKr") else "lora_alpha"
    adapter = name.removesuffix(f".{layer.in_memory}") if layer.in_memory else name
    alpha = pattern_value(config.get("alpha_pattern"), adapter)
    alpha = a_number(config.get(own)) if alpha is None else alpha
    r = None if layer.kind == "AdaLoRA" else pattern_value(config.get("rank_pattern"), adapter)
    r = a_number(config.get("r")) if r is None else r
    return (int(r) if r is not None and 1 <= r <= MAX_RANK else None), alpha


def _build(name: str, tensors: dict[str, Tensor], told: Told) -> Layer:
    """Return the layer of a group of tensors with its shape, kind and r."""
    builders: tuple[tuple[set[str], Callable[[str, dict[str, Tensor], Told], Layer]], ...] = (
        ({"A", "B", "embedding_A", "embedding_B"}, _lora),
        ({"a", "b"}, _small),
        ({"w1a", "w2a", "w1", "w2"}, _lycoris),
        ({"diff"}, _full),
    )
    fitting = [build for parts, build in builders if parts & tensors.keys()]
    if len(fitting) != 1:
        raise FileRefused("it holds parts of two methods, or a part without its partner.")
    return fitting[0](name, tensors, told)


def _need(tensors: Mapping[str, Tensor], *parts: str) -> list[Tensor]:
    missing = [part for part in parts if part not in tensors]
    if missing:
        there = ", ".join(part for part in parts if part in tensors)
        raise FileRefused(f"{' and '.join(missing)} is missing beside {there}.")
    return [tensors[part] for part in parts]


def _flat(shape: tuple[int, ...]) -> tuple[int, int]:
    return shape[0], prod(shape[1:])


def _lora(name: str, tensors: dict[str, Tensor], told: Told) -> Layer:
    spelling = "kohya" if _kohya_names(tensors) else "old" if _old_names(tensors) else "peft"
    if "embedding_A" in tensors or "embedding_B" in tensors:
        A, B = _need(tensors, "embedding_A", "embedding_B")
        if len(A.shape) != 2 or len(B.shape) != 2 or A.shape[0] != B.shape[1]:
            raise FileRefused(f"lora_embedding_A is {_sides(A)} and lora_embedding_B is {_sides(B)}.")
        shape = (A.shape[1], B.shape[0])
        return Layer(name, shape, "LoRA", spelling, A.shape[0], {"A": A, "B": B}, embedding=True)
    A, B = _need(tensors, "A", "B")
    kind, chosen = "LoRA", {"A": A, "B": B}
    for each in (A, B):
        if len(each.shape) < 2:
            raise FileRefused(
                f"{quote(each.name)} has {count(len(each.shape), 'dimension')}; a matrix has 2."
            )
    if len(A.shape) == len(B.shape) == 3 and A.shape[0] == B.shape[0] and A.shape[1] == B.shape[2]:
        n, r, in_ = A.shape
        return _experts(Layer(name, (B.shape[1], in_), kind, spelling, r, chosen), n)
    if "mid" in tensors:
        mid = tensors["mid"]
        if len(mid.shape) < 2 or mid.shape[1] != A.shape[0] or prod(A.shape[2:]) != 1:
            raise FileRefused(f"lora_mid is {_sides(mid)}, which does not fit to lora_down, {_sides(A)}.")
        chosen["mid"] = mid
        r, in_ = mid.shape[0], A.shape[1] * prod(mid.shape[2:])
    else:
        r, in_ = _flat(A.shape)
    if prod(B.shape[2:]) != 1 or B.shape[1] != r or r > MAX_RANK:
        raise FileRefused(f"the factors are {_sides(B)} and {_sides(A)}; their inner sizes must be equal.")
    layer = Layer(name, (B.shape[0], in_), kind, spelling, r, chosen)
    if "E" in tensors:
        if prod(tensors["E"].shape) != r:
            raise FileRefused(
                f"lora_E is {_sides(tensors['E'])}; one number for each of the {r} directions fits."
            )
        return dataclasses.replace(layer, kind="AdaLoRA", tensors=chosen | {"E": tensors["E"]})
    return _flat_experts(layer, told) if len(A.shape) == len(B.shape) == 2 else layer


def _flat_experts(layer: Layer, told: Told) -> Layer:
    """Return the layer, of which PEFT may have put n experts into one pair of matrices (target_parameters)."""
    config = told.config or {}
    targets = config.get("target_parameters")
    module = layer.name.removesuffix(".base_layer")
    if not isinstance(targets, list) or not any(
        module.endswith(str(target).rpartition(".")[0] or module) for target in targets
    ):
        return layer
    r = pattern_value(config.get("rank_pattern"), layer.name) or a_number(config.get("r"))
    if not r or r < 1 or layer.r % r or layer.r == r:
        return layer
    return _experts(dataclasses.replace(layer, r=int(r)), layer.r // int(r))


def _experts(layer: Layer, n: int) -> Layer:
    if n > MAX_EXPERTS:
        raise FileRefused(f"it has {count(n, 'expert')}; at most {MAX_EXPERTS:,} are read.")
    return dataclasses.replace(layer, expert=(0, n))


def _small(name: str, tensors: dict[str, Tensor], told: Told) -> Layer:
    a, b = _need(tensors, "a", "b")
    spelling = "gguf" if told.gguf else "mlx"
    chosen = {"a": a, "b": b}
    if len(a.shape) == len(b.shape) == 3 and a.shape[0] == b.shape[0] and a.shape[1] == b.shape[2]:
        return _experts(
            Layer(name, (b.shape[1], a.shape[2]), "LoRA", spelling, a.shape[1], chosen), a.shape[0]
        )
    if len(a.shape) != 2 or len(b.shape) != 2:
        raise FileRefused(f"lora_a is {_sides(a)} and lora_b is {_sides(b)}; matrices are expected.")
    (out, r), (r_a, in_) = (b.shape, a.shape) if told.gguf else (b.shape[::-1], a.shape[::-1])
    if r != r_a or r > MAX_RANK:
        raise FileRefused(
            f"lora_a is {_sides(a)} and lora_b is {_sides(b)}; their inner sizes must be equal."
        )
    return Layer(name, (out, in_), "LoRA", spelling, r, chosen)


def _lycoris(name: str, tensors: dict[str, Tensor], told: Told) -> Layer:
    if (
        "w1a" in tensors
        and "w2a" in tensors
        and tensors["w1a"].name.endswith(("hada_w1_a", "hada_w1_a.default"))
    ):
        return _loha(name, tensors)
    if any("hada_" in tensor.name for tensor in tensors.values()):
        _need(tensors, "w1a", "w1b", "w2a", "w2b")
        return _loha(name, tensors)
    sides, chosen, ranks = [], {}, []
    for i in "12":
        if f"w{i}" in tensors:
            chosen[f"w{i}"] = tensors[f"w{i}"]
            if len(tensors[f"w{i}"].shape) < 2:
                raise FileRefused(f"lokr_w{i} is {_sides(tensors[f'w{i}'])}; a matrix is expected.")
            sides.append(_flat(tensors[f"w{i}"].shape))
            continue
        a, b = _need(tensors, f"w{i}a", f"w{i}b")
        chosen |= {f"w{i}a": a, f"w{i}b": b}
        core = tensors.get(f"t{i}")
        if core:
            chosen[f"t{i}"] = core
        out, in_, r = _paired(a, b, core)
        sides.append((out, in_))
        ranks.append(r)
    (o1, i1), (o2, i2) = sides
    shape = (o1 * o2, i1 * i2)
    r = max(ranks, default=min(*sides[0]) * min(*sides[1]))
    return Layer(name, shape, "LoKr", "lokr", r, chosen)


def _loha(name: str, tensors: dict[str, Tensor]) -> Layer:
    chosen: dict[str, Tensor] = {}
    shapes = []
    for i in "12":
        a, b = _need(tensors, f"w{i}a", f"w{i}b")
        chosen |= {f"w{i}a": a, f"w{i}b": b}
        core = tensors.get(f"t{i}")
        if core:
            chosen[f"t{i}"] = core
        shapes.append(_paired(a, b, core))
    if shapes[0][:2] != shapes[1][:2]:
        raise FileRefused(f"its two products are {shapes[0][:2]} and {shapes[1][:2]}; they must be equal.")
    out, in_, r = shapes[0]
    if shapes[0][2] * shapes[1][2] > MAX_RANK:
        raise FileRefused(f"r = {r} is more than can be read.")
    return Layer(name, (out, in_), "LoHa", "hada", r, chosen)


def _paired(a: Tensor, b: Tensor, core: Tensor | None) -> tuple[int, int, int]:
    """Return out, in and r of a pair of factors, with a core in between or without."""
    fault = FileRefused(
        f"{quote(a.name)} is {_sides(a)} and {quote(b.name)} is {_sides(b)}, which do not fit."
    )
    if len(a.shape) != 2 or len(b.shape) < 2:
        raise fault
    if core is None:
        if a.shape[1] != b.shape[0] or a.shape[1] > MAX_RANK:
            raise fault
        return a.shape[0], prod(b.shape[1:]), a.shape[1]
    if len(core.shape) < 2 or core.shape[:2] != (a.shape[0], b.shape[0]) or len(b.shape) != 2:
        raise fault
    return a.shape[1], b.shape[1] * prod(core.shape[2:]), a.shape[0]


def _full(name: str, tensors: dict[str, Tensor], told: Told) -> Layer:
    diff = tensors["diff"]
    if len(diff.shape) < 2:
        raise FileRefused(f"its difference is {_sides(diff)}: a vector, which has no rank.")
    shape = _flat(diff.shape)
    return Layer(name, shape, "full difference", "diff", min(shape), {"diff": diff})


def _kohya_names(tensors: Mapping[str, Tensor]) -> bool:
    return any(tensor.name.endswith((".lora_down.weight", ".lora_up.weight")) for tensor in tensors.values())


def _old_names(tensors: Mapping[str, Tensor]) -> bool:
    return any(tensor.name.endswith((".down.weight", ".up.weight")) for tensor in tensors.values())


def _sides(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a single number"


def _format(layers: Sequence[Layer], told: Told) -> str:
    """Return the name of the format, the most frequent first where there are several."""
    names = [_format_of(layer, told) for layer in layers]
    return " + ".join(sorted(set(names), key=lambda name: (-names.count(name), name)))


def _format_of(layer: Layer, told: Told) -> str:
    if layer.kind == "AdaLoRA":
        return "AdaLoRA"
    if layer.spelling != "peft":
        return FORMATS[layer.spelling]
    in_pipeline = METADATA in told.metadata or PIPELINE.match(layer.name) is not None
    return "diffusers LoRA" if in_pipeline and not layer.wrapped and told.config is None else "PEFT LoRA"


def _notes(
    layers: Sequence[Layer],
    loose: Sequence[str],
    left_out: Mapping[str, str],
    told: Told,
) -> list[str]:
    """Return sentences on what a reader should know of the whole."""
    notes = []
    config = told.config or {}
    said: dict[str, list[str]] = {}
    for layer in layers:
        for sentence in layer.not_applied:
            said.setdefault(sentence, []).append(layer.name)
    notes += [
        f"{sentence} ({count(len(names), 'layer')}, as {quote_end(names[0])}.)"
        for sentence, names in said.items()
    ]
    if any(layer.wrapped for layer in layers) and told.config is None:
        notes.append(
            "There is no adapter_config.json beside the weights: alpha is unknown, and the scale is taken as 1. PEFT, "
            "vLLM and llama.cpp's converter do not load the weights without it."
        )
    elif told.config is not None and any(
        layer.told_alpha is None for layer in layers if layer.spelling == "peft" and layer.alpha is None
    ):
        notes.append("adapter_config.json names no alpha; the scale is taken as 1.")
    if names := [
        layer.name for layer in layers if layer.told_r not in (None, layer.r) and layer.kind == "LoRA"
    ]:
        notes.append(
            f"The factors have another rank than adapter_config.json gives them ({count(len(names), 'layer')}, as "
            f"{quote(names[0])}); PEFT refuses to load that."
        )
    if any(layer.wrapped and layer.in_memory for layer in layers):
        notes.append(
            "The names hold that of the adapter, as PEFT keeps them in memory. PEFT's load_adapter adds it once more "
            "and then finds none of these layers; take it out of the names first."
        )
    init = config.get("init_lora_weights")
    if isinstance(init, str) and init.lower().startswith(BASE_CHANGED):
        notes.append(
            f"It began with {quote(init)}, which changes the weight of the base too: the factors are right only for "
            "a base that was changed in the same way."
        )
    if config.get("modules_to_save"):
        notes.append(
            f"modules_to_save: {quote(', '.join(map(str, _listed(config['modules_to_save']))))} is trained whole."
        )
    if names := [layer.name for layer in layers if FUSED.search(layer.name)]:
        notes.append(
            f"fused: {count(len(names), 'layer')} of several matrices in one, as {quote_end(names[0])}; they share the "
            "rank."
        )
    notes += _loose_notes(loose)
    scales = {layer.r for layer in layers if layer.kind == "LoRA" and layer.spelling in ("peft", "old")}
    if (
        len(scales) > 1
        and _format(layers, told).startswith("diffusers")
        and not any(layer.alpha for layer in layers)
    ):
        notes.append(
            "Ranks differ and no alpha is given: diffusers before August 2026 scales all layers by the rank of the "
            "first (huggingface/diffusers pull request 14409)."
        )
    notes += [f"{quote_end(name)} is left out: {reason}" for name, reason in list(left_out.items())[:5]]
    if len(left_out) > 5:
        notes.append(f"{count(len(left_out) - 5, 'more layer')} left out.")
    return notes


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _loose_notes(loose: Sequence[str]) -> list[str]:
    notes = []
    base = [name for name in loose if ".base_layer." in name]
    if base:
        notes.append(
            f"base_layer: weights of the base model are in the file too ({count(len(base), 'tensor')})."
        )
    sets = [name for name in loose if name.endswith(".set_weight")]
    if sets:
        notes.append(
            f"set_weight replaces a weight as a whole ({count(len(sets), 'tensor')}); its change needs the base."
        )
    norms = [name for name in loose if name.endswith((".w_norm", ".b_norm"))]
    if norms:
        notes.append(
            f"Differences of norms, which are vectors and have no rank ({count(len(norms), 'tensor')})."
        )
    rest = [name for name in loose if name not in {*base, *sets, *norms}]
    if rest:
        notes.append(f"{count(len(rest), 'tensor')} of no adapted layer, the first {quote_end(rest[0])}.")
    return notes


def quote_end(text: str) -> str:
    """Return the end of a name from a file, which says more than its start, safe to show.

    Parameters
    ----------
    text : str
        Anything.

    Returns
    -------
    str
        At most 40 characters in quotation marks, with escapes for what cannot be printed.

    Examples
    --------
    >>> print(quote_end("q_proj"), len(quote_end("base_model.model.model.layers.0.self_attn.q_proj")))
    'q_proj' 45
    """
    return repr(text) if len(text) <= 40 else "..." + repr(text[-40:])
