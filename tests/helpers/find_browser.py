"""Find the Chromium that the browser tests drive; run as a program, install one where there is none.

`python tests/helpers/find_browser.py` prints its path, or says in one sentence what is missing and exits with 1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator

HOSTS = ("127.0.0.1", "localhost")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No other host has an address: a page that needs one fails here as it would on a train.
    "--host-resolver-rules=MAP * ~NOTFOUND, " + ", ".join(f"EXCLUDE {host}" for host in HOSTS),
]
# The first is Chromium without its windows: a page opens in it at 0.6 of the cost, a window at a third.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "The browser tests need Chromium or Chrome, and none was found that starts: install one, "
    "or set BROWSER_PATH to its program."
)
OWN = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
PLAYWRIGHT_INSTALL = [sys.executable, "-m", "playwright", "install", "chromium"]
APT_UPDATE = ["apt-get", "update", "-qq"]
APT_INSTALL = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
PACKAGES = ("chromium-headless-shell", "chromium")


def run(command: list[str], seconds: float, **options) -> subprocess.CompletedProcess | None:
    """Return the finished command with its text, None when it could not run or took too long."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=seconds, **options
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def starts(path: str) -> bool:
    """Return whether the program at `path` is a browser that opens a page without a screen."""
    if not os.path.isfile(path):
        return False
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            f"--user-data-dir={profile}",
        ]
        done = run([path, *flags, "--dump-dom", "about:blank"], 60)
    return done is not None and done.returncode == 0 and "<html" in done.stdout


def candidates() -> Iterator[str]:
    """Yield the paths where a browser may be, best first."""
    named = os.environ.get("BROWSER_PATH")
    if named:  # the reader's word is final: no other browser takes its place
        yield named
        return
    for name in NAMES:
        found = shutil.which(name)
        if found:
            yield found
    own = run([sys.executable, "-c", OWN], 60)
    if own is not None and own.returncode == 0:
        yield own.stdout.strip()


def installed() -> str | None:
    """Return the path of the first browser that starts; install nothing."""
    return next((path for path in candidates() if starts(path)), None)


def is_root() -> bool:
    """Return whether packages of the system may be installed."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def install() -> str | None:
    """Install a browser, Playwright's own first and then the system's; return its path when it starts."""
    print("No browser found: installing Playwright's Chromium ...", file=sys.stderr, flush=True)
    run(PLAYWRIGHT_INSTALL, 300)
    path = installed()
    if path is None and is_root() and shutil.which("apt-get"):
        print("That did not work: installing the system's package ...", file=sys.stderr, flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run(APT_UPDATE, 300, env=quiet)
        for package in PACKAGES:
            run([*APT_INSTALL, package], 900, env=quiet)
            if path := installed():
                break
    return path


def main() -> int:
    """Print the browser's path, after installing one where that is needed and allowed."""
    path = installed()
    if path is None and not os.environ.get("BROWSER_PATH"):
        path = install()
    if path is None:
        print(MISSING, file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
