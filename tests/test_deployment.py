"""How it is installed: the image, the service and make's own way, each as far as this machine can try it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import ROOT
from helpers.app import program, run
from helpers.site import published
from lessons.press.options import FIELDS, options
from lessons.press.site import STORED

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
UNIT = ROOT / "deploy" / "lora-live.service"
COPIED = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
ENVIRONMENT = dict(each.split("=") for each in re.findall(r"^ENV (.+)$", DOCKERFILE, re.MULTILINE)[0].split())
HEALTH = json.loads(re.search(r"CMD (\[.+\])", DOCKERFILE)[1])


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    """Copy what the image has of the project, and nothing else."""
    folder = tmp_path_factory.mktemp("image")
    for line in COPIED:
        for name in line.split():
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "node_modules")
                shutil.copytree(ROOT / name, folder / name, ignore=ignored)
            else:
                shutil.copy(ROOT / name, folder)
    return folder


def test_what_the_image_holds_serves_writes_nothing_and_is_found_well(image, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in image.rglob("*")}
    environment = os.environ | ENVIRONMENT | {"LORA_PREFIX": "/lora", "LORA_ADDRESS": "127.0.0.1"}
    with program(tmp_path / "log.txt", "app.py", cwd=image, environment=environment) as app:
        assert app.ask("/lora/lesson/lab.html").status == 200
        assert app.ask("/lora/live/lab/train").status == 200
        told = {"LORA_PORT": str(app.port), "LORA_PREFIX": "/lora"}
        command = [sys.executable, *HEALTH[1:]]
        assert subprocess.run(command, env=os.environ | told, check=False, timeout=30).returncode == 0
        gone = subprocess.run(
            command,
            env=os.environ | told | {"LORA_PREFIX": "/no"},
            capture_output=True,
            check=False,
            timeout=30,
        )
        assert gone.returncode != 0
    assert {path: path.stat().st_mtime_ns for path in image.rglob("*")} == before


def test_the_images_options_are_options():
    chosen = options({}, ENVIRONMENT)
    assert (chosen.address, chosen.port) == ("0.0.0.0", 5006)
    named = re.findall(r"LORA_(\w+):? ?=?", (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
    assert named
    assert {name.lower() for name in named} <= {*FIELDS}


def test_what_is_copied_is_let_through():
    let = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").split() if line[0] == "!"
    }
    assert {name for line in COPIED for name in line.split()} == let


STUB = '#!/bin/sh\necho "$@" >> "$CALLS"\n'


@pytest.mark.parametrize(
    ("torch", "installed"),
    [("cpu", r"--index-url https://\S+/cpu torch==[\d.]+"), ("cuda", "--require-hashes -r torch.lock")],
)
def test_the_image_takes_the_packages_whose_hashes_are_known(tmp_path, torch, installed):
    """Run what the Dockerfile runs, with programs that only write down what they are asked for."""
    [command] = re.findall(r"^RUN (.*?[^\\])$", DOCKERFILE, re.MULTILINE | re.DOTALL)
    told = dict(re.findall(r"^ARG (\w+)=(\S+)$", DOCKERFILE, re.MULTILINE)) | {"TORCH": torch}
    for name in ("python", "pip"):
        (tmp_path / name).write_text(STUB, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    environment = told | {"CALLS": str(tmp_path / "calls"), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = command.replace("/venv/bin/", "")
    subprocess.run(["sh", "-c", command], cwd=ROOT, env=environment, check=True)
    made, app, torch = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert made == "-m venv /venv"
    assert app.endswith(" --no-deps --require-hashes -r app.lock")
    assert re.search(f" --no-deps {installed}$", torch)


@pytest.mark.long
def test_the_image_is_built_and_runs():
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "info"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no Docker runs here")
    if not os.environ.get("LORA_TEST_DOCKER"):
        pytest.skip("it fetches 310 MB: set LORA_TEST_DOCKER=1")
    build = [docker, "build", "-q", "-f", "deploy/Dockerfile", "."]
    name = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    command = [docker, "run", "--rm", "--read-only", "--tmpfs", "/tmp", name, "--help"]
    assert "--prefix" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_service_is_one_that_systemd_takes(tmp_path):
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("no systemd here")
    text = UNIT.read_text(encoding="utf-8").replace("/opt/lora-live/.venv/bin/python", sys.executable)
    unit = tmp_path / UNIT.name
    unit.write_text(text.replace("/opt/lora-live", str(ROOT)), encoding="utf-8")
    done = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if UNIT.name in line] == []


def test_the_service_starts_what_there_is():
    [command] = re.findall(r"^ExecStart=(.+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert run(*shlex.split(command)[3:], "--help").returncode == 0
    assert shlex.split(command)[2] == "app.py"


PIP = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$*" in
*"config list"*) trap '' PIPE; echo "$CONFIG"; sleep 0.2; echo "global.timeout='60'" ;; # a pipe shut early is an error
*--index-url*) exit "$FAILS" ;;
esac
"""


