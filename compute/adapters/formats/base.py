"""A base model beside its adapter: its files, and which of its weights each layer changes."""

from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from compute.adapters.formats.comparing import common_name
from compute.adapters.formats.containers import PREFERRED, Contents, FileSource, Tensor, open_paths, read_json
from compute.adapters.formats.dtypes import FLOATS
from compute.adapters.formats.layers import Layer, check_room
from compute.adapters.formats.reading import Adapter, quote_end
from compute.numbers.refusal import FileRefused, quote

INDEX = ".index.json"
# What stands beside a weight that is stored in few bits, by the makers of such files.
QUANTISED = ("weight_scale", "weight_scale_inv", "scales", "qzeros", "absmax", "weight.absmax", "SCB")


def open_base(path: Path | str) -> Contents:
    """Return the tensors of a base model.

    Parameters
    ----------
    path : Path
        A .safetensors file, the index of several (model.safetensors.index.json), or a folder that holds either.

    Returns
    -------
    Contents
        Places of the tensors; none of their numbers is read. A note names each file that the index promises and that is
        not there.

    Raises
    ------
    FileRefused
        If there is no .safetensors file, or one is damaged.

    Notes
    -----
    Where there is an index, the files that it names are opened, and else all of the folder but an adapter's. Cost: that
    of the headers.

    References
    ----------
    huggingface/transformers, src/transformers/utils/__init__.py (SAFE_WEIGHTS_INDEX_NAME: weight_map).

    Examples
    --------
    >>> open_base("no-such-folder")
    Traceback (most recent call last):
    compute.numbers.refusal.FileRefused: The base: no-such-folder: there is no such file.
    """
    path = Path(path)
    try:
        folder = path if path.is_dir() else path.parent
        if path.is_dir():
            indices = sorted(path.glob("*" + INDEX))
        else:
            indices = [path] if path.name.endswith(INDEX) else []
        if indices:
            listed = read_json(FileSource(indices[0]), indices[0].name).get("weight_map")
            names = {str(each) for each in listed.values()} if isinstance(listed, dict) else set()
            files = [each for each in sorted(folder.glob("*.safetensors")) if each.name in names]
        elif path.is_dir():
            files = [
                each
                for each in sorted(path.glob("*.safetensors"))
                if each.is_file() and not each.name.startswith(PREFERRED)
            ]
        else:
            files = [path]
        if not files or (path.exists() and files[0].suffix.lower() != ".safetensors"):
            raise FileRefused(
                f"{path.name or path}: there is no .safetensors file, and a base is read from no other; transformers "
                "writes one with save_pretrained."
            )
        return open_paths([*files, *indices[:1]] if files != [path] else [path])._replace(config=None)
    except FileRefused as refused:
        raise FileRefused(f"The base: {refused}") from None
    except OSError as error:
        raise FileRefused(f"The base: {path.name[:40] or path}: {error.strerror}.") from None


