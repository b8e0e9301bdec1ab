"""Play the browser's part of an upload: upload.js in Python, with and without manners."""

from __future__ import annotations

import asyncio
import itertools
import json

from widgets.live.own_matrix import POSITION, OwnMatrix

_times = itertools.count(1)


async def settle() -> None:
    """Wait until everything that was set going is done. Only one task of a test may wait at a time."""
    async with asyncio.timeout(20):
        while waiting := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.gather(*waiting)


def begin(own: OwnMatrix, name: str, size: int) -> None:
    """Say which file comes, as the browser does when one is chosen."""
    own.upload.file = json.dumps({"name": name, "size": size, "at": next(_times)})


def stop(own: OwnMatrix) -> None:
    """Press the button that ends a transfer."""
    own.upload.file = "{}"


async def give(own: OwnMatrix, position: int, piece: bytes) -> None:
    """Send one piece."""
    own.upload.chunk = position.to_bytes(POSITION) + piece
    await settle()


async def send(own: OwnMatrix, name: str, data: bytes, piece: int = 4_000_000) -> str:
    """Send a whole file as the browser does; return what was said in the end."""
    begin(own, name, len(data))
    while (position := own.upload.wanted) >= 0:
        await give(own, position, data[position : position + piece])
        assert own.upload.wanted != position, f"nobody asks for what comes after {position}"
    return own.upload.said
