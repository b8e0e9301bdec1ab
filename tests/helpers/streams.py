"""What the tests of runners and of the registry do with streams."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from widgets.live.registry import Waiting


def run(main: Coroutine) -> Any:
    """Run a test's coroutine; what hangs fails."""
    return asyncio.run(asyncio.wait_for(main, 300))


async def collect(stream: AsyncIterator) -> list:
    """Return what a stream yields, without a watcher's places in the queue."""
    return [item async for item in stream if not isinstance(item, Waiting)]


async def upto(stream: AsyncIterator, n: int) -> list:
    """Return the first items of a stream, which stays open, without places in the queue."""
    got: list = []
    while len(got) < n:
        item = await anext(stream)
        got += [] if isinstance(item, Waiting) else [item]
    return got


async def until(true: Callable[[], bool], seconds: float = 60) -> float:
    """Wait for something to become true, and return how long it took."""
    start = time.monotonic()
    while not true():
        assert time.monotonic() < start + seconds, "it did not happen"
        await asyncio.sleep(0.01)
    return time.monotonic() - start


class HereRunner:
    """Run generators on the event loop itself, and write down which began and which ended; `go` lets them."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.items = 0  # of all runs: a clock on which nothing else makes anybody late

    async def stream(self, fn, /, **kwargs):
        self.begun.append(kwargs.get("tag", ""))
        try:
            for item in fn(**kwargs):
                await asyncio.sleep(0.002)
                await self.go.wait()
                self.items += 1
                yield item
        finally:
            self.ended.append(kwargs.get("tag", ""))
