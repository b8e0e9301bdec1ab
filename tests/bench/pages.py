"""What a reader costs the server: loads of a lesson page beside Panel sessions, memory, start-up."""

import http.client
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import perf_counter
from urllib.parse import urlsplit

import psutil

from helpers.app import ADDRESS, serve
from tests.bench import ROOT
from tests.bench.table import Row, at_least, at_most, percentile

LESSON = "/lesson/rank.html"
SESSION = "/app"  # the same lesson as a Panel session
LOADS = 1000
WARM_UP = 100
STARTS = 3
SESSIONS = 12
MB = 1e6


@contextmanager
def client(address: str) -> Iterator[http.client.HTTPConnection]:
    """Hold one connection to the server."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    try:
        yield connection
    finally:
        connection.close()


def load(connection: http.client.HTTPConnection, path: str) -> None:
    """Load one HTML document as a browser asks for it."""
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200 or not body:
        raise RuntimeError(f"{path} answered {answer.status} with {len(body)} bytes")


def per_second(connection: http.client.HTTPConnection, path: str, count: int) -> float:
    """Return how many loads of a document a second gives, one after the other."""
    start = perf_counter()
    for _ in range(count):
        load(connection, path)
    return count / (perf_counter() - start)


def server_process(address: str) -> psutil.Process:
    """Return the process of ours that listens at the address."""
    port = urlsplit(address).port
    for process in psutil.Process().children(recursive=True):
        if any(
            at.status == psutil.CONN_LISTEN and at.laddr.port == port
            for at in process.net_connections(kind="tcp")
        ):
            return process
    raise RuntimeError(f"no process of this benchmark listens on port {port}")


def made() -> float:
    """Return how long `make serve` takes until it prints the address; what it installs is there."""
    start = perf_counter()
    command = ["make", "--old-file=.venv/.installed-app", "serve", "ARGS=--port 0"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            if not any(ADDRESS.search(said) for said in process.stdout):
                raise RuntimeError("make serve ended without an address")
            return perf_counter() - start
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)  # make, its shell and the app


def measure(address: str, start_up: float) -> list[Row]:
    """Return the lines about the server at `address`, which took `start_up` seconds to print it."""
    starts = [made() for _ in range(STARTS)]
    process = server_process(address)
    with client(address) as connection:
        per_second(connection, LESSON, WARM_UP)
        before = process.memory_info().rss
        lesson = per_second(connection, LESSON, LOADS)
        growth = process.memory_info().rss - before
    with serve("-m", "panel", "serve", "app.py") as panel, client(panel) as connection:
        per_second(connection, SESSION, 2)
        process = server_process(panel)
        before, busy = process.memory_info().rss, sum(process.cpu_times()[:2])
        session = per_second(connection, SESSION, SESSIONS)
        kept = (process.memory_info().rss - before) / SESSIONS
        busy = (sum(process.cpu_times()[:2]) - busy) / SESSIONS
    return [
        at_most("make serve until it prints the address", percentile(starts, 0.5), 3, "{:.1f} s"),
        at_most("python app.py until it prints the address", start_up, 3, "{:.1f} s"),
        Row("lesson page", f"{lesson:,.0f} loads a second"),
        Row(
            "the same lesson as a Panel session (HTML only)",
            f"{session:.1f} loads a second; each {busy:.2f} s of processor, {kept / MB:+.1f} MB",
        ),
        at_least("lesson page / Panel session", lesson / session, 100, "{:,.0f} ×"),
        at_most(f"memory of the server after {LOADS:,} more loads", growth / MB, 2, "{:+.2f} MB"),
    ]
