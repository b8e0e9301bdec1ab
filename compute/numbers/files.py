"""Read a matrix or an adapter that a reader brings, from bytes in memory.

Nothing is written to disk and no pickle is opened. Whatever is wrong with a file becomes a `FileRefused`, whose
text is written for the reader.
"""

import json
import re
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
import safetensors

from compute.numbers.matrix_formats import MAX_SIDE, read_image, read_npy, read_text
from compute.numbers.refusal import FileRefused, check_range, count, quote

__all__ = ["MAX_BYTES", "MAX_SIDE", "Adapter", "AdapterLayer", "FileRefused", "read_adapter", "read_matrix"]

MAX_BYTES = 150_000_000  # a 4096 x 4096 float64 .npy has 134 million
IMAGES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".bmp": "BMP", ".gif": "GIF"}
TEXTS = (".csv", ".tsv", ".txt")

MAX_HEADER = 10_000_000  # bytes of an adapter's header, which has about 100 for each tensor
MAX_LAYER_NAME = 200
MAX_LAYER_RANK = 4096
MAX_LAYER_SIDE = 262_144  # the largest vocabularies; only the factors are held, never the product
STORED_AS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
# As PEFT saves it, base_model.model.<layer>.lora_A.weight; with .<adapter> before .weight as PEFT holds it in memory;
# without .weight for embeddings, and for every layer in loralib.
LORA_KEY = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_(?:embedding_)?([AB])(\.[^.]+?)??(?:\.weight)?")


class AdapterLayer(NamedTuple):
    """Hold the two factors of one adapted layer, without the scaling alpha / r, which is not in the file.

    Attributes
    ----------
    lora_B : (out, r) ndarray of float64
        Left factor.
    lora_A : (r, in) ndarray of float64
        Right factor.
    """

    lora_B: np.ndarray
    lora_A: np.ndarray


class Adapter(NamedTuple):
    """Hold what an adapter file contains, ordered by name with layer 2 before layer 10.

    Attributes
    ----------
    layers : dict of str to AdapterLayer
        The layers that can be used, at least one.
    left_out : dict of str to str
        The names of those that cannot, cut at MAX_LAYER_NAME characters, each with the reason.
    keys : dict of str to (str, str)
        For each layer that can be used the names of lora_B and lora_A in the file.
    """

    layers: dict[str, AdapterLayer]
    left_out: dict[str, str]
    keys: dict[str, tuple[str, str]]


def read_matrix(name: str, data: bytes) -> np.ndarray:
    r"""Return the matrix in a .npy, text or image file.

    Parameters
    ----------
    name : str
        File name. Its ending, in small or capital letters, decides how the bytes are read: .npy; .csv, .tsv, .txt;
        .png, .jpg, .jpeg, .webp, .bmp, .gif.
    data : bytes
        Contents of the file, at most MAX_BYTES.

    Returns
    -------
    (out, in) ndarray of float64
        Finite and not all zero, each side from 2 to MAX_SIDE.

    Raises
    ------
    FileRefused
        If the file is too large, of another kind, damaged, or holds no such matrix.

    Notes
    -----
    `compute.numbers.matrix_formats` says how each kind is read. Cost: O(bytes + out * in).

    References
    ----------
    NumPy enhancement proposal 1, "A Simple File Format for NumPy Arrays", for .npy.

    Examples
    --------
    >>> read_matrix("small.csv", b"1,2\n3,4\n").tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    >>> read_matrix("one.txt", b"1 2 3")
    Traceback (most recent call last):
    compute.numbers.refusal.FileRefused: The file has 1 row and 3 columns; 2 to 4096 of each are allowed.
    """
    _check_size(data)
    ending = PurePath(name).suffix.lower()
    if ending == ".npy":
        matrix = read_npy(data)
    elif ending in TEXTS:
        matrix = read_text(data)
    elif ending in IMAGES:
        matrix = read_image(data, IMAGES[ending])
    else:
        allowed = ", ".join([".npy", *TEXTS, *IMAGES])
        raise FileRefused(f"The file name ends in {quote(ending)}; {allowed} can be read.")
    check_range("The matrix", matrix)
    if not matrix.any():
        raise FileRefused("All entries are 0; a matrix needs another number to be factored.")
    return matrix


