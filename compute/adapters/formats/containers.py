"""The files that hold tensors: .safetensors, GGUF, several of them, a folder or an archive. Headers first.

A tensor is a place in a file until it is read, so that a file of two gigabytes opens as fast as a small one. What is no
adapter is named for what it is, with what to do instead. No pickle is opened.
"""

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from compute.adapters.formats.dtypes import BLOCKS, ITEMSIZE, READ, decode
from compute.numbers.refusal import FileRefused, count, quote

MAX_HEADER = 25_000_000  # bytes of a header; an adapter's has about 100 for each tensor
MAX_CONFIG = 10_000_000  # bytes of adapter_config.json; AdaLoRA's lists every direction of every layer
MAX_ARCHIVE = 1_000_000_000  # bytes that an archive may hold unpacked
MAX_FILES = 1000  # of a folder or an archive
MAX_SIDES = 8  # dimensions of a tensor
CONFIG = "adapter_config.json"
WEIGHTS = (".safetensors", ".gguf")
# In a folder these are the adapter, whatever lies beside them: PEFT's own, and MLX's without its checkpoints.
PREFERRED = ("adapter_model", "adapters.safetensors")

NO_SAFETENSORS = "The file is no .safetensors file, or its header does not fit its contents."
PICKLE = (
    "The file is a pickle (as .bin, .pt and .ckpt are), which can run code of its maker and is never opened. Save the "
    "adapter as .safetensors instead: peft's save_pretrained does so, and safetensors.torch.save_file."
)


class FileSource:
    """Read pieces of a file on disk, which is opened for each piece.

    Parameters
    ----------
    path : Path
        Name of the file.

    Examples
    --------
    >>> FileSource(Path("no-such-file"))
    Traceback (most recent call last):
    FileNotFoundError: [Errno 2] No such file or directory: 'no-such-file'
    """

    def __init__(self, path: Path):
        self.path = path
        self.size = path.stat().st_size

    def read(self, start: int, size: int) -> bytes:
        """Return some bytes of the file, fewer where it ends."""
        with open(self.path, "rb") as file:
            file.seek(start)
            return file.read(size)


class BytesSource:
    """Read pieces of a file in memory.

    Parameters
    ----------
    data : bytes
        All of it.

    Examples
    --------
    >>> BytesSource(b"abc").read(1, 5)
    b'bc'
    """

    def __init__(self, data: bytes):
        self._data = memoryview(data)
        self.size = len(data)

    def read(self, start: int, size: int) -> bytes:
        """Return some bytes of the file, fewer where it ends."""
        return bytes(self._data[start : start + size])


Source = FileSource | BytesSource


@dataclass(frozen=True)
class Tensor:
    """Hold where a tensor is; its numbers are read when they are asked for.

    Attributes
    ----------
    name : str
        As it stands in the file.
    dtype : str
        As safetensors spells it: "F32", "BF16" and so on.
    shape : tuple of int
        Sides, none for a single number.
    source : FileSource or BytesSource
        The file.
    start : int
        Position of the first byte.
    size : int
        Number of bytes.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    source: Source = field(repr=False)
    start: int = 0
    size: int = 0

    def raw(self) -> bytes:
        """Return the bytes as they are stored."""
        data = self.source.read(self.start, self.size)
        if len(data) != self.size:
            raise FileRefused(f"The file ends within {quote(self.name)}.")
        return data

    def read(self) -> np.ndarray:
        """Return the numbers in float64, in the shape of the tensor."""
        if self.dtype not in READ:
            raise FileRefused(
                f"{quote(self.name)} has dtype {self.dtype[:20]}; {', '.join(READ)} can be read."
            )
        return decode(self.raw(), self.dtype).reshape(self.shape)


class Contents(NamedTuple):
    """Hold what one or several files contain.

    Attributes
    ----------
    tensors : dict of str to Tensor
        By name, of all files.
    metadata : dict of str to str
        Texts of the headers; of GGUF its key-values, numbers as text.
    config : dict of str to Any, or None
        adapter_config.json, if it was there.
    gguf : bool
        Whether the tensors came from GGUF.
    notes : list of str
        Sentences on what was found and left alone.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    config: dict[str, Any] | None
    gguf: bool
    notes: list[str]


