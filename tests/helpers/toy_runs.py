"""Generators that stand in for training runs: workers import them by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path


class Odd(Exception):
    """An error that pickle cannot build again."""

    def __init__(self, one: int, two: int):
        super().__init__(f"{one} and {two}")


def count(n: int, seconds: float = 0, tag: str = "") -> Iterator[tuple[str, int]]:
    for i in range(n):
        time.sleep(seconds)
        yield tag, i


def pid(seconds: float = 0) -> Iterator[int]:
    """Yield the worker's process id, then something after a while."""
    yield os.getpid()
    time.sleep(seconds)
    yield 0


def variable(name: str) -> Iterator[str | None]:
    yield os.environ.get(name)


def notes(path: str, n: int = 10_000, seconds: float = 0.01) -> Iterator[int]:
    """Count, and note in a file that it started and that it was closed."""
    note(path, "start")
    try:
        yield from (i for _, i in count(n, seconds))
    finally:
        note(path, "close")


def note(path: str, word: str) -> None:
    with Path(path).open("a") as file:
        file.write(f"{word}\n")


def noted(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def failing(error: type[Exception], *, after: int, once: str = "") -> Iterator[int]:
    """Count, then raise; where `once` names a file, only if that is not there yet."""
    yield from range(after)
    if once and Path(once).exists():
        return
    if once:
        note(once, "failed")
    raise error(1, 2)


def killed(after: int, path: str = os.devnull) -> Iterator[int]:
    note(path, "start")
    yield from range(after)
    time.sleep(0.05)  # what was yielded has left the process, also through Dask's batches
    os.kill(os.getpid(), signal.SIGKILL)
    yield -1


def leaving(code: int) -> Iterator[int]:
    yield 0
    os._exit(code)


def large(n: int, size: int, path: str) -> Iterator[bytes]:
    """Yield large items, and note each that was made."""
    for _ in range(n):
        note(path, "made")
        yield bytes(size)


def burning(n: int) -> Iterator[int]:
    """Keep a core busy with Python, and yield every 20 ms or so."""
    for i in range(n):
        sum(k * k for k in range(200_000))
        yield i


def deaf(seconds: float) -> Iterator[int]:
    """Yield once and then compute for long without yielding."""
    yield os.getpid()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    yield 0


def unsendable() -> Iterator[object]:
    yield 1
    yield lambda: 2


def refuse(*_: object) -> None:
    """Fail as Dask does where a worker lacks the code."""
    raise ModuleNotFoundError("not on this machine")


def telling(weights: bytes, config: str) -> Iterator[int]:
    """Fail, and say in the error what was brought."""
    raise ValueError(config)
    yield 0
