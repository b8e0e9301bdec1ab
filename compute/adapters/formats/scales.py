"""What each runtime multiplies an adapter by, by its own rules: the fault that people report most is a wrong scale.

One adapter can run at alpha / r in one program, at 1 in the next and not at all in a third, without a word of warning.
The rules were read in the code of each project; where it stands is in the docstring of the rule.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from compute.adapters.formats.layers import Layer
from compute.adapters.formats.patterns import matches

RUNTIMES = ("PEFT", "diffusers", "ComfyUI", "kohya", "llama.cpp", "vLLM", "MLX")
ADALORA_RANK = 12  # init_r where the config does not say
ADALORA_SHIFT = 1e-5  # what PEFT adds to it
METADATA = "lora_adapter_metadata"  # where diffusers keeps the config, in the header of the weights
SAME = 1e-3  # two scales that differ by less are one: AdaLoRA's 1e-5 is no difference to warn of

_PIPELINE = re.compile(
    r"(lora_(unet|te\d?|prior|transformer)_|lycoris_|(unet|text_encoder(_\d)?|diffusion_model)\.)"
)
_DIFFUSION = re.compile(
    r"(^|[._])(single_)?transformer_blocks[._]|(^|[._])(double|single|joint|down|up|mid|input|middle|output)_blocks?[._]"
)
_LANGUAGE = re.compile(r"(^|\.)(layers|h|blocks|blk|layer)\.\d+\.|(^|\.)(embed_tokens|lm_head|wte)(\.|$)")


class Told(NamedTuple):
    """Hold what lies beside the tensors and decides on the scale.

    Attributes
    ----------
    config : mapping, or None
        adapter_config.json.
    metadata : mapping of str to str
        Texts of the header.
    gguf : bool
        Whether the file is GGUF.
    parts : frozenset of str
        Which parts of layers are anywhere in the file, with "modules" for tensors of no layer.
    """

    config: Mapping[str, Any] | None
    metadata: Mapping[str, str]
    gguf: bool
    parts: frozenset[str]


def model_of(name: str) -> str:
    """Return what kind of model a layer belongs to, as far as its name tells.

    Parameters
    ----------
    name : str
        Name of the layer.

    Returns
    -------
    str
        "diffusion", "language", or "" where the name does not tell.

    Examples
    --------
    >>> model_of("model.layers.0.self_attn.q_proj"), model_of("lora_unet_conv_in"), model_of("q_proj")
    ('language', 'diffusion', '')
    """
    if _PIPELINE.match(name) or _DIFFUSION.search(name):
        return "diffusion"
    return "language" if _LANGUAGE.search(name) else ""


def pattern_value(patterns: Any, name: str) -> float | None:
    r"""Return what rank_pattern or alpha_pattern gives a layer.

    Parameters
    ----------
    patterns : Any
        What the config holds: an object with patterns and numbers, or anything.
    name : str
        Name of the layer.

    Returns
    -------
    float or None
        The number of the first pattern that matches the end of the name from a full stop on; None if none does.

    Raises
    ------
    ValueError
        If a pattern cannot be tried (`compute.adapters.formats.patterns.compiled`).

    References
    ----------
    huggingface/peft 0.21.2, src/peft/utils/other.py, get_pattern_key.

    Examples
    --------
    >>> pattern_value({"q_proj": 8, r".*\.1\..*": 4}, "h.0.q_proj"), pattern_value({"q": 8}, "h.0.q_proj")
    (8.0, None)
    """
    if not isinstance(patterns, Mapping):
        return None
    for pattern, value in patterns.items():
        if matches(str(pattern), name):
            return a_number(value)
    return None


def a_number(value: Any) -> float | None:
    """Return a finite number of a config, None for anything else.

    Parameters
    ----------
    value : Any
        What stands in the JSON.

    Returns
    -------
    float or None
        The number.

    Examples
    --------
    >>> a_number(8), a_number("8"), a_number(True), a_number(1e400)
    (8.0, None, None, None)
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < 1e300 else None


