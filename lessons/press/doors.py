"""Who comes in: live parts as long as there is room for them, and nobody who keeps a connection without using it."""

import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any

from bokeh.server.urls import per_app_patterns
from bokeh.util.token import get_session_id
from panel.io.server import DocHandler, WSHandler
from tornado.http1connection import HTTP1ServerConnection

from lessons.press.panel import asked_language
from widgets.kit.instrument import render
from widgets.kit.languages import say, speaking
from widgets.kit.text import fill
from widgets.live.fair import Full, Reader, address_of

SILENCE = (
    30  # seconds in which a request must have come, and a picture of a stalled answer must have moved on
)
BODY = (
    64 * 1024
)  # bytes: nobody has anything to send but questions; a reader's file goes through the websocket
HEADERS = 16 * 1024
LIMITS = {
    "idle_connection_timeout": SILENCE,
    "body_timeout": 10,
    "max_body_size": BODY,
    "max_header_size": HEADERS,
}
PING = {"websocket_ping_interval": SILENCE, "websocket_ping_timeout": SILENCE - 5}
AGAIN = 60  # seconds: a page that was closed is forgotten in half of them

FULL = (
    "All {taken} places for live parts are taken. One is free again half a minute after somebody closes a page.",
    "Your network has {taken} live parts open, which is as many as may. Half a minute after one of them is closed, "
    "another can be opened.",
)
MEANWHILE = (
    "“Finetune it here” in the lesson “The first adapter” trains in your own browser and needs no place."
)


class Doors:
    """How many live parts may be open, in all and from one address; a part that was opened stays open."""

    def __init__(self, every: int, address: int):
        self.bounds = (every, address)
        self.opened = 0
        self.refused: Counter[int] = Counter()  # by level, as a room's
        self.server: Any = None  # set when there is one

    def readers(self) -> list[Reader]:
        """Return who has a live part open."""
        contexts = [
            context._session_contexts[session.id]
            for context in self.server._tornado.applications.values()
            for session in context.sessions
        ]
        return [Reader(address_of(getattr(each.request, "remote_ip", "")), each.id) for each in contexts]

    def enter(self, address: str) -> None:
        """Let a reader open one more, or raise Full."""
        addresses = [reader.address for reader in self.readers()]
        for level, taken in enumerate((len(addresses), addresses.count(address_of(address)))):
            if taken >= self.bounds[level]:
                self.refused[level] += 1
                raise Full(level, taken)
        self.opened += 1


def guard(doors: Doors) -> None:
    """Have live parts ask at the doors. Of Bokeh's addresses those remain that our pages use."""

    class Live(DocHandler):
        """The page of a live part."""

        async def get(self, *args, **kwargs) -> None:
            """Open it, or say that there is no place, and when there will be."""
            try:
                doors.enter(self.request.remote_ip or "")
            except Full as full:
                self.set_status(429 if full.level else 503)
                self.set_header("Retry-After", str(AGAIN))
                self.set_header("Cache-Control", "no-store")
                with speaking(asked_language(self.get_query_argument("lang", ""))):
                    told = {
                        "title": say("No place just now"),
                        "said": fill(FULL[full.level], {"taken": full.taken}),
                        "meanwhile": say(MEANWHILE),
                    }
                    self.finish(render("full.html", base="../../", **told))
                return
            await super().get(*args, **kwargs)

    class Socket(WSHandler):
        """Its websocket, which opens a session where that of the page is gone."""

        async def prepare(self) -> None:
            """Refuse a session that would be a new one where there is no place."""
            await super().prepare()
            if self._finished or self._known():
                return
            try:
                doors.enter(self.request.remote_ip or "")
            except Full as full:
                self.set_header("Retry-After", str(AGAIN))
                self.send_error(429 if full.level else 503)

        def _known(self) -> bool:
            protocols = self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")
            with contextlib.suppress(Exception):  # of a token that is none; Bokeh refuses it next
                return get_session_id(protocols[1].strip()) in self.application_context._sessions
            return True

    per_app_patterns[:] = [("/ws", Socket), ("/?", Live)]


class Stalled:
    """Cut answers whose reader has taken nothing of them for a while."""

    def __init__(self, connections: Callable[[], set[HTTP1ServerConnection]]):
        self.connections = connections
        self.cut = 0
        self._taken: dict[int, tuple[HTTP1ServerConnection, int]] = {}

    def look(self) -> None:
        """Compare what each connection has taken with what it had at the last look."""
        taken = {}
        for connection in list(self.connections()):
            stream = connection.stream
            if stream.closed() or not stream.writing():
                continue
            done = stream._total_write_done_index
            if self._taken.get(id(connection)) == (connection, done):
                stream.close()
                self.cut += 1
            else:
                taken[id(connection)] = (connection, done)
        self._taken = taken
