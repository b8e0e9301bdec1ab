"""Who comes in: places for live parts are bounded, and whoever keeps a connection without using it is cut."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import Iterator

import psutil
import pytest
from tornado.httpclient import HTTPClientError

from helpers.app import Served, program
from lessons import load_all
from lessons.press import doors
from tests.bench.reader import Reader
from widgets.finetune import Finetune

LIVE = "/live/lab/train"
BOUNDS = ["--most-sessions", "6", "--sessions-each", "4", "--most-steps", "100", "--trust", "127.0.0.1"]
# The app with a tenth of its patience, so that a test need not wait for what a reader would.
SILENCE = 3  # seconds
FORGOTTEN = 15  # seconds after which a page that was closed is; all are opened in fewer
HASTY = f"""
import sys
from lessons.press import doors
doors.SILENCE = {SILENCE}
doors.LIMITS |= {{"idle_connection_timeout": {SILENCE}, "body_timeout": 1}}
doors.PING |= {{"check_unused_sessions_milliseconds": 500, "unused_session_lifetime_milliseconds": {1000 * FORGOTTEN}}}
import app
app.main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    with program(tmp_path_factory.mktemp("doors") / "log.txt", "-c", HASTY, *BOUNDS) as app:
        yield app
    assert "Traceback" not in app.printed()


def test_a_request_has_half_a_minute_and_its_body_ten_seconds():
    assert doors.SILENCE == doors.LIMITS["idle_connection_timeout"] == 30
    assert doors.LIMITS["body_timeout"] == 10
    assert doors.PING["websocket_ping_timeout"] < doors.PING["websocket_ping_interval"] == 30


def test_the_lesson_that_needs_no_place_has_the_figure_that_is_named():
    [named] = [lesson for lesson in load_all() if f"“{lesson.title}”" in doors.MEANWHILE]
    [figure] = [figure for figure in named.figures().values() if figure.instrument is Finetune]
    assert f"“{figure.instrument.title}”" in doors.MEANWHILE


def connect(served: Served, text: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=60)
    connection.sendall(text)
    return connection


def cut(connection: socket.socket) -> bool:
    """Return whether the server has closed a connection, once it has said what it had to say."""
    with connection, contextlib.suppress(ConnectionError):
        while connection.recv(2**20):
            pass
    return True


def test_places_are_bounded_for_an_address_and_in_all_and_come_back(served):
    def ask(reader: int):
        return served.ask(LIVE, X_Forwarded_For=f"192.0.2.{reader}")

    before = psutil.Process(served.process.pid).memory_info().rss
    first = [ask(1) for _ in range(5)]
    assert [reply.status for reply in first] == [200] * 4 + [429]
    said = first[-1].body.decode()
    assert "Your network has 4 live parts open, which is as many as may." in said
    assert "trains in your own browser" in said
    assert first[-1].headers["retry-after"] == "60"
    others = [ask(2) for _ in range(3)]
    assert [reply.status for reply in others] == [200] * 2 + [503]
    assert "All 6 places for live parts are taken." in others[-1].body.decode()
    token = re.search(r'"token":"([^"]+)"', first[0].body.decode())[1]
    assert "ACK" in served.websocket(f"{LIVE}/ws", f"http://127.0.0.1:{served.port}", "bokeh", token), (
        "who is in is in"
    )
    assert served.ask("/lesson/lab.html").status == 200, "a page needs no place"
    end = time.monotonic() + 5 * FORGOTTEN
    while ask(3).status != 200:
        assert time.monotonic() < end, "the places never came back"
        time.sleep(0.1)
    assert psutil.Process(served.process.pid).memory_info().rss - before < 60 * 10**6


def test_a_run_has_as_many_steps_as_who_serves_allows(served):
    """Not only the form says so: any program can send what it likes."""

    async def entered() -> Reader:
        end = time.monotonic() + 5 * FORGOTTEN
        while True:
            try:
                return await Reader.open(f"http://127.0.0.1:{served.port}")
            except HTTPClientError as error:  # the places of other tests are not free yet
                if error.code != 503 or time.monotonic() > end:
                    raise
                await asyncio.sleep(0.1)

    async def ask() -> None:
        reader = await entered()
        await reader.press("train", "Steps = 400 is not possible: a whole number from 25 to 100,", steps=400)
        await reader.leave()

    asyncio.run(asyncio.wait_for(ask(), 60))


def test_who_never_finishes_asking_or_takes_nothing_of_an_answer_is_cut_and_disturbs_nobody(served):
    slow = [connect(served, b"GET /lesson/lab.html HTTP/1.1\r\nHost: a\r\n") for _ in range(20)]
    body = connect(served, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc")
    start = time.monotonic()
    with connect(served) as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(40):  # more than the kernel keeps for it
            stalled.sendall(b"GET /static/extensions/panel/panel.min.js HTTP/1.1\r\nHost: a\r\n\r\n")
        assert served.ask("/lesson/lab.html").status == 200
        assert cut(body)
        assert all(map(cut, slow))
        assert 0.6 * SILENCE < time.monotonic() - start < 10 * SILENCE
        while stalled.getsockname()[1] in connected(served):
            assert time.monotonic() - start < 20 * SILENCE, "it is still there"
            time.sleep(0.1)


def connected(served: Served) -> set[int]:
    """Return the ports of those who have a connection to the server."""
    connections = psutil.Process(served.process.pid).net_connections("tcp")
    return {each.raddr.port for each in connections if each.status == psutil.CONN_ESTABLISHED}


@pytest.mark.parametrize(
    "text",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-Many: x\r\n" * 3000 + b"\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n" + b"x" * 200_000,
    ],
    ids=["a long header", "many headers", "a long address", "a large body", "a large body in pieces"],
)
def test_what_is_too_large_is_cut_at_once(served, text):
    start = time.monotonic()
    with contextlib.suppress(ConnectionError):
        assert cut(connect(served, text))
    assert time.monotonic() - start < 10
    assert served.ask("/health").status == 200