def open_paths(paths: Sequence[Path | str]) -> Contents:
    """Return what files and folders contain, taken together as one adapter.

    Parameters
    ----------
    paths : sequence of Path
        Files of weights, adapter_config.json, a folder that holds them, or an archive. The config that lies beside a
        single file of weights is read too.

    Returns
    -------
    Contents
        Places of the tensors; none of their numbers is read.

    Raises
    ------
    FileRefused
        If a file cannot be read, is no adapter, or its header lies.

    Notes
    -----
    Of a folder the files adapter_model*.safetensors or adapters.safetensors are taken where they exist, else all that
    end in .safetensors or .gguf; of an archive too, with what lies in the same folder of it. Cost: that of the headers.

    References
    ----------
    safetensors, README, section "Format"; huggingface/peft, docs/source/developer_guides/checkpoint.md (the files).

    Examples
    --------
    >>> open_paths([Path("no-such-file.safetensors")])
    Traceback (most recent call last):
    compute.numbers.refusal.FileRefused: no-such-file.safetensors: there is no such file.
    """
    found: dict[str, Source] = {}
    notes: list[str] = []
    for path in map(Path, paths):
        try:
            if path.is_dir():
                chosen, left = _chosen(sorted(each for each in path.iterdir() if each.is_file()))
                if not chosen:
                    raise FileRefused(
                        f"{path.name or path}: the folder holds no file that ends in {' or '.join(WEIGHTS)}."
                    )
                notes += left
                found |= {each.name: FileSource(each) for each in chosen}
                continue
            found[path.name] = FileSource(path)
            beside = path.with_name(CONFIG)
            if len(paths) == 1 and path.suffix.lower() != ".zip" and beside.is_file():
                found.setdefault(CONFIG, FileSource(beside))
        except FileNotFoundError:
            raise FileRefused(f"{path.name or path}: there is no such file.") from None
        except OSError as error:
            raise FileRefused(f"{path.name or path}: {error.strerror or 'it cannot be read'}.") from None
    try:
        contents = open_sources(found)
    except OSError as error:
        raise FileRefused(f"The file cannot be read: {error.strerror}.") from None
    return contents._replace(notes=notes + contents.notes)


def open_bytes(files: Mapping[str, bytes]) -> Contents:
    """Return what files in memory contain, taken together as one adapter.

    Parameters
    ----------
    files : mapping of str to bytes
        By name of the file.

    Returns
    -------
    Contents
        Places of the tensors.

    Raises
    ------
    FileRefused
        If a file is no adapter, or its header lies.

    Examples
    --------
    >>> open_bytes({"login.safetensors": b"<!DOCTYPE html><html></html>"})
    Traceback (most recent call last):
    compute.numbers.refusal.FileRefused: The file is a web page, ... Download it again with its own button or ...
    """
    return open_sources({name: BytesSource(data) for name, data in files.items()})


