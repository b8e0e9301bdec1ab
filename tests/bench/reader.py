"""Readers without a browser: each opens the live lab as a page does, presses its buttons and hears what comes."""

import asyncio
import html
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import WebSocketClientConnection, websocket_connect

from widgets.live.settings import USUAL

LAB = "/live/lab/train"
PATIENCE = 900  # seconds; a machine that others use is slow


class Reader:
    """One session of the live lab, over the websocket that its page opens."""

    def __init__(self, socket: WebSocketClientConnection):
        self._socket = socket
        self._form = ""
        self._pressed = 0
        self._heard = asyncio.Event()
        self._waits_for = ""
        self._listening: asyncio.Task | None = None
        self.said: list[tuple[float, str]] = []  # what the form was told, and when

    @classmethod
    async def open(cls, address: str) -> "Reader":
        """Open the page and take its document, as Bokeh's script does."""
        page = (await AsyncHTTPClient().fetch(address + LAB)).body.decode()
        token = re.search(r'"token":"([^"]+)"', html.unescape(page))[1]
        url = address.replace("http", "ws", 1) + LAB + "/ws"
        reader = cls(await websocket_connect(url, subprotocols=["bokeh", token], max_message_size=10**8))
        await reader._message("ACK")
        await reader._send("PULL-DOC-REQ", {})
        document = await reader._message("PULL-DOC-REPLY")
        reader._form = next(each["id"] for each in models(document) if "taken" in each.get("attributes", {}))
        reader._listening = asyncio.ensure_future(reader._listen())
        # Until a page says that it stands, Panel tells it nothing.
        ready = {"type": "event", "name": "document_ready", "values": {"type": "map", "entries": []}}
        await reader._patch({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": ready})
        return reader

    async def press(self, action: str, until: str = "", **settings: Any) -> None:
        """Press a button of the form, and wait until the server says something that holds these words."""
        self._pressed += 1
        self._waits_for = until
        self._heard.clear()
        asked = {"action": action, "settings": json.dumps(USUAL | settings), "at": self._pressed}
        new = {"model": {"id": self._form}, "attr": "asked", "new": json.dumps(asked)}
        await self._patch({"kind": "ModelChanged", **new})
        if until:
            async with asyncio.timeout(PATIENCE):
                await self._heard.wait()

    async def leave(self) -> None:
        """Close the page."""
        if self._listening:
            self._listening.cancel()
        self._socket.close()

    async def _patch(self, event: dict[str, Any]) -> None:
        await self._send("PATCH-DOC", {"events": [event]})

    async def _send(self, kind: str, content: dict[str, Any]) -> None:
        for part in ({"msgid": str(self._pressed), "msgtype": kind}, {}, content):
            await self._socket.write_message(json.dumps(part))

    async def _message(self, kind: str) -> Any:
        """Return the content of the next message of a kind: the third of its parts."""
        while True:
            part = await self._socket.read_message()
            if isinstance(part, str) and f'"{kind}"' in part and '"msgtype"' in part:
                await self._socket.read_message()
                return json.loads(await self._socket.read_message())

    async def _listen(self) -> None:
        """Take all that the server says, as a page must."""
        while (part := await self._socket.read_message()) is not None:
            if isinstance(part, str) and '"told"' in part:
                self.said.append((perf_counter(), part))
            if self._waits_for and isinstance(part, str) and self._waits_for in part:
                self._heard.set()


def models(thing: Any) -> Iterator[dict[str, Any]]:
    """Yield every model of a document."""
    if isinstance(thing, dict):
        if "id" in thing:
            yield thing
        thing = [*thing.values()]
    if isinstance(thing, list):
        for inside in thing:
            yield from models(inside)


@contextmanager
def loop() -> Iterator[Any]:
    """Give a function that waits for a coroutine; its loop has a thread, since Playwright occupies this one's."""
    running = asyncio.new_event_loop()
    thread = threading.Thread(target=running.run_forever, daemon=True)
    thread.start()

    def wait(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, running).result()

    try:
        yield wait
    finally:
        running.call_soon_threadsafe(running.stop)
        thread.join(5)
