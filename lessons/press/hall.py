"""How rooms for classes are reached: one websocket for each page in one; all are told of a change at once."""

import json
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import segno
from bokeh.server.util import check_allowlist
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from lessons.press.classroom import questions_of
from lessons.press.room_words import ELSEWHERE, OVER, REFUSED, WORDS
from lessons.press.rooms import ClassRoom, ClassRooms, Question, Refused, Student
from lessons.press.site import Site
from widgets.finetune import Finetune
from widgets.kit.languages import Language, kept, say_all, speaking

TOGETHER = 0.25  # seconds: changes within them are told at once,
CROWD = 50  # once more as long for as many pages in a room
HELLO = 10.0  # seconds in which a page must say which room it means
SWEEP = 30.0  # seconds between two looks for rooms that are over
LETTER = 8 * 1024  # bytes of a message
RATE, BURST = 10.0, 60.0  # messages a second that are heard of one page, and at once
WINDOWS = 8  # of a teacher
ADDRESS = 300  # letters of an address in a QR code


class Hall:
    """The rooms of a server and the pages that are in them."""

    def __init__(self, most: int, site: Site):
        lessons = {lesson.slug: lesson for lesson in site.lessons}
        pages = {
            path for path in site.paths if path.endswith(".html") and path.split("/")[0] in ("lesson", path)
        }

        known = kept()(lambda slug: questions_of(lessons[slug]))

        def questions(slug: str) -> Mapping[str, Question]:
            return known(slug) if slug in lessons else {}

        self.site = site
        self.rooms = ClassRooms(most, pages - {"room.html", "404.html"}, questions)
        self.questions = questions
        self.sockets: defaultdict[str, list[Socket]] = defaultdict(list)  # by code
        self._due: set[str] = set()

    def start(self) -> None:
        """Look for rooms that are over, from now on."""
        PeriodicCallback(self.sweep, 1000 * SWEEP).start()

    def routes(self) -> list[tuple]:
        """Return the address of the rooms, if there are any."""
        ways = [
            (f"/{site.folder}room/ws", Socket, {"hall": self, "language": site.language})
            for site in self.site.sites.values()
        ]
        return ways if self.rooms.most else []

    def enter(self, socket: "Socket") -> None:
        """Tell a page what there is, from now on; of a student's pages the newest, of a teacher's the newest few."""
        there = self.sockets[socket.room.code]
        mine = [each for each in there if each.student is socket.student]
        for each in mine[: max(0, len(mine) + 1 - (1 if socket.student else WINDOWS))]:
            each.part({"elsewhere": each.say(ELSEWHERE)})
        there.append(socket)
        self._count(socket.room, socket.student)
        self.changed(socket.room)

    def leave(self, socket: "Socket") -> None:
        """Note that a page is closed."""
        there = self.sockets.get(socket.room.code, [])
        if socket in there:
            there.remove(socket)
            self._count(socket.room, socket.student)
            self.changed(socket.room)

    def _count(self, room: ClassRoom, student: Student | None) -> None:
        now = self.rooms.clock()
        here = [each for each in self.sockets[room.code] if each.student is student]
        if student is None:
            room.teachers, room.seen = len(here), now
        elif here:
            room.came(student)
        else:
            room.went(student, now)

    def changed(self, room: ClassRoom) -> None:
        """Tell everybody in a room, in a moment."""
        if room.over:
            self.sweep()
        elif room.code not in self._due:
            self._due.add(room.code)
            delay = TOGETHER * (1 + len(self.sockets[room.code]) // CROWD)
            IOLoop.current().call_later(delay, self._tell, room)

    def _tell(self, room: ClassRoom) -> None:
        self._due.discard(room.code)
        there = self.sockets.get(room.code, [])
        told: dict[tuple[Language, bool], str] = {}  # each language's, for students and for the teacher
        for each in list(there):
            language, taught = each.language, each.student is not None
            if (language, taught) not in told:
                with speaking(language):
                    told[language, taught] = json.dumps(room.for_students() if taught else room.for_teacher())
            own = json.dumps(room.for_one(each.student)) if each.student else "null"
            each.tell(f'{{"room": {told[language, taught]}, "own": {own}}}')

    def sweep(self) -> None:
        """Tell those who are in rooms that are over, and forget these."""
        for room in self.rooms.forget():
            for each in self.sockets.pop(room.code, []):
                each.part({"over": each.say(OVER)})


class Socket(WebSocketHandler):
    """One page in a room: its teacher's or a student's. Its first message says which."""

    def initialize(self, hall: Hall, language: Language) -> None:
        """Take the hall, and the language of the page."""
        self.hall, self.language = hall, language
        self.room: ClassRoom = None  # type: ignore[assignment]  # until the first message
        self.student: Student | None = None
        self.gone = False
        self._sending, self._next, self._last = False, "", ""
        self._left, self._heard = BURST, time.monotonic()

    @property
    def max_message_size(self) -> int:
        """Bytes of a message; a longer one closes the connection."""
        return LETTER

    def check_origin(self, origin: str) -> bool:
        """Let in pages of our own address, and of those that live parts answer to."""
        host = origin.partition("://")[2].lower()
        return check_allowlist(host, self.application.websocket_origins)  # type: ignore[attr-defined]

    def open(self, *_: str, **__: str) -> None:
        """Wait for the first message, but not for ever."""
        IOLoop.current().call_later(HELLO, self._late)

    def _late(self) -> None:
        if not self.room:
            self.close()

    def on_message(self, message: str | bytes) -> None:
        """Hear a message, or say in a sentence why not."""
        try:
            self._hear(message)
        except Refused as refused:
            said = {"refused": refused.why, "said": self.say(REFUSED[refused.why])}
            if self.room and refused.why != "hurry":
                self._write(json.dumps(said))
            else:
                self.part(said)

    def _hear(self, message: str | bytes) -> None:
        now = time.monotonic()
        self._left = min(BURST, self._left + RATE * (now - self._heard)) - 1
        self._heard = now
        if self._left < 0:
            raise Refused("hurry")
        try:
            given = json.loads(message)
        except (ValueError, RecursionError):
            raise Refused("message") from None
        if not isinstance(given, dict):
            raise Refused("message")
        if self.gone:
            return
        if not self.room:
            self._hello(given)
            return
        if self.room.ended(self.hall.rooms.clock()):
            self.hall.sweep()
            return
        if self.student:
            self.room.hear_student(self.student, given)
            if "leave" in given:
                self.part({"left": True})
        elif given.keys() == {"page"}:
            self._askable(given["page"])
            return
        else:
            self.room.hear_teacher(given, self.hall.rooms.pages)
        self.hall.changed(self.room)

    def _hello(self, given: Mapping[str, Any]) -> None:
        """Let in who opens a room, leads one or joins one."""
        rooms, address = self.hall.rooms, self.request.remote_ip or ""
        at = given.get("at")
        if not isinstance(at, str) or len(at) > ADDRESS or not at.startswith(("http://", "https://")):
            raise Refused("message")
        if given.keys() == {"at", "open"}:
            room = rooms.open(address)
        elif given.keys() == {"at", "code", "key"}:
            room = rooms.lead(given["code"], given["key"], address)
        elif given.keys() == {"at", "code", "me"}:
            room, self.student = rooms.join(given["code"], given["me"], address)
        else:
            raise Refused("message")
        self.room = room
        if self.student:
            who: dict[str, Any] = {"me": self.student.token}
        else:
            there = f"{at}#{room.code}"
            qr = segno.make_qr(there, error="m").svg_data_uri(border=4, light="white")
            with speaking(self.language):
                choices = {name: Finetune.schema()[name] for name in ("task", "size")}
            who = {"key": room.key, "address": at, "qr": qr, "choices": choices}
        self._write(json.dumps({"welcome": {"code": room.code, "words": self.say(WORDS), **who}}))
        self.hall.enter(self)

    def say(self, words: Any) -> Any:
        """Return words in the language of the page."""
        with speaking(self.language):
            return say_all(words)

    def _askable(self, page: Any) -> None:
        """Tell a teacher what her class can be asked on a page."""
        if not isinstance(page, str):
            raise Refused("message")
        with speaking(self.language):
            found = self.hall.questions(page.removeprefix("lesson/").removesuffix(".html"))
        asks = [
            {"id": each.id, "kind": each.kind, "title": each.title, "ask": each.ask}
            for each in found.values()
        ]
        self._write(json.dumps({"askable": asks}))

    def tell(self, told: str) -> None:
        """Send the newest state; what the page has not yet taken in between is left out."""
        if told == self._last:
            return
        self._next = told
        if not self._sending:
            IOLoop.current().add_callback(self._send)

    async def _send(self) -> None:
        if self._sending:
            return
        self._sending = True
        try:
            while self._next and not self.gone:
                self._last, self._next = self._next, ""
                await self.write_message(self._last)
        except WebSocketClosedError:
            pass
        finally:
            self._sending = False

    def _write(self, text: str) -> None:
        if self.ws_connection and not self.ws_connection.is_closing():
            self.write_message(text)

    def part(self, said: Mapping[str, Any]) -> None:
        """Say a last thing, and close."""
        self._write(json.dumps(said))
        self._forget()
        self.close()

    def on_close(self) -> None:
        """Note that the page is closed."""
        self._forget()

    def _forget(self) -> None:
        if self.room and not self.gone:
            self.gone = True
            self.hall.leave(self)
