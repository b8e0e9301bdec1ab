"""Behind a proxy: the README's configurations, with the proxies themselves where they are installed."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine
from tornado.websocket import websocket_connect

from helpers import ROOT
from helpers.app import Served, program
from helpers.site import served
from lessons.press.proxies import TOLD_BY_PROXIES, Proxies

SITE = served()
LIVE = "/live/lab/train"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def shown(language: str) -> list[str]:
    """Return the blocks of a language that the README shows."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def nginx(folder: Path, port: int, app: int) -> list[str]:
    """Write nginx's configuration around the README's."""
    location, connection = shown("nginx")
    server = f"server {{ listen 127.0.0.1:{port}; {location.replace('5006', str(app))} }}"
    temporary = " ".join(
        f"{name}_temp_path {folder};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    written = f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
    written += f"http {{ access_log off; {temporary} {connection} {server} }}"
    (folder / "nginx.conf").write_text(written, encoding="utf-8")
    return ["nginx", "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"]


def caddy(folder: Path, port: int, app: int) -> list[str]:
    """Write the README's Caddyfile, without TLS."""
    [written] = shown("caddy")
    written = written.replace("your-site.example", f"http://127.0.0.1:{port}").replace("5006", str(app))
    (folder / "Caddyfile").write_text(f"{{\nadmin off\n}}\n{written}", encoding="utf-8")
    return ["caddy", "run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"]


def jupyterhub(folder: Path, port: int, app: int) -> list[str]:
    """Return JupyterHub's own proxy, with one route, as the hub would set it."""
    options = f"--ip 127.0.0.1 --port {port} --api-ip 127.0.0.1 --api-port {free_port()}"
    return ["configurable-http-proxy", *options.split(), "--default-target", f"http://127.0.0.1:{app}"]


PROXIES = {"nginx": nginx, "caddy": caddy, "configurable-http-proxy": jupyterhub}


@pytest.fixture(scope="module", params=PROXIES)
def behind(request, tmp_path_factory) -> Iterator[Served]:
    """Serve the app behind a proxy; what is asked goes through it."""
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed here")
    folder, port = tmp_path_factory.mktemp("proxy"), free_port()
    command = ["app.py", "--prefix", "/lora", "--allow-origin", f"127.0.0.1:{port}", "--trust", "127.0.0.1"]
    with program(folder / "log.txt", *command) as app:
        proxy = PROXIES[request.param](folder, port, app.port)
        homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        with (folder / "proxy.txt").open("wb") as out:
            process = subprocess.Popen(proxy, stdout=out, stderr=out, env=os.environ | homes)
        try:
            wait_until_it_listens(port, process, folder / "proxy.txt")
            yield Served(port, process, folder / "log.txt")
        finally:
            process.terminate()
            process.wait(30)
    assert "Traceback" not in app.printed()


def wait_until_it_listens(port: int, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    pytest.fail(log.read_text(encoding="utf-8", errors="replace"), pytrace=False)


@pytest.mark.parametrize("path", ["index.html", "lesson/lab.html", "assets/lora.css", "embed.js"])
def test_pages_come_through_a_proxy(behind, path):
    assert behind.ask(f"/lora/{path}").body == SITE.read(path)


def test_where_nothing_is_links_stay_below_the_prefix(behind):
    lost = behind.ask("/lora/nope").body.decode()
    assert 'href="/lora/index.html"' in lost
    assert not re.search(r'(?:href|src)="/(?!lora/)', lost)
    assert behind.ask("/lora/arrays/nope").body == b"Nothing is here."


def test_all_that_a_live_part_loads_comes_through(behind):
    page = behind.ask(f"/lora{LIVE}").body.decode()
    scripts = re.findall(r'src="(\.\./[^"]+)"', page)
    assert scripts
    for each in scripts:
        reply = behind.ask(os.path.normpath(f"/lora/live/lab/{each}"))
        assert (reply.status, bool(reply.body)) == (200, True), each
    assert not re.search(r'(?:href|src)="/', page), "nothing is asked for beside the prefix"


@pytest.mark.parametrize(
    ("origin", "opens"), [("http://127.0.0.1:{port}", True), ("http://evil.example", False)]
)
def test_a_websocket_comes_through_for_our_own_pages(behind, origin, opens):
    token = re.search(r'"token":"([^"]+)"', behind.ask(f"/lora{LIVE}").body.decode())[1]
    said = behind.websocket(f"/lora{LIVE}/ws", origin.format(port=behind.port), "bokeh", token)
    assert said.startswith("HTTP/1.1 101 " if opens else "HTTP/1.1 403 ")
    assert ("ACK" in said) == opens


async def told_by_a_room(port: int) -> str:
    """Open a room for a class; return what its teacher is told first."""
    socket = await websocket_connect(f"ws://127.0.0.1:{port}/lora/room/ws")
    await socket.write_message('{"at": "http://your-site.example/lora/room.html", "open": true}')
    said = await asyncio.wait_for(socket.read_message(), 30)
    socket.close()
    while await socket.read_message() is not None:
        pass
    return said


def test_a_room_is_reached_through_a_proxy(behind):
    assert '"welcome"' in asyncio.run(told_by_a_room(behind.port))


def test_the_prefix_alone_leads_to_the_start_page(tmp_path):
    with program(tmp_path / "log.txt", "app.py", "--prefix", "/lora/") as app:
        assert '"welcome"' in asyncio.run(told_by_a_room(app.port)), "nor does a room stand elsewhere"
        assert app.printed().startswith(f"LoRA, live: http://127.0.0.1:{app.port}/lora/\n")
        reply = app.ask("/lora")
        assert (reply.status, reply.headers["location"]) == (302, "lora/")
        assert app.ask("/").status == app.ask("/lesson/lab.html").status == 404


def test_a_name_with_the_port_of_https_is_a_name_as_browsers_send_it(tmp_path):
    with program(tmp_path / "log.txt", "app.py", "--allow-origin", "lora.example:443") as app:
        token = re.search(r'"token":"([^"]+)"', app.ask(LIVE).body.decode())[1]
        assert "ACK" in app.websocket(f"{LIVE}/ws", "https://lora.example", "bokeh", token)


class Seen(HTTPMessageDelegate):
    """Stands for the app: keeps what each request looked like to it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict]] = []

    def start_request(self, server_conn, request_conn):
        self.context = request_conn.context
        return self

    def headers_received(self, start_line, headers):
        self.seen.append((self.context.remote_ip, self.context.protocol, dict(headers)))


class Connection:
    """A connection from some peer, with Tornado's context."""

    def __init__(self, peer: str):
        self.context = self
        self.remote_ip = self._orig_remote_ip = peer
        self.protocol = self._orig_protocol = "http"


def asked(peer: str, trusted: str, *headers: dict[str, str]) -> list[tuple[str, str, dict]]:
    """Return what the app sees of requests on one connection."""
    seen, connection = Seen(), Connection(peer)
    proxies = Proxies(seen, [ipaddress.ip_network(each) for each in trusted.split()])
    for each in headers:
        line = RequestStartLine("GET", "/", "HTTP/1.1")
        proxies.start_request(None, connection).headers_received(line, HTTPHeaders(each))
    return seen.seen


CHAINS = [
    ("127.0.0.1", "127.0.0.1", "192.0.2.7", "192.0.2.7"),
    ("127.0.0.1", "127.0.0.1", "6.6.6.6, 192.0.2.7", "192.0.2.7"),  # the first was written by the reader
    ("127.0.0.1", "127.0.0.1 10.0.0.0/8", "6.6.6.6, 192.0.2.7, 10.1.2.3", "192.0.2.7"),
    ("::ffff:127.0.0.1", "127.0.0.1", "192.0.2.7", "192.0.2.7"),
    ("::1", "::1", "2001:db8::7", "2001:db8::7"),
    ("127.0.0.1", "127.0.0.1", "<script>", "127.0.0.1"),
    ("127.0.0.1", "127.0.0.1", "", "127.0.0.1"),
    ("10.1.2.3", "127.0.0.1", "192.0.2.7", "10.1.2.3"),
    ("192.0.2.1", "", "127.0.0.1", "192.0.2.1"),
]


@pytest.mark.parametrize(("peer", "trusted", "chain", "reader"), CHAINS)
def test_the_reader_is_the_last_in_the_chain_that_no_named_proxy_has(peer, trusted, chain, reader):
    [(address, _, _)] = asked(peer, trusted, {"X-Forwarded-For": chain})
    assert address == reader


def test_what_one_request_says_does_not_stay_for_the_next():
    told = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    first, second = asked("127.0.0.1", "127.0.0.1", told, {})
    assert first[:2] == ("192.0.2.7", "https")
    assert second[:2] == ("127.0.0.1", "http")


def test_of_a_peer_that_was_not_named_nothing_is_passed_on(caplog):
    told = dict.fromkeys(TOLD_BY_PROXIES, "https")
    with caplog.at_level(logging.WARNING):
        seen = asked("10.1.2.3", "127.0.0.1", told, told)
    assert [each[:2] for each in seen] == [("10.1.2.3", "http")] * 2
    assert seen[0][2] == {}
    assert [record.getMessage()[:40] for record in caplog.records] == [
        "10.1.2.3 passes on readers' addresses an"
    ]


def test_the_readmes_hub_names_options_that_there_are():
    [config] = shown("python")[-1:]
    hub: dict = {}
    exec(config.replace("c.JupyterHub.services", "services"), hub)
    command = json.loads(json.dumps(hub["services"][0]["command"]))
    assert command[1:4] == ["app.py", "--prefix", "/services/lora"]
