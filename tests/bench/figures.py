"""Every figure of every lesson: a move of its slider beside a bare canvas, and what its lesson's page weighs."""

import random
from collections.abc import Iterator

from playwright.sync_api import Browser, Page

from lessons import load_all
from tests.bench import HERE
from tests.bench.table import KB, Row, at_most, percentile
from tests.bench.ticks import FRAME, Watched, opened, take, warmed, watch
from tests.bench.weight import transferred

BLOCKS = 4  # figure and bare canvas take turns
WARM_UP = 20
RANGE = "['min', 'max', 'step'].map((name) => Number(document.querySelector('input[type=range]')[name]))"


def moves(page: Page) -> Iterator[tuple[float, float]]:
    """Yield places of a figure's slider by chance, each another one, and pauses that end anywhere within a frame."""
    rng = random.Random(0)
    low, high, step = page.evaluate(RANGE)
    places = [low + i * step for i in range(round((high - low) / step) + 1)]
    at = places[0]
    while True:
        at = rng.choice([place for place in places if place != at])
        yield at, rng.uniform(0, FRAME)


def ready(browser: Browser, address: str) -> Watched | None:
    """Open a figure and warm it up; None if it has no slider."""
    page = opened(browser, "ours", address)
    if not page.locator("input[type=range]").count():
        page.context.close()
        return None
    return warmed(page, moves(page), WARM_UP)


def measure(browser: Browser, address: str) -> Iterator[Row]:
    """Yield a line for each figure and one for each lesson's page."""
    canvas = f"{(HERE / 'bare_canvas.html').as_uri()}?arrays={address}/arrays/rank/few-patterns-32-0.js"
    bare = watch(browser, "bare", canvas, 32)
    for lesson in load_all():
        sent = transferred(browser, address, f"/lesson/{lesson.slug}.html")
        yield at_most(
            f"lesson “{lesson.title}”, with all it loads", sum(sent.values()) / KB, 150, "{:.0f} kB"
        )
        for name in lesson.figures():
            figure = ready(browser, f"{address}/embed/{lesson.slug}/{name}.html?guess=skip")
            if figure is None:
                yield Row(f"{lesson.slug}/{name}", "no slider")
                continue
            bare.taken.clear()
            for _ in range(BLOCKS):
                take(figure)
                take(bare)
            figure.page.context.close()
            ours, theirs = percentile(figure.taken, 0.5), percentile(bare.taken, 0.5)
            note = f" ({ours:.1f} ms, 95th percentile {percentile(figure.taken, 0.95):.1f} ms)"
            yield at_most(
                f"{lesson.slug}/{name}, median of a tick / bare canvas", ours / theirs, 1.5, "{:.2f} ×", note
            )
    bare.page.context.close()
