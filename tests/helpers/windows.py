"""Windows of the browser that tests share, since to open one costs as much as to open four tabs in it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext

from helpers.find_browser import HOSTS


class Windows:
    """The windows of a browser, one for each set of options that was asked for: `pages()` opens tabs in them."""

    def __init__(self, browser: Browser):
        self._browser = browser
        self._kept: dict[str, BrowserContext] = {}

    @contextlib.contextmanager
    def pages(self) -> Iterator[Callable]:
        """Give `open_page(url, **context_options)`, which takes an address or a Path and returns Playwright's page.

        Pages opened here share nothing, and find nothing that an earlier `pages()` left. One that is to have a clock
        is opened `alone`, in a window that no later page gets: a clock stays in its window. `page.said` collects
        what went wrong: errors on the console, uncaught exceptions, requests to another host. In the end the
        list must be empty; a test that expects an entry asserts on it and calls `page.said.clear()`.
        """
        opened: list[tuple[BrowserContext, dict[str, Callable]]] = []
        said: list[list[str]] = []

        def open_page(url: str | Path, *, alone: bool = False, **options: Any):
            taken = [context for context, _ in opened]
            context = self._browser.new_context(**options) if alone else self._window(options, taken)
            complaints: list[str] = []
            opened.append((context, _listeners(complaints)))
            said.append(complaints)
            for event, listener in opened[-1][1].items():
                context.on(event, listener)
            page = context.new_page()
            page.said = complaints
            page.goto(url.resolve().as_uri() if isinstance(url, Path) else url)
            return page

        try:
            yield open_page
        finally:
            for context, listeners in opened:
                if context in self._kept.values():
                    for event, listener in listeners.items():
                        context.remove_listener(event, listener)
                    _empty(context)
                else:
                    context.close()
        lines = [line for complaints in said for line in complaints]
        assert lines == [], "a page complained:\n" + "\n".join(lines)

    def _window(self, options: dict[str, Any], taken: list[BrowserContext]) -> BrowserContext:
        kind = json.dumps(options, sort_keys=True)
        if kind not in self._kept:
            self._kept[kind] = self._browser.new_context(**options)
            self._kept[kind].new_page()  # the tab that keeps it open
        return self._browser.new_context(**options) if self._kept[kind] in taken else self._kept[kind]


def _listeners(complaints: list[str]) -> dict[str, Callable]:
    def watch_request(kind: str, asked: str) -> None:
        parts = urlsplit(asked)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in HOSTS:
            complaints.append(f"foreign {kind}: {asked}")

    def watch_console(line: Any) -> None:
        if line.type == "error":
            complaints.append(f"console: {line.text}")

    return {
        "request": lambda request: watch_request("request", request.url),
        "weberror": lambda error: complaints.append(f"uncaught: {error.error}"),
        "console": watch_console,
        "page": lambda new: new.on("websocket", lambda socket: watch_request("websocket", socket.url)),
    }


def _empty(context: BrowserContext) -> None:
    """Close all tabs of a window but the first, and have it forget what they stored."""
    first, *tabs = context.pages
    for tab in tabs:
        tab.close()
    asked = context.new_cdp_session(first)
    asked.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
    asked.detach()
    context.clear_cookies()
    context.clear_permissions()
