"""Measure everything, print one table, and end with 1 when a limit is missed."""

import os
import platform
import signal
import sys
from datetime import datetime
from time import perf_counter

import pytest
from playwright.sync_api import sync_playwright

import find_browser
from conftest import FLAGS, serve
from tests.bench import numbers, pages, ticks, weight
from tests.bench.table import Row, render

BUSY = 0.5  # of all cores at work for others: more spoils what is measured


def machine(version: str, load: float) -> str:
    """Say where and when this was measured, and what else the machine had to do."""
    cores = os.cpu_count() or 1
    facts = (
        f"{datetime.now():%Y-%m-%d %H:%M}, {cores} cores ({platform.machine()}), "
        f"Python {platform.python_version()}, Chromium {version}, headless, load before the start {load:.1f}"
    )
    return facts + (" (other programs were at work: times are too long)" if load > BUSY * cores else "")


def measure() -> tuple[str, dict[str, list[Row]]]:
    """Return the facts of the machine and all lines, by section."""
    path = find_browser.installed()
    if path is None:
        sys.exit(f"{find_browser.MISSING} `make bench` installs one where it can.")
    load = os.getloadavg()[0]
    sections = {"Numbers": numbers.measure()}  # first, while nothing else runs
    start = perf_counter()
    with serve() as address:
        start_up = perf_counter() - start
        sections["Pages"] = pages.measure(address, start_up)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            facts = machine(browser.version, load)
            sections["Weight"] = weight.measure(browser, address)
            sections["From a move of the slider to the painted frame"] = ticks.measure(browser, address)
            browser.close()
    return facts, sections


def main() -> int:
    """Run the benchmark."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ended from outside: end what was started
    start = perf_counter()
    try:
        facts, sections = measure()
    except pytest.fail.Exception as failed:  # how `serve` says that a server did not start
        sys.exit(str(failed))
    missed = [row.what for rows in sections.values() for row in rows if row.met is False]
    print(facts, render(sections), "", sep="\n")
    print(f"Measured in {perf_counter() - start:.0f} s.", "Every limit is met." if not missed else "")
    if missed:
        print(f"Missed: {'; '.join(missed)}.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