def open_sources(files: Mapping[str, Source]) -> Contents:
    """Return what files contain, taken together as one adapter.

    Parameters
    ----------
    files : mapping of str to FileSource or BytesSource
        By name of the file. An archive is opened.

    Returns
    -------
    Contents
        Places of the tensors.

    Raises
    ------
    FileRefused
        If a file is no adapter, or its header lies.

    Notes
    -----
    A tensor that is in two files is taken from the first, and a note says so.

    Examples
    --------
    >>> open_sources({"empty.safetensors": BytesSource(b"")})
    Traceback (most recent call last):
    compute.numbers.refusal.FileRefused: The file is empty.
    """
    files = _unpacked(files)
    contents = Contents({}, {}, None, False, [])
    config = None
    promised: set[str] = set()
    for name, source in sorted(files.items()):
        if name.rpartition("/")[2] == CONFIG:
            config = read_json(source, CONFIG)
        elif name.endswith(".index.json"):
            weights = read_json(source, name.rpartition("/")[2]).get("weight_map")
            promised |= {str(each) for each in weights.values()} if isinstance(weights, dict) else set()
        elif name.lower().endswith(".json") and len(files) > 1:
            continue
        else:
            tensors, metadata, gguf = _opened(source)
            for key, tensor in tensors.items():
                if contents.tensors.setdefault(key, tensor) is not tensor:
                    contents.notes.append(f"{quote(key)} is in two files; the first is used.")
            contents.metadata.update(metadata)
            contents = contents._replace(gguf=contents.gguf or gguf)
    if not contents.tensors:
        if config is not None:
            raise FileRefused(f"{CONFIG} holds no weights; give the .safetensors file beside it too.")
        raise FileRefused("The file holds no tensor.")
    present = {name.rpartition("/")[2] for name in files}
    for missing in sorted(promised - present)[:5]:
        contents.notes.append(f"The index names {quote(missing)}, which is not here: its layers are missing.")
    return contents._replace(config=config)


def _chosen(paths: list[Path]) -> tuple[list[Path], list[str]]:
    """Return what of a folder is the adapter, and a note on the rest."""
    weights = [path for path in paths if path.suffix.lower() in WEIGHTS]
    own = [path for path in weights if path.name.startswith(PREFERRED)]
    chosen = own or weights
    beside = [path for path in paths if path.name == CONFIG or path.name.endswith(".index.json")]
    left = [path.name for path in weights if path not in chosen]
    if len(weights) > MAX_FILES:
        raise FileRefused(f"The folder holds more than {MAX_FILES} files.")
    if not weights and any(path.suffix.lower() in (".bin", ".pt", ".ckpt", ".pth") for path in paths):
        raise FileRefused(PICKLE)
    notes = [
        f"{count(len(left), 'other file')} of weights in the folder, not read: {quote(name)}."
        for name in left[:1]
    ]
    return [*chosen, *beside] if chosen else [], notes


def _unpacked(files: Mapping[str, Source]) -> dict[str, Source]:
    """Return the files, and those within archives."""
    unpacked: dict[str, Source] = {}
    for name, source in files.items():
        if source.read(0, 4) == b"PK\x03\x04":  # as a length of a header this would be too much
            unpacked |= _archive(source)
        else:
            unpacked[name] = source
    return unpacked


def _archive(source: Source) -> dict[str, Source]:
    file: Any = source.path if isinstance(source, FileSource) else io.BytesIO(source.read(0, source.size))
    try:
        with zipfile.ZipFile(file) as archive:
            inside = [each for each in archive.infolist() if not each.is_dir()]
            names = [each.filename for each in inside]
            if any(name.endswith("data.pkl") for name in names):
                raise FileRefused(PICKLE)
            if names and all(name.endswith(".npy") for name in names):
                raise FileRefused("The file holds NumPy's arrays (.npz), and no adapter.")
            wanted = [
                each for each in inside if each.filename.lower().endswith((*WEIGHTS, CONFIG, ".index.json"))
            ]
            own = [each for each in wanted if each.filename.rpartition("/")[2].startswith(PREFERRED)]
            if own:  # the rest is a base model, checkpoints, or another program's
                folders = {each.filename.rpartition("/")[0] for each in own}
                wanted = own + [
                    each
                    for each in wanted
                    if each.filename.rpartition("/")[0] in folders
                    and not each.filename.lower().endswith(WEIGHTS)
                ]
            if not any(each.filename.lower().endswith(WEIGHTS) for each in wanted):
                raise FileRefused(
                    f"The archive holds {count(len(names), 'file')}, none that ends in {' or '.join(WEIGHTS)}."
                )
            if len(wanted) > MAX_FILES or sum(each.file_size for each in wanted) > MAX_ARCHIVE:
                raise FileRefused(f"The archive holds more than {MAX_ARCHIVE // 10**6} MB; unpack it first.")
            found: dict[str, Source] = {}
            for each in wanted:
                with archive.open(each) as member:
                    data = member.read(each.file_size + 1)  # whatever it claims to hold
                if len(data) != each.file_size:
                    raise FileRefused("The archive is damaged.")
                found[each.filename] = BytesSource(data)
            return found
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, ValueError) as error:
        if isinstance(error, FileRefused):
            raise
        raise FileRefused("The archive is damaged, or locked with a password.") from None


