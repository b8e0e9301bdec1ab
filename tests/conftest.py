"""Fixtures that several tests share: seeded randomness, a real browser, a served app, an exported site."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

import find_browser

# Torch's threads that wait for each other beside a browser and a server take six times as long as one does.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
HOSTS = ("127.0.0.1", "localhost")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No other host has an address: a page that needs one fails here as it would on a train.
    "--host-resolver-rules=MAP * ~NOTFOUND, " + ", ".join(f"EXCLUDE {host}" for host in HOSTS),
]
collect_ignore = ["bench"]  # measurements, run by `make bench`


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the browser's tests last: Playwright leaves an event loop running, so asyncio.run fails after it."""
    items.sort(key=lambda item: "browser" in getattr(item, "fixturenames", ()))


@pytest.fixture
def rng() -> np.random.Generator:
    """Give each test the same seeded generator."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """Start the Chromium of find_browser once for all tests."""
    from playwright.sync_api import sync_playwright

    path = find_browser.installed()
    if path is None:
        pytest.fail(f"{find_browser.MISSING} `make test` installs one where it can.", pytrace=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


def _is_foreign(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in HOSTS


@pytest.fixture
def open_page(browser) -> Iterator[Callable]:
    """Open pages that must have nothing to complain about.

    `open_page(url, **context_options)` takes an address or a Path and returns Playwright's page, each in a
    context of its own. `page.said` collects what went wrong: errors on the console, uncaught exceptions,
    requests to another host. When the test ends the list must be empty; a test that expects an entry
    asserts on it and calls `page.said.clear()`.
    """
    contexts, pages = [], []

    def open_page(url: str | Path, **context_options):
        context = browser.new_context(**context_options)
        contexts.append(context)
        said: list[str] = []

        def watch_request(kind: str, asked: str) -> None:
            if _is_foreign(asked):
                said.append(f"foreign {kind}: {asked}")

        context.on("request", lambda request: watch_request("request", request.url))
        context.on("weberror", lambda error: said.append(f"uncaught: {error.error}"))
        context.on(
            "console", lambda line: said.append(f"console: {line.text}") if line.type == "error" else None
        )
        context.on(
            "page", lambda new: new.on("websocket", lambda opened: watch_request("websocket", opened.url))
        )
        page = context.new_page()
        page.said = said
        pages.append(page)
        page.goto(url.resolve().as_uri() if isinstance(url, Path) else url)
        return page

    yield open_page
    said = [line for page in pages for line in page.said]
    for context in contexts:
        context.close()
    assert said == [], "a page complained:\n" + "\n".join(said)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serve(*arguments: str, program: str = "app.py", seconds: float = 60) -> Iterator[str]:
    """Run `python app.py` with the arguments on a free port while the context lasts; give its address.

    The app has `seconds` to print that address; its output is shown when it does not or ends before.
    """
    command = [sys.executable, "-u", program, *arguments]
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    printed: list[str] = []
    ready = threading.Event()
    with subprocess.Popen(
        [*command, "--port", str(port), "--address", "127.0.0.1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:

        def listen() -> None:
            for line in process.stdout:
                printed.append(line)
                if address in line:
                    ready.set()

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            end = time.monotonic() + seconds
            while not ready.wait(0.05):
                if process.poll() is not None or time.monotonic() > end:
                    state = "is still silent" if process.poll() is None else f"ended ({process.returncode})"
                    process.kill()
                    listener.join(5)
                    pytest.fail(f"{' '.join(command)} {state}; it said:\n{''.join(printed)}", pytrace=False)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
            listener.join(5)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Serve the app for all tests of the session; give its address without a slash at the end."""
    with serve() as address:
        yield address


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export the site once; give the folder it was written to."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "app.py", "export", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        pytest.fail(f"python app.py export ended ({done.returncode}); it said:\n{done.stdout}{done.stderr}")
    return folder
