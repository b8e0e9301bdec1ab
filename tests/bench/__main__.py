"""Measure what the app promises about speed, weight and training; end with 1 when a limit is missed."""

import argparse
import contextlib
import os
import platform
import signal
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from time import perf_counter

import pytest
from playwright.sync_api import sync_playwright

from helpers import find_browser
from helpers.app import serve
from helpers.find_browser import FLAGS
from tests.bench import (
    figures,
    finetuning,
    gpu,
    load,
    numbers,
    pages,
    rooms,
    starts,
    ticks,
    training,
    watching,
    weight,
)
from tests.bench.table import Row, line

GROUPS = [
    "numbers",
    "training",
    "gpu",
    "pages",
    "weight",
    "ticks",
    "figures",
    "watching",
    "load",
    "rooms",
    "starts",
    "finetuning",
]
BROWSING = {"weight", "ticks", "figures", "watching", "rooms", "finetuning"}  # groups that need a browser
BUSY = 0.5  # of all cores at work for others: more spoils what is measured


def machine(load: float) -> str:
    """Say where and when this was measured, and what else the machine had to do."""
    cores = os.cpu_count() or 1
    facts = (
        f"{datetime.now():%Y-%m-%d %H:%M}, {cores} cores ({platform.machine()}), "
        f"Python {platform.python_version()}, headless Chromium, load before the start {load:.1f}"
    )
    return facts + (" (other programs were at work: times are too long)" if load > BUSY * cores else "")


def measure(groups: set[str], path: str | None) -> Iterator[tuple[str, Iterable[Row]]]:
    """Yield the lines of the chosen groups with their titles; a line comes as soon as it is measured."""
    if "numbers" in groups:  # first, while nothing else runs
        yield "Numbers", numbers.measure()
    if "training" in groups:
        yield "Training", training.measure()
    if "gpu" in groups:
        yield "Training on a GPU", gpu.measure()
    if "starts" in groups:
        yield "Started and told to end", starts.measure()
    if "load" in groups:
        yield "A crowd", load.measure()
    with contextlib.ExitStack() as stack:
        if groups & {"pages", "weight", "ticks", "figures", "finetuning"}:
            start = perf_counter()
            address = stack.enter_context(serve())
            start_up = perf_counter() - start
        if "pages" in groups:
            yield "Pages", pages.measure(address, start_up)
        if groups & BROWSING:
            playwright = stack.enter_context(sync_playwright())
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            stack.callback(browser.close)
        if "weight" in groups:
            yield "Weight", weight.measure(browser, address)
        if "ticks" in groups:
            yield "From a move of the slider to the painted frame", ticks.measure(browser, address)
        if "figures" in groups:
            yield "Every lesson's page, and every figure's slider", figures.measure(browser, address)
        if "finetuning" in groups:
            yield "Training in the page", finetuning.measure(browser, address)
        if "watching" in groups:
            yield "Readers of the live lab, and those beside them", watching.measure(browser)
        if "rooms" in groups:
            yield "Rooms for classes, and readers beside them", rooms.measure(browser)


def main() -> int:
    """Run the benchmark."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ended from outside: end what was started
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all, if left out"
    )
    chosen = parser.parse_args().groups or GROUPS
    if unknown := set(chosen) - {*GROUPS}:
        parser.error(f"there is no group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}.")
    path = find_browser.installed()
    if path is None and BROWSING & {*chosen}:
        sys.exit(f"{find_browser.MISSING} `make bench` installs one where it can.")
    start, missed = perf_counter(), []
    print(machine(os.getloadavg()[0]))
    print(line(Row("", "measured", "limit")), "verdict")
    try:
        for title, rows in measure({*chosen}, path):
            print("", title, sep="\n", flush=True)
            for row in rows:
                print(line(row), flush=True)
                missed += [row.what] * (row.met is False)
    except pytest.fail.Exception as failed:  # how `serve` says that a server did not start
        sys.exit(str(failed))
    print("", f"Measured in {perf_counter() - start:.0f} s.", sep="\n")
    print(f"Missed: {'; '.join(missed)}." if missed else "Every limit is met.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
