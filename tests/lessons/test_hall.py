"""How rooms for classes are reached: who is let in, who is told what, and what is cut."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.web import Application
from tornado.websocket import WebSocketClientConnection, websocket_connect

from lessons.first import LESSON
from lessons.press.hall import BURST, LETTER, Hall
from lessons.press.prose import message
from lessons.press.room_words import OVER, REFUSED, WORDS
from lessons.press.rooms import LONGEST
from widgets.kit.languages import ENGLISH, Language

PATIENCE = 20  # seconds
AT = "https://your-site.example/lora/room.html"
JOINED = {"at": AT, "me": ""}
ASK = message(LESSON.questions[0].ask)
OTHER = Language("xx", "xx", messages={text: f"¡{text}!" for text in (REFUSED["wrong"], WORDS["label"], ASK)})


@asynccontextmanager
async def serving() -> AsyncIterator[Hall]:
    """Serve rooms and nothing else, and close all pages in the end."""
    site = SimpleNamespace(lessons=[LESSON], paths=["index.html", "lesson/first.html", "teach/first.html"])
    site.sites = {
        "en": SimpleNamespace(folder="", language=ENGLISH),
        "xx": SimpleNamespace(folder="xx/", language=OTHER),
    }
    hall = Hall(3, site)
    app = Application(hall.routes())
    app.websocket_origins = {"lessons.example"}
    server = app.listen(0, "127.0.0.1")
    Page.port = next(iter(server._sockets.values())).getsockname()[1]
    try:
        yield hall
    finally:
        for page in Page.opened:
            page.socket.close()
            while not page.ended:
                await page.read()
        Page.opened.clear()
        server.stop()


def run(work: Callable[[Hall], Coroutine[Any, Any, None]]) -> None:
    """Do something with rooms, within a while."""

    async def served() -> None:
        async with serving() as hall:
            await asyncio.wait_for(work(hall), 2 * PATIENCE)

    asyncio.run(served())


class Page:
    """A page of a room without a browser."""

    opened: ClassVar[list[Page]] = []
    port: ClassVar[int]

    def __init__(self, socket: WebSocketClientConnection):
        self.socket, self.ended = socket, False
        self.opened.append(self)

    @classmethod
    async def open(cls, hello: Any, folder: str = "", **headers: str) -> Page:
        url = f"ws://127.0.0.1:{cls.port}/{folder}room/ws"
        page = cls(await websocket_connect(HTTPRequest(url, headers=headers)))
        page.say(hello)
        return page

    def say(self, message: Any) -> None:
        self.socket.write_message(message if isinstance(message, str) else json.dumps(message))

    async def read(self) -> str | bytes | None:
        said = await asyncio.wait_for(self.socket.read_message(), PATIENCE)
        self.ended = said is None
        return said

    async def hear(self, name: str, fits: Callable[[Any], bool] = lambda _: True) -> Any:
        """Wait for something of that name; None is the end of the connection."""
        while True:
            said = await self.read()
            if said is None:
                assert name == "end", "the connection was closed"
                return None
            told = json.loads(said)
            if name in told and fits(told[name]):
                return told[name]


async def room() -> tuple[Page, dict[str, Any]]:
    """Open a room; return its teacher's page, and what she was told."""
    teacher = await Page.open({"at": AT, "open": True})
    return teacher, await teacher.hear("welcome")


def test_a_teacher_and_a_student_meet_and_part():
    async def meet(hall: Hall) -> None:
        teacher, welcome = await room()
        code = welcome["code"]
        assert welcome["words"] == WORDS
        assert welcome["qr"].startswith("data:image/svg+xml")
        student = await Page.open({"code": code.lower(), **JOINED})
        me = (await student.hear("welcome"))["me"]
        await teacher.hear("room", lambda told: told["here"] == 1)
        teacher.say({"page": "lesson/first.html"})
        assert "first/question-1" in [each["id"] for each in await teacher.hear("askable")]
        teacher.say({"page": "teach/first.html"})
        assert await teacher.hear("askable") == []
        teacher.say({"ask": "first/question-1"})
        await student.hear("room", lambda told: told["asked"])
        student.say({"answer": {"id": "first/question-1", "value": "1"}})
        assert (await student.hear("own", lambda own: "answer" in own and own["answer"]))["answer"] == "1"

        # The same student on another page: the newer one counts.
        newer = await Page.open({"code": code, "at": AT, "me": me})
        assert (await newer.hear("welcome"))["me"] == me
        assert (await student.hear("elsewhere")).endswith(".")
        await student.hear("end")
        await newer.hear("own", lambda own: own.get("answer") == "1")
        await teacher.hear("room", lambda told: told["here"] == 1)

        # A laptop is closed and opened again.
        teacher.socket.close()
        await newer.hear("room", lambda told: not told["teacher"])
        back = await Page.open({"code": code, "at": AT, "key": welcome["key"]})
        assert (await back.hear("room"))["asked"]["answered"] == 1
        await newer.hear("room", lambda told: told["teacher"])
        back.say({"end": True})
        for page in (back, newer):
            assert await page.hear("over") == OVER
            await page.hear("end")
        assert hall.rooms.rooms == {} == dict(hall.sockets)
        assert (hall.rooms.readers(), hall.rooms.opened) == (0, 1)

    run(meet)