def matched(adapter: Adapter, base: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return which weight of the base each layer changes.

    Parameters
    ----------
    adapter : Adapter
        From `compute.adapters.formats.reading.read_adapter`.
    base : mapping of str to Tensor
        From `open_base`.

    Returns
    -------
    found : dict of str to Tensor
        By the name of the layer.
    missing : dict of str to str
        The other layers, each with the reason.

    Notes
    -----
    A base is often saved under a head or without one: names are equal where one is the end of the other, as long as
    both have the same numbers of blocks, and only one weight fits. kohya writes underscores for full stops, so that
    names are compared in its way. A weight that is stored in few bits, or has another shape, is no match. Cost:
    O(n log n) for n tensors.

    Examples
    --------
    >>> from compute.adapters.formats.containers import BytesSource
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save(
    ...     {"model.h.0.q.lora_A.weight": np.ones((2, 4)), "model.h.0.q.lora_B.weight": np.ones((6, 2))}
    ... )
    >>> adapter = read_bytes({"a.safetensors": file})
    >>> weight = Tensor("h.0.q.weight", "F32", (6, 4), BytesSource(b""))
    >>> {layer: tensor.name for layer, tensor in matched(adapter, {weight.name: weight})[0].items()}
    {'model.h.0.q': 'h.0.q.weight'}
    >>> matched(adapter, {})[1]
    {'model.h.0.q': 'no weight of the base is called so'}
    """
    by_name: dict[str, list[str]] = {}
    for name, tensor in base.items():
        if len(tensor.shape) > 1:
            by_name.setdefault(common_name(name.removesuffix(".weight")), []).append(name)
    backwards = sorted(name[::-1] for name in by_name)
    found, missing = {}, {}
    for layer in adapter.layers:
        try:
            found[layer.name] = _match(layer, adapter, base, by_name, backwards)
        except FileRefused as refused:
            missing[layer.name] = str(refused)
    return found, missing


def _match(
    layer: Layer,
    adapter: Adapter,
    base: Mapping[str, Tensor],
    by_name: Mapping[str, list[str]],
    backwards: list[str],
) -> Tensor:
    if layer.expert:
        raise FileRefused("it is one of several experts, which are not looked up in a base")
    name = layer.name.removesuffix(f".{layer.in_memory}") if layer.in_memory else layer.name
    names = _called(common_name(name), by_name, backwards)
    if not names and _called(common_name(name) + "_qweight", by_name, backwards):
        raise FileRefused("the base holds it in few bits (qweight); give the base that it was made of")
    if not names:
        raise FileRefused("no weight of the base is called so")
    if len(names) > 1:
        raise FileRefused(f"{quote_end(names[0])} and {quote_end(names[1])} of the base are both called so")
    tensor = base[names[0]]
    stem = tensor.name.removesuffix("weight")
    if tensor.dtype not in FLOATS or any(stem + mark in base for mark in QUANTISED):
        raise FileRefused(
            f"{quote_end(tensor.name)} is stored in few bits ({tensor.dtype[:20]} and scales); give the base that it "
            "was made of"
        )
    if layer.shape not in (_flat(tensor), _flat(tensor)[::-1]):
        sides = " x ".join(map(str, tensor.shape))
        raise FileRefused(
            f"{quote_end(tensor.name)} of the base is {sides}, and the layer is {layer.shape[0]} x {layer.shape[1]}"
        )
    return tensor


def _flat(tensor: Tensor) -> tuple[int, int]:
    return tensor.shape[0], int(np.prod(tensor.shape[1:]))


def _called(name: str, by_name: Mapping[str, list[str]], backwards: list[str]) -> list[str]:
    """Return the tensors of a name, or of one that ends so, or that it ends in; of these the longest."""
    if name in by_name:
        return by_name[name]
    numbers = _numbers(name)
    longer: list[str] = []
    start = name[::-1] + "_"
    for i in range(bisect_left(backwards, start), len(backwards)):
        if not backwards[i].startswith(start) or len(longer) > 1:
            break
        if _numbers(each := backwards[i][::-1]) == numbers:
            longer += by_name[each]
    if longer:
        return longer
    rest = name
    while "_" in rest:
        rest = rest.partition("_")[2]
        if rest in by_name and _numbers(rest) == numbers:
            return by_name[rest]
    return []


def _numbers(name: str) -> list[str]:
    return [word for word in name.split("_") if word.isdigit()]


def weight(layer: Layer, tensor: Tensor, adapter: Adapter) -> np.ndarray:
    """Return the weight of the base that a layer changes, as the layer changes it.

    Parameters
    ----------
    layer : Layer
        The layer.
    tensor : Tensor
        Its weight, from `matched`.
    adapter : Adapter
        The adapter, whose config may say that weights are stored the other way round (fan_in_fan_out, as GPT-2's).

    Returns
    -------
    (out, in) ndarray of float64
        Finite. A convolution is (out, in * height * width).

    Raises
    ------
    FileRefused
        If it is larger than 2**27 numbers, or one is NaN or infinite.

    Examples
    --------
    >>> from compute.adapters.formats.containers import BytesSource
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save({"h.0.q.lora_A.weight": np.ones((2, 4)), "h.0.q.lora_B.weight": np.ones((6, 2))})
    >>> adapter = read_bytes({"a.safetensors": file})
    >>> stored = Tensor("h.0.q.weight", "F64", (4, 6), BytesSource(np.arange(24.0).tobytes()), 0, 192)
    >>> weight(adapter.layers[0], stored, adapter).shape
    (6, 4)
    """
    check_room(*tensor.shape)
    W = tensor.read().reshape(_flat(tensor))
    if not np.isfinite(W).all():
        raise FileRefused(f"{quote(tensor.name)} of the base holds NaN or infinity")
    told = len(tensor.shape) == 2 and (adapter.told.config or {}).get("fan_in_fan_out") is True
    turned = layer.shape != W.shape or (told and layer.shape[0] == layer.shape[1] and not layer.embedding)
    return W.T if turned else W
