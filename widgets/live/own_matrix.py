"""The reader's own matrix or adapter: read in memory, factored, and shown in the rank instrument."""

import asyncio
import dataclasses
import io
import json
from typing import Any, ClassVar

import numpy as np
import param
from panel import state
from panel.custom import AnyWidgetComponent
from panel.layout import Column
from panel.viewable import Viewable, Viewer

from compute.adapters.formats.contents import Usable, usable
from compute.adapters.formats.layers import Layer, factors
from compute.adapters.formats.reading import Adapter, read_bytes
from compute.numbers.files import IMAGES, MAX_BYTES, TEXTS, read_matrix
from compute.numbers.matrix_formats import MAX_SIDE, text_layout
from compute.numbers.refusal import FileRefused, count
from widgets.kit.instrument import esm, stylesheet
from widgets.kit.languages import in_this_language, say, say_all
from widgets.kit.matrix import Matrix, adapter_matrix, own_matrix
from widgets.kit.text import fill
from widgets.live.brought import adapted
from widgets.live.fair import Full, Room, reader_here
from widgets.rank import Rank

ADAPTER = ".safetensors"
ENDINGS = [".npy", *TEXTS, *IMAGES, ADAPTER]
POSITION = 8  # bytes before each chunk that say where it belongs
MAX_NAME = 255  # characters of a file name, as many as file systems allow
NUMBER = 8  # bytes of one
LARGE = 1500 * 1500  # entries; from here on factoring takes long enough to say so

WORDS = {
    "label": "Your file",
    "allowed": (
        "A matrix as .npy or .csv, a picture (as grey values), or an adapter "
        f"({ADAPTER}: PEFT, kohya, diffusers, LyCORIS, MLX); up to {MAX_SIDE:,} × {MAX_SIDE:,} and "
        f"{MAX_BYTES // 10**6} MB. It is held in memory while this page is open, written nowhere and logged nowhere."
    ),
    "layer": "Layer",
    "stop": "Stop",
    "stopped": "Stopped. Nothing of the file was kept.",
    "sending": "Reading the file: {done:.0%}",
    "unknown": "This kind of file cannot be read. Possible: {endings}.",
    "tooLarge": "The file has {size:,.0f} MB; at most {most:,.0f} MB can be read. It was not opened.",
    "empty": "The file is empty. A matrix needs at least two rows and two columns.",
}

ARRIVED = "The file is here and is being read."
WAITING = "Factoring {out:,} × {in_:,}: this takes up to a minute for the largest."
READ = "Read {name}: {out:,} × {in_:,}."
READ_ADAPTER = "Read {name}: {layers}."
FULL = (
    "There is no memory for it now: the matrices that readers have open take all that there is for them. Close a page "
    "with one of yours, or come again in some minutes.",
    "There is no memory for it now: the matrices open in your network take all that it may have. Close a page with one "
    "of yours, or come again in some minutes.",
    "It takes more memory than one page may have. A smaller one, or fewer of its layers, can be opened.",
)
BROKEN = "The file could not be read. It may be damaged, or of another kind than its name says."

NONE = Usable({}, {})
room = Room(every=2 * 10**9, address=10**9, session=700 * 10**6)  # bytes; set before the first reader comes
_one_at_a_time = asyncio.Semaphore(1)  # factorings in the whole server: two would only slow each other down


class Upload(AnyWidgetComponent):
    """A file chooser. The browser sends `file` (name and size), then each `chunk` that Python has `wanted`."""

    spec = param.String(doc="Labels, allowed endings and the largest size, as JSON for the browser.")
    file = param.String("{}", doc="Name and size of the file being sent, as JSON; empty when there is none.")
    chunk = param.Bytes(b"", doc="Eight bytes that say the position, then a piece of the file.")
    wanted = param.Integer(-1, doc="Position of the piece that Python waits for; -1 when it waits for none.")
    layers = param.String("[]", doc="Names of the adapter's layers to choose from, as JSON.")
    layer = param.Integer(0, doc="Index of the chosen layer; one that does not exist is ignored.")
    said = param.String("", doc="What has become of the file, in a sentence.")

    _esm = esm("upload")
    _stylesheets: ClassVar[list[str]] = [stylesheet("site/theme", "kit/instrument")]

    def __init__(self, **params: Any):
        super().__init__(**{"sizing_mode": "stretch_width"} | params)
        self.spec = json.dumps(
            {"text": say_all(WORDS), "endings": ENDINGS, "maxBytes": MAX_BYTES}, ensure_ascii=False
        )


