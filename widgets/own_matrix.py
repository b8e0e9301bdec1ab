"""The reader's own matrix or adapter: read in memory, factored, and shown in the rank instrument."""

import asyncio
import json
from typing import Any, ClassVar

import param
from panel.custom import AnyWidgetComponent
from panel.layout import Column
from panel.viewable import Viewable, Viewer

from compute.files import IMAGES, MAX_BYTES, TEXTS, read_adapter, read_matrix
from compute.matrix_formats import MAX_SIDE
from compute.refusal import FileRefused
from widgets._instrument import esm, stylesheet
from widgets._matrix import Matrix, adapter_matrix, own_matrix
from widgets.rank import Rank

ADAPTER = ".safetensors"
ENDINGS = [".npy", *TEXTS, *IMAGES, ADAPTER]
POSITION = 8  # bytes before each chunk that say where it belongs
LARGE = 1500 * 1500  # entries; from here on factoring takes long enough to say so

WORDS = {
    "label": "Your file",
    "allowed": (
        f"A matrix as .npy or .csv, a picture (as grey values), or an adapter in PEFT's format ({ADAPTER}); up to "
        f"{MAX_SIDE:,} × {MAX_SIDE:,} and {MAX_BYTES // 10**6} MB. It is held in memory while this page is open, "
        "written nowhere and logged nowhere."
    ),
    "layer": "Layer",
    "stop": "Stop",
    "stopped": "Stopped. Nothing of the file was kept.",
    "sending": "Reading the file: {done:.0%}",
    "unknown": "This kind of file cannot be read. Possible: {endings}.",
    "tooLarge": "The file has {size:,.0f} MB; at most {most:,.0f} MB can be read. It was not opened.",
    "empty": "The file is empty. A matrix needs at least two rows and two columns.",
}

WAITING = "Factoring {out:,} × {in_:,}: this takes up to a minute for the largest."
READ = "Read {name}: {out:,} × {in_:,}."
READ_ADAPTER = "Read {name}: {count} adapted layers."
BROKEN = "The file could not be read. It may be damaged, or of another kind than its name says."

_one_at_a_time = asyncio.Semaphore(1)  # factorings in the whole server: two would only slow each other down


class Upload(AnyWidgetComponent):
    """A file chooser. The browser sends `file` (name and size), then each `chunk` that Python has `wanted`."""

    spec = param.String(doc="Labels, allowed endings and the largest size, as JSON for the browser.")
    file = param.String("{}", doc="Name and size of the file being sent, as JSON; empty when there is none.")
    chunk = param.Bytes(b"", doc="Eight bytes that say the position, then a piece of the file.")
    wanted = param.Integer(-1, doc="Position of the piece that Python waits for; -1 when it waits for none.")
    layers = param.String("[]", doc="Names of the adapter's layers to choose from, as JSON.")
    layer = param.Integer(0, bounds=(0, None), doc="Index of the chosen layer.")
    said = param.String("", doc="What has become of the file, in a sentence.")

    _esm = esm("upload")
    _stylesheets: ClassVar[list[str]] = [stylesheet("theme", "instrument")]

    def __init__(self, **params: Any):
        super().__init__(**{"sizing_mode": "stretch_width"} | params)
        self.spec = json.dumps({"text": WORDS, "endings": ENDINGS, "maxBytes": MAX_BYTES}, ensure_ascii=False)


