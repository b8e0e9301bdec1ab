"""What the name of a tensor says: which layer it belongs to, which part of it, and by which tool's spelling."""

import re
from typing import NamedTuple

PREFIX = "base_model.model."  # PEFT wraps the model twice
MAX_NAME = 500  # characters; a longer name is not looked at
# Parts that are numbers of delta_w, by the name that they have here. Of MLX and GGUF a and b, for they lie otherwise.
PARTS = ("A", "B", "E", "mid", "a", "b", "w1a", "w1b", "w2a", "w2b", "w1", "w2", "t1", "t2", "diff")


class Key(NamedTuple):
    """Hold what a name says.

    Attributes
    ----------
    layer : str
        Name of the layer. That of an adapter other than "default" stands behind it.
    part : str
        One of PARTS, or "alpha", "magnitude", "bias", "embedding_A" and "embedding_B", "norm", "norm_b", "set", "base",
        "reshape" or "scalar".
    spelling : str
        "peft", "kohya", "old" (of diffusers), "hada", "lokr", "diff", "small" (MLX and GGUF), or "" where the part has
        the same name everywhere.
    adapter : str
        What stands between lora_A and .weight, as PEFT holds it in memory; empty where there is nothing.
    wrapped : bool
        Whether the name began with PEFT's prefix.
    """

    layer: str
    part: str
    spelling: str
    adapter: str
    wrapped: bool


_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (spelling, re.compile(pattern))
    for spelling, pattern in (
        ("peft", r"(.+)\.lora_(A|B|E|embedding_A|embedding_B)(?:\.([^.]+))??(?:\.(weight|bias))?"),
        (
            "magnitude",
            r"(.+)\.(?:lora_magnitude_vector|dora_scale|magnitude)(?:\.(?!weight)([^.]+))?(?:\.weight)?",
        ),
        ("kohya", r"(.+)\.lora_(down|up|mid)\.weight"),
        ("old", r"(.+?)(?:\.lora_linear_layer|\.lora|_lora)\.(down|up)\.weight"),
        ("hada", r"(.+)\.hada_(w1_a|w1_b|w2_a|w2_b|t1|t2)(?:\.([^.]+))?"),
        ("lokr", r"(.+)\.lokr_(w1_a|w1_b|w2_a|w2_b|w1|w2|t2)(?:\.([^.]+))?"),
        ("small", r"(.+)\.lora_(a|b)"),
        ("diff", r"(.+)\.(diff|diff_b|set_weight|w_norm|b_norm)"),
        ("", r"(.+)\.(alpha|scalar|reshape_weight|m)"),
        ("base", r"(.+)\.(base_layer)\.(?:weight|bias)"),
    )
)
_RENAMED = {
    "down": "A",
    "up": "B",
    "diff_b": "bias",
    "set_weight": "set",
    "w_norm": "norm",
    "b_norm": "norm_b",
    "reshape_weight": "reshape",
    "m": "magnitude",
    "base_layer": "base",
}

