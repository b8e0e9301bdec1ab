"""Files as readers bring them, good and bad, and the sentence that refuses a bad one."""

import io
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from compute.numbers.files import FileRefused

SENTENCE = 300  # characters; no refusal is longer, whatever the file holds
GRADIENT = np.arange(0, 240, 4, dtype=np.uint8).reshape(6, 10)


def npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version)
    return stream.getvalue()


def npy_header(header: str, body: bytes = b"") -> bytes:
    text = header.encode("latin1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def image(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """Return a PNG that declares a size and has no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def safetensors(header: Any, body: bytes = b"") -> bytes:
    """Return a .safetensors file whose header may be a lie."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def refusal(read: Callable, *arguments: str | bytes) -> str:
    """Return the sentence with which a file is refused."""
    with pytest.raises(FileRefused) as caught:
        read(*arguments)
    return checked(str(caught.value))


def checked(said: str) -> str:
    """Return a sentence that may be shown: short, printable, complete."""
    assert len(said) <= SENTENCE
    assert said.isprintable()
    assert said.endswith(".")
    return said


def outcome(read: Callable, *arguments: str | bytes) -> Any:
    """Return what a file gives, or None where it is refused."""
    try:
        return read(*arguments)
    except FileRefused as refused:
        checked(str(refused))
        return None


def short(value: object) -> str:
    """Return the name of a test case; pytest would take all bytes of a file."""
    return value if isinstance(value, str) else repr(value)[:30]
