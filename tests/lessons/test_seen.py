"""What an operator sees: health, counters that add up, a log without readers, errors once and uploads never."""

from __future__ import annotations

import logging
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.app import Served, program, run
from lessons.press.seen import _without_readers

LIVE = "/live/lab/train"
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (GET|HEAD|POST) (/[\w./-]*|\(\w+\)) [1-5]\d\d \d+\.\d ms")
SAMPLE = re.compile(r'[a-z_]+(\{[a-z]+="\w+"(,[a-z]+="\w+")*\})? [-+\d.e]+')


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("seen") / "access.txt"


@pytest.fixture(scope="module")
def served(log) -> Iterator[Served]:
    bounds = ["--sessions-each", "3", "--trust", "127.0.0.1"]
    with program(log.with_name("log.txt"), "app.py", "--access-log", str(log), *bounds) as app:
        yield app


def counters(served: Served) -> dict[str, float]:
    text = served.ask("/metrics").body.decode()
    samples = [line for line in text.splitlines() if not line.startswith("# ")]
    assert all(map(SAMPLE.fullmatch, samples)), text
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert {re.split(r"[ {]", line)[0] for line in samples} <= names
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in samples}


def test_it_says_that_it_is_well(served):
    reply = served.ask("/health")
    assert (reply.status, reply.body) == (200, b"well\n")
    assert served.ask("/health", "HEAD").status == 200


def test_counters_count(served):
    before = counters(served)
    for _ in range(3):
        served.ask("/lesson/lab.html")
    served.ask("/lesson/nope.html")
    for _ in range(4):
        served.ask(LIVE)
    after = counters(served)

    def grown(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert grown('lora_answers_total{kind="lesson",status="2xx"}') == 3
    assert grown('lora_answers_total{kind="lesson",status="4xx"}') == 1
    assert (grown("lora_sessions_total"), grown("lora_sessions_open")) == (3, 3)
    assert grown('lora_refusals_total{what="session",bound="address"}') == 1
    assert after["lora_runs_waiting"] == after["lora_runs_running"] == 0
    assert after["lora_rooms_open"] == after["lora_rooms_total"] == after["lora_room_readers"] == 0
    assert after["process_resident_memory_bytes"] > 10**7


def test_the_access_log_names_no_reader(served, log):
    secret = "ada-lovelace"
    served.ask(
        f"/lesson/lab.html?name={secret}",
        X_Forwarded_For="192.0.2.77",
        User_Agent=secret,
        Cookie=f"a={secret}",
    )
    served.ask(f"/{secret}", X_Forwarded_For="192.0.2.77")
    lines: list[str] = []
    while not lines or "(page)" not in lines[-1]:  # a line is written once its answer is on its way
        time.sleep(0.05)
        lines = log.read_text(encoding="utf-8").splitlines()
    assert lines[-2].split()[1:4] == ["GET", "/lesson/lab.html", "200"]
    assert lines[-1].split()[1:4] == ["GET", "(page)", "404"]
    assert all(map(LINE.fullmatch, lines)), lines
    for word in (secret, "192.0.2.77", "127.0.0.1"):
        assert word not in log.read_text(encoding="utf-8") + served.printed().partition("\n")[2]


def test_what_is_sent_to_a_live_part_is_never_logged(served):
    """Bokeh quotes a message that it cannot read, and an exception may quote it, too."""
    secret = "salary-of-ada"
    page = served.ask(LIVE, X_Forwarded_For="192.0.2.5").body.decode()
    token, origin = re.search(r'"token":"([^"]+)"', page)[1], f"http://127.0.0.1:{served.port}"

    header = '{"msgid":"1","msgtype":"PATCH-DOC"}'
    wrong = '{"events":[{"kind":"ModelChanged","model":{"id":"%s"},"attr":"%s","new":"%s"}]}'
    for parts in (
        [header, "{}", wrong % (secret, secret, secret)],
        [secret, secret, secret],
        [header, "{}", f"{{{secret}"],
    ):
        said = served.websocket(f"{LIVE}/ws", origin, "bokeh", token, messages=parts)
        assert "ACK" in said
    said = served.printed()
    assert "error" in said.lower(), "it is said that something failed"
    assert secret not in said


def test_an_error_is_told_without_who_asked_and_what_for():
    try:
        raise ValueError("salary-of-ada")
    except ValueError as error:
        about = (type(error), error, error.__traceback__)
    record = logging.LogRecord(
        "a", logging.ERROR, "", 0, "Uncaught exception %s\n%r", ("GET /?ada (192.0.2.7)", "x"), about
    )
    assert _without_readers(record)
    said = logging.Formatter().format(record)
    assert re.fullmatch(r"Uncaught exception: ValueError at test_seen\.py:\d+ test_an_error_is_told\w+", said)


def test_it_goes_on_answering_when_the_disk_is_full(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has a disk that is always full")
    with program(tmp_path / "log.txt", "app.py", "--access-log", "/dev/full") as app:
        assert [app.ask("/lesson/lab.html").status for _ in range(3)] == [200] * 3
        assert app.ask(LIVE).status == 200
        assert app.printed().count("The access log cannot be written") == 1


def test_operators_may_have_a_port_of_their_own(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with program(tmp_path / "log.txt", "app.py", "--admin-port", str(port), "--access-log", "-") as app:
        assert app.ask("/health").status == app.ask("/metrics").status == 404
        apart = Served(port, app.process, tmp_path / "log.txt")
        assert apart.ask("/health").body == b"well\n"
        assert counters(apart)['lora_answers_total{kind="page",status="4xx"}'] == 2
        assert apart.ask("/lesson/lab.html").status == 404
        assert "GET (page) 404" in app.printed()


def test_a_log_that_cannot_be_opened_is_said_before_the_port_opens(tmp_path):
    done = run("--port", "0", "--access-log", str(tmp_path / "no" / "log.txt"))
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr == f"The access log {tmp_path}/no/log.txt cannot be opened: No such file or directory.\n"
    )
