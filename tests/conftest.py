"""Fixtures that several tests share: seeded randomness, a real browser, a served app, an exported site."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helpers import ROOT, find_browser
from helpers.app import locked, shared
from helpers.find_browser import FLAGS
from helpers.spoken import prefix
from helpers.windows import Windows
from widgets.kit.languages import ENGLISH, language, speaking, spoken

if TYPE_CHECKING:
    import numpy as np

# Threads of NumPy and torch that wait for each other beside a browser and a server take six times as long as one
# does. Both read this when they are loaded, so nothing above loads them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

collect_ignore = ["bench"]  # measurements, run by `make bench`


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the browser's tests be run in another language."""
    about = "the language of the pages that tests/browser opens, such as es"
    parser.addoption("--language", default=ENGLISH.code, metavar="CODE", help=about)


def pytest_configure(config: pytest.Config) -> None:
    """Speak the language that was chosen from now on, so that what tests expect is said as their pages say it."""
    with contextlib.ExitStack() as chosen:
        chosen.enter_context(speaking(language(config.getoption("--language"))))
        config.add_cleanup(chosen.pop_all().close)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run files with tests of the browser last: Playwright leaves an event loop running, so asyncio.run fails after it.

    Of these come first those with a long test, so that no process is left with one at the end.
    """
    browsers = {item.path for item in items if "browser" in getattr(item, "fixturenames", ())}
    long = {item.path for item in items if item.get_closest_marker("long")}
    items.sort(key=lambda item: (item.path in browsers, item.path not in long))


@pytest.fixture
def rng() -> np.random.Generator:
    """Give each test the same seeded generator."""
    import numpy as np

    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def brief_evaluations() -> Iterator[None]:
    """Let evaluations in this process read, write and ask little: what they measure is tested on its own."""
    with pytest.MonkeyPatch.context() as patch:
        for name, few in {"VALIDATION": 8, "WRITTEN": 3, "QUESTIONS": 2, "PEOPLE": 8}.items():
            patch.setattr(f"compute.training.loop.{name}", few)
        yield


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """Start the Chromium of find_browser once for all tests."""
    from playwright.sync_api import expect, sync_playwright

    # A chart and five pictures are drawn and measured on two cores that other tests use too.
    expect.set_options(timeout=20_000)
    path = find_browser.installed()
    if path is None:
        pytest.fail(f"{find_browser.MISSING} `make test` installs one where it can.", pytrace=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def windows(browser) -> Windows:
    """Keep the windows that tests open for the tests that follow."""
    return Windows(browser)


@pytest.fixture
def open_page(windows) -> Iterator[Callable]:
    """Open pages that must have nothing to complain about, as Windows.pages says."""
    with windows.pages() as open_page:
        yield open_page


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder that all processes of the session share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def server(common) -> Iterator[str]:
    """Serve the app once for all processes of the session; give the address of its pages without a slash at the end."""
    with shared(common) as address:
        yield address + prefix()


@pytest.fixture(scope="session")
def exported(common) -> Path:
    """Export the site once for all processes of the session; give the folder of its pages."""
    site, written = common / "site", common / "site.written"
    languages = dict.fromkeys([ENGLISH.code, spoken().code])
    with locked(common / "site.lock"):
        if not written.exists():
            command = [sys.executable, "app.py", "export", str(site), "--languages", *languages]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
            if done.returncode != 0:
                pytest.fail(
                    f"python app.py export ended ({done.returncode}); it said:\n{done.stdout}{done.stderr}"
                )
            written.touch()
    return Path(f"{site}{prefix()}")