class OwnMatrix(Viewer):
    """Hold one reader's file in memory and show what rank makes of it.

    A file that cannot be used changes nothing: the sentence says why, and the matrix before it stays.
    """

    def __init__(self, **params: Any):
        super().__init__(**params)
        self.upload = Upload()
        self.rank = Rank(hide=["matrix"], visible=False)
        self._name, self._data, self._size = "", bytearray(), 0
        self._adapter: dict[str, Any] = {}
        self.upload.param.watch(self._begin, "file")
        self.upload.param.watch(self._receive, "chunk")
        self.upload.param.watch(self._choose_layer, "layer")

    def __panel__(self) -> Viewable:
        return Column(self.upload, self.rank, sizing_mode="stretch_width")

    def _begin(self, event: param.parameterized.Event) -> None:
        """Make room for a file; one that is too large is refused here too, whatever the browser let through."""
        told = json.loads(event.new)
        self._name, self._size = str(told.get("name", ""))[:100], int(told.get("size", 0))
        self._data = bytearray()
        if self._size > MAX_BYTES:
            self._refuse(f"The file has {self._size:,} bytes; at most {MAX_BYTES:,} can be read.")
            return
        self.upload.wanted = -1
        self.upload.wanted = 0 if self._size else -1

    async def _receive(self, event: param.parameterized.Event) -> None:
        """Add a piece; ask for the next, or read the whole."""
        if self.upload.wanted < 0 or int.from_bytes(event.new[:POSITION]) != len(self._data):
            return  # a piece of a transfer that was stopped
        self._data += event.new[POSITION:]
        if len(self._data) > self._size:
            self._refuse("More bytes came than the file has.")
        elif len(self._data) < self._size:
            self.upload.wanted = len(self._data)
        else:
            data, self._data = bytes(self._data), bytearray()
            self.upload.wanted = -1
            await self.read(self._name, data)

    def _refuse(self, why: str) -> None:
        self._data, self._size = bytearray(), 0
        self.upload.wanted = -1
        self.upload.param.update(said=why)

    async def read(self, name: str, data: bytes) -> None:
        """Read a file and show it; say why where that is not possible."""
        try:
            if name.lower().endswith(ADAPTER):
                adapter = await asyncio.to_thread(read_adapter, data)
                self._adapter = dict(adapter.layers)
                self._name = name
                self.upload.param.update(layers=json.dumps(list(self._adapter)), layer=0)
                await self._show_layer(0)
                read = READ_ADAPTER.format(name=name, count=len(self._adapter))
                left_out = [f" {layer} is left out: {why}" for layer, why in adapter.left_out.items()]
                self.upload.said = read + "".join(left_out[:3])
                return
            delta_w = await asyncio.to_thread(read_matrix, name, data)
            out, in_ = delta_w.shape
            if delta_w.size >= LARGE:
                self.upload.said = WAITING.format(out=out, in_=in_)
            async with _one_at_a_time:
                matrix = await asyncio.to_thread(own_matrix, delta_w, name, load_code(name))
            self._adapter = {}
            self.upload.layers = "[]"
            self._show(matrix)
            self.upload.said = READ.format(name=name, out=out, in_=in_)
        except FileRefused as refusal:
            self.upload.said = str(refusal)
        except (ValueError, MemoryError, OSError):
            self.upload.said = BROKEN

    async def _choose_layer(self, event: param.parameterized.Event) -> None:
        if event.new < len(self._adapter):
            await self._show_layer(event.new)

    async def _show_layer(self, index: int) -> None:
        layer_name, layer = list(self._adapter.items())[index]
        async with _one_at_a_time:
            matrix = await asyncio.to_thread(
                adapter_matrix, layer, layer_name, load_code(self._name, layer_name)
            )
        if self.upload.layer == index:  # the reader may have gone on to another meanwhile
            self._show(matrix)

    def _show(self, matrix: Matrix) -> None:
        self.rank.matrix = matrix
        self.rank.visible = True


def load_code(name: str, layer: str = "") -> str:
    """Return the Python that loads the reader's file as `delta_w`, or a layer's `lora_B` and `lora_A`."""
    ending = "." + name.lower().rsplit(".", 1)[-1]
    if ending == ADAPTER:
        return (
            "from safetensors.numpy import load_file\n\n"
            f"tensors = load_file({name!r})\n"
            f"lora_A = next(t for key, t in tensors.items() if {layer!r} in key and 'lora_A' in key)\n"
            f"lora_B = next(t for key, t in tensors.items() if {layer!r} in key and 'lora_B' in key)"
        )
    if ending == ".npy":
        return f"delta_w = np.load({name!r})"
    if ending in IMAGES:
        return (
            "from PIL import Image\n\n"
            f"grey = np.asarray(Image.open({name!r}).convert('L'), dtype=float)\n"
            "delta_w = grey / 127.5 - 1  # black is -1, white is 1"
        )
    return f"delta_w = np.loadtxt({name!r}, delimiter=',')  # or '\\t', ';', ' ': as the file has it"
