"""What a lesson weighs, and how soon it can be read and used."""

import gzip
import html
import re
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from playwright.sync_api import Browser, Page

from lessons import load_all
from lessons.press.blocks import Lesson
from lessons.press.prose import to_html
from tests.bench import HERE, ROOT
from tests.bench.pages import LESSON
from tests.bench.table import KB, Row, at_most, percentile

OPENINGS = 5
START = "/index.html"
SHARED = "/corrections.html"  # a page that loads what all share, and no figure
FIRST, FURTHER = 85, 30  # kB of a lesson with an empty cache, and of one where what all share is there


def transferred(
    browser: Browser,
    address: str,
    path: str = LESSON,
    before: str | None = None,
    then: Callable[[Page], None] = lambda page: None,
) -> dict[str, int]:
    """Return the bytes of each answer for a page, as sent, to a browser that has seen nothing, or another page.

    What is done `then` on the page may ask for more.
    """
    context = browser.new_context()
    page = context.new_page()
    if before:
        page.goto(address + before, wait_until="networkidle")
    devtools = context.new_cdp_session(page)
    names: dict[str, str] = {}
    sizes: dict[str, int] = {}
    devtools.on("Network.responseReceived", lambda e: names.update({e["requestId"]: e["response"]["url"]}))
    devtools.on("Network.loadingFinished", lambda e: sizes.update({e["requestId"]: e["encodedDataLength"]}))
    devtools.send("Network.enable")
    page.goto(address + path, wait_until="networkidle")
    then(page)
    context.close()
    sent = {names[key]: size for key, size in sizes.items() if key in names}
    return {url: size for url, size in sent.items() if url.startswith(address)}


def letters(text: str) -> str:
    """Return a text without white space, which a browser lays out as it likes, and with plain letters in formulas."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def paragraphs(lesson: Lesson) -> list[str]:
    """Return the paragraphs of a lesson's prose as their author wrote them."""
    prose = [to_html(block.text, lesson.claims) for block in lesson.build() if hasattr(block, "text")]
    found = re.findall(r"<p>(.*?)</p>", "".join(prose), flags=re.DOTALL)
    return [letters(html.unescape(re.sub(r"<[^>]*>", "", paragraph))) for paragraph in found]


def readable(browser: Browser, address: str) -> Row:
    """Look whether the prose stands on the page of a browser that runs no script."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + LESSON)
    shown = letters(page.inner_text("main"))
    context.close()
    lesson = next(lesson for lesson in load_all() if f"/lesson/{lesson.slug}.html" == LESSON)
    wanted = paragraphs(lesson)
    there = [paragraph in shown for paragraph in wanted]
    return Row(
        "paragraphs readable without any script",
        f"{sum(there)} of {len(wanted)}, the first and the last {'too' if there[0] and there[-1] else 'NOT'}",
        f"= {len(wanted)}",
        bool(there) and all(there),
    )


def usable(browser: Browser, address: str) -> list[float]:
    """Return, for each opening with an empty cache, the seconds until every instrument has answered its slider."""
    taken = []
    for _ in range(OPENINGS):
        context = browser.new_context()
        page = context.new_page()
        page.add_init_script(path=HERE / "usable.js")
        page.goto(address + LESSON)
        taken.append(page.evaluate("benchUsable") / 1000)
        context.close()
    return taken


def single_files() -> list[Row]:
    """Export the site; return a line for each figure that is one file."""
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        command = [sys.executable, "app.py", "export", folder]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
        taken = perf_counter() - start
        files = {path.name: path.read_bytes() for path in sorted(Path(folder, "file").glob("*.html"))}
    if not files:
        raise RuntimeError("the export has no single-file figures in file/")
    rows = [
        at_most(
            f"file/{name}",
            len(data) / KB,
            900 if b"lora_engine=" in data else 200,  # one that trains has the model in it
            "{:.1f} kB",
            f" ({len(gzip.compress(data)) / KB:.1f} kB gzip)",
        )
        for name, data in files.items()
    ]
    return rows + [Row("python app.py export", f"{taken:.1f} s")]


def measure(browser: Browser, address: str) -> list[Row]:
    """Return the lines about weight."""
    sizes = transferred(browser, address)
    start = sum(transferred(browser, address, START).values())
    further = [
        (lesson.slug, sum(transferred(browser, address, f"/lesson/{lesson.slug}.html", SHARED).values()))
        for lesson in load_all()[1:]
    ]
    parts = ", ".join(f"{url.rsplit('/', 1)[-1]} {size / KB:.1f}" for url, size in sizes.items())
    opened = usable(browser, address)
    return [
        at_most("start page before scrolling, as sent", start / KB, 150, "{:.1f} kB"),
        at_most("first lesson with all it loads, as sent", sum(sizes.values()) / KB, FIRST, "{:.1f} kB"),
        Row("    of which, in kB", parts),
        *(
            at_most(f"further lesson/{slug}.html, as sent", size / KB, FURTHER, "{:.1f} kB")
            for slug, size in further
        ),
        *single_files(),
        readable(browser, address),
        at_most(
            f"every instrument of the lesson usable, cold, median of {OPENINGS}",
            percentile(opened, 0.5),
            0.5,
            "{:.2f} s",
            f" (slowest {max(opened):.2f} s)",
        ),
    ]
