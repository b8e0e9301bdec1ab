"""The command line: what it offers, and what it says when something cannot be done."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import app
from helpers import ROOT
from helpers.app import SECONDS, program, run, started, wait_until_it_hears
from helpers.prose import Page
from lessons import load_all
from lessons.press.options import FIELDS, flag, options
from lessons.press.site import Site


def test_help_shows_what_can_be_chosen():
    done = run("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for word in (
        "export",
        "127.0.0.1",
        "5006",
        "NAME[:PORT]",
        "LORA_PORT=80",
        "--config",
        *map(flag, FIELDS),
    ):
        assert word in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the threads of a process")
def test_numpy_computes_with_one_thread():
    """Several wait for each other where another program is busy; on one core there is one in any case."""
    code = (
        "import app, os, numpy; a = numpy.ones((400, 400)); a @ a; print(len(os.listdir('/proc/self/task')))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


def test_every_option_is_explained():
    told = "".join(app.command_line().format_help().split())  # lines also end within a word
    for field in FIELDS.values():
        assert "".join(field.metadata["told"].split()) in told


def test_a_refusal_comes_before_the_port_opens(tmp_path, monkeypatch):
    for value in ("rank", "1,2"):
        monkeypatch.setenv("LORA_PORT", value)
        done = run()
        assert (done.returncode, done.stdout) == (2, "")
        assert "LORA_PORT: " in done.stderr
        assert "Traceback" not in done.stderr
    monkeypatch.delenv("LORA_PORT")
    file = tmp_path / "lora.toml"
    file.write_text("colour = 'red'", encoding="utf-8")
    done = run("--config", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{file}: there is no option 'colour'. There are: address, port, " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("publish",), "invalid choice: 'publish'"),
        (("export",), "required: DIR"),
        (("--port", "rank"), "'rank' is no port; 1 to 65535 are, and 0 for any free one."),
        (("--port", "65536"), "'65536' is no port"),
        (("--port", "-1"), "port"),
        (("--port", "9" * 5000), "is no port"),
        (("--allow-origin", "http://lora.example"), "is no NAME or NAME:PORT"),
        (("--allow-origin", "a b"), "is no NAME or NAME:PORT"),
        (("--allow-origin", ""), "is no NAME or NAME:PORT"),
        (("--colour",), "unrecognized arguments: --colour"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_is_not_understood_is_said(arguments, said, capsys):
    with pytest.raises(SystemExit) as ended:
        app.main(list(arguments))
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_names_of_readers_are_taken():
    given = app.command_line().parse_args(
        ["--allow-origin", "lora.example", "--allow-origin", "a.example:443"]
    )
    assert given.command is None
    assert options(vars(given), {}).allow_origin == ("lora.example", "a.example:443")


def test_a_port_in_use_is_said():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run("--port", str(port))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"Cannot listen on 127.0.0.1, port {port}: Address already in use. Choose another port with --port.\n"
    )


def test_an_export_into_a_file_is_said(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    for folder in (file, file / "inside"):
        with pytest.raises(SystemExit) as ended:
            app.main(["export", str(folder)])
        assert str(ended.value.code).startswith(f"The site cannot be written to {folder}: ")
    assert file.read_text(encoding="utf-8") == "mine"


FEW = ("cite.html", "embed.js", "assets/kit.js", "assets/lora.css", "embed/customers/storage.html")


def test_an_export_can_be_done_from_anywhere_and_again(tmp_path, monkeypatch, capsys):
    """Of a few files of each kind; the fixture `exported` writes them all."""
    paths = Site._paths
    monkeypatch.setattr(
        Site, "_paths", lambda self: {path: made for path, made in paths(self).items() if path in FEW}
    )
    monkeypatch.chdir(tmp_path)
    said, written = [], []
    for _ in range(2):
        app.main(["export", "site folder"])
        said.append(capsys.readouterr().out)
        written.append([(tmp_path / "site folder" / path).read_bytes() for path in FEW])
    assert said[0] == said[1]
    assert written[0] == written[1]
    assert all(written[0])
    assert str(Path("site folder", "index.html")) in said[0]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a program hears a signal")
@pytest.mark.parametrize(
    ("number", "seconds"),
    [
        (signal.SIGINT, 0.0),
        (signal.SIGTERM, 0.0),
        (signal.SIGTERM, 0.3),
        (signal.SIGINT, 0.6),
        (signal.SIGTERM, 1.2),
    ],
)
def test_told_while_it_starts_it_ends_quietly(tmp_path, number, seconds):
    """From its first moment to its last: while it loads, when it listens, before its loop runs."""
    log = tmp_path / "log.txt"
    with started(log, "app.py") as process:
        wait_until_it_hears(process)
        time.sleep(seconds)  # whatever it does by then, the outcome is the same
        process.send_signal(number)
        assert process.wait(SECONDS) == 0
    assert re.fullmatch(r"(LoRA, live: http://127\.0\.0\.1:\d+/\n)?", log.read_text(encoding="utf-8"))


def test_a_slip_in_the_environment_is_named_and_told_to_end_it_ends_quietly(tmp_path, monkeypatch):
    monkeypatch.setenv("LORA_TRSUT", "127.0.0.1")
    with program(tmp_path / "log.txt", "app.py") as served:
        assert served.ask("/embed.js").status == 200
        served.process.terminate()
        assert served.process.wait(SECONDS) == 0
    slip, address = served.printed().splitlines()
    assert slip == "LORA_TRSUT is none of the options and changes nothing; --help lists them."
    assert address == f"LoRA, live: http://127.0.0.1:{served.port}/"


def test_on_all_addresses_it_says_how_others_come_in_and_ctrl_c_ends_it_quietly(tmp_path):
    with program(tmp_path / "log.txt", "app.py", "--address", "0.0.0.0") as served:
        assert served.ask("/embed.js").status == 200
        said = served.printed()
        assert served.interrupt() == 0
    assert served.printed() == said
    assert f"http://localhost:{served.port}/" in said
    assert "--allow-origin NAME:PORT" in said


def test_panel_serves_the_same_lesson(tmp_path):
    lesson = load_all()[0]
    prose = "\n".join(lesson.texts())
    with program(tmp_path / "log.txt", "-m", "panel", "serve", "app.py") as served:
        for path in ("/app", f"/app?lesson={lesson.slug}", "/app?lesson=%3Cscript%3Enope", "/app?lesson=%ff"):
            reply = served.ask(path)
            assert reply.status == 200
            text = Page(reply.body.decode()).text()
            assert lesson.question in text
            assert all(heading in text for heading in re.findall(r"^## (.*)$", prose, re.MULTILINE))
            assert b"nope" not in reply.body
        served.interrupt()
    assert "Traceback" not in served.printed()
