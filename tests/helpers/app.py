"""Run the app as a program, keep what it prints, and ask it things a browser would not ask."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from helpers import ROOT

ADDRESS = re.compile(r"http://(?:127\.0\.0\.1|localhost):(\d+)")
SECONDS = 60  # to start; Panel is loaded in one of them on an idle machine


class Reply(NamedTuple):
    """An answer, with the names of its headers in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes


class Served:
    """A running program: its port, its process, and what it has printed so far."""

    def __init__(self, port: int, process: subprocess.Popen, log: Path):
        self.port, self.process, self._log = port, process, log

    def printed(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def ask(self, path: str, method: str = "GET", **headers: str) -> Reply:
        """Ask for a path exactly as it is spelled; no client tidies it up."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            if method == "POST":
                connection.putheader("Content-Length", "0")
            connection.endheaders()
            reply = connection.getresponse()
            pairs = reply.getheaders()
            names = [
                name.lower() for name, _ in pairs if name != "Server"
            ]  # Caddy names itself beside the app
            assert len(set(names)) == len(names), f"a header is there twice: {names}"
            return Reply(reply.status, {name.lower(): value for name, value in pairs}, reply.read())

    def websocket(self, path: str, origin: str | None, *protocols: str, messages: Sequence[str] = ()) -> str:
        """Ask for a websocket as a page from some origin would; return the status and the start of what follows.

        Messages are sent then, as text, and whatever the server makes of them is waited for a while.
        """
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            *([f"Origin: {origin}"] if origin else []),
            *([f"Sec-WebSocket-Protocol: {', '.join(protocols)}"] if protocols else []),
        ]
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            said = b""
            while b"ACK" not in said and (said.startswith(b"HTTP/1.1 101") or b"\r\n\r\n" not in said):
                more = connection.recv(4096)
                if not more:
                    break
                said += more
            for text in messages:
                data = text.encode()
                size = bytes([128 + len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
                connection.sendall(b"\x81" + size + bytes(4) + data)  # a mask of zeros changes nothing
            time.sleep(1 if messages else 0)
        return said.decode("utf-8", "replace")

    def interrupt(self) -> int:
        """Press Ctrl-C and return how the program ended."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(SECONDS)


@contextlib.contextmanager
def started(
    log: Path, *command: str, cwd: Path = ROOT, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen]:
    """Start a program of ours on any free port, and end it in the end."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("BOKEH_", "PANEL_"))
    } | (environment or {})
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [sys.executable, "-u", *command, "--port", "0"],
            cwd=cwd,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            preexec_fn=_hear_ctrl_c,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def program(log: Path, *command: str, **about: Any) -> Iterator[Served]:
    """Run a program of ours until it says where it listens, and end it in the end."""
    with started(log, *command, **about) as process:
        yield Served(port_told(process, log), process, log)


@contextlib.contextmanager
def serve(*command: str) -> Iterator[str]:
    """Run `python app.py`, or another program of ours, while the context lasts; give its address."""
    with (
        tempfile.TemporaryDirectory() as folder,
        program(Path(folder, "log"), *(command or ["app.py"])) as served,
    ):
        yield f"http://127.0.0.1:{served.port}"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that one process has at a time; it is let go also where the process is killed."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def shared(folder: Path, *command: str) -> Iterator[str]:
    """Run `python app.py`, or another program of ours, once for all processes that share a folder.

    The one that began it ends it, when the others have left.
    """
    lock, told = folder / "server.lock", folder / "server.address"
    with contextlib.ExitStack() as begun, (folder / "server.users").open("w") as users:
        with locked(lock):
            mine = not told.exists()
            if mine:
                told.write_text(begun.enter_context(serve(*command)), encoding="utf-8")
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield told.read_text(encoding="utf-8")
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)
            if mine:
                with locked(lock):  # whoever comes now begins another
                    fcntl.flock(users, fcntl.LOCK_EX)
                    told.unlink()


def port_told(process: subprocess.Popen, log: Path) -> int:
    """Wait until a program says where it listens; fail with what it said if it does not."""
    end = time.monotonic() + SECONDS
    while True:
        ended = process.poll()
        said = log.read_text(encoding="utf-8", errors="replace")
        if told := ADDRESS.search(said):
            return int(told[1])
        if ended is not None or time.monotonic() > end:
            state = "is still silent" if ended is None else f"ended ({ended})"
            pytest.fail(f"{process.args} {state}; it said:\n{said}", pytrace=False)
        time.sleep(0.02)


def wait_until_it_hears(process: subprocess.Popen) -> None:
    """Wait until a program has a handler for SIGTERM, which Python by itself has not: Linux tells."""
    end, status = time.monotonic() + SECONDS, Path(f"/proc/{process.pid}/status")
    while time.monotonic() < end and process.poll() is None:
        caught = re.search(r"SigCgt:\s*(\w+)", status.read_text(encoding="utf-8"))
        if caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
    pytest.fail(f"{process.args} never heard a signal", pytrace=False)


def _hear_ctrl_c() -> None:
    """Let a program hear Ctrl-C also where the tests run in the background of a shell, which makes them deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(*arguments: str, seconds: float = 60, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    """Run the app's command to its end."""
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py"), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
