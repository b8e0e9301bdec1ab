"""Run the app as a program, keep what it prints, and ask it things a browser would not ask."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from helpers import ROOT

SECONDS = 60  # to start; Panel is loaded in one of them on an idle machine


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serve(*arguments: str, program: str = "app.py", seconds: float = 60) -> Iterator[str]:
    """Run `python app.py` with the arguments on a free port while the context lasts; give its address.

    The app has `seconds` to print that address; its output is shown when it does not or ends before.
    """
    command = [sys.executable, "-u", program, *arguments]
    port = free_port()
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
            names = [name.lower() for name, _ in pairs]
            assert len(set(names)) == len(names), f"a header is there twice: {names}"
            return Reply(reply.status, {name.lower(): value for name, value in pairs}, reply.read())

    def websocket(self, path: str, origin: str | None, *protocols: str) -> str:
        """Ask for a websocket as a page from some origin would; return the status and the start of what follows."""
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
        return said.decode("utf-8", "replace")

    def interrupt(self) -> int:
        """Press Ctrl-C and return how the program ended."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(SECONDS)


@contextlib.contextmanager
def program(log: Path, *command: str, port: int | None = None, cwd: Path = ROOT) -> Iterator[Served]:
    """Run a program of ours until it listens, and end it in the end; `{port}` in the command is its port."""
    port = port or free_port()
    arguments = [sys.executable, "-u", *(part.format(port=port) for part in command)]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("BOKEH_", "PANEL_"))
    }
    with (
        log.open("wb") as out,
        subprocess.Popen(
            arguments, cwd=cwd, stdout=out, stderr=subprocess.STDOUT, env=environment, preexec_fn=_hear_ctrl_c
        ) as process,
    ):
        served = Served(port, process, log)
        try:
            end = time.monotonic() + SECONDS
            while not _listens(port):
                assert process.poll() is None, f"it ended ({process.returncode}):\n{served.printed()}"
                assert time.monotonic() < end, f"it never listened:\n{served.printed()}"
                time.sleep(0.05)
            yield served
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _hear_ctrl_c() -> None:
    """Let a program hear Ctrl-C also where the tests run in the background of a shell, which makes them deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


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