@pytest.mark.parametrize(
    ("config", "gpu", "fails", "said", "asked"),
    [
        ("", False, "0", "There is no NVIDIA GPU: PyTorch comes without CUDA", True),
        ("", False, "1", "That index did not give it.", True),
        ("", True, "0", "There is an NVIDIA GPU: PyTorch comes with CUDA", False),
        (":env:.index-url='https://mirror.example/simple'", False, "0", "that pip is configured for", False),
        ("global.no-index='true'", False, "0", "that pip is configured for", False),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's PyTorch has CUDA")
def test_make_says_how_much_it_fetches_and_takes_no_cuda_without_a_gpu(
    tmp_path, config, gpu, fails, said, asked
):
    if not gpu and (shutil.which("nvidia-smi") or Path("/proc/driver/nvidia/version").exists()):
        pytest.skip("there is a GPU here")
    for name in ("Makefile", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "nvidia-smi") if gpu else ("python",):
        (programs / name).write_text(PIP, encoding="utf-8")
        (programs / name).chmod(0o755)
    calls = tmp_path / "calls"
    environment = os.environ | {"CALLS": str(calls), "CONFIG": config, "FAILS": fails}
    environment["PATH"] += f":{programs}"
    command = ["make", ".venv/.installed-app"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
    assert re.search(r"about 310 MB|some GB", done.stdout, re.IGNORECASE)
    pip = [line for line in calls.read_text(encoding="utf-8").splitlines() if " install " in line]
    assert pip[-1].endswith("-r requirements.txt")
    pinned = re.search(
        r"^torch==[\d.]+", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE
    )[0]
    assert (pinned in pip[0], len(pip)) == ((True, 2) if asked else (False, 1))


def test_the_page_of_what_is_stored_names_all_that_scripts_store():
    said = " ".join(name for name, _ in STORED)
    scripts = [*(ROOT / "assets" / "site").glob("*.js"), *(ROOT / "widgets").rglob("*.js")]
    keys = {
        key
        for path in scripts
        if "localStorage" in (text := path.read_text(encoding="utf-8")) or "kept.js" in text
        for key in re.findall(r"(?<!Event\()(?<!Listener\()'(lora-[\w-]+)'", text)  # events are named so, too
    }
    assert keys
    assert {key for key in keys if key not in said} == set()
    for path in scripts:
        assert not re.search(
            r"sessionStorage|indexedDB|document\.cookie", path.read_text(encoding="utf-8")
        ), path


def test_the_page_of_licences_names_every_package_in_the_bundles():
    page = published().read("licences.html").decode()
    bundled = json.loads((ROOT / "assets" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    told = re.search(r"They contain parts of ([^<]*), each under", page)[1]
    assert {"d3-array", "minisearch"} <= set(bundled) <= set(re.split(", | and ", told))
    assert "Copyright 2010-2023 Mike Bostock" in page


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "ROADMAP.md"])
def test_what_a_contributor_reads_names_what_there_is(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for path in re.findall(r"\]\(([\w.]+\.md)\)|`((?:lessons|deploy|tests)/[\w/.]+)`", text):
        path = "".join(path)
        assert (ROOT / path).exists() or path == "lessons/mine.py", path
    targets = {
        line.partition(":")[0] for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    }
    assert {*re.findall(r"make (\w+)", text)} <= targets
