"""The fixtures of conftest.py notice what they promise to notice."""

import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from helpers import ROOT
from helpers.app import serve, shared

PAGE = """<!doctype html><html lang="en"><title>t</title><p>text</p><script>{}</script></html>"""
SERVER = """
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
assert sys.argv[1:] == ["--port", "0"]
server = ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
print(f"live: http://127.0.0.1:{server.server_port}/")
server.serve_forever()
"""


@pytest.fixture
def page_with(tmp_path: Path):
    """Write a page that runs the given script."""

    def write(script: str) -> Path:
        path = tmp_path / "page.html"
        path.write_text(PAGE.format(script), encoding="utf-8")
        return path

    return write


def test_a_quiet_page_says_nothing(open_page, page_with):
    page = open_page(page_with("console.log('fine')"), viewport={"width": 390, "height": 800})
    assert page.evaluate("innerWidth") == 390
    assert page.said == []


@pytest.mark.parametrize(
    ("script", "noticed"),
    [
        ("console.error('lost r')", "console: lost r"),
        ("setTimeout(() => { throw new Error('no rank') })", "no rank"),
        ("fetch('https://example.org/x').catch(() => {})", "foreign request: https://example.org/x"),
        ("new WebSocket('wss://example.org/ws')", "foreign websocket: wss://example.org/ws"),
    ],
)
def test_open_page_notices(open_page, page_with, script, noticed):
    page = open_page(page_with(script))
    for _ in range(40):
        if page.said:
            break
        page.wait_for_timeout(50)
    page.wait_for_timeout(100)
    assert any(noticed in line for line in page.said), page.said
    page.said.clear()


def test_a_clock_stays_in_the_window_of_its_page(windows, page_with):
    moves = "async () => { const now = Date.now(); await new Promise(requestAnimationFrame); return Date.now() > now }"
    page = page_with("")
    with windows.pages() as open_page:
        still = open_page(page, alone=True)
        still.clock.install(time=0)
        still.reload()
        still.clock.pause_at(600)
        assert still.evaluate("Date.now()") == 600_000
    with windows.pages() as open_page:
        open_page(page).wait_for_function(moves)


def test_whoever_has_a_clock_is_alone():
    for path in (ROOT / "tests" / "browser").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert text.count(".clock.install(") == text.count("alone=True"), path.name


def test_pages_find_nothing_that_another_left(windows, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(SERVER, encoding="utf-8")
    (tmp_path / "left.html").write_text(PAGE.format(""), encoding="utf-8")
    with serve(str(program)) as address:
        for place in (f"{address}/assets/site/", tmp_path / "left.html"):
            for _ in range(2):
                with windows.pages() as open_page:
                    for page in (open_page(place), open_page(place)):
                        held = "[localStorage.length, sessionStorage.length, document.cookie, window.opener]"
                        assert page.evaluate(held) == [0, 0, "", None]
                        page.evaluate("localStorage.a = sessionStorage.a = document.cookie = 'a=1'")
                        page.said.clear()  # this server has no icon


def test_serve_gives_the_address_and_ends_the_program(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(SERVER, encoding="utf-8")
    with serve(str(program)) as address, urllib.request.urlopen(f"{address}/Makefile") as reply:
        assert reply.status == 200
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address)


def test_serve_shows_what_a_broken_program_said(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("raise SystemExit('the rank is missing')", encoding="utf-8")
    with (
        pytest.raises(pytest.fail.Exception, match=r"(?s)ended \(1\).*the rank is missing"),
        serve(str(program)),
    ):
        pass


def test_a_shared_program_runs_once_and_until_its_last_user_leaves(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(SERVER, encoding="utf-8")
    entered, leave = threading.Event(), threading.Event()

    def begin() -> str:
        with shared(tmp_path, str(program)) as address:
            entered.set()
            leave.wait(60)
        return address

    with ThreadPoolExecutor() as pool:
        beginner = pool.submit(begin)
        entered.wait(60)
        with shared(tmp_path, str(program)) as address:
            leave.set()
            with pytest.raises(TimeoutError):
                beginner.result(0.3)
            with urllib.request.urlopen(f"{address}/Makefile") as reply:
                assert reply.status == 200
        assert beginner.result(60) == address
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address)