# What is trained beside a model and has no delta_w of factors: words in a name, what it is, and what it does.
OTHERS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("prompt_embeddings", "prompt_encoder."),
        "prompt tuning",
        "It holds a prompt: vectors that stand before the text (prompt, prefix or P-tuning). No weight is changed, so "
        "there is no delta_w and no rank.",
    ),
    (
        (".ia3_l",),
        "IA3",
        "IA3 multiplies activations by a vector for each layer. There is no delta_w of two factors.",
    ),
    (
        ("vera_lambda_", "vera_A", "vera_B"),
        "VeRA",
        "VeRA learns two vectors for each layer. The matrices between them are random, shared by all layers and often "
        "not in the file, but made from a seed, so that delta_w cannot be computed from the file.",
    ),
    (
        (".oft_", "oft_blocks", "oft_diag", ".boft_"),
        "OFT",
        "OFT and BOFT turn the weight by an orthogonal matrix.",
    ),
    (
        (".a1.weight", ".b1.weight"),
        "GLoRA",
        "GLoRA also multiplies the weight itself, so that delta_w needs it.",
    ),
    ((".hra_u",), "HRA", "HRA multiplies the weight by reflections, so that delta_w needs the weight."),
    (
        ("vblora_",),
        "VB-LoRA",
        "VB-LoRA puts its factors together from a bank of vectors that all layers share.",
    ),
    (
        ("randlora_",),
        "RandLoRA",
        "RandLoRA scales random matrices that are made from a seed and are not in the file.",
    ),
    (("fourierft_spectrum",), "FourierFT", "FourierFT learns entries of a Fourier transform of delta_w."),
    (("adaption_gate", "adaption_prompt"), "LLaMA-Adapter", "It holds prompts with a gate for each layer."),
    (
        ("trainable_tokens_delta",),
        "trainable tokens",
        "It holds new rows of the embedding, for chosen tokens only.",
    ),
    (("ln_tuning_layers",), "LN tuning", "It holds norms that were trained; there is no matrix among them."),
    ((".shira_",), "SHiRA", "SHiRA changes single entries of the weight, which have no low rank."),
    (
        (".miss_", ".bone_"),
        "MiSS",
        "MiSS (Bone) adds one small block again and again; it has no two factors.",
    ),
    (
        ("emb_params", "string_to_param"),
        "textual inversion",
        "It holds the vector of a new word, and no layer.",
    ),
    (("lllite_",), "ControlNet-LLLite", "It holds small networks beside the attention, and no delta_w."),
)


def parse_key(name: str) -> Key | None:
    """Return what the name of a tensor says.

    Parameters
    ----------
    name : str
        As it stands in the file.

    Returns
    -------
    Key or None
        None if it belongs to no LoRA layer.

    Notes
    -----
    Three generations of diffusers put _lora, .lora or .lora_linear_layer between layer and factor.

    References
    ----------
    huggingface/peft, utils/save_and_load.py; kohya-ss/sd-scripts, networks/lora.py; huggingface/diffusers,
    utils/state_dict_utils.py (UNET_TO_DIFFUSERS, DIFFUSERS_TO_PEFT); KohakuBlueleaf/LyCORIS, modules/loha.py, lokr.py
    and full.py (weight_list); ml-explore/mlx-lm, tuner/lora.py.

    Examples
    --------
    >>> parse_key("base_model.model.h.0.q.lora_A.french.weight")
    Key(layer='h.0.q.french', part='A', spelling='peft', adapter='french', wrapped=True)
    >>> parse_key("lora_unet_conv_in.lora_up.weight").part, parse_key("classifier.weight")
    ('B', None)
    """
    if len(name) > MAX_NAME:
        return None
    rest = name.removeprefix(PREFIX)
    wrapped = rest != name
    for spelling, form in _FORMS:
        found = form.fullmatch(rest)
        if not found:
            continue
        groups = [*found.groups(default=""), "", ""]
        layer, part = groups[0], groups[1]
        if spelling == "magnitude":
            layer, part, spelling, adapter = groups[0], "magnitude", "", groups[1]
        elif spelling in ("hada", "lokr"):
            part, adapter = part.replace("_", ""), groups[2]
        elif spelling == "peft":
            adapter = groups[2]
            part = "bias" if groups[3] == "bias" else part
        else:
            adapter = ""
        part = _RENAMED.get(part, part)
        behind = "" if adapter in ("", "default", "weight") else f".{adapter}"
        return Key(layer + behind, part, "" if spelling == "base" else spelling, adapter, wrapped)
    return None


def other_method(names: list[str]) -> tuple[str, str] | None:
    """Return what a file holds that is no LoRA, by the names of its tensors.

    Parameters
    ----------
    names : list of str
        As they stand in the file.

    Returns
    -------
    (str, str) or None
        Name of the method and a sentence about it; None if it is none of those known here.

    References
    ----------
    huggingface/peft 0.21.2, src/peft/tuners (the prefix of each method).

    Examples
    --------
    >>> other_method(["base_model.model.h.0.attn.ia3_l"])[0]
    'IA3'
    >>> other_method(["model.embed_tokens.weight"])
    """
    for words, method, sentence in OTHERS:
        if any(word in name for name in names for word in words):
            return method, sentence
    return None
