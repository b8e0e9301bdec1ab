"""Firefox, without a driver: it speaks WebDriver BiDi itself, over a socket that tornado opens.

Playwright drives only a Firefox of its own; this drives the one that is installed. Debian and Ubuntu have it as the
package firefox-esr or firefox. References: https://w3c.github.io/webdriver-bidi/
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from tornado.websocket import WebSocketClientConnection, websocket_connect

NAMES = ("firefox", "firefox-esr")
MISSING = "no Firefox here: install one (on Debian: apt-get install firefox-esr), or set FIREFOX_PATH"
TOLD = "WebDriverBiDiServer.json"  # in the profile: where it listens
SECONDS = 120


def installed() -> str | None:
    """Return the path of Firefox, None where there is none."""
    named = os.environ.get("FIREFOX_PATH")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


class Tab:
    """A tab of a Firefox."""

    def __init__(self, socket: WebSocketClientConnection):
        self.socket, self.numbers, self.context = socket, count(), ""

    async def do(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command; return what it results in."""
        number = next(self.numbers)
        await self.socket.write_message(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            told = json.loads(str(await asyncio.wait_for(self.socket.read_message(), SECONDS)))
            if told.get("id") == number:
                if told["type"] == "error":
                    raise RuntimeError(f"{method}: {told['message']}")
                return told["result"]

    async def open(self, url: str) -> None:
        """Open a page, and wait until it has loaded."""
        await self.do("browsingContext.navigate", context=self.context, url=url, wait="complete")

    async def value(self, expression: str) -> Any:
        """Return what a piece of JavaScript comes to in the page: a text, a number, a truth value or None."""
        where = {"context": self.context}
        found = await self.do("script.evaluate", expression=expression, target=where, awaitPromise=True)
        if found["type"] == "exception":
            raise RuntimeError(found["exceptionDetails"]["text"])
        return found["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + SECONDS
        while not await self.value(f"Boolean({expression})"):
            if time.monotonic() > end:
                raise TimeoutError(f"not true within {SECONDS} s: {expression}")
            await asyncio.sleep(0.1)


@asynccontextmanager
async def tab(path: str, profile: Path) -> AsyncIterator[Tab]:
    """Start Firefox without a screen; give its tab, and end it afterwards."""
    flags = ["--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
    process = subprocess.Popen([path, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + SECONDS
        while not (profile / TOLD).exists():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{path} does not say where it listens")
            await asyncio.sleep(0.1)
        port = json.loads((profile / TOLD).read_text())["ws_port"]
        new = Tab(await websocket_connect(f"ws://127.0.0.1:{port}/session"))
        await new.do("session.new", capabilities={})
        tree = await new.do("browsingContext.getTree")
        new.context = tree["contexts"][0]["context"]
        yield new
        new.socket.close()
    finally:
        process.terminate()
        process.wait(SECONDS)
