"""A crowd on the served app: runs that all differ, a full queue, and what is left when everybody has gone."""

import asyncio
import re
from collections.abc import Iterator
from time import perf_counter, sleep
from urllib.request import urlopen

import psutil

from helpers.app import serve
from tests.bench import pages
from tests.bench.pages import LESSON, MB
from tests.bench.reader import Reader, loop
from tests.bench.table import Row, at_least, at_most, percentile
from tests.bench.watching import FORGOTTEN, Wait

READERS = 30  # each with a run of her own
CROWD = 110  # each with two
MOST = 200  # runs that may wait
STEPS = 25  # the shortest run that the form offers
LOADS = 200
LOOK = 0.1  # seconds
GRACE = 10  # seconds in which a run that nobody watches any more may be watched again, and its worker ends
OPTIONS = ["--sessions-each", "200", "--waiting-each", str(MOST)]  # all of them have one address
PLACE = re.compile(r"number (\d+) in the queue")
BEGUN = re.compile(r"step \d+ of|finished:")
UNITS = {"second": 1, "minute": 60}
AGAIN = re.compile(r"is begun in about (\d+) (second|minute)")


def counters(address: str) -> dict[str, float]:
    """Return what /metrics tells, without labels."""
    told = urlopen(f"{address}/metrics", timeout=60).read().decode()
    return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", told, re.MULTILINE)}


def loads(address: str) -> list[float]:
    """Return how long loads of a lesson's page take, one after the other."""
    with pages.client(address) as connection:
        return [1 / pages.per_second(connection, LESSON, 1) for _ in range(LOADS)]


async def opened(address: str, readers: int) -> list[Reader]:
    """Open live parts one after the other."""
    return [await Reader.open(address) for _ in range(readers)]


async def runs_of_their_own(there: list[Reader], seed: int) -> None:
    """Let each reader ask for a run that nobody else has, and wait for its end."""
    asked = (
        each.press("train", "finished:", method="lora", steps=STEPS, seed=seed)
        for seed, each in enumerate(there, start=seed)
    )
    await asyncio.gather(*asked)


def overtaken(there: list[Reader]) -> list[int]:
    """Return how many runs began before each reader's that the queue had not told her of.

    She is told a place; before hers as many runs may begin as stand before it.
    """
    began = [next(at for at, text in each.said if BEGUN.search(text)) for each in there]
    more = []
    for each, begin in zip(there, began, strict=True):
        at, place = next(
            ((at, int(found[1])) for at, text in each.said if (found := PLACE.search(text))), (begin, 1)
        )
        more.append(sum(at < other < begin for other in began) - (place - 1))
    return more


def crowded(address: str, wait: Wait, seeds: int) -> Iterator[Row]:
    """Yield the lines about a queue that is full, and leave it."""
    idle = loads(address)
    there = wait(opened(address, CROWD))
    for seed, each in enumerate(there, start=seeds):
        wait(each.press("train", steps=STEPS, seed=seed))
    while not (refused := refusals(there)):
        sleep(LOOK)
    begun, (heard, told) = counters(address)["lora_runs_begun_total"], min(refused)
    waiting = counters(address)["lora_runs_waiting"]
    while counters(address)["lora_runs_begun_total"] == begun:
        sleep(LOOK)
    began = perf_counter() - heard
    busy = loads(address)
    yield at_least(f"runs that wait when {CROWD} readers ask for two each", waiting, MOST - 10, "{:.0f}")
    yield Row("    of these readers refused, and told when to come again", f"{len(refusals(there))}")
    yield at_most(
        "    until the next run began / the time that the first of them was told",
        began / told,
        1,
        "{:.2f} ×",
        f" ({began:.1f} s, told {told} s)",
    )
    yield at_most(
        "    load of a lesson page then / idle, median",
        percentile(busy, 0.5) / percentile(idle, 0.5),
        2,
        "{:.2f} ×",
        f" ({1000 * percentile(busy, 0.5):.1f} ms, 95th percentile {1000 * percentile(busy, 0.95):.1f} ms)",
    )
    start = perf_counter()
    for each in there:
        wait(each.leave())
    while any(counters(address)[f"lora_runs_{what}"] for what in ("waiting", "running")):
        sleep(LOOK)
    gone = perf_counter() - start
    yield at_most(
        "    from their leaving until no run waits or is computed", gone, FORGOTTEN + GRACE, "{:.1f} s"
    )
    sleep(FORGOTTEN)


def refusals(there: list[Reader]) -> list[tuple[float, int]]:
    """Return when readers heard that the queue is full, and in how many seconds they were told to come again."""
    heard = (((at, AGAIN.search(text)) for at, text in each.said) for each in there)
    first = (next(((at, found) for at, found in each if found), None) for each in heard)
    return [(each[0], int(each[1][1]) * UNITS[each[1][2]]) for each in first if each]


def measure() -> Iterator[Row]:
    """Yield the lines about a crowd."""
    with serve("app.py", *OPTIONS) as address, loop() as wait:
        process: psutil.Process = pages.server_process(address)
        [first] = wait(opened(address, 1))
        wait(runs_of_their_own([first], 999))  # workers have imported
        wait(first.leave())
        there = wait(opened(address, READERS))
        start = perf_counter()
        wait(runs_of_their_own(there, 1000))
        taken = perf_counter() - start
        yield Row(f"{READERS} readers, each with a run of {STEPS} steps of her own", f"{taken:.1f} s")
        # A run of each of the two workers may have left the queue, and not yet have made the step that is heard.
        beyond = max(overtaken(there))
        yield at_most(
            "    runs begun before one's own, beyond those that the queue told", beyond, 2, "{:.0f}"
        )
        for each in there:
            wait(each.leave())
        yield from crowded(address, wait, seeds=2000)
        before = process.memory_info().rss
        yield Row("memory of the server when they have gone", f"{before / MB:.0f} MB")
        for _ in crowded(address, wait, seeds=3000):
            pass
        left = (process.memory_info().rss - before) / MB
        yield at_most("    more when as many have come and gone a second time", left, 30, "{:.1f} MB")
