"""tests/helpers/find_browser.py: the order in which it looks, and what it does when there is nothing."""

import asyncio
import stat
import subprocess
import sys

import pytest

from helpers import find_browser


@pytest.fixture
def machine(monkeypatch):
    """Give a machine without a browser, on which the test says what is there and reads what was run."""

    class Machine:
        programs: dict[str, str] = {}
        good: set[str] = set()
        own = ""
        ran: list[list[str]] = []

        def run(self, command, seconds, **options):
            self.ran.append(command)
            if command[1:2] == ["-c"]:
                return subprocess.CompletedProcess(command, 0, f"{self.own}\n", "")
            return self.installs(command)

        def installs(self, command):
            return subprocess.CompletedProcess(command, 1, "", "not here")

    it = Machine()
    it.programs, it.good, it.ran = {}, set(), []
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    monkeypatch.setattr(find_browser.shutil, "which", lambda name: it.programs.get(name))
    monkeypatch.setattr(find_browser, "starts", lambda path: path in it.good)
    monkeypatch.setattr(find_browser, "run", it.run)
    monkeypatch.setattr(find_browser, "is_root", lambda: False)
    return it


def test_the_named_browser_comes_first_and_alone(machine, monkeypatch):
    machine.programs, machine.good = {"chromium": "/bin/chromium"}, {"/bin/chromium", "/opt/mine"}
    monkeypatch.setenv("BROWSER_PATH", "/opt/mine")
    assert find_browser.installed() == "/opt/mine"
    monkeypatch.setenv("BROWSER_PATH", "/opt/absent")
    assert find_browser.installed() is None


def test_a_wrong_name_installs_nothing(machine, monkeypatch, capsys):
    monkeypatch.setenv("BROWSER_PATH", "/opt/absent")
    assert find_browser.main() == 1
    assert machine.ran == []
    assert "BROWSER_PATH" in capsys.readouterr().err


def test_the_order_on_the_path(machine):
    machine.programs = {"google-chrome": "/bin/chrome", "chromium": "/bin/chromium"}
    machine.good = {"/bin/chrome", "/bin/chromium"}
    assert find_browser.installed() == "/bin/chromium"
    machine.good = {"/bin/chrome"}  # chromium is there and does not start
    assert find_browser.installed() == "/bin/chrome"
    machine.programs["chromium-headless-shell"] = "/bin/shell"
    machine.good = {"/bin/chrome", "/bin/shell"}
    assert find_browser.installed() == "/bin/shell"


def test_playwright_s_own_is_the_last(machine):
    machine.own, machine.good = "/cache/chrome", {"/cache/chrome"}
    assert find_browser.installed() == "/cache/chrome"


def test_playwright_installs_before_the_system_does(machine, monkeypatch, capsys):
    monkeypatch.setattr(find_browser, "is_root", lambda: True)
    machine.programs = {"apt-get": "/bin/apt-get"}
    machine.own = "/cache/chrome"

    def installs(command):
        if command == find_browser.PLAYWRIGHT_INSTALL:
            machine.good.add("/cache/chrome")

    machine.installs = installs
    assert find_browser.main() == 0
    assert capsys.readouterr().out == "/cache/chrome\n"
    assert asked_of_the_system(machine) == []


def asked_of_the_system(machine):
    return [command for command in machine.ran if command[0] == "apt-get"]


@pytest.mark.parametrize("there", find_browser.PACKAGES)
def test_the_system_installs_where_playwright_cannot(machine, monkeypatch, there):
    monkeypatch.setattr(find_browser, "is_root", lambda: True)
    machine.programs = {"apt-get": "/bin/apt-get"}

    def installs(command):
        if command == [*find_browser.APT_INSTALL, there]:
            machine.programs[there] = f"/bin/{there}"
            machine.good.add(f"/bin/{there}")

    machine.installs = installs
    assert find_browser.install() == f"/bin/{there}"
    assert machine.ran.index(find_browser.PLAYWRIGHT_INSTALL) < machine.ran.index(find_browser.APT_UPDATE)
    tried = find_browser.PACKAGES[: find_browser.PACKAGES.index(there) + 1]
    assert asked_of_the_system(machine) == [
        find_browser.APT_UPDATE,
        *([*find_browser.APT_INSTALL, package] for package in tried),
    ]


def test_only_root_installs_packages(machine, capsys):
    machine.programs = {"apt-get": "/bin/apt-get"}
    assert find_browser.main() == 1
    assert asked_of_the_system(machine) == []
    assert capsys.readouterr().err.rstrip().endswith(find_browser.MISSING)


def test_a_program_that_opens_no_page_is_no_browser(tmp_path):
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\necho install me from a store\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    assert not find_browser.starts(str(program))
    assert not find_browser.starts(str(tmp_path / "absent"))


def test_a_command_that_hangs_or_is_absent_gives_none():
    assert find_browser.run([sys.executable, "-c", "import time; time.sleep(9)"], 0.2) is None
    assert find_browser.run(["/nowhere/program"], 1) is None


def test_no_loop_runs_before_the_browser():
    assert asyncio.run(asyncio.sleep(0, "free")) == "free"