def header_config(metadata: Mapping[str, str], name: str) -> Mapping[str, Any] | None:
    """Return the config that diffusers keeps in the header, for the part of the pipeline that a layer is in.

    Parameters
    ----------
    metadata : mapping of str to str
        Texts of the header.
    name : str
        Name of the layer, with that of its part: "transformer.blocks.0.attn.to_q".

    Returns
    -------
    mapping or None
        Fields as in adapter_config.json.

    References
    ----------
    huggingface/diffusers, src/diffusers/loaders/lora_base.py (LORA_ADAPTER_METADATA_KEY, _pack_dict_with_prefix).

    Examples
    --------
    >>> header_config({"lora_adapter_metadata": '{"unet.lora_alpha": 8}'}, "unet.conv_in")
    {'lora_alpha': 8}
    """
    try:
        told = json.loads(metadata.get(METADATA, ""))
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    part = name.partition(".")[0] + "."
    return {key.removeprefix(part): value for key, value in told.items() if key.startswith(part)} or told


def stored_rank(layer: Layer) -> int:
    """Return the r that a runtime reads off the factors.

    Parameters
    ----------
    layer : Layer
        From `compute.adapters.formats.reading.read_adapter`.

    Returns
    -------
    int
        The inner size of the factors; of LoKr that of the second pair, or of the first where the second is whole.

    References
    ----------
    comfyanonymous/ComfyUI, comfy/weight_adapter/lokr.py (dim).

    Examples
    --------
    >>> from compute.adapters.formats.containers import Tensor, BytesSource
    >>> part = Tensor("w2b", "F32", (4, 9), BytesSource(b""))
    >>> stored_rank(Layer("q", (6, 9), "LoKr", "lokr", 2, {"w2b": part}))
    4
    """
    for part in ("w2b", "w1b"):
        if layer.kind == "LoKr" and part in layer.tensors:
            return max(layer.tensors[part].shape[0], 1)
    return max(layer.r, 1)


def own_scale(layer: Layer, told: Told) -> float:
    """Return what the product of the parts is multiplied by: by PEFT, or by the tool that the format belongs to.

    Parameters
    ----------
    layer : Layer
        The layer, whose own scale is not looked at.
    told : Told
        What lies beside it.

    Returns
    -------
    float
        1 where the file says nothing about it.

    Notes
    -----
    PEFT: alpha / r, or alpha / sqrt(r) with use_rslora; AdaLoRA alpha / (init_r + 1e-5). kohya and LyCORIS: alpha / r,
    where an alpha of 0 and none at all mean r; 1 for a LoKr with both parts whole. A rsLoRA of LyCORIS stores
    alpha * sqrt(r), so that alpha / r is right for it too. MLX: its own scale, which is not divided by r. GGUF:
    alpha / r, where 0 means 1.

    References
    ----------
    huggingface/peft 0.21.2, tuners/lora/layer.py (update_layer), tuners/adalora/layer.py (get_delta_weight),
    tuners/lycoris_utils.py; kohya-ss/sd-scripts, networks/lora.py (LoRAModule); KohakuBlueleaf/LyCORIS,
    lycoris/modules/lokr.py; ml-explore/mlx-lm, mlx_lm/tuner/lora.py; ggml-org/llama.cpp, src/llama-adapter.h
    (get_scale).

    Examples
    --------
    >>> layer = Layer("q", (6, 9), "LoRA", "kohya", 4, {}, alpha=2.0)
    >>> own_scale(layer, Told(None, {}, False, frozenset()))
    0.5
    """
    if layer.spelling == "mlx":
        parameters = (told.config or {}).get("lora_parameters")
        scale = a_number(parameters.get("scale")) if isinstance(parameters, Mapping) else None
        return 1.0 if scale is None else scale
    if layer.spelling == "gguf":
        return _llama_cpp_gguf(layer, told)
    if layer.kind == "full difference":
        return 1.0
    if (scale := _configured(layer, told.config)) is not None:
        return scale
    if layer.spelling in ("peft", "old") and (scale := _from_header(layer, told)) is not None:
        return scale
    return _kohya(layer)