class OwnMatrix(Viewer):
    """Hold one reader's file in memory and show what rank makes of it.

    A file that cannot be used changes nothing: the sentence says why, and the matrix before it stays.
    """

    def __init__(self, **params: Any):
        super().__init__(**params)
        self.upload = Upload()
        self.rank = Rank(hide=["matrix"], visible=False)
        self._name, self._data, self._size = "", bytearray(), 0
        self._turn = 0  # counts what the reader began, so that a slow file does not replace the one after it
        self._adapter, self._adapter_name = NONE, ""
        self.reader, self._held, self._shown = reader_here(), 0, 0  # bytes held, and those of what is shown
        if state.curdoc:
            state.on_session_destroyed(lambda _: self.close())
        self.upload.param.watch(in_this_language(self._begin), "file")
        self.upload.param.watch(in_this_language(self._receive), "chunk")
        self.upload.param.watch(in_this_language(self._choose_layer), "layer")

    def __panel__(self) -> Viewable:
        return Column(self.upload, self.rank, sizing_mode="stretch_width")

    def close(self) -> None:
        """Let go of everything: the reader is gone."""
        self._turn += 1
        self._data, self._adapter = bytearray(), NONE
        self._hold(0)

    def _hold(self, size: int) -> None:
        """Take memory for so many bytes instead of what was held so far, or refuse and hold what was."""
        try:
            room.take(self.reader, size - self._held)
        except Full as full:
            raise FileRefused(say(FULL[full.level])) from None
        self._held = size

    def _begin(self, event: param.parameterized.Event) -> None:
        """Make room for a file. What a browser says of it is checked here too: any program can pose as one."""
        self._turn += 1
        self._data = bytearray()
        self.upload.param.update(wanted=-1, chunk=b"")  # else the same piece, sent again, would be no change
        try:
            self._name, self._size = _declared(event.new)
            self._hold(self._shown + self._size)
        except FileRefused as refusal:
            self._refuse(str(refusal))
            return
        self.upload.wanted = 0 if self._size else -1

    async def _receive(self, event: param.parameterized.Event) -> None:
        """Add a piece; ask for the next, or read the whole."""
        position, piece = event.new[:POSITION], event.new[POSITION:]
        if self.upload.wanted < 0 or not piece or int.from_bytes(position) != len(self._data):
            return  # a piece of a transfer that was stopped
        if len(self._data) + len(piece) > self._size:
            self._refuse("More bytes came than the file has.")
            return
        self._data += piece
        if len(self._data) < self._size:
            self.upload.wanted = len(self._data)
            return
        data, self._data = bytes(self._data), bytearray()
        self.upload.param.update(wanted=-1, chunk=b"", said=say(ARRIVED))
        await self.read(self._name, data)

    def _refuse(self, why: str) -> None:
        self._data, self._size = bytearray(), 0
        self._hold(self._shown)
        self.upload.param.update(wanted=-1, said=why)

    async def read(self, name: str, data: bytes) -> None:
        """Read a file and show it; say why where that is not possible."""
        turn = self._turn
        try:
            read = self._read_adapter if name.lower().endswith(ADAPTER) else self._read_matrix
            said = await read(name, data)
        except FileRefused as refusal:
            said = str(refusal)
        except Exception:  # whatever a decoder or LAPACK does with a strange file, a reader gets a sentence
            said = say(BROKEN)
        if turn == self._turn:
            self._hold(self._shown)
            self.upload.said = said

    async def _read_matrix(self, name: str, data: bytes) -> str:
        """Show the matrix in a file, and return what to say."""
        turn = self._turn
        delta_w = await asyncio.to_thread(read_matrix, name, data)
        out, in_ = delta_w.shape
        if turn == self._turn:
            self._hold(self._shown + NUMBER * min(out, in_) * (out + in_))
        if delta_w.size >= LARGE and turn == self._turn:
            self.upload.said = fill(WAITING, {"out": out, "in_": in_})
        load = await asyncio.to_thread(load_code, name, data)
        async with _one_at_a_time:
            matrix = await asyncio.to_thread(own_matrix, delta_w, name, load)
        if turn == self._turn:
            self._adapter = NONE
            self.upload.layers = "[]"
            self._show(matrix)
        return fill(READ, {"name": name, "out": out, "in_": in_})

    async def _read_adapter(self, name: str, data: bytes) -> str:
        """Show the first layer of an adapter, and return what to say."""
        turn = self._turn
        whole, adapter = await asyncio.to_thread(_opened, name, data)
        if turn == self._turn:
            self._hold(self._shown + _bytes(adapter))
        matrix = await _layer_matrix(adapter, name, next(iter(adapter.layers)))
        if turn == self._turn:
            self._adapter, self._adapter_name = adapter, name
            self.upload.param.update(layers=json.dumps(list(adapter.layers)), layer=0)
            self._show(matrix)
        left_out = [
            " " + fill("{layer} is left out: {why}", {"layer": layer, "why": why})
            for layer, why in adapter.left_out.items()
        ]
        scaled = [f" {note}" for note in whole.notes if note.startswith("DoRA")]
        return fill(READ_ADAPTER, {"name": name, "layers": adapted(len(adapter.layers))}) + "".join(
            left_out[:3] + scaled[:1]
        )

    async def _choose_layer(self, event: param.parameterized.Event) -> None:
        """Show a layer of the adapter, unless the reader has gone on to another meanwhile."""
        adapter, layers = self._adapter, list(self._adapter.layers)
        if not 0 <= event.new < len(layers):
            return
        try:
            matrix = await _layer_matrix(adapter, self._adapter_name, layers[event.new])
        except Exception:
            self.upload.said = say(BROKEN)
            return
        if self.upload.layer == event.new and self._adapter is adapter:
            self._show(matrix)

    def _show(self, matrix: Matrix) -> None:
        self._shown = sum(array.nbytes for array in matrix.svd) + _bytes(self._adapter)
        self.rank.matrix = matrix
        self.rank.visible = True


