"""Write an adapter for PEFT, kohya, diffusers, MLX or llama.cpp, alpha spelled out, to the last bit as it was."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from compute.adapters.formats.containers import CONFIG, Tensor, write_gguf, write_safetensors
from compute.adapters.formats.dtypes import ITEMSIZE, encode
from compute.adapters.formats.experts import apart, stacked
from compute.adapters.formats.keys import PREFIX, parse_key
from compute.adapters.formats.layers import Layer, along_inputs, as_pair, parts
from compute.adapters.formats.llama_cpp import REFUSED, TURNED, architecture_of, gguf_name, turned_rows
from compute.adapters.formats.reading import Adapter, quote_end
from compute.adapters.formats.scales import METADATA, a_number
from compute.numbers.bounds import one_of
from compute.numbers.refusal import count

WRITABLE = ("peft", "kohya", "diffusers", "mlx", "gguf")
NAMES = (
    "lora_live.names"  # where kohya's file keeps the names as they were: underscores do not tell full stops
)
WEIGHTS = {
    "peft": "adapter_model.safetensors",
    "kohya": "lora.safetensors",
    "diffusers": "pytorch_lora_weights.safetensors",
    "mlx": "adapters.safetensors",
    "gguf": "adapter.gguf",
}
NOT_LINEAR = "{name} is no linear layer, and MLX adapts nothing else in this way."
NO_SCALE = "MLX has one scale for all layers, and that of most is 0."
STACKING = ("mlx", "gguf")  # formats that hold the experts of a layer in one stack
# Why experts are not written; the page says the same.
OWN_EXPERTS = (
    "{name} is one of several experts, which only its own format holds; others stack other weights together."
)
NO_EXPERT = "{name} would stack experts of which some are not adapted; only all of them can be stacked."
DORA_EXPERT = "{name} is one of several experts and a DoRA, which no format holds."
GGUF_FLOATS = ("F32", "F16", "BF16")  # that llama.cpp computes with
INVOKED = "adapter.alora.invocation_tokens"  # by which llama.cpp switches an adapter on
_PIPELINE = re.compile(r"(unet|transformer|diffusion_model|text_encoder|text_encoder_2)\.")
# Words of models that hold an underscore themselves, so that kohya's names can be taken apart without a map.
WORDS = sorted(
    """down_blocks up_blocks mid_block transformer_blocks single_transformer_blocks double_blocks single_blocks
    joint_blocks input_blocks middle_block output_blocks to_q to_k to_v to_out to_add_out add_q_proj add_k_proj
    add_v_proj proj_in proj_out proj_mlp time_emb_proj conv_shortcut conv_in conv_out time_embedding add_embedding
    linear_1 linear_2 in_layers out_layers emb_layers skip_connection text_model text_projection self_attn cross_attn
    q_proj k_proj v_proj o_proj out_proj gate_proj up_proj down_proj embed_tokens lm_head img_attn txt_attn img_mlp
    txt_mlp img_mod txt_mod context_embedder x_embedder final_layer norm_out ff_context img_in txt_in time_in vector_in
    guidance_in""".split(),
    key=len,
    reverse=True,
)


class Plain(NamedTuple):
    """Hold two factors that are to be written.

    Attributes
    ----------
    name : str
        Name of the layer, as the format that it came from spells it.
    lora_B : (out, r) ndarray of float64
        Left factor.
    lora_A : (r, in) ndarray of float64
        Right factor.
    scale : float
        What their product is multiplied by.
    dtypes : (str, str)
        Types in which lora_B and lora_A are stored.
    kernel : tuple of int
        Sides of the kernel of a convolution, empty for a linear layer.
    embedding : bool
        Whether it is an embedding, whose factors PEFT calls lora_embedding_A and lora_embedding_B.
    magnitude : Tensor or None
        Magnitude of DoRA along the outputs, if there is one.
    expert : (int, int) or None
        Which of how many experts it is, if it is one.
    experts : int
        How many experts are in it: r rows of lora_A for each, and every n-th column of lora_B, as PEFT keeps them.
    """

    name: str
    lora_B: np.ndarray
    lora_A: np.ndarray
    scale: float
    dtypes: tuple[str, str]
    kernel: tuple[int, ...] = ()
    embedding: bool = False
    magnitude: Tensor | None = None
    expert: tuple[int, int] | None = None
    experts: int = 1

    @property
    def r(self) -> int:
        """Return the rank, of each expert where there are several."""
        return len(self.lora_A) // self.experts


class Written(NamedTuple):
    """Hold the files of an adapter.

    Attributes
    ----------
    files : dict of str to bytes
        By name; the weights are the first.
    notes : list of str
        Sentences on what could not be taken over, and on what was changed.
    """

    files: dict[str, bytes]
    notes: list[str]


def plain(layer: Layer) -> Plain:
    """Return a layer as two factors that can be written.

    Parameters
    ----------
    layer : Layer
        From `compute.adapters.formats.reading.read_adapter`.

    Returns
    -------
    Plain
        Of LoRA the factors as they are. Of the other kinds two factors with the same product: AdaLoRA's lora_E goes
        into lora_A, a core into lora_A, a LoHa becomes a LoRA of r squared, a LoKr one of all its directions.

    Raises
    ------
    ValueError
        For a full difference, which has no factors until it is cut to a rank.

    Notes
    -----
    Cost: `compute.adapters.formats.layers.parts`.

    Examples
    --------
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save(
    ...     {
    ...         "q.lora_down.weight": np.ones((2, 3, 2, 2), "f4"),
    ...         "q.lora_up.weight": np.ones((6, 2, 1, 1), "f4"),
    ...     }
    ... )
    >>> found = plain(read_bytes({"a.safetensors": file}).layers[0])
    >>> found.lora_A.shape, found.kernel, found.dtypes
    ((2, 12), (2, 2), ('F32', 'F32'))
    """
    if layer.kind == "full difference":
        raise ValueError(f"{quote_end(layer.name)} is a full difference; cut it to a rank first.")
    lora_B, lora_A = as_pair(*parts(layer))
    return Plain(
        layer.name,
        lora_B,
        lora_A,
        layer.scale,
        stored_dtypes(layer),
        kernel_of(layer),
        layer.embedding,
        layer_magnitude(layer),
        layer.expert,
    )


def stored_dtypes(layer: Layer) -> tuple[str, str]:
    """Return the types in which the factors of a layer are stored.

    Parameters
    ----------
    layer : Layer
        From `compute.adapters.formats.reading.read_adapter`.

    Returns
    -------
    (str, str)
        Of the left and of the right factor. What is stored in blocks of eight bits is written in F32, which holds it
        exactly.

    Examples
    --------
    >>> from compute.adapters.formats.containers import BytesSource
    >>> tensors = {
    ...     part: Tensor(part, dtype, (2, 2), BytesSource(b""))
    ...     for part, dtype in [("A", "F16"), ("B", "F32")]
    ... }
    >>> stored_dtypes(Layer("q", (2, 2), "LoRA", "peft", 2, tensors))
    ('F32', 'F16')
    """
    tensors = layer.tensors
    left, right = (tensors.get(pair[0], tensors.get(pair[1])) for pair in ("Bb", "Aa"))
    types = (left.dtype, right.dtype) if left and right else (layer.dtype, layer.dtype)
    return types[0].replace("Q8_0", "F32"), types[1].replace("Q8_0", "F32")


def layer_magnitude(layer: Layer) -> Tensor | None:
    """Return the magnitude of DoRA along the outputs that belongs to a layer.

    Parameters
    ----------
    layer : Layer
        From `compute.adapters.formats.reading.read_adapter`.

    Returns
    -------
    Tensor or None
        None where there is none, or where it lies along the inputs.

    Examples
    --------
    >>> layer_magnitude(Layer("q", (6, 4), "LoRA", "peft", 2, {}))
    """
    found = layer.magnitude
    fits = found is not None and prod(found.shape) == layer.shape[0] and not along_inputs(layer)
    return found if fits else None


def kernel_of(layer: Layer) -> tuple[int, ...]:
    """Return the sides of the kernel of a convolution.

    Parameters
    ----------
    layer : Layer
        From `compute.adapters.formats.reading.read_adapter`.

    Returns
    -------
    tuple of int
        Empty for a linear layer.

    Examples
    --------
    >>> kernel_of(Layer("q", (6, 4), "LoRA", "peft", 2, {}))
    ()
    """
    for part in ("mid", "t1", "t2", "A", "w2", "diff", "w1"):
        if part in layer.tensors and len(layer.tensors[part].shape) > 2 and not layer.expert:
            return layer.tensors[part].shape[2:]
    return ()


def write_adapter(
    plains: Sequence[Plain], target: str, source: Adapter, base: Mapping[str, Any] | None = None
) -> Written:
    """Return the files of an adapter in a format.

    Parameters
    ----------
    plains : sequence of Plain
        The layers, from `plain`, truncated or combined.
    target : {"peft", "kohya", "diffusers", "mlx", "gguf"}
        The format.
    source : Adapter
        What the layers came from. Its config is kept where the format has one, and what is trained beside them.
    base : mapping of str to Any, optional
        The base's config.json, which GGUF needs unless it was GGUF before.

    Returns
    -------
    Written
        Files and notes.

    Raises
    ------
    ValueError
        If the format is not known, has no place for a layer, or there is none, or a number is too large for its type.

    Notes
    -----
    The numbers are stored in the type in which they were: what was only converted comes back bit for bit. alpha is
    written out in each format, so that alpha / r is the scale: PEFT gets lora_alpha with alpha_pattern and rank_pattern
    for the layers that differ, and no use_rslora; kohya one .alpha a layer; diffusers the config in the header; MLX one
    scale for all layers and GGUF one alpha, into which those that differ are multiplied. kohya's names have underscores
    for full stops: the names as they were go along in the header. Experts that are layers of their own in PEFT are
    stacked for MLX and llama.cpp, and the other way round (`compute.adapters.formats.experts`). GGUF has llama.cpp's
    names (`compute.adapters.formats.llama_cpp`), and F32 for what llama.cpp does not compute with. Cost: O(numbers).

    References
    ----------
    huggingface/peft 0.21.2, tuners/lora/config.py; kohya-ss/sd-scripts, networks/lora.py; huggingface/diffusers,
    src/diffusers/loaders/lora_base.py (LORA_ADAPTER_METADATA_KEY); ml-explore/mlx-lm, mlx_lm/tuner/utils.py;
    ggml-org/llama.cpp, convert_lora_to_gguf.py and src/llama-adapter.cpp.

    Examples
    --------
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save({"q.lora_A.weight": np.ones((2, 4), "f4"), "q.lora_B.weight": np.ones((6, 2), "f4")})
    >>> adapter = read_bytes(
    ...     {"adapter_model.safetensors": file, "adapter_config.json": b'{"lora_alpha": 8, "r": 2}'}
    ... )
    >>> written = write_adapter([plain(layer) for layer in adapter.layers], "kohya", adapter)
    >>> back = read_bytes(written.files)
    >>> back.format, back.layers[0].name, back.layers[0].alpha
    ('kohya LoRA', 'lora_unet_q', 8.0)
    """
    one_of("target", target, WRITABLE)
    if not plains:
        raise ValueError("there is no layer to write.")
    plains = _as_experts(plains, target, source)
    plains, notes = _in_stacks(plains)
    writers: dict[str, Callable[[Sequence[Plain], Adapter], Written]] = {
        "peft": _write_peft,
        "kohya": _write_kohya,
        "diffusers": _write_diffusers,
        "mlx": _write_mlx,
        "gguf": partial(_write_gguf, base=base),
    }
    written = writers[target](plains, source)
    if source.told.gguf and target != "gguf":
        written.notes.append("The layers keep llama.cpp's names, under which no other program finds them.")
    written.notes.extend(notes)
    return written


def target_of(adapter: Adapter) -> str:
    """Return the format in which an adapter is written unless another is asked for.

    Parameters
    ----------
    adapter : Adapter
        From `compute.adapters.formats.reading.read_adapter`.

    Returns
    -------
    str
        Its own where it can be written, kohya's for LyCORIS and full differences, PEFT's for the rest.

    Examples
    --------
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save({"q.lora_A.weight": np.ones((2, 4), "f4"), "q.lora_B.weight": np.ones((6, 2), "f4")})
    >>> target_of(read_bytes({"a.safetensors": file}))
    'peft'
    """
    first = adapter.format.partition(" + ")[0]
    if first == "kohya LoRA" or (
        first in ("LoHa", "LoKr", "full difference") and not adapter.layers[0].wrapped
    ):
        return "kohya"
    return {"diffusers LoRA": "diffusers", "MLX LoRA": "mlx", "GGUF LoRA": "gguf"}.get(first, "peft")


Entry = tuple[str, str, tuple[int, ...], bytes]


def _as_experts(plains: Sequence[Plain], target: str, source: Adapter) -> list[Plain]:
    """Return the layers with experts as the format has them: MLX and llama.cpp in stacks, the others apart."""
    if target not in STACKING:
        found = [
            each._replace(name=name, expert=None) if each.expert and (name := apart(each.name)) else each
            for each in plains
        ]
    elif source.told.gguf:
        found = list(plains)
    else:
        names = [stacked(apart(each.name) or each.name) for each in plains]
        held: dict[str, set[int]] = {}
        for stack, i in filter(None, names):
            held.setdefault(stack, set()).add(i)
        for stack, numbers in held.items():
            if numbers != set(range(len(numbers))):
                raise ValueError(NO_EXPERT.format(name=quote_end(stack)))
        found = [
            each._replace(name=f"{name[0]}[{name[1]}]", expert=(name[1], len(held[name[0]])))
            if name
            else each
            for each, name in zip(plains, names, strict=True)
        ]
    for each in found:
        if each.expert and each.magnitude is not None:
            raise ValueError(DORA_EXPERT.format(name=quote_end(each.name)))
        if each.expert and target != target_of(source) and not apart(each.name):
            raise ValueError(OWN_EXPERTS.format(name=quote_end(each.name)))
    return found


def _stack_of(each: Plain | Layer) -> str:
    """Return the name of a layer without the number of its expert."""
    return each.name.rpartition("[")[0] if each.expert else each.name


def _in_stacks(plains: Sequence[Plain]) -> tuple[list[Plain], list[str]]:
    """Return the layers with the experts of each in one, and notes on what was changed for that."""
    groups: dict[str, list[Plain]] = {}
    for each in plains:
        groups.setdefault(_stack_of(each), []).append(each)
    found, notes = [], []
    for name, group in groups.items():
        if not group[0].expert:
            found += group
            continue
        group.sort(key=lambda each: each.expert or (0, 0))
        n, r = len(group), max(each.r for each in group)
        scale = group[0].scale if len({each.scale for each in group}) == 1 else 1.0
        if any(each.r < r for each in group):
            notes.append(
                "Experts of a layer share a rank: what is cut to a lower one is filled up with zeros."
            )
        if any(each.scale != scale for each in group):
            notes.append("Experts of a layer share a scale: where theirs differ, lora_B is multiplied by it.")
        lora_A = np.zeros((n, r, group[0].lora_A.shape[1]))
        lora_B = np.zeros((len(group[0].lora_B), r, n))
        for i, each in enumerate(group):
            lora_A[i, : each.r] = each.lora_A
            lora_B[:, : each.r, i] = each.lora_B if each.scale == scale else each.scale * each.lora_B
        flat = lora_B.reshape(len(lora_B), -1), lora_A.reshape(n * r, -1)
        types = [max((each.dtypes[side] for each in group), key=ITEMSIZE.__getitem__) for side in (0, 1)]
        found.append(Plain(name, *flat, scale, (types[0], types[1]), experts=n))
    return found, list(dict.fromkeys(notes))


def _by_expert(each: Plain) -> tuple[np.ndarray, np.ndarray]:
    """Return the factors of experts with a side for them before the others: (n, out, r) and (n, r, in)."""
    lora_B = each.lora_B.reshape(len(each.lora_B), -1, each.experts).transpose(2, 0, 1)
    return lora_B, each.lora_A.reshape(each.experts, each.r, -1)


def _factors(each: Plain, name_A: str, name_B: str) -> list[Entry]:
    """Return both factors in the orientation that all but MLX store."""
    r = len(each.lora_A)
    if each.embedding:
        B, A = each.lora_A.T, each.lora_B.T
        dtype_B, dtype_A = each.dtypes
    else:
        (B, A), (dtype_B, dtype_A) = (each.lora_B, each.lora_A), each.dtypes
    one = tuple(1 for _ in each.kernel)
    shape_A = (r, A.shape[1] // prod(each.kernel), *each.kernel)
    return [
        (name_A, dtype_A, shape_A, encode(A, dtype_A)),
        (name_B, dtype_B, (len(B), r, *one), encode(B, dtype_B)),
    ]


def _expert_factors(each: Plain, name_A: str, name_B: str) -> list[Entry]:
    """Return both factors of experts, with a side for them."""
    (B, A), (dtype_B, dtype_A) = _by_expert(each), each.dtypes
    return [(name_A, dtype_A, A.shape, encode(A, dtype_A)), (name_B, dtype_B, B.shape, encode(B, dtype_B))]


def _names(plains: Sequence[Plain], source: Adapter) -> dict[str, str]:
    """Return the names of the layers with full stops, from the map in the header or taken apart."""
    try:
        told = json.loads(source.told.metadata.get(NAMES, "{}"))
    except (ValueError, RecursionError):
        told = {}
    told = told if isinstance(told, dict) else {}
    return {
        each.name: name if isinstance(name := told.get(each.name), str) else dotted(each.name)
        for each in plains
    }


def dotted(name: str) -> str:
    """Return the name of a layer as diffusers and PEFT spell it, from kohya's.

    Parameters
    ----------
    name : str
        Any name; one that is not kohya's is returned as it is.

    Returns
    -------
    str
        With full stops. Where a word of the model holds an underscore that is not known here, the name is a guess.

    References
    ----------
    huggingface/diffusers, src/diffusers/loaders/lora_conversion_utils.py (_convert_unet_lora_key).

    Examples
    --------
    >>> dotted("lora_unet_down_blocks_0_attentions_1_transformer_blocks_0_attn1_to_out_0")
    'unet.down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_out.0'
    >>> dotted("lora_te2_text_model_encoder_layers_3_self_attn_q_proj")
    'text_encoder_2.text_model.encoder.layers.3.self_attn.q_proj'
    """
    found = re.match(r"lora_(unet|te1?|te2|te3|transformer)_", name)
    if not found:
        return name
    rest = name[found.end() :]
    for word in WORDS:
        rest = re.sub(rf"(?<![a-z]){word}(?![a-z])", word.replace("_", "\0"), rest)
    rest = rest.replace("_", ".").replace("\0", "_")
    part = {
        "te": "text_encoder",
        "te1": "text_encoder",
        "te2": "text_encoder_2",
        "te3": "text_encoder_3",
    }.get(found[1])
    if part is None:
        part = (
            "unet"
            if re.match(r"(down|up|input|output)_blocks|mid_block|middle_block|conv_|time_", rest)
            else "transformer"
        )
    return f"{part}.{rest}"


def underscored(name: str) -> str:
    """Return the name of a layer as kohya spells it.

    Parameters
    ----------
    name : str
        Any name; one that is kohya's already is returned as it is.

    Returns
    -------
    str
        With its prefix, and underscores for full stops.

    References
    ----------
    kohya-ss/sd-scripts, networks/lora.py (LoRANetwork.create_modules).

    Examples
    --------
    >>> underscored("unet.conv_in"), underscored("text_encoder_2.text_model.q_proj"), underscored("lora_te_x")
    ('lora_unet_conv_in', 'lora_te2_text_model_q_proj', 'lora_te_x')
    """
    if name.startswith(("lora_unet_", "lora_te", "lora_transformer_", "lycoris_")):
        return name
    for part, prefix in (("text_encoder_2.", "lora_te2_"), ("text_encoder.", "lora_te1_")):
        if name.startswith(part):
            return prefix + name.removeprefix(part).replace(".", "_")
    rest = re.sub(r"^(unet|transformer|diffusion_model)\.(?!h\.)", "", name)
    return "lora_unet_" + rest.replace(".processor.", ".").replace(".", "_")


def _alpha(each: Plain) -> float:
    return each.scale * each.r


def _most(values: Sequence[float]) -> float:
    """Return the most frequent value, of several the largest."""
    return max(Counter(values).items(), key=lambda pair: (pair[1], pair[0]))[0]


def _tidy(value: float) -> float | int:
    return int(value) if value == int(value) else value


def _lora_config(plains: Sequence[Plain], names: Mapping[str, str]) -> dict[str, Any]:
    """Return r, alpha and the layers that differ, as PEFT spells them."""
    r = int(_most([each.r for each in plains]))
    alpha = _most([_alpha(each) for each in plains])
    return {
        "r": r,
        "lora_alpha": _tidy(alpha),
        "use_rslora": False,
        "rank_pattern": {f"^{re.escape(names[each.name])}": each.r for each in plains if each.r != r},
        "alpha_pattern": {
            f"^{re.escape(names[each.name])}": _tidy(_alpha(each)) for each in plains if _alpha(each) != alpha
        },
    }


def _beside(source: Adapter, target: str) -> tuple[list[Entry], list[str]]:
    """Return what is trained beside the layers if the format stays the same, else a note that it is left away."""
    kept = [source.tensors[name] for name in source.unmatched]
    kept += [
        tensor
        for name, tensor in source.tensors.items()
        if (key := parse_key(name)) is not None and key.part == "bias" and name not in source.unmatched
    ]
    if not kept:
        return [], []
    if target_of(source) == target:
        return [(each.name, each.dtype, each.shape, each.raw()) for each in kept], []
    return [], [f"{count(len(kept), 'tensor')} beside the layers left away: only the same format holds them."]


def _magnitude(each: Plain, name: str, shape: tuple[int, ...]) -> list[Entry]:
    if each.magnitude is None:
        return []
    return [(name, each.magnitude.dtype, shape, each.magnitude.raw())]


def _write_peft(plains: Sequence[Plain], source: Adapter) -> Written:
    names = {name: name_.removeprefix("unet.") for name, name_ in _names(plains, source).items()}
    entries, notes = _beside(source, "peft")
    for each in plains:
        start = PREFIX + names[each.name]
        if each.embedding:
            entries += _factors(each, f"{start}.lora_embedding_A", f"{start}.lora_embedding_B")
        elif each.experts > 1 and not (source.told.config or {}).get("target_parameters"):
            entries += _expert_factors(each, f"{start}.lora_A.weight", f"{start}.lora_B.weight")
        else:
            entries += _factors(each, f"{start}.lora_A.weight", f"{start}.lora_B.weight")
        one = tuple(1 for _ in each.kernel)
        shape = (1, len(each.lora_B), *one) if one else (len(each.lora_B),)
        entries += _magnitude(each, f"{start}.lora_magnitude_vector", shape)
    config: dict[str, Any] = {
        "base_model_name_or_path": None,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "lora_dropout": 0.0,
        "modules_to_save": None,
        "target_modules": sorted(names.values()),
        "task_type": None,
    }
    old = source.told.config or {}
    if old.get("peft_type") == "LORA":
        config |= old
    if {each.name for each in plains} - {_stack_of(layer) for layer in source.layers}:  # merged with it
        config["target_modules"] = sorted(names.values())
    config |= {"peft_type": "LORA", "use_dora": any(each.magnitude is not None for each in plains)}
    config |= _lora_config(plains, names)
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    return Written(
        {WEIGHTS["peft"]: write_safetensors(entries, {"format": "pt"}), CONFIG: text.encode()}, notes
    )


def _write_kohya(plains: Sequence[Plain], source: Adapter) -> Written:
    entries, notes = _beside(source, "kohya")
    names = {}
    for each in plains:
        name = underscored(each.name)
        if name in names:
            raise ValueError(f"two layers would be called {quote_end(name)}.")
        names[name] = each.name
        entries += _factors(
            each._replace(embedding=False), f"{name}.lora_down.weight", f"{name}.lora_up.weight"
        )
        entries.append((f"{name}.alpha", "F32", (), encode(np.array(_alpha(each)), "F32")))
        entries += _magnitude(each, f"{name}.dora_scale", (len(each.lora_B), *(1 for _ in each.kernel), 1))
    told = {
        key: value for key, value in source.told.metadata.items() if key.startswith(("ss_", "modelspec."))
    }
    kept = {name: old for name, old in names.items() if name != old}
    metadata = told | {"ss_network_module": "networks.lora"} | ({NAMES: json.dumps(kept)} if kept else {})
    return Written({WEIGHTS["kohya"]: write_safetensors(entries, metadata)}, notes)


def _write_diffusers(plains: Sequence[Plain], source: Adapter) -> Written:
    names = _names(plains, source)
    names = {old: name if _PIPELINE.match(name) else f"transformer.{name}" for old, name in names.items()}
    entries, notes = _beside(source, "diffusers")
    by_part: dict[str, list[Plain]] = {}
    for each in plains:
        if each.embedding:
            raise ValueError(f"{quote_end(each.name)} is an embedding, which diffusers does not load.")
        name = names[each.name]
        by_part.setdefault(name.partition(".")[0], []).append(each)
        entries += _factors(each, f"{name}.lora_A.weight", f"{name}.lora_B.weight")
        entries += _magnitude(each, f"{name}.lora_magnitude_vector", (len(each.lora_B),))
    told: dict[str, Any] = {}
    for part, layers in by_part.items():
        inner = {each.name: names[each.name].partition(".")[2] for each in layers}
        config = _lora_config(layers, inner) | {"target_modules": sorted(inner.values())}
        config["use_dora"] = any(each.magnitude is not None for each in layers)
        told |= {f"{part}.{key}": value for key, value in config.items()}
    metadata = {"format": "pt", METADATA: json.dumps(told, indent=2, sort_keys=True)}
    return Written({WEIGHTS["diffusers"]: write_safetensors(entries, metadata)}, notes)


def _write_mlx(plains: Sequence[Plain], source: Adapter) -> Written:
    names = _names(plains, source)
    entries, notes = _beside(source, "mlx")
    scale = _most([each.scale for each in plains])
    other = [each.name for each in plains if each.scale != scale]
    if other and scale == 0:
        raise ValueError(NO_SCALE)
    if other:
        notes.append(
            f"MLX has one scale for all layers: lora_b of {count(len(other), 'layer')} is multiplied by what differs."
        )
    if len({each.r for each in plains}) > 1:
        notes.append(
            "Ranks differ between layers; MLX builds all with one and takes the others as they are in the file."
        )
    for each in plains:
        if each.kernel or each.embedding:
            raise ValueError(NOT_LINEAR.format(name=quote_end(each.name)))
        lora_B = each.lora_B if each.scale == scale else each.lora_B * (each.scale / scale)
        (dtype_B, dtype_A), name = each.dtypes, names[each.name]
        if each.experts > 1:  # which lie as PEFT's do
            entries += _expert_factors(each._replace(lora_B=lora_B), f"{name}.lora_a", f"{name}.lora_b")
            continue
        a, b = each.lora_A.T, lora_B.T
        entries.append((f"{name}.lora_a", dtype_A, a.shape, encode(a, dtype_A)))
        entries.append((f"{name}.lora_b", dtype_B, b.shape, encode(b, dtype_B)))
        entries += _magnitude(each, f"{name}.m", (len(each.lora_B),))
    blocks = [re.search(r"layers\.(\d+)\.(.+)", name) for name in names.values()]
    config = {key: value for key, value in (source.told.config or {}).items() if target_of(source) == "mlx"}
    dropout = a_number((source.told.config or {}).get("lora_dropout")) or 0.0
    config |= {
        "fine_tune_type": "dora" if any(each.magnitude is not None for each in plains) else "lora",
        "num_layers": max((int(found[1]) + 1 for found in blocks if found), default=len(plains)),
        "lora_parameters": {
            "rank": int(_most([each.r for each in plains])),
            "scale": float(scale),
            "dropout": dropout,
            "keys": sorted({found[2] for found in blocks if found} or set(names.values())),
        },
    }
    text = json.dumps(config, indent=4, sort_keys=True) + "\n"
    return Written({WEIGHTS["mlx"]: write_safetensors(entries, {}), CONFIG: text.encode()}, notes)


def _write_gguf(plains: Sequence[Plain], source: Adapter, base: Mapping[str, Any] | None) -> Written:
    metadata: dict[str, str | float] = {"general.type": "adapter"}
    told = source.told.metadata
    if not source.told.gguf:
        metadata["general.architecture"] = architecture_of(base)
    elif "general.architecture" in told:
        metadata["general.architecture"] = told["general.architecture"]
    if INVOKED in told or (source.told.config or {}).get("alora_invocation_tokens"):
        raise ValueError(REFUSED["switched"])
    alpha = _most([_alpha(each) for each in plains])
    other = [each.name for each in plains if _alpha(each) != alpha]
    if alpha == 0:
        raise ValueError(REFUSED["silent"])
    metadata |= {"adapter.type": "lora", "adapter.lora.alpha": alpha}
    entries, notes = _beside(source, "gguf")
    if other:
        notes.append(
            f"GGUF has one alpha for all layers: lora_b of {count(len(other), 'layer')} is multiplied by what differs."
        )
    if wide := sum(any(dtype not in GGUF_FLOATS for dtype in each.dtypes) for each in plains):
        notes.append(f"{count(wide, 'layer')} stored in F32: llama.cpp computes with F32, F16 and BF16.")
    names = _names(plains, source)
    for each in plains:
        if each.kernel or each.embedding or each.magnitude is not None:
            why = "magnitude" if each.magnitude is not None else "shaped"
            raise ValueError(REFUSED[why].format(name=quote_end(each.name)))
        name, lora_B = each.name, each.lora_B
        if base is not None and not source.told.gguf:
            name = gguf_name(names[each.name], base)
            if metadata["general.architecture"] == TURNED:
                lora_B = turned_rows(lora_B, name, base)
        if _alpha(each) != alpha:
            lora_B = lora_B * (_alpha(each) / alpha)
        b, a = _by_expert(each._replace(lora_B=lora_B)) if each.experts > 1 else (lora_B, each.lora_A)
        for part, factor, dtype in (("lora_a", a, each.dtypes[1]), ("lora_b", b, each.dtypes[0])):
            stored = dtype if dtype in GGUF_FLOATS else "F32"
            entries.append((f"{name}.{part}", stored, factor.shape, encode(factor, stored)))
    return Written({WEIGHTS["gguf"]: write_gguf(entries, metadata)}, notes)