@pytest.mark.parametrize(
    ("hello", "why"),
    [
        ({"code": "XXXXXX", **JOINED}, "wrong"),
        ({"code": "XXXXXX", "at": AT, "key": "x"}, "wrong"),
        ({"at": AT}, "message"),
        ({"at": "javascript:alert(1)", "open": True}, "message"),
        ({"at": "https://" + "x" * 300, "open": True}, "message"),
        ({"open": True}, "message"),
        ([], "message"),
        ("{", "message"),
        ("[" * 5000, "message"),
        ("null", "message"),
    ],
    ids=lambda each: str(each)[:40],
)
def test_who_does_not_say_what_is_asked_is_told_so_and_let_out(hello, why):
    async def come(_: Hall) -> None:
        page = await Page.open(hello)
        assert await page.hear("refused") == why
        await page.hear("end")

    run(come)


def test_what_is_too_much_is_cut():
    async def come(_: Hall) -> None:
        teacher, _ = await room()
        teacher.say({"ask": "x" * LETTER})
        await teacher.hear("end")
        teacher, _ = await room()
        for _ in range(3 * int(BURST)):
            teacher.say({"follow": True})
        assert (await teacher.hear("said")) == REFUSED["hurry"]
        await teacher.hear("end")

    run(come)


def test_a_student_who_asks_for_what_is_a_teachers_stays_but_gets_nothing():
    async def come(_: Hall) -> None:
        teacher, welcome = await room()
        student = await Page.open({"code": welcome["code"], **JOINED})
        await teacher.hear("room", lambda told: told["here"] == 1)
        for deed in ({"end": True}, {"page": "lesson/first.html"}, {"follow": True}):
            student.say(deed)
            assert await student.hear("refused") == "message"
        student.say({"away": True})
        await teacher.hear("room", lambda told: told["following"] == 0)
        teacher.say({"end": True})
        await student.hear("over")

    run(come)


def test_pages_of_others_are_not_let_in():
    async def come(_: Hall) -> None:
        for origin in (f"http://127.0.0.1:{Page.port}", "https://lessons.example"):
            page = await Page.open({"code": "XXXXXX", **JOINED}, Origin=origin)
            assert await page.hear("refused") == "wrong"
        for origin in ("http://evil.example", "null"):
            with pytest.raises(HTTPClientError, match="403"):
                await Page.open({"at": AT, "open": True}, Origin=origin)

    run(come)


def test_a_room_that_is_over_for_its_age_is_told_so():
    async def come(hall: Hall) -> None:
        teacher, _ = await room()
        hall.rooms.clock = lambda: LONGEST + 10**9
        teacher.say({"follow": True})
        assert await teacher.hear("over") == OVER
        await teacher.hear("end")

    run(come)


def test_there_may_be_no_rooms():
    assert Hall(0, SimpleNamespace(lessons=[], paths=[], sites={})).routes() == []


def test_each_page_is_told_in_its_own_language():
    async def meet(_: Hall) -> None:
        teacher, welcome = await room()
        other = await Page.open({"code": welcome["code"], **JOINED}, folder="xx/")
        assert (await other.hear("welcome"))["words"]["label"] == f"¡{WORDS['label']}!"
        student = await Page.open({"code": welcome["code"], **JOINED})
        teacher.say({"ask": "first/question-1"})
        there, here = [
            (await page.hear("room", lambda told: told["asked"]))["asked"]["ask"] for page in (other, student)
        ]
        assert (there[:1], there.strip("¡! "), there[-1:]) == ("¡", here.strip(), "!")
        lost = await Page.open({"code": "XXXXXX", **JOINED}, folder="xx/")
        assert await lost.hear("said") == f"¡{REFUSED['wrong']}!"

    run(meet)