def _configured(layer: Layer, config: Mapping[str, Any] | None) -> float | None:
    """Return the scale of PEFT by a config, None where that says nothing for a layer of this kind."""
    method = (config or {}).get("peft_type")
    if config is None or layer.told_alpha is None:
        return None
    if layer.kind == "AdaLoRA":
        first = a_number(config.get("init_r", ADALORA_RANK)) or float(layer.r)
        return (layer.told_alpha if layer.told_alpha > 0 else first) / (first + ADALORA_SHIFT)
    if layer.kind in ("LoHa", "LoKr"):
        if method not in ("LOHA", "LOKR"):
            return None
        return layer.told_alpha / (layer.told_r or stored_rank(layer))
    r = stored_rank(layer)
    return layer.told_alpha / (math.sqrt(r) if config.get("use_rslora") is True else r)


def _from_header(layer: Layer, told: Told) -> float | None:
    config = header_config(told.metadata, layer.name)
    if config is None:
        return None
    inner = layer.name.partition(".")[2] or layer.name
    alpha = pattern_value(config.get("alpha_pattern"), inner)
    alpha = a_number(config.get("lora_alpha")) if alpha is None else alpha
    if alpha is None:
        return None
    return alpha / (math.sqrt(stored_rank(layer)) if config.get("use_rslora") is True else stored_rank(layer))


def _kohya(layer: Layer) -> float:
    if layer.kind == "full difference" or _both_whole(layer) or not layer.alpha:
        return 1.0
    return layer.alpha / stored_rank(layer)


def _both_whole(layer: Layer) -> bool:
    return layer.kind == "LoKr" and "w1" in layer.tensors and "w2" in layer.tensors


def _llama_cpp_gguf(layer: Layer, told: Told) -> float:
    try:
        alpha = float(told.metadata.get("adapter.lora.alpha", "0"))
    except ValueError:
        return 1.0
    return alpha / stored_rank(layer) if alpha and math.isfinite(alpha) else 1.0


def scale_audit(layer: Layer, told: Told) -> dict[str, float | None]:
    """Return the scale that each runtime would apply to a layer.

    Parameters
    ----------
    layer : Layer
        From `compute.adapters.formats.reading.read_adapter`.
    told : Told
        What lies beside it.

    Returns
    -------
    dict of str to (float or None)
        By RUNTIMES. None where the runtime does not load such a layer: another format, another kind of model, a method
        that it lacks, or a tensor in the file over which it stops.

    Notes
    -----
    **PEFT** needs adapter_config.json, and its own names without that of an adapter in them: load_adapter puts one in,
    and then finds nothing. **diffusers** takes the config of the header, else .alpha, else 1; it stops over LoHa, LoKr,
    cores and full differences, and does not read adapter_config.json. **ComfyUI** knows .alpha only: 1 for everything
    that PEFT scales by its config, and 0 where .alpha is 0. **kohya** (sd-scripts, LyCORIS): alpha / r; 0 means r.
    **llama.cpp**: its converter takes lora_alpha, and r from the factors; reads neither use_rslora nor alpha_pattern,
    and stops over whatever is neither factor nor norm. **vLLM** follows the config as PEFT does, its patterns too since
    2026 (before, r and lora_alpha of the config counted for every layer); it refuses DoRA, modules_to_save other than a
    classifier, and biases. **MLX** loads its own format only.

    References
    ----------
    huggingface/peft 0.21.2, utils/save_and_load.py (_insert_adapter_name_into_state_dict); huggingface/diffusers,
    loaders/lora_conversion_utils.py and utils/peft_utils.py (get_peft_kwargs, _create_lora_config);
    comfyanonymous/ComfyUI, comfy/lora.py and comfy/weight_adapter/; kohya-ss/sd-scripts, networks/lora.py;
    ggml-org/llama.cpp, convert_lora_to_gguf.py and src/llama-adapter.h; vllm-project/vllm, vllm/lora/peft_helper.py
    (get_rank_and_scaling, _validate_features) and vllm/lora/utils.py (parse_fine_tuned_lora_name);
    ml-explore/mlx-lm, mlx_lm/tuner/utils.py (load_adapters).

    Examples
    --------
    >>> layer = Layer("lora_unet_conv_in", (6, 9), "LoRA", "kohya", 4, {}, alpha=0.0)
    >>> audit = scale_audit(layer, Told(None, {}, False, frozenset()))
    >>> audit["kohya"], audit["ComfyUI"], audit["vLLM"]
    (1.0, 0.0, None)
    """
    model = model_of(layer.name)
    return {
        "PEFT": _peft(layer, told),
        "diffusers": None if model == "language" else _diffusers(layer, told),
        "ComfyUI": None if model == "language" else _comfy(layer),
        "kohya": None if model == "language" else _sd_scripts(layer),
        "llama.cpp": None if model == "diffusion" else _llama_cpp(layer, told),
        "vLLM": None if model == "diffusion" else _vllm(layer, told),
        "MLX": own_scale(layer, told) if layer.spelling == "mlx" and _mlx_loads(told) else None,
    }


