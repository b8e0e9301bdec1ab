"""What readers of the live lab wait for and cost, and what the readers of a lesson notice of them."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from time import perf_counter, sleep
from typing import Any

import psutil
from playwright.sync_api import Browser, Page, expect

from helpers.app import serve
from tests.bench import HERE, pages, ticks
from tests.bench.pages import LESSON, MB
from tests.bench.reader import LAB, Reader, loop
from tests.bench.table import Row, at_most, percentile
from tests.bench.training import READERS, spent, workers
from widgets.live.watched import EVERY

OPENINGS = 5
TURNS = 3  # without and with training, one after the other
BLOCKS = 4  # of ticks in a turn
LOADS = 400  # in a turn
STILL = 0.5  # seconds without work, after which the workers are idle
SESSIONS = 50
FORGOTTEN = 35  # seconds after which the server has forgotten a page that was closed
PATIENCE_MS = 60_000

Wait = Callable[[Any], Any]


def loads_torch(process: psutil.Process) -> bool:
    """Say whether a process has torch in its memory. Only Linux tells."""
    return any("libtorch" in part.path for part in process.memory_maps())


def first_point(page: Page, seed: int) -> float:
    """Press Train; return the seconds until the first point of a curve is painted."""
    expect(page.get_by_text("Runs are computed on")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_text("More settings", exact=True).click()
    page.get_by_label("Seed", exact=True).fill(str(seed))
    page.evaluate("watchFirstPoint()")
    page.get_by_role("button", name="Train", exact=True).click()
    taken = page.evaluate("benchFirstPoint") / 1000
    page.get_by_role("button", name="Stop", exact=True).click()
    return taken


def first_points(browser: Browser, address: str, process: psutil.Process) -> Row:
    """Return the line about the first point, on a server that has a worker ready and trains nothing."""
    taken = []
    for seed in range(1, OPENINGS + 1):
        context = browser.new_context()
        page = context.new_page()
        page.add_init_script(path=HERE / "first_point.js")
        page.goto(address + LAB)
        taken.append(first_point(page, seed))
        context.close()
        rest(process)
    told = ", ".join(f"{each:.2f}" for each in taken)
    return at_most(
        "from Train to the first painted point, warm",
        percentile(taken, 0.5),
        1,
        "{:.2f} s",
        f" (each: {told})",
    )


def crowd(
    address: str, process: psutil.Process, wait: Wait, readers: int, seed: int
) -> tuple[list[Reader], float, float]:
    """Have readers watch one run to its end; return them, still there, how long it took, and what a tick cost.

    A tick is what the server computes from one picture of the growing run to the next, for all readers together.
    """

    async def watch() -> tuple[list[Reader], float]:
        there = [await Reader.open(address) for _ in range(readers)]
        busy, pressed = spent(process), perf_counter()
        await asyncio.gather(*(each.press("train", "finished:", method="lora", seed=seed) for each in there))
        return there, (spent(process) - busy) * EVERY / (perf_counter() - pressed)

    start = perf_counter()
    there, tick = wait(watch())
    return there, perf_counter() - start, tick


def memory(address: str, process: psutil.Process, wait: Wait) -> Iterator[Row]:
    """Yield the lines about what a reader who watches costs the server."""
    there, alone, tick = crowd(address, process, wait, 1, READERS)
    for each in there:
        wait(each.leave())
    before, busy = process.memory_info().rss, spent(process)
    there, together, ticks = crowd(address, process, wait, READERS, READERS + 1)
    grown = (process.memory_info().rss - before) / READERS
    busy = (spent(process) - busy) / READERS
    for each in there:
        wait(each.leave())
    yield at_most(f"memory for each of {READERS} readers of one run", grown / MB, 2, "{:.2f} MB")
    yield Row(
        f"from opening the lab to the end of the run, {READERS} readers",
        f"{together:.1f} s (one reader: {alone:.1f} s), {busy:.2f} s of the server's processor time a reader",
    )
    yield Row(
        f"the server's processor time from one picture to the next, {READERS} readers",
        f"{1000 * ticks:.0f} ms (one reader: {1000 * tick:.0f} ms)",
    )


def returned(address: str, process: psutil.Process, wait: Wait) -> Row:
    """Return the line about what live parts leave behind when they are closed, beyond what the first ones did."""

    async def opened() -> None:
        there = [await Reader.open(address) for _ in range(SESSIONS)]
        await asyncio.gather(*(each.leave() for each in there))

    after = []
    for _ in range(2):
        wait(opened())
        sleep(FORGOTTEN)
        after.append(process.memory_info().rss / MB)
    return at_most(
        f"memory that {SESSIONS} live parts leave behind, opened and closed a second time",
        after[1] - after[0],
        10,
        "{:.1f} MB",
    )


def rest(process: psutil.Process) -> None:
    """Wait until no worker computes."""
    before = -1.0
    while (now := spent(*workers(process))) > before:
        before = now
        sleep(STILL)


def quiet(browser: Browser, address: str, process: psutil.Process, wait: Wait) -> Iterator[Row]:
    """Yield the lines about a reader of a lesson while four runs are trained: two readers, two methods each."""
    figure = ticks.watch(browser, "ours", f"{address}/embed/rank/rank.html?guess=skip", 32)
    there = [wait(Reader.open(address)) for _ in range(2)]
    seeds = count(100)
    taken: dict[bool, list[float]] = {False: [], True: []}  # by whether four runs are trained
    loads: dict[bool, list[float]] = {False: [], True: []}
    with pages.client(address) as connection:
        for training in [False, True] * TURNS:
            rest(process)
            for each in there if training else ():
                words = "tokens a second" if each is there[0] else ""  # the other may wait in the queue
                wait(each.press("train", words, steps=2000, seed=next(seeds)))
            figure.taken.clear()
            for _ in range(BLOCKS):
                ticks.take(figure)
            taken[training] += figure.taken
            loads[training] += [1 / pages.per_second(connection, LESSON, 1) for _ in range(LOADS)]
            for each in there if training else ():
                wait(each.press("stop"))
    figure.page.context.close()
    for each in there:
        wait(each.leave())
    median = {training: percentile(values, 0.5) for training, values in taken.items()}
    load = {training: 1000 * percentile(values, 0.5) for training, values in loads.items()}
    slow = {training: 1000 * percentile(values, 0.95) for training, values in loads.items()}
    yield at_most(
        "slider tick while four runs train / idle, median",
        median[True] / median[False],
        1.5,
        "{:.2f} ×",
        f" ({median[True]:.1f} ms, idle {median[False]:.1f} ms)",
    )
    yield at_most(
        "load of a lesson page while four runs train / idle, median",
        load[True] / load[False],
        2,
        "{:.2f} ×",
        f" ({load[True]:.2f} ms, idle {load[False]:.2f} ms; 95th percentile {slow[True]:.1f} and {slow[False]:.1f} ms)",
    )


def measure(browser: Browser) -> Iterator[Row]:
    """Yield the lines about readers, from a server of their own that nobody has asked for a run."""
    with serve() as address, loop() as wait:
        process = pages.server_process(address)
        page = browser.new_page()
        page.goto(address + LESSON, wait_until="networkidle")
        page.close()
        torch = [loads_torch(process)]
        yield first_points(browser, address, process)
        yield returned(address, process, wait)
        yield from memory(address, process, wait)
        yield from quiet(browser, address, process, wait)
        torch.append(loads_torch(process))
        told = ["yes" if each else "no" for each in torch]
        yield Row(
            "torch in the server's memory",
            f"after a lesson page: {told[0]}, after many runs: {told[1]}",
            "no",
            not any(torch),
        )