def read_json(source: Source, name: str) -> dict[str, Any]:
    """Return what a JSON file says, names and values.

    Parameters
    ----------
    source : FileSource or BytesSource
        The file.
    name : str
        What it is called in the sentence of a refusal.

    Returns
    -------
    dict of str to Any
        The object.

    Raises
    ------
    FileRefused
        If it is too large, no JSON, or no object.

    Examples
    --------
    >>> read_json(BytesSource(b'{"r": 8}'), "adapter_config.json")
    {'r': 8}
    """
    if source.size > MAX_CONFIG:
        raise FileRefused(f"{name[:40]} has {source.size:,} bytes; at most {MAX_CONFIG:,} are read.")
    try:
        found = json.loads(source.read(0, source.size).decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise FileRefused(f"{name[:40]} is no JSON.") from None
    if not isinstance(found, dict):
        raise FileRefused(f"{name[:40]} is not an object with names and values.")
    return found


def _opened(source: Source) -> tuple[dict[str, Tensor], dict[str, str], bool]:
    """Return the tensors and the texts of one file, and whether it is GGUF; name what it is if it is another."""
    start = source.read(0, 64)
    if not start:
        raise FileRefused("The file is empty.")
    # The first bytes of .safetensors are a length, which may look like the start of anything else.
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= max(source.size, MAX_HEADER):
        return (*read_safetensors(source), False)
    if start[:4] == b"GGUF":
        return (*read_gguf(source), True)
    if start[:1] == b"\x80" and len(start) > 1 and 2 <= start[1] <= 5:
        raise FileRefused(PICKLE)
    if start.startswith(b"version https://git-lfs"):
        raise FileRefused(
            "The file is a pointer of Git LFS and not the weights themselves. Fetch them with `git lfs pull`, or "
            "download the file itself."
        )
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise FileRefused(
            "The file is a web page, as a server sends one instead of a file to those who are not logged in. Download "
            "it again with its own button or with your token."
        )
    if start.lstrip()[:1] in (b"{", b"["):
        raise FileRefused("The file is JSON text; give the .safetensors file that it belongs to as well.")
    return (*read_safetensors(source), False)


def read_safetensors(source: Source) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return where the tensors of a .safetensors file are, and the texts of its header.

    Parameters
    ----------
    source : FileSource or BytesSource
        The file, of which only the header is read.

    Returns
    -------
    tensors : dict of str to Tensor
        By name.
    metadata : dict of str to str
        The entry __metadata__.

    Raises
    ------
    FileRefused
        If the header is damaged or too long, holds a name twice, or does not describe the bytes after it: they must be
        taken by one tensor each, without a gap.

    Notes
    -----
    Eight bytes give the length of the header, which is JSON: for each tensor its type, its sides and where it begins
    and ends. Everything is compared before anything of the size that is declared is made. Cost: O(header).

    References
    ----------
    safetensors, README, section "Format" (and that the header must be without gaps and without repeated names).

    Examples
    --------
    >>> from safetensors.numpy import save
    >>> tensors, metadata = read_safetensors(BytesSource(save({"a": np.ones((2, 3), "f4")}, {"by": "me"})))
    >>> tensors["a"].shape, tensors["a"].dtype, metadata
    ((2, 3), 'F32', {'by': 'me'})
    """
    size = int.from_bytes(source.read(0, 8), "little")
    if source.size < 8 or size < 2 or source.read(8, 1) != b"{":
        raise FileRefused(NO_SAFETENSORS)
    if size > MAX_HEADER:
        raise FileRefused(f"The header has {size:,} bytes; at most {MAX_HEADER:,} are read.")
    text = source.read(8, size)
    if len(text) < size:
        raise FileRefused(f"The file is cut short: its header alone has {size:,} bytes. Download it again.")
    try:
        header = json.loads(text, object_pairs_hook=_refuse_repeated_names)
    except FileRefused:
        raise
    except (ValueError, RecursionError):
        raise FileRefused(NO_SAFETENSORS) from None
    if not isinstance(header, dict):
        raise FileRefused(NO_SAFETENSORS)
    told = header.pop("__metadata__", None)
    metadata = {k: v for k, v in told.items() if isinstance(v, str)} if isinstance(told, dict) else {}
    tensors = {name: _tensor(name, entry, source, 8 + size) for name, entry in header.items()}
    end = 8 + size
    for tensor in sorted(tensors.values(), key=lambda each: (each.start, each.size)):
        if tensor.start != end:
            raise FileRefused(NO_SAFETENSORS)
        end += tensor.size
    if source.size < end:
        raise FileRefused(
            f"The file is cut short: {count(source.size, 'byte')} of {end:,} are here. Download it again."
        )
    if source.size > end:
        raise FileRefused(NO_SAFETENSORS)
    return tensors, metadata


def _refuse_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):  # the format leaves it to each parser which of two counts
        raise FileRefused("The header of the file holds the same name twice.")
    return found


def _tensor(name: str, entry: Any, source: Source, offset: int) -> Tensor:
    try:
        dtype, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    except (TypeError, KeyError, ValueError):
        raise FileRefused(NO_SAFETENSORS) from None
    whole = [start, end, *shape] if isinstance(shape, list) else []
    if not whole or any(type(each) is not int or not 0 <= each < 2**63 for each in whole):
        raise FileRefused(NO_SAFETENSORS)
    if not isinstance(dtype, str) or dtype not in ITEMSIZE or len(shape) > MAX_SIDES:
        raise FileRefused(NO_SAFETENSORS)
    if prod(shape) * ITEMSIZE[dtype] != end - start:
        raise FileRefused(NO_SAFETENSORS)
    return Tensor(name, dtype, tuple(shape), source, offset + start, end - start)


GGUF_TYPES = {0: "F32", 1: "F16", 8: "Q8_0", 28: "F64", 30: "BF16"}
GGUF_SCALARS = {
    0: "B",
    1: "b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
GGUF_FLOAT, GGUF_TEXT, GGUF_LIST = 6, 8, 9
GGUF_ALIGNED = 32  # bytes, unless a file says otherwise
MAX_GGUF = 100_000  # tensors, or key-values


def read_gguf(source: Source) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return where the tensors of a LoRA adapter in GGUF are, and its key-values.

    Parameters
    ----------
    source : FileSource or BytesSource
        The file, of which only the header is read.

    Returns
    -------
    tensors : dict of str to Tensor
        By name. The sides are in the order of NumPy, that is the reverse of the file's.
    metadata : dict of str to str
        Numbers are written out; of a list it only says that it is one.

    Raises
    ------
    FileRefused
        If the header is damaged, the file holds a whole model, or numbers in blocks other than Q8_0.

    Notes
    -----
    Cost: O(header).

    References
    ----------
    ggml-org/ggml, docs/gguf.md (version 3); ggml-org/llama.cpp, convert_lora_to_gguf.py (general.type "adapter",
    adapter.lora.alpha, and the names <tensor>.lora_a and .lora_b).

    Examples
    --------
    >>> read_gguf(BytesSource(b"GGUF" + bytes(8)))
    Traceback (most recent call last):
    compute.numbers.refusal.FileRefused: The GGUF file is damaged, or of a version that cannot be read.
    """
    damaged = FileRefused("The GGUF file is damaged, or of a version that cannot be read.")
    data = source.read(0, min(source.size, MAX_HEADER))
    try:
        version, n_tensors, n_values = struct.unpack_from("<IQQ", data, 4)
        if version not in (2, 3) or n_tensors > MAX_GGUF or n_values > MAX_GGUF:
            raise damaged
        place, metadata = 24, {}
        for _ in range(n_values):
            key, place = _gguf_text(data, place)
            (kind,) = struct.unpack_from("<I", data, place)
            metadata[key], place = _gguf_value(data, place + 4, kind)
        if metadata.get("general.type") != "adapter":
            raise FileRefused(
                f"The file is a whole model in GGUF ({quote(metadata.get('general.architecture', 'unknown'))}), and no "
                "adapter. An adapter in GGUF is made by llama.cpp's convert_lora_to_gguf.py."
            )
        places = []
        for _ in range(n_tensors):
            name, place = _gguf_text(data, place)
            (n_sides,) = struct.unpack_from("<I", data, place)
            if n_sides > MAX_SIDES:
                raise damaged
            sides = struct.unpack_from(f"<{n_sides}Q", data, place + 4)
            kind, start = struct.unpack_from("<IQ", data, place + 4 + 8 * n_sides)
            place += 16 + 8 * n_sides
            places.append((name, sides, kind, start))
    except (struct.error, UnicodeDecodeError, OverflowError):
        raise damaged from None
    align = metadata.get("general.alignment", "")
    step = int(align) if align.isdecimal() and 0 < int(align[:9]) <= 2**20 else GGUF_ALIGNED
    offset = -(-place // step) * step
    tensors = {}
    for name, sides, kind, start in places:
        if kind not in GGUF_TYPES:
            raise FileRefused(
                f"{quote(name)} is stored in blocks (type {kind} of ggml), which are not read. Convert the adapter "
                "with --outtype f32, f16 or q8_0."
            )
        if GGUF_TYPES[kind] == "Q8_0":
            if not sides or sides[0] % 32:
                raise damaged
            size = prod(sides) // 32 * BLOCKS.itemsize
        else:
            size = prod(sides) * ITEMSIZE[GGUF_TYPES[kind]]
        if offset + start + size > source.size:
            raise FileRefused("The GGUF file is cut short. Download it again.")
        if name in tensors:
            raise damaged
        tensors[name] = Tensor(name, GGUF_TYPES[kind], tuple(reversed(sides)), source, offset + start, size)
    return tensors, metadata


def _gguf_text(data: bytes, place: int) -> tuple[str, int]:
    (size,) = struct.unpack_from("<Q", data, place)
    if place + 8 + size > len(data):
        raise struct.error
    return data[place + 8 : place + 8 + size].decode("utf-8"), place + 8 + size


def _gguf_value(data: bytes, place: int, kind: int, depth: int = 0) -> tuple[str, int]:
    if kind == GGUF_TEXT:
        return _gguf_text(data, place)
    if kind in GGUF_SCALARS:
        (value,) = struct.unpack_from(GGUF_SCALARS[kind], data, place)
        return str(value), place + struct.calcsize(GGUF_SCALARS[kind])
    if kind != GGUF_LIST or depth > 3:
        raise struct.error
    inner, length = struct.unpack_from("<IQ", data, place)
    place += 12
    if inner in GGUF_SCALARS:
        place += length * struct.calcsize(GGUF_SCALARS[inner])
        if place > len(data):
            raise struct.error
        return "a list", place
    for _ in range(min(length, len(data))):  # each takes a byte at least
        _, place = _gguf_value(data, place, inner, depth + 1)
    return "a list", place


def write_safetensors(
    tensors: Iterable[tuple[str, str, tuple[int, ...], bytes]], metadata: Mapping[str, str]
) -> bytes:
    """Return a .safetensors file.

    Parameters
    ----------
    tensors : iterable of (str, str, tuple of int, bytes)
        Name, type, sides and bytes of each, in the order in which they are to stand.
    metadata : mapping of str to str
        Texts for the header.

    Returns
    -------
    bytes
        The file. Its header is padded so that numbers begin at a multiple of eight.

    Raises
    ------
    ValueError
        If bytes and sides do not fit, or a name is there twice.

    References
    ----------
    safetensors, README, section "Format".

    Examples
    --------
    >>> file = write_safetensors([("a", "F32", (2,), np.ones(2, "<f4").tobytes())], {})
    >>> read_safetensors(BytesSource(file))[0]["a"].read().tolist()
    [1.0, 1.0]
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    parts, end = [], 0
    for name, dtype, shape, data in tensors:
        if name in header or prod(shape) * ITEMSIZE[dtype] != len(data):
            raise ValueError(f"{quote(name)} is there twice, or its sides and bytes do not fit.")
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + len(data)]}
        parts.append(data)
        end += len(data)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *parts])


def write_gguf(
    tensors: Iterable[tuple[str, str, tuple[int, ...], bytes]], metadata: Mapping[str, str | float]
) -> bytes:
    """Return a GGUF file, version 3.

    Parameters
    ----------
    tensors : iterable of (str, str, tuple of int, bytes)
        Name, type, sides in the order of NumPy, and bytes of each.
    metadata : mapping of str to (str or float)
        Key-values; a number is stored in 32 bits.

    Returns
    -------
    bytes
        The file. Each tensor begins at a multiple of 32, and ends at one.

    Raises
    ------
    ValueError
        If GGUF has no such type, or bytes and sides do not fit.

    References
    ----------
    ggml-org/ggml, docs/gguf.md (version 3).

    Examples
    --------
    >>> file = write_gguf([("a", "F32", (2,), np.ones(2, "<f4").tobytes())], {"general.type": "adapter"})
    >>> read_gguf(BytesSource(file))[0]["a"].read().tolist()
    [1.0, 1.0]
    """
    types = {name: number for number, name in GGUF_TYPES.items()}
    heads, parts, end = [], [], 0
    for name, dtype, shape, data in tensors:
        if dtype not in types or prod(shape) * ITEMSIZE.get(dtype, 0) != len(data):
            raise ValueError(f"{quote(name)}: GGUF has no type {dtype[:20]}, or sides and bytes do not fit.")
        sides = struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
        heads.append(_gguf_bytes(name) + sides + struct.pack("<IQ", types[dtype], end))
        parts += [data, b"\0" * (-len(data) % GGUF_ALIGNED)]
        end += len(data) + len(parts[-1])
    values = [
        _gguf_bytes(key)
        + (
            struct.pack("<I", GGUF_TEXT) + _gguf_bytes(value)
            if isinstance(value, str)
            else struct.pack("<If", GGUF_FLOAT, value)
        )
        for key, value in metadata.items()
    ]
    head = b"".join([b"GGUF", struct.pack("<IQQ", 3, len(heads), len(values)), *values, *heads])
    return b"".join([head, b"\0" * (-len(head) % GGUF_ALIGNED), *parts])


def _gguf_bytes(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def total_bytes(paths: Sequence[Path | str]) -> int:
    """Return how many bytes the files of weights have that `open_paths` would read.

    Parameters
    ----------
    paths : sequence of Path
        As for `open_paths`.

    Returns
    -------
    int
        Bytes of the files; 0 for what is not there.

    Examples
    --------
    >>> total_bytes(["no-such-file"])
    0
    """
    total = 0
    for path in map(Path, paths):
        files = path.iterdir() if path.is_dir() else [path]
        total += sum(os.path.getsize(each) for each in files if each.is_file() and each.name != CONFIG)
    return total
