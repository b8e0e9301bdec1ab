"""The app started and told to end a hundred times beside two busy processes, at moments drawn by chance."""

import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from helpers.app import SECONDS, port_told, started, wait_until_it_hears
from tests.bench.table import Row, at_most, percentile

TIMES = 100
LATEST = 2.0  # seconds
BUSY = [sys.executable, "-c", "while True: pass"]


def told_to_end(log: Path, number: signal.Signals, listens: bool, after: float) -> tuple[int, float, str]:
    """Return how the app ended, how many seconds it took to, and what it printed.

    It is told some time after it hears signals, or after it has said where it listens.
    """
    with started(log, "app.py") as process:
        if listens:
            port_told(process, log)
        else:
            wait_until_it_hears(process)
        time.sleep(after)
        process.send_signal(number)
        start = time.perf_counter()
        return process.wait(SECONDS), time.perf_counter() - start, log.read_text(encoding="utf-8")


def measure() -> Iterator[Row]:
    """Yield the lines about starting and ending."""
    throws, ends = random.Random(0), []
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            stack.callback(stack.enter_context(subprocess.Popen(BUSY)).kill)
        for _ in range(TIMES):
            number = throws.choice([signal.SIGINT, signal.SIGTERM])
            listens = throws.random() < 0.5
            ends.append(told_to_end(Path(folder, "log"), number, listens, throws.uniform(0, LATEST)))
    failed = [(code, said) for code, _, said in ends if code or said.count("\n") > 1 or "Traceback" in said]
    told = sum(bool(said) for *_, said in ends)
    yield Row(
        f"of {TIMES} starts beside two busy processes, ended with an error or a word",
        f"{len(failed)} {failed[:1] or ''} ({told} had printed the address)",
        "= 0",
        not failed,
    )
    yield at_most("    told to end until it has, the slowest", max(each[1] for each in ends), 5, "{:.1f} s")
    yield Row("    median", f"{percentile([each[1] for each in ends], 0.5):.2f} s")
