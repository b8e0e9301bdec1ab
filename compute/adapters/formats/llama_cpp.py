"""What llama.cpp makes of an adapter's layers: other names, and for some models rows in another order."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from compute.adapters.formats.reading import quote_end
from compute.numbers.refusal import FileRefused, quote

# By model_type in config.json llama.cpp's name for the architecture; only those whose layers are all of NAMES.
ARCHITECTURES = {
    "llama": "llama",
    "mistral": "llama",
    "mixtral": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "qwen3_moe": "qwen3moe",
    "gemma": "gemma",
    "gemma2": "gemma2",
}
TIED = ("gemma", "gemma2")  # whose head is the embedding, also where config.json does not say so
TURNED = "llama"  # whose rotary embedding takes neighbours as pairs
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
} | {
    f"{block}.switch_mlp.{matrix}_proj": f"ffn_{matrix}_exps"  # experts in a stack, by MLX's names
    for block in ("mlp", "block_sparse_moe")
    for matrix in ("gate", "up", "down")
}
# Why an adapter is not written for llama.cpp; the page says the same.
REFUSED = {
    "unknown": (
        "The base is a {kind}; as GGUF adapters of {known} are written. The converter of llama.cpp "
        "(convert_lora_to_gguf.py) knows the others."
    ),
    "unplaced": "{name} is no layer that llama.cpp could adapt.",
    "heads": "config.json of the base names {heads} heads for {rows} rows of {name}.",
    "switched": "The adapter is switched on by tokens (aLoRA), which are not written yet.",
    "silent": "GGUF has one alpha for all layers, of which 0 would count as r.",
    "magnitude": "{name} is a DoRA, which has no place in a GGUF adapter.",
    "shaped": "{name} is no linear layer, which has no place in a GGUF adapter.",
}
_LAYER = re.compile(r"(?:model\.)?layers\.(\d+)\.(.+)")


def architecture_of(config: Mapping[str, Any] | None) -> str:
    """Return what llama.cpp calls the architecture of a base model.

    Parameters
    ----------
    config : mapping of str to Any, or None
        The base's config.json.

    Returns
    -------
    str
        One of the values of ARCHITECTURES.

    Raises
    ------
    FileRefused
        If there is no config, or the model is not known here.

    References
    ----------
    ggml-org/llama.cpp, gguf-py/gguf/constants.py (MODEL_ARCH_NAMES).

    Examples
    --------
    >>> architecture_of({"model_type": "mistral"})
    'llama'
    """
    if config is None:
        raise FileRefused(
            "llama.cpp names layers by the model, and turns q_proj and k_proj of a Llama: give the base with --base, "
            "beside whose weights config.json says which it is."
        )
    kind = str(config.get("model_type"))
    if kind not in ARCHITECTURES:
        raise FileRefused(REFUSED["unknown"].format(kind=quote(kind), known=", ".join(ARCHITECTURES)))
    return ARCHITECTURES[kind]


def gguf_name(name: str, config: Mapping[str, Any]) -> str:
    """Return what llama.cpp calls the weight of a layer.

    Parameters
    ----------
    name : str
        Name of the layer as transformers has it.
    config : mapping of str to Any
        The base's config.json.

    Returns
    -------
    str
        The name of the tensor in the model's file.

    Raises
    ------
    FileRefused
        If the layer is not known, or is a head that shares the embedding's weight, which llama.cpp does not adapt.

    References
    ----------
    ggml-org/llama.cpp, gguf-py/gguf/tensor_mapping.py; convert_lora_to_gguf.py (lm_head).

    Examples
    --------
    >>> gguf_name("model.layers.3.self_attn.q_proj", {})
    'blk.3.attn_q.weight'
    """
    found = _LAYER.fullmatch(name)
    if found and found[2] in NAMES:
        return f"blk.{int(found[1])}.{NAMES[found[2]]}.weight"
    tied = config.get("tie_word_embeddings", config.get("model_type") in TIED)
    if name == "lm_head" and tied is not True:
        return "output.weight"
    raise FileRefused(REFUSED["unplaced"].format(name=quote_end(name)))


def turned_rows(rows: np.ndarray, name: str, config: Mapping[str, Any]) -> np.ndarray:
    """Return the rows of q_proj or k_proj in the order in which llama.cpp has them for a Llama.

    Parameters
    ----------
    rows : (out, n) ndarray
        The weight, or lora_B.
    name : str
        What llama.cpp calls the layer.
    config : mapping of str to Any
        The base's config.json, with num_attention_heads and num_key_value_heads.

    Returns
    -------
    (out, n) ndarray
        Within each head the first row of the second half after the first of the first half, and so on; of any other
        layer the rows as they are.

    Raises
    ------
    FileRefused
        If the config does not say how many heads there are, or they do not divide the rows.

    Notes
    -----
    A rotary embedding turns pairs of features. transformers takes as a pair one of the first half of a head and one of
    the second, llama.cpp two neighbours. Cost: O(out * n).

    References
    ----------
    ggml-org/llama.cpp, conversion/llama.py (LlamaModel.permute); Su et al. 2021, arXiv:2104.09864, section 3.4.2.

    Examples
    --------
    >>> rows = np.arange(8)[:, None]
    >>> turned_rows(rows, "blk.0.attn_q.weight", {"num_attention_heads": 2}).ravel().tolist()
    [0, 2, 1, 3, 4, 6, 5, 7]
    """
    if not name.endswith(("attn_q.weight", "attn_k.weight")):
        return rows
    heads = config.get("num_attention_heads")
    if name.endswith("attn_k.weight"):
        heads = config.get("num_key_value_heads") or heads
    if type(heads) is not int or heads < 1 or len(rows) % (2 * heads):
        raise FileRefused(REFUSED["heads"].format(heads=f"{heads!r:.20}", rows=len(rows), name=name))
    return rows.reshape(heads, 2, -1, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)