def _peft(layer: Layer, told: Told) -> float | None:
    return _configured(layer, told.config) if layer.wrapped and not layer.in_memory else None


def _diffusers(layer: Layer, told: Told) -> float | None:
    if (
        layer.kind != "LoRA"
        or layer.spelling not in ("peft", "old", "kohya")
        or layer.wrapped
        or layer.in_memory
    ):
        return None
    if {"mid", "w1a", "w1", "w2a", "w2", "diff", "set", "norm"} & told.parts:
        return None
    try:
        scale = _from_header(layer, told)
    except ValueError:  # a pattern that cannot be tried
        return None
    if scale is not None:
        return scale
    return 1.0 if layer.alpha is None else layer.alpha / stored_rank(layer)


def _comfy(layer: Layer) -> float | None:
    if layer.kind == "AdaLoRA" or layer.spelling in ("mlx", "gguf") or layer.expert:
        return None
    if layer.wrapped and layer.kind != "LoRA":
        return None
    if layer.kind == "full difference" or _both_whole(layer) or layer.alpha is None:
        return 1.0
    return layer.alpha / stored_rank(layer)


def _sd_scripts(layer: Layer) -> float | None:
    known = layer.spelling in ("kohya", "hada", "lokr", "diff") and not layer.wrapped
    return _kohya(layer) if known else None


def _llama_cpp(layer: Layer, told: Told) -> float | None:
    if layer.spelling == "gguf":
        return _llama_cpp_gguf(layer, told)
    plain = layer.kind == "LoRA" and layer.spelling == "peft" and not layer.in_memory
    fits = "A" not in layer.tensors or len(layer.tensors["A"].shape) == (3 if layer.expert else 2)
    if not (plain and fits) or {"magnitude", "bias", "E", "modules"} & told.parts:
        return None
    alpha = a_number((told.config or {}).get("lora_alpha"))
    if alpha is None:
        return None
    return alpha / stored_rank(layer) if alpha else 1.0


def _vllm(layer: Layer, told: Told) -> float | None:
    config = told.config or {}
    if layer.kind != "LoRA" or layer.spelling != "peft" or layer.in_memory or layer.told_alpha is None:
        return None
    saved = config.get("modules_to_save") or []
    refused = (
        config.get("use_dora"),
        "magnitude" in told.parts,
        config.get("lora_bias") or config.get("bias", "none") != "none",
        not isinstance(saved, list) or set(map(str, saved)) - {"classifier", "score"},
        a_number(config.get("r")) is None or "target_modules" not in config,
        "A" in layer.tensors and len(layer.tensors["A"].shape) > 2 and not layer.expert,
    )
    if any(refused):
        return None
    r = layer.told_r or stored_rank(layer)
    return layer.told_alpha / (math.sqrt(r) if config.get("use_rslora") is True else r)


def _mlx_loads(told: Told) -> bool:
    config = told.config or {}
    return isinstance(config.get("lora_parameters"), Mapping) and "num_layers" in config


def disagree(audit: Mapping[str, float | None]) -> bool:
    """Return whether two runtimes that both load a layer apply different scales.

    Parameters
    ----------
    audit : mapping of str to (float or None)
        From `scale_audit`.

    Returns
    -------
    bool
        Scales that differ by less than a thousandth count as one.

    Examples
    --------
    >>> disagree({"PEFT": 2.0, "ComfyUI": 1.0, "MLX": None}), disagree({"PEFT": 2.0, "MLX": None})
    (True, False)
    """
    known = [scale for scale in audit.values() if scale is not None]
    return bool(known) and max(known) - min(known) > SAME * max(map(abs, known))