def read_adapter(data: bytes) -> Adapter:
    """Return the factors of each layer in a LoRA adapter, a .safetensors file as PEFT saves it.

    Parameters
    ----------
    data : bytes
        Contents of the file, at most MAX_BYTES.

    Returns
    -------
    Adapter
        The layers by name, and the names of those that cannot be used, each with a reason.

    Raises
    ------
    FileRefused
        If the file is too large or damaged, or holds no layer that can be used.

    Notes
    -----
    A layer is a pair of matrices <layer>.lora_A.weight (r, in) and <layer>.lora_B.weight (out, r), or
    lora_embedding_A and lora_embedding_B. The prefix base_model.model. is dropped from its name. The adapter's own
    name, as in lora_A.french.weight, is kept behind that of the layer unless it is "default". All other tensors
    are ignored. For embeddings and for GPT-2's Conv1D, PEFT adds the transpose of lora_B @ lora_A, which has the
    same singular values. Cost: O(bytes).

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.1 (the factors); safetensors README, section "Format";
    huggingface/peft, docs/source/developer_guides/checkpoint.md (names of the tensors).

    Examples
    --------
    >>> from safetensors.numpy import save
    >>> pair = {"lora_B.weight": np.ones((6, 1)), "lora_A.weight": np.ones((1, 4))}
    >>> adapter = read_adapter(save({f"base_model.model.q_proj.{key}": pair[key] for key in pair}))
    >>> {name: layer.lora_B.shape for name, layer in adapter.layers.items()}
    {'q_proj': (6, 1)}
    """
    _check_size(data)
    tensors = _read_safetensors(data)
    pairs: dict[str, dict[str, list]] = {}
    for key, tensor in tensors:
        if match := LORA_KEY.fullmatch(key):
            layer, factor, adapter = match.groups(default="")
            pair = pairs.setdefault(layer + adapter.removeprefix(".default"), {"A": [], "B": []})
            pair[factor].append(tensor | {"key": key})
    if not pairs:
        raise FileRefused(
            f"The file holds {count(len(tensors), 'tensor')}, none of them of a LoRA layer; "
            "names that end in .lora_A.weight and .lora_B.weight are expected."
        )
    layers, left_out = {}, {}
    for name in sorted(pairs, key=_natural_order):
        try:
            layers[name] = _read_layer(name, **pairs[name])
        except FileRefused as refusal:
            left_out[name[:MAX_LAYER_NAME]] = str(refusal)
    if not layers:
        name, reason = next(iter(left_out.items()))
        raise FileRefused(f"No layer of the file can be used (of {len(pairs):,}); {quote(name)}: {reason}")
    keys = {name: (pairs[name]["B"][0]["key"], pairs[name]["A"][0]["key"]) for name in layers}
    return Adapter(layers, left_out, keys)


def _check_size(data: bytes) -> None:
    if not data:
        raise FileRefused("The file is empty.")
    if len(data) > MAX_BYTES:
        raise FileRefused(f"The file has {len(data):,} bytes; at most {MAX_BYTES:,} are read.")


def _read_safetensors(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Return the name and {dtype, shape, data} of each tensor in a valid file."""
    header_size = int.from_bytes(data[:8], "little")
    if len(data) > 8 and MAX_HEADER < header_size <= len(data) - 8:
        raise FileRefused(f"The header has {header_size:,} bytes; at most {MAX_HEADER:,} are read.")
    try:
        tensors = safetensors.deserialize(data)
    except safetensors.SafetensorError:
        raise FileRefused(
            "The file is no .safetensors file, or its header does not fit its contents."
        ) from None
    # The format leaves it to each parser which of two equal names counts.
    json.loads(data[8 : 8 + header_size], object_pairs_hook=_refuse_repeated_names)
    return tensors


def _refuse_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise FileRefused("The header of the file holds the same name twice.")
    return dict(pairs)


def _natural_order(name: str) -> list[str | int]:
    parts = re.split(r"([0-9]+)", name[:MAX_LAYER_NAME])  # int() refuses thousands of digits
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def _read_layer(name: str, A: list[dict], B: list[dict]) -> AdapterLayer:
    """Return the layer, or raise FileRefused with the reason to leave it out."""
    if len(name) > MAX_LAYER_NAME or not name.isprintable():
        raise FileRefused(f"its name must have at most {MAX_LAYER_NAME} characters, all printable.")
    lora_B, lora_A = _read_factor("lora_B", B), _read_factor("lora_A", A)
    (out_size, r), (r_A, in_size) = lora_B.shape, lora_A.shape
    if r != r_A:
        raise FileRefused(f"lora_B has r = {r} and lora_A has r = {r_A}; the two must be equal.")
    if r > MAX_LAYER_RANK or max(out_size, in_size) > MAX_LAYER_SIDE:
        raise FileRefused(
            f"the layer is {out_size} x {in_size} with r = {r}; "
            f"sides to {MAX_LAYER_SIDE} and r to {MAX_LAYER_RANK} are allowed."
        )
    # A product is zero if it sends a random vector to zero; this costs less than forming it.
    probe = np.random.default_rng(0).standard_normal(in_size)
    if not (lora_B @ (lora_A @ probe)).any():
        raise FileRefused("delta_w is 0, as in a fresh adapter, whose lora_B is 0 until it is trained.")
    return AdapterLayer(lora_B, lora_A)


def _read_factor(name: str, tensors: list[dict[str, Any]]) -> np.ndarray:
    if len(tensors) != 1:
        raise FileRefused(f"{name} is there {count(len(tensors), 'time')}; it is needed once.")
    dtype, shape = tensors[0]["dtype"], tensors[0]["shape"]
    if dtype not in STORED_AS:
        raise FileRefused(f"{name} has dtype {dtype}; {', '.join(STORED_AS)} can be read.")
    if len(shape) != 2:
        raise FileRefused(
            f"{name} has {count(len(shape), 'dimension')}; only matrices, which have 2, can be read."
        )
    if 0 in shape:
        raise FileRefused(f"{name} is empty; r and both sides must be at least 1.")
    values = np.frombuffer(tensors[0]["data"], STORED_AS[dtype]).reshape(shape)
    if dtype == "BF16":  # the upper half of a float32
        values = (values.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(invalid="ignore"):  # a signalling NaN; it is refused in the next line
        values = values.astype(np.float64)
    check_range(name, values)
    return values