def _opened(name: str, data: bytes) -> tuple[Adapter, Usable]:
    """Return an adapter, and what of it can be shown."""
    if data[:2] == b"PK":  # unpacked it could fill the memory of the server
        raise FileRefused("The file is an archive; unpack it and bring the .safetensors file.")
    adapter = read_bytes({name: data})
    return adapter, usable(adapter)


def _bytes(adapter: Usable) -> int:
    return sum(layer.bytes for layer in adapter.layers.values())


async def _layer_matrix(adapter: Usable, name: str, layer: str) -> Matrix:
    """Return one layer of an adapter, factored."""
    found = adapter.layers[layer]
    pair = await asyncio.to_thread(unscaled, found)
    async with _one_at_a_time:
        return await asyncio.to_thread(adapter_matrix, pair, layer, adapter_code(name, found))


def unscaled(layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Return the factors of a layer without alpha / r, on which no curve depends."""
    return factors(dataclasses.replace(layer, scale=1.0))


def _declared(text: str) -> tuple[str, int]:
    """Return name and size of the file that a browser is about to send; an empty name and 0 if it stopped."""
    try:
        told = json.loads(text)
        name, size = told.get("name", ""), told.get("size", 0)
    except (ValueError, AttributeError, RecursionError):
        raise FileRefused(say(BROKEN)) from None
    if not isinstance(name, str) or type(size) is not int or size < 0:
        raise FileRefused(say(BROKEN))
    if size > MAX_BYTES:
        raise FileRefused(f"The file has {count(size, 'byte')}; at most {MAX_BYTES:,} can be read.")
    if name and not size:
        raise FileRefused(say(WORDS["empty"]))
    return name[:MAX_NAME], size


def _quoted(text: str) -> str:
    """Return a text as Python would write it, without the braces that mark gaps in a template."""
    return repr(text).replace("{", "\\x7b")


def load_code(name: str, data: bytes) -> str:
    """Return the Python that loads a reader's matrix as `delta_w`, exactly as `read_matrix` read it."""
    ending = "." + name.lower().rsplit(".", 1)[-1]
    if ending == ".npy":
        return f"delta_w = np.load({_quoted(name)}).astype(float)"
    if ending in IMAGES:
        return (
            "from PIL import Image, ImageOps\n\n"
            f"with Image.open({_quoted(name)}) as file:\n"
            "    image = ImageOps.exif_transpose(file)\n"
            "if image.has_transparency_data:\n"
            "    image = Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image.convert('RGBA'))\n"
            "white = 65535 if image.mode.startswith('I') else 255\n"
            "grey = np.asarray(image if white > 255 else image.convert('L'), dtype=float)\n"
            "delta_w = grey / (white / 2) - 1  # black is -1, white is 1"
        )
    lines = io.StringIO(data.decode("utf-8-sig"), newline=None)
    layout = text_layout([line for line in lines if line.strip()])
    line = "line.replace(',', '.')" if layout.decimal_comma else "line"
    rows = "lines[1:]" if layout.header else "lines"
    return (
        f"with open({_quoted(name)}, encoding='utf-8-sig') as file:\n"
        f"    lines = [{line} for line in file if line.strip()]\n"
        f"delta_w = np.loadtxt({rows}, delimiter={layout.delimiter!r}, comments=None)"
    )


def adapter_code(name: str, layer: Layer) -> str:
    """Return the Python that loads the two factors of a layer: from their names in the file, or by our own reader."""
    plain = {"A", "B"} == layer.tensors.keys() and all(
        len(each.shape) == 2 for each in layer.tensors.values()
    )
    if not plain or layer.expert:
        return (
            "from compute.adapters.formats.layers import factors\n"
            "from compute.adapters.formats.reading import read_adapter\n\n"
            f"lora_B, lora_A = factors(read_adapter({_quoted(name)}).layer({_quoted(layer.name)}))"
        )
    sides = ("A", "B") if layer.embedding else ("B", "A")
    turn = ".T" if layer.embedding else ""
    lora_B, lora_A = (_quoted(layer.tensors[side].name) for side in sides)
    return (
        "from safetensors.torch import load_file\n\n"
        f"tensors = load_file({_quoted(name)})\n"
        f"lora_B = tensors[{lora_B}].double().numpy(){turn}\n"
        f"lora_A = tensors[{lora_A}].double().numpy(){turn}"
    )
