"""A small adapter file for every format in the wild, and the exact delta_w of each of its layers.

`write_all(folder)` writes them; `python tests/helpers/adapter_files.py FOLDER` does so from a shell. Beside what is
opened stands a file of the same name with the ending .npz, layer by layer delta_w as float64: as PEFT would apply it,
or the tool that the format belongs to. Entries are eighths between -7/8 and 7/8, which every dtype holds exactly.
"""

from __future__ import annotations

import io
import json
import math
import struct
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
BLOCK = "model.layers.{}.self_attn.{}"  # as in Llama
ITEMSIZE = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8}
RSLORA_R = 4


@dataclass(frozen=True)
class Fixture:
    """What stands in the files, and what a reader must find in them.

    `files` maps a name to bytes: one file is opened as itself, several as a folder. `delta_w` maps the name of a layer
    to the matrix that is added; `format` is what a reader must call it. `notes` are words that must be said.
    """

    format: str
    files: dict[str, bytes]
    delta_w: dict[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def _floats_of(exponent_bits: int, mantissa_bits: int) -> np.ndarray:
    """Return the 256 numbers of a float of eight bits; what has no finite value is NaN."""
    code = np.arange(256)
    bias = 2 ** (exponent_bits - 1) - 1
    exponent = (code >> mantissa_bits) & (2**exponent_bits - 1)
    mantissa = (code & (2**mantissa_bits - 1)) / 2**mantissa_bits
    value = np.where(
        exponent == 0, mantissa * 2.0 ** (1 - bias), (1 + mantissa) * 2.0 ** (exponent.astype(float) - bias)
    )
    return np.where(code >> 7, -value, value)


FLOATS = {"F8_E4M3": _floats_of(4, 3), "F8_E5M2": _floats_of(5, 2)}


def encoded(values: np.ndarray, dtype: str) -> bytes:
    """Return numbers as a file stores them; each must be a number of that type."""
    values = np.asarray(values)
    if dtype in FLOATS:
        codes = np.array(
            [int(np.flatnonzero(FLOATS[dtype] == value)[0]) for value in values.ravel()], np.uint8
        )
        return codes.tobytes()
    if dtype == "Q8_0":  # a half, then 32 whole numbers that it multiplies; eighths are exact
        blocks = (values.reshape(-1, 32) * 8).astype("i1")
        return b"".join(np.float16(1 / 8).tobytes() + block.tobytes() for block in blocks)
    if dtype == "BF16":
        return (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return values.astype({"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8"}[dtype]).tobytes()


def packed(
    tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None, dtype: str = "F32"
) -> bytes:
    """Return a .safetensors file."""
    header: dict = {"__metadata__": metadata} if metadata else {}
    body = b""
    for name, values in tensors.items():
        stored = "I64" if np.asarray(values).dtype.kind == "i" else dtype
        data = encoded(values, stored)
        header[name] = {
            "dtype": stored,
            "shape": list(np.shape(values)),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def zipped(files: dict[str, bytes]) -> bytes:
    """Return an archive that holds the files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def gguf(tensors: dict[str, np.ndarray], metadata: dict[str, str | float], dtype: str = "F32") -> bytes:
    """Return a GGUF file, version 3: sides are stored from the last one on, and data are aligned to 32 bytes."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, value in metadata.items():
        head += text(key)
        head += struct.pack("<I", 8) + text(value) if isinstance(value, str) else struct.pack("<If", 6, value)
    body = b""
    for name, values in tensors.items():
        body += b"\0" * (-len(body) % 32)
        head += text(name) + struct.pack("<I", values.ndim)
        head += b"".join(struct.pack("<Q", side) for side in reversed(values.shape))
        own = "F16" if dtype == "Q8_0" and values.shape[-1] % 32 else dtype  # as llama.cpp's converter does
        head += struct.pack("<IQ", {"F32": 0, "F16": 1, "Q8_0": 8, "BF16": 30}[own], len(body))
        body += encoded(values, own)
    return head + b"\0" * (-len(head) % 32) + body


class Draw:
    """Draw matrices of eighths, the same in each run."""

    def __init__(self, seed: int):
        self._rng = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> np.ndarray:
        return self._rng.integers(-7, 8, shape) / 8.0


def peft_config(**changed: object) -> bytes:
    """Return adapter_config.json as PEFT writes it, with fields replaced."""
    fields = {
        "peft_type": "LORA",
        "base_model_name_or_path": None,
        "r": 3,
        "lora_alpha": 6,
        "use_rslora": False,
        "use_dora": False,
        "rank_pattern": {},
        "alpha_pattern": {},
        "target_modules": ["q_proj", "v_proj"],
        "modules_to_save": None,
        "bias": "none",
        "fan_in_fan_out": False,
        "init_lora_weights": True,
    }
    return json.dumps(fields | changed).encode()


def _pairs(draw: Draw, names: list[str], r: int = 3, sides: tuple[int, int] = (8, 5)) -> dict[str, tuple]:
    return {name: (draw(sides[0], r), draw(r, sides[1])) for name in names}


def _peft(pairs: dict[str, tuple], middle: str = "", prefix: str = PREFIX) -> dict[str, np.ndarray]:
    return {
        f"{prefix}{name}.lora_{letter}{middle}.weight": factor
        for name, (B, A) in pairs.items()
        for letter, factor in (("A", A), ("B", B))
    }


def _products(pairs: dict[str, tuple], scale: float) -> dict[str, np.ndarray]:
    return {name: scale * (B @ A) for name, (B, A) in pairs.items()}


NAMES = [BLOCK.format(0, "q_proj"), BLOCK.format(1, "v_proj")]


def peft(draw: Draw) -> Fixture:
    pairs = _pairs(draw, NAMES)
    files = {WEIGHTS: packed(_peft(pairs), {"format": "pt"}), CONFIG: peft_config()}
    return Fixture("PEFT LoRA", files, _products(pairs, 2.0))


def peft_without_config(draw: Draw) -> Fixture:
    pairs = _pairs(draw, NAMES)
    return Fixture(
        "PEFT LoRA", {WEIGHTS: packed(_peft(pairs))}, _products(pairs, 1.0), ("adapter_config.json",)
    )


def peft_in_memory(draw: Draw) -> Fixture:
    """`.default.` before `.weight`."""
    pairs = _pairs(draw, NAMES)
    files = {WEIGHTS: packed(_peft(pairs, ".default")), CONFIG: peft_config()}
    return Fixture("PEFT LoRA", files, _products(pairs, 2.0))


def peft_named(draw: Draw) -> Fixture:
    """Two adapters in one file: the name of an adapter other than default stands behind that of the layer."""
    french, dutch = _pairs(draw, NAMES[:1]), _pairs(draw, NAMES[:1])
    files = {WEIGHTS: packed(_peft(french, ".french") | _peft(dutch, ".dutch")), CONFIG: peft_config()}
    expected = {
        f"{name}.{adapter}": 2.0 * (B @ A)
        for adapter, pairs in (("dutch", dutch), ("french", french))
        for name, (B, A) in pairs.items()
    }
    return Fixture("PEFT LoRA", files, expected)


def loralib(draw: Draw) -> Fixture:
    """No prefix, and no `.weight`."""
    pairs = _pairs(draw, ["h.0.attn.q"])
    tensors = {key.removesuffix(".weight"): value for key, value in _peft(pairs, prefix="").items()}
    return Fixture("PEFT LoRA", {"lora.safetensors": packed(tensors)}, _products(pairs, 1.0))


def peft_rslora(draw: Draw) -> Fixture:
    pairs = _pairs(draw, NAMES, 4)
    files = {WEIGHTS: packed(_peft(pairs)), CONFIG: peft_config(r=4, use_rslora=True)}
    return Fixture("PEFT LoRA", files, _products(pairs, 3.0))


def peft_patterns(draw: Draw) -> Fixture:
    """A rank and an alpha of their own for some layers, found by a regular expression or by the end of a name."""
    first, second, third = BLOCK.format(0, "q_proj"), BLOCK.format(1, "q_proj"), BLOCK.format(1, "v_proj")
    pairs = _pairs(draw, [first]) | _pairs(draw, [second], 2) | _pairs(draw, [third], 4)
    config = peft_config(
        rank_pattern={r".*\.1\..*q_proj": 2, "v_proj": 4}, alpha_pattern={"self_attn.v_proj": 2}
    )
    expected = _products({first: pairs[first]}, 2.0)
    expected |= _products({second: pairs[second]}, 3.0) | _products({third: pairs[third]}, 0.5)
    return Fixture("PEFT LoRA", {WEIGHTS: packed(_peft(pairs)), CONFIG: config}, expected)


def peft_dora(draw: Draw) -> Fixture:
    pairs = _pairs(draw, NAMES)
    magnitudes = {f"{PREFIX}{name}.lora_magnitude_vector": draw(8) for name in NAMES}
    files = {WEIGHTS: packed(_peft(pairs) | magnitudes), CONFIG: peft_config(use_dora=True)}
    return Fixture("PEFT LoRA", files, _products(pairs, 2.0), ("DoRA",))


def peft_embedding(draw: Draw) -> Fixture:
    """The weight of an embedding is (vocabulary, width): PEFT adds the transpose of the product."""
    B, A = draw(5, 3), draw(3, 9)
    name = "model.embed_tokens"
    tensors = {f"{PREFIX}{name}.lora_embedding_A": A, f"{PREFIX}{name}.lora_embedding_B": B}
    files = {WEIGHTS: packed(tensors), CONFIG: peft_config(target_modules=["embed_tokens"])}
    return Fixture("PEFT LoRA", files, {name: 2.0 * (B @ A).T})


def peft_conv(draw: Draw) -> Fixture:
    B, A = draw(6, 3, 1, 1), draw(3, 4, 2, 3)
    name = "encoder.conv1"
    tensors = {f"{PREFIX}{name}.lora_A.weight": A, f"{PREFIX}{name}.lora_B.weight": B}
    files = {WEIGHTS: packed(tensors), CONFIG: peft_config(target_modules=["conv1"])}
    return Fixture("PEFT LoRA", files, {name: 2.0 * B.reshape(6, 3) @ A.reshape(3, -1)})


def peft_experts(draw: Draw) -> Fixture:
    """All experts in one pair of matrices, as PEFT keeps them: r rows of lora_A each, every n-th column of lora_B."""
    n, r, out, in_ = 2, 3, 8, 5
    A, B = draw(n * r, in_), draw(out, n * r)
    name = "model.layers.0.mlp.experts"
    tensors = {f"{PREFIX}{name}.lora_A.weight": A, f"{PREFIX}{name}.lora_B.weight": B}
    config = peft_config(target_modules=None, target_parameters=["mlp.experts.down_proj"])
    expected = {f"{name}[{i}]": 2.0 * B[:, i::n] @ A[i * r : (i + 1) * r] for i in range(n)}
    return Fixture("PEFT LoRA", {WEIGHTS: packed(tensors), CONFIG: config}, expected)


def peft_experts_3d(draw: Draw) -> Fixture:
    n, r, out, in_ = 2, 3, 8, 5
    A, B = draw(n, r, in_), draw(n, out, r)
    name = "model.layers.0.mlp.experts"
    tensors = {f"{PREFIX}{name}.lora_A.weight": A, f"{PREFIX}{name}.lora_B.weight": B}
    expected = {f"{name}[{i}]": 2.0 * B[i] @ A[i] for i in range(n)}
    return Fixture("PEFT LoRA", {WEIGHTS: packed(tensors), CONFIG: peft_config()}, expected)


def experts_apart(
    block: str, matrices: Sequence[str], n: int, ranks: Sequence[int] = (), dora: bool = False, **config
) -> dict[str, bytes]:
    """Return an adapter of a mixture whose experts are layers of their own, as transformers before 5 has them."""
    draw = Draw(n)
    pairs = {}
    for i in range(n):
        for matrix in matrices:
            r = ranks[i] if ranks else 3
            pairs[f"model.layers.0.{block}.experts.{i}.{matrix}"] = draw(8, r), draw(r, 5)
    tensors = _peft(pairs)
    if dora:
        tensors |= {f"{PREFIX}{name}.lora_magnitude_vector": draw(8) for name in pairs}
    return {
        WEIGHTS: packed(tensors),
        CONFIG: peft_config(target_modules=["experts"], use_dora=dora, **config),
    }


def peft_saved_modules(draw: Draw) -> Fixture:
    """A whole layer beside the adapter, a base layer, and a bias."""
    pairs = _pairs(draw, NAMES)
    tensors = _peft(pairs) | {
        f"{PREFIX}score.weight": draw(2, 5),
        f"{PREFIX}{NAMES[0]}.base_layer.weight": draw(8, 5),
        f"{PREFIX}{NAMES[0]}.lora_B.bias": draw(8),
    }
    files = {WEIGHTS: packed(tensors), CONFIG: peft_config(modules_to_save=["score"], lora_bias=True)}
    return Fixture("PEFT LoRA", files, _products(pairs, 2.0), ("modules_to_save", "base_layer", "bias"))


def adalora(draw: Draw) -> Fixture:
    """Of init_r = 4 directions three are left in the first layer; PEFT divides by init_r + 1e-5 in both."""
    config = peft_config(
        peft_type="ADALORA",
        init_r=4,
        target_r=2,
        r=8,
        rank_pattern={f"{NAMES[0]}.lora_E": [True, False, True, True], f"{NAMES[1]}.lora_E": [True] * 4},
    )
    tensors, expected = {}, {}
    for name, r in ((NAMES[0], 3), (NAMES[1], 4)):
        B, A, E = draw(8, r), draw(r, 5), draw(r, 1)
        tensors |= {f"{PREFIX}{name}.lora_{letter}": part for letter, part in (("A", A), ("B", B), ("E", E))}
        expected[name] = 6 / (4 + 1e-5) * (B @ (A * E))
    return Fixture("AdaLoRA", {WEIGHTS: packed(tensors), CONFIG: config}, expected)


def peft_loha(draw: Draw) -> Fixture:
    parts = {
        "hada_w1_a": draw(8, 2),
        "hada_w1_b": draw(2, 5),
        "hada_w2_a": draw(8, 2),
        "hada_w2_b": draw(2, 5),
    }
    tensors = {f"{PREFIX}{NAMES[0]}.{key}": part for key, part in parts.items()}
    config = json.dumps(
        {"peft_type": "LOHA", "r": 2, "alpha": 8, "rank_pattern": {}, "alpha_pattern": {}}
    ).encode()
    delta_w = 4.0 * (parts["hada_w1_a"] @ parts["hada_w1_b"]) * (parts["hada_w2_a"] @ parts["hada_w2_b"])
    return Fixture("LoHa", {WEIGHTS: packed(tensors), CONFIG: config}, {NAMES[0]: delta_w})


def peft_lokr(draw: Draw) -> Fixture:
    """Both parts whole: PEFT multiplies by alpha / r where LyCORIS does not."""
    w1, w2 = draw(2, 3), draw(4, 2)
    tensors = {f"{PREFIX}{NAMES[0]}.lokr_w1": w1, f"{PREFIX}{NAMES[0]}.lokr_w2": w2}
    config = json.dumps(
        {"peft_type": "LOKR", "r": 2, "alpha": 8, "rank_pattern": {}, "alpha_pattern": {}}
    ).encode()
    return Fixture("LoKr", {WEIGHTS: packed(tensors), CONFIG: config}, {NAMES[0]: 4.0 * np.kron(w1, w2)})


UNET = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_{}"
TEXT = "lora_te1_text_model_encoder_layers_0_mlp_fc1"


def _kohya(name: str, up: np.ndarray, down: np.ndarray, alpha: float | None) -> dict[str, np.ndarray]:
    tensors = {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
    return tensors | ({} if alpha is None else {f"{name}.alpha": np.array(alpha)})


def kohya(draw: Draw) -> Fixture:
    """An alpha, none, and 0, of which the last two mean r to the tool that trained it."""
    tensors, expected = {}, {}
    for name, alpha, scale in (
        (UNET.format("q"), 1.5, 0.5),
        (UNET.format("k"), None, 1.0),
        (UNET.format("v"), 0.0, 1.0),
        (TEXT, 6.0, 2.0),
    ):
        up, down = draw(8, 3), draw(3, 5)
        tensors |= _kohya(name, up, down, alpha)
        expected[name] = scale * (up @ down)
    metadata = {"ss_network_module": "networks.lora", "ss_network_dim": "3", "ss_network_alpha": "1.5"}
    return Fixture("kohya LoRA", {"kohya.safetensors": packed(tensors, metadata)}, expected)


def kohya_conv(draw: Draw) -> Fixture:
    name = "lora_unet_down_blocks_0_resnets_0_conv1"
    up, down = draw(6, 3, 1, 1), draw(3, 4, 3, 3)
    tensors = _kohya(name, up, down, 1.5)
    delta_w = 0.5 * up.reshape(6, 3) @ down.reshape(3, -1)
    return Fixture("kohya LoRA", {"conv.safetensors": packed(tensors)}, {name: delta_w})


def kohya_fused_qkv(draw: Draw) -> Fixture:
    """Three projections in one layer, each with rows of lora_up and rows of lora_down to itself."""
    name = "lora_unet_double_blocks_0_img_attn_qkv"
    down = draw(6, 5)
    up = np.zeros((12, 6))
    for i in range(3):
        up[4 * i : 4 * i + 4, 2 * i : 2 * i + 2] = draw(4, 2)
    tensors = _kohya(name, up, down, 6.0)
    return Fixture("kohya LoRA", {"qkv.safetensors": packed(tensors)}, {name: up @ down}, ("fused",))


def locon(draw: Draw) -> Fixture:
    """A convolution in three parts (Tucker): down (r, in, 1, 1), mid (r, r, kh, kw), up (out, r, 1, 1)."""
    name = "lora_unet_down_blocks_0_resnets_0_conv2"
    up, down, mid = draw(6, 3, 1, 1), draw(3, 4, 1, 1), draw(3, 3, 2, 3)
    tensors = _kohya(name, up, down, 6.0) | {f"{name}.lora_mid.weight": mid}
    delta_w = 2.0 * np.einsum("pi,ijkl,jq->pqkl", up[:, :, 0, 0], mid, down[:, :, 0, 0])
    return Fixture("kohya LoRA", {"locon.safetensors": packed(tensors)}, {name: delta_w.reshape(6, -1)})


def lycoris_rslora(draw: Draw) -> Fixture:
    """LyCORIS stores alpha * sqrt(r): alpha / r of what the file says is alpha / sqrt(r) of what was asked for."""
    name, r = UNET.format("q"), RSLORA_R
    up, down = draw(8, r), draw(r, 5)
    tensors = _kohya(name, up, down, 2.0 * math.sqrt(r))
    args = json.dumps({"algo": "lora", "rs_lora": "True"})
    metadata = {"ss_network_module": "lycoris.kohya", "ss_network_args": args}
    return Fixture("kohya LoRA", {"rs.safetensors": packed(tensors, metadata)}, {name: 1.0 * (up @ down)})


def dora_elsewhere(draw: Draw) -> Fixture:
    """dora_scale along the outputs in one layer, along the inputs in the other."""
    tensors, expected = {}, {}
    for letter, shape in (("q", (8, 1)), ("k", (1, 5))):
        name = UNET.format(letter)
        up, down = draw(8, 3), draw(3, 5)
        tensors |= _kohya(name, up, down, 1.5) | {f"{name}.dora_scale": draw(*shape)}
        expected[name] = 0.5 * (up @ down)
    return Fixture("kohya LoRA", {"dora.safetensors": packed(tensors)}, expected, ("DoRA",))


DIT = "transformer.transformer_blocks.0.attn.to_{}"


def diffusers(draw: Draw) -> Fixture:
    """The config in the header, each field behind the name of its part of the pipeline."""
    pairs = _pairs(draw, [DIT.format("q"), DIT.format("k")])
    told = {"transformer.r": 3, "transformer.lora_alpha": 6, "transformer.alpha_pattern": {"attn.to_k": 1.5}}
    metadata = {"format": "pt", "lora_adapter_metadata": json.dumps(told)}
    expected = _products({DIT.format("k"): pairs[DIT.format("k")]}, 0.5)
    expected |= _products({DIT.format("q"): pairs[DIT.format("q")]}, 2.0)
    return Fixture(
        "diffusers LoRA",
        {"pytorch_lora_weights.safetensors": packed(_peft(pairs, prefix=""), metadata)},
        expected,
    )


def diffusers_without_metadata(draw: Draw) -> Fixture:
    pairs = _pairs(draw, [DIT.format("q")])
    file = packed(_peft(pairs, prefix=""), {"format": "pt"})
    return Fixture("diffusers LoRA", {"pytorch_lora_weights.safetensors": file}, _products(pairs, 1.0))


def diffusers_old(draw: Draw) -> Fixture:
    """Three generations of names."""
    block = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1"
    spelled = {
        f"{block}.processor.to_q_lora.{{}}.weight": f"{block}.processor.to_q",
        f"{block}.to_k.lora.{{}}.weight": f"{block}.to_k",
        "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.{}.weight": (
            "text_encoder.text_model.encoder.layers.0.self_attn.q_proj"
        ),
    }
    tensors, expected = {}, {}
    for key, name in spelled.items():
        up, down = draw(8, 3), draw(3, 5)
        tensors |= {key.format("down"): down, key.format("up"): up}
        expected[name] = up @ down
    return Fixture("diffusers LoRA", {"old.safetensors": packed(tensors)}, expected)


def ai_toolkit(draw: Draw) -> Fixture:
    """Names of ComfyUI, no alpha, and a magnitude in the last layer."""
    names = ["diffusion_model.double_blocks.0.img_attn.proj", "diffusion_model.single_blocks.0.linear1"]
    pairs = _pairs(draw, names)
    tensors = _peft(pairs, prefix="") | {f"{names[1]}.magnitude": draw(8)}
    metadata = {"software": json.dumps({"name": "ai-toolkit"})}
    return Fixture(
        "diffusers LoRA", {"toolkit.safetensors": packed(tensors, metadata)}, _products(pairs, 1.0), ("DoRA",)
    )


def loha(draw: Draw) -> Fixture:
    name = UNET.format("q")
    w1a, w1b, w2a, w2b = draw(8, 2), draw(2, 5), draw(8, 2), draw(2, 5)
    tensors = {f"{name}.{key}": part for key, part in zip(HADA, (w1a, w1b, w2a, w2b), strict=True)}
    tensors[f"{name}.alpha"] = np.array(1.0)
    return Fixture("LoHa", {"loha.safetensors": packed(tensors)}, {name: 0.5 * (w1a @ w1b) * (w2a @ w2b)})


HADA = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")


def loha_tucker(draw: Draw) -> Fixture:
    """w1_a (r, out) and w1_b (r, in) here, each with a core (r, r, kh, kw)."""
    name = "lora_unet_down_blocks_0_resnets_0_conv1"
    w1a, w1b, w2a, w2b = draw(2, 6), draw(2, 4), draw(2, 6), draw(2, 4)
    t1, t2 = draw(2, 2, 3, 2), draw(2, 2, 3, 2)
    tensors = {f"{name}.{key}": part for key, part in zip(HADA, (w1a, w1b, w2a, w2b), strict=True)}
    tensors |= {f"{name}.hada_t1": t1, f"{name}.hada_t2": t2, f"{name}.alpha": np.array(1.0)}
    left, right = (
        np.einsum("ijkl,jq,ip->pqkl", core, b, a) for core, a, b in ((t1, w1a, w1b), (t2, w2a, w2b))
    )
    return Fixture("LoHa", {"loha.safetensors": packed(tensors)}, {name: (0.5 * left * right).reshape(6, -1)})


def lokr(draw: Draw) -> Fixture:
    """Both parts whole (alpha counts for nothing), the second in factors, and both in factors."""
    q, k, v = (UNET.format(letter) for letter in "qkv")
    w1, w2, a2, b2, a1, b1 = draw(2, 3), draw(4, 2), draw(4, 2), draw(2, 2), draw(2, 2), draw(2, 3)
    tensors = {
        f"{q}.lokr_w1": w1,
        f"{q}.lokr_w2": w2,
        f"{q}.alpha": np.array(1.0),
        f"{k}.lokr_w1": w1,
        f"{k}.lokr_w2_a": a2,
        f"{k}.lokr_w2_b": b2,
        f"{k}.alpha": np.array(1.0),
        f"{v}.lokr_w1_a": a1,
        f"{v}.lokr_w1_b": b1,
        f"{v}.lokr_w2_a": a2,
        f"{v}.lokr_w2_b": b2,
        f"{v}.alpha": np.array(3.0),
    }
    expected = {
        k: 0.5 * np.kron(w1, a2 @ b2),
        q: np.kron(w1, w2),
        v: 1.5 * np.kron(a1 @ b1, a2 @ b2),
    }
    return Fixture("LoKr", {"lokr.safetensors": packed(tensors)}, expected)


def lokr_conv(draw: Draw) -> Fixture:
    """A convolution with a core, one whose second factor is flat, and one that is whole."""
    first, second, third = (f"lora_unet_down_blocks_0_resnets_0_conv{i}" for i in (1, 2, 3))
    w1, core, a, b = draw(2, 2), draw(2, 2, 3, 2), draw(2, 3), draw(2, 4)
    flat_a, flat_b, whole = draw(3, 2), draw(2, 4 * 6), draw(3, 4, 3, 2)
    tensors = {
        f"{first}.lokr_w1": w1,
        f"{first}.lokr_t2": core,
        f"{first}.lokr_w2_a": a,
        f"{first}.lokr_w2_b": b,
        f"{first}.alpha": np.array(1.0),
        f"{second}.lokr_w1": w1,
        f"{second}.lokr_w2_a": flat_a,
        f"{second}.lokr_w2_b": flat_b,
        f"{second}.alpha": np.array(1.0),
        f"{third}.lokr_w1": w1,
        f"{third}.lokr_w2": whole,
        f"{third}.alpha": np.array(1.0),
    }
    rebuilt = np.einsum("ijkl,jq,ip->pqkl", core, b, a).reshape(3, -1)
    expected = {
        first: 0.5 * np.kron(w1, rebuilt),
        second: 0.5 * np.kron(w1, flat_a @ flat_b),
        third: np.kron(w1, whole.reshape(3, -1)),
    }
    return Fixture("LoKr", {"lokr.safetensors": packed(tensors)}, expected)


def full(draw: Draw) -> Fixture:
    """Differences that are stored as they are; of a bias and of a norm they are no matrices."""
    q, conv = UNET.format("q"), "lora_unet_conv_in"
    diff, kernel = draw(8, 5), draw(6, 4, 3, 3)
    tensors = {
        f"{q}.diff": diff,
        f"{q}.diff_b": draw(8),
        f"{conv}.diff": kernel,
        "lora_unet_norm.w_norm": draw(5),
        "lora_unet_norm.b_norm": draw(5),
        "lora_unet_time_in.set_weight": draw(5, 5),
    }
    expected = {conv: kernel.reshape(6, -1), q: diff}
    return Fixture("full difference", {"full.safetensors": packed(tensors)}, expected, ("set_weight", "norm"))


def _mlx_config(**changed: object) -> bytes:
    told = {
        "fine_tune_type": "lora",
        "num_layers": 2,
        "lora_parameters": {"rank": 3, "scale": 20.0, "dropout": 0.0, "keys": ["self_attn.q_proj"]},
    }
    return json.dumps(told | changed).encode()


def mlx(draw: Draw) -> Fixture:
    """lora_a is (in, r) and lora_b (r, out): for the square layer only the name tells. scale is not divided by r."""
    tensors, expected = {}, {}
    for name, out, in_ in ((NAMES[0], 8, 5), (NAMES[1], 3, 3)):
        a, b = draw(in_, 3), draw(3, out)
        tensors |= {f"{name}.lora_a": a, f"{name}.lora_b": b}
        expected[name] = 20.0 * (a @ b).T
    return Fixture("MLX LoRA", {"adapters.safetensors": packed(tensors), CONFIG: _mlx_config()}, expected)


def mlx_dora(draw: Draw) -> Fixture:
    a, b = draw(5, 3), draw(3, 8)
    tensors = {f"{NAMES[0]}.lora_a": a, f"{NAMES[0]}.lora_b": b, f"{NAMES[0]}.m": draw(8)}
    files = {"adapters.safetensors": packed(tensors), CONFIG: _mlx_config(fine_tune_type="dora")}
    return Fixture("MLX LoRA", files, {NAMES[0]: 20.0 * (a @ b).T}, ("DoRA",))


def mlx_experts(draw: Draw) -> Fixture:
    """Of experts lora_a is (n, r, in) and lora_b (n, out, r)."""
    a, b = draw(2, 3, 5), draw(2, 8, 3)
    name = "model.layers.0.mlp.switch_mlp.up_proj"
    files = {
        "adapters.safetensors": packed({f"{name}.lora_a": a, f"{name}.lora_b": b}),
        CONFIG: _mlx_config(),
    }
    return Fixture("MLX LoRA", files, {f"{name}[{i}]": 20.0 * b[i] @ a[i] for i in range(2)})


def _gguf_lora(draw: Draw, into: int, *dtype: str) -> Fixture:
    A, B = draw(3, into), draw(8, 3)
    name = "blk.0.attn_q.weight"
    file = gguf(
        {f"{name}.lora_a": A, f"{name}.lora_b": B},
        {"general.type": "adapter", "adapter.type": "lora", "adapter.lora.alpha": 6.0},
        *dtype,
    )
    return Fixture("GGUF LoRA", {"adapter.gguf": file}, {name: 2.0 * (B @ A)})


def gguf_lora(draw: Draw) -> Fixture:
    return _gguf_lora(draw, 5)


def gguf_q8(draw: Draw) -> Fixture:
    """In blocks of 32 with a scale each, where a row is that long."""
    return _gguf_lora(draw, 64, "Q8_0")


def _of_dtype(dtype: str) -> Callable[[Draw], Fixture]:
    def made(draw: Draw) -> Fixture:
        pairs = _pairs(draw, NAMES)
        files = {WEIGHTS: packed(_peft(pairs), dtype=dtype), CONFIG: peft_config()}
        return Fixture("PEFT LoRA", files, _products(pairs, 2.0))

    return made


def shards(draw: Draw) -> Fixture:
    """Two files and an index; the factors of one layer are in both."""
    tensors = _peft(pairs := _pairs(draw, NAMES))
    keys = sorted(tensors, key=lambda key: key.rpartition("lora_")[2])
    parts = {f"adapter_model-0000{i + 1}-of-00002.safetensors": keys[2 * i : 2 * i + 2] for i in range(2)}
    files = {name: packed({key: tensors[key] for key in held}) for name, held in parts.items()}
    index = {"metadata": {}, "weight_map": {key: name for name, held in parts.items() for key in held}}
    files["adapter_model.safetensors.index.json"] = json.dumps(index).encode()
    return Fixture("PEFT LoRA", files | {CONFIG: peft_config()}, _products(pairs, 2.0))


def archive(draw: Draw) -> Fixture:
    """Weights and config in a folder of an archive, as the lab of this site hands them out."""
    made = peft(draw)
    files = {f"lora/{name}": data for name, data in made.files.items()} | {
        "lora/README.md": b"# An adapter\n"
    }
    return Fixture("PEFT LoRA", {"adapter.zip": zipped(files)}, made.delta_w)


def prompt(draw: Draw) -> Fixture:
    files = {WEIGHTS: packed({"prompt_embeddings": draw(4, 8)}), CONFIG: b'{"peft_type": "PROMPT_TUNING"}'}
    return Fixture("prompt tuning", files, notes=("prompt",))


def ia3(draw: Draw) -> Fixture:
    tensors = {f"{PREFIX}{NAMES[0]}.ia3_l": draw(8, 1)}
    return Fixture("IA3", {WEIGHTS: packed(tensors), CONFIG: b'{"peft_type": "IA3"}'}, notes=("IA3",))


def vera(draw: Draw) -> Fixture:
    tensors = {f"{PREFIX}{NAMES[0]}.vera_lambda_b": draw(8), f"{PREFIX}{NAMES[0]}.vera_lambda_d": draw(4)}
    config = b'{"peft_type": "VERA", "r": 4, "save_projection": false}'
    return Fixture("VeRA", {WEIGHTS: packed(tensors), CONFIG: config}, notes=("VeRA",))


MADE: dict[str, Callable[[Draw], Fixture]] = {
    each.__name__: each
    for each in (
        *(
            peft,
            peft_without_config,
            peft_in_memory,
            peft_named,
            loralib,
            peft_rslora,
            peft_patterns,
            peft_dora,
        ),
        *(peft_embedding, peft_conv, peft_experts, peft_experts_3d, peft_saved_modules, adalora, peft_loha),
        *(peft_lokr, kohya, kohya_conv, kohya_fused_qkv, locon, lycoris_rslora, dora_elsewhere, diffusers),
        *(diffusers_without_metadata, diffusers_old, ai_toolkit, loha, loha_tucker, lokr, lokr_conv, full),
        *(mlx, mlx_dora, mlx_experts, gguf_lora, gguf_q8, shards, archive, prompt, ia3, vera),
    )
}
MADE |= {f"dtype_{dtype.lower()}": _of_dtype(dtype) for dtype in ("F64", "F16", "BF16", "F8_E4M3", "F8_E5M2")}
FIXTURES = {name: made(Draw(seed)) for seed, (name, made) in enumerate(MADE.items())}

_PICKLE = b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01K\x01s."
# What is no adapter: a file, and words of the sentence that refuses it.
NOT_ADAPTERS: dict[str, tuple[bytes, str]] = {
    "model.safetensors": (
        packed(
            {
                "model.embed_tokens.weight": np.ones((9, 4)),
                "model.layers.0.mlp.up_proj.weight": np.ones((8, 4)),
            }
        ),
        "whole model",
    ),
    "adapter_model.bin": (zipped({"archive/data.pkl": _PICKLE, "archive/version": b"3"}), "pickle"),
    "old.pt": (_PICKLE, "pickle"),
    "model.gguf": (
        gguf({"token_embd.weight": np.ones((4, 4))}, {"general.architecture": "llama"}),
        "whole model",
    ),
    "pointer.safetensors": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 83945296\n",
        "Git LFS",
    ),
    "login.safetensors": (b"<!DOCTYPE html>\n<html><head><title>Log in</title></head></html>", "web page"),
    "empty.safetensors": (b"", "empty"),
    "cut.safetensors": (FIXTURES["peft"].files[WEIGHTS][:-7], "cut short"),
    "noise.safetensors": (bytes(range(256)), "safetensors"),
    "bare.zip": (zipped({"README.md": b"# nothing\n"}), "archive"),
    "picture.png": (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "safetensors"),
}


def write_all(folder: Path) -> dict[str, Path]:
    """Write every fixture, and beside each the exact delta_w of its layers as .npz; return what is to be opened."""
    written = {}
    for name, fixture in FIXTURES.items():
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        for file, data in fixture.files.items():
            (target / file).write_bytes(data)
        written[name] = target / next(iter(fixture.files)) if len(fixture.files) == 1 else target
        np.savez(folder / f"{name}.npz", **fixture.delta_w)
    return written


def write_not_adapters(folder: Path) -> dict[str, Path]:
    """Write what is no adapter."""
    for name, (data, _) in NOT_ADAPTERS.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in NOT_ADAPTERS}


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
