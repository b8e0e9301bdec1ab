"""From a move of the slider to the painted frame: our page, a bare canvas and a Panel round trip in one browser."""

import random
from collections.abc import Iterator
from itertools import count, islice
from typing import Any, NamedTuple

from playwright.sync_api import Browser, CDPSession, Page

from helpers.app import serve
from tests.bench import HERE
from tests.bench.table import Row, at_least, at_most, percentile

BLOCKS = 12  # the pages take turns, so that a slow spell of the machine meets them all
TICKS = 25  # in a block
WARM_UP = 60
FRAME = 1000 / 60  # ms
SCREEN = {"width": 1100, "height": 1400}  # the whole figure is in view
READY = {
    "ours": "document.querySelector('figure.instrument.live')",
    "bare": "document.querySelector('body.live')",
    "panel": "globalThis.Bokeh?.documents?.[0]?.is_idle",
}


def moves(high: int) -> Iterator[tuple[float, float]]:
    """Yield ranks by single steps back and forth and by jumps, and pauses that end anywhere within a frame."""
    rng = random.Random(0)
    r = 1
    for i in count(1):
        steps = [s for s in (r - 1, r + 1) if 1 <= s <= high]
        jumps = [s for s in range(1, high + 1) if s != r]
        r = rng.choice(jumps if i % 4 == 0 else steps)
        yield r, rng.uniform(0, FRAME)


class Watched(NamedTuple):
    """One page, the moves that are made on it, and what was measured."""

    page: Page
    devtools: CDPSession
    moves: Iterator[tuple[float, float]]
    taken: list[float]
    work: list[float]


def opened(browser: Browser, name: str, address: str, *scripts: str) -> Page:
    """Open a page, with scripts of ours in it, and wait until it can be moved."""
    page = browser.new_context(viewport=SCREEN).new_page()
    for script in ("harness.js", "panel_driver.js", *scripts):
        page.add_init_script(path=HERE / script)
    page.goto(address)
    page.wait_for_function(READY[name])
    page.wait_for_timeout(300)
    if name == "panel":
        page.evaluate("drivePanel()")
    return page


def warmed(page: Page, places: Iterator[tuple[float, float]], ticks: int) -> Watched:
    """Make an open page ready to be measured."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")
    watched = Watched(page, devtools, places, [], [])
    take(watched, ticks)
    watched.taken.clear()
    watched.work.clear()
    return watched


def watch(browser: Browser, name: str, address: str, high: int) -> Watched:
    """Open a page, make it ready to be measured and warm it up."""
    return warmed(opened(browser, name, address), moves(high), WARM_UP)


def busy(devtools: CDPSession) -> float:
    """Return the seconds that the page's main thread has worked."""
    metrics: list[dict[str, Any]] = devtools.send("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")


def take(watched: Watched, ticks: int = TICKS) -> None:
    """Measure one block of ticks."""
    watched.page.bring_to_front()
    before = busy(watched.devtools)
    watched.taken.extend(
        watched.page.evaluate("(ticks) => measureTicks(ticks)", list(islice(watched.moves, ticks)))
    )
    watched.work.append(1000 * (busy(watched.devtools) - before) / ticks)


def measure(browser: Browser, address: str) -> list[Row]:
    """Return the lines about ticks; `address` is that of the app."""
    bare = (HERE / "bare_canvas.html").as_uri()
    with serve("-m", "panel", "serve", "tests/bench/panel_round_trip.py") as panel:
        pages = {
            "ours": watch(browser, "ours", f"{address}/embed/rank/rank.html?guess=skip", 32),
            "bare": watch(browser, "bare", f"{bare}?arrays={address}/arrays/rank/few-patterns-32-0.js", 32),
            "panel": watch(browser, "panel", f"{panel}/panel_round_trip", 32),
            "large": watch(browser, "ours", f"{address}/embed/rank/rank.html?guess=skip&n=128", 128),
        }
        for _ in range(BLOCKS):
            for watched in pages.values():
                take(watched)
        for watched in pages.values():
            watched.page.context.close()
    return rows(pages)


def rows(pages: dict[str, Watched]) -> list[Row]:
    """Judge what was measured."""
    median = {name: percentile(watched.taken, 0.5) for name, watched in pages.items()}
    high = {name: percentile(watched.taken, 0.95) for name, watched in pages.items()}
    work = {name: percentile(watched.work, 0.5) for name, watched in pages.items()}
    ticks = len(pages["ours"].taken)

    def told(name: str) -> str:
        return f"median {median[name]:.1f} ms, 95th percentile {high[name]:.1f} ms"

    return [
        Row(f"32 × 32, our page, {ticks} ticks", told("ours")),
        Row("32 × 32, bare canvas", told("bare")),
        Row("32 × 32, Panel server round trip", told("panel")),
        at_most("ours / bare canvas, median", median["ours"] / median["bare"], 1.5, "{:.2f} ×"),
        at_most("ours / bare canvas, 95th percentile", high["ours"] / high["bare"], 1.5, "{:.2f} ×"),
        at_least("Panel round trip / ours, median", median["panel"] / median["ours"], 10, "{:.1f} ×"),
        at_most(
            "128 × 128, our page, median",
            median["large"],
            FRAME,
            "{:.1f} ms",
            f" (95th percentile {high['large']:.1f} ms)",
        ),
        Row(
            "main thread at work per tick, without waiting for a frame",
            f"ours {work['ours']:.1f} ms, bare {work['bare']:.1f} ms, 128 × 128 {work['large']:.1f} ms",
        ),
    ]
