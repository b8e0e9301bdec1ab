"""What rooms for classes cost a server, and what the readers of a lesson beside them notice."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Any

from playwright.sync_api import Browser
from psutil import Process
from tornado.websocket import WebSocketClientConnection, websocket_connect

from helpers.app import serve
from tests.bench import pages, ticks
from tests.bench.pages import LESSON, MB
from tests.bench.table import Row, at_most, percentile
from tests.bench.training import spent

ROOMS, READERS = 10, 30
TURNS, BLOCKS, LOADS = 3, 4, 1000  # as for readers of the live lab
MOVES = 0.5  # seconds between two moves of each teacher's figure
NEWS = 1.0  # seconds between two news of each student's training
STEPS = 1000
AT = "http://127.0.0.1/room.html"
SHOW = {"page": "lesson/first.html", "at": "inits"}


class Member:
    """A page in a room, which takes all that it is told."""

    def __init__(self, socket: WebSocketClientConnection):
        self.socket = socket
        self.welcome: dict[str, Any] = {}
        self.told = 0
        self.query = ""
        self._welcomed, self._moved = asyncio.Event(), asyncio.Event()
        self._listening = asyncio.ensure_future(self._listen())

    @classmethod
    async def open(cls, address: str, **hello: Any) -> "Member":
        """Come in."""
        member = cls(await websocket_connect(address.replace("http", "ws", 1) + "/room/ws"))
        member.say({"at": AT, **hello})
        await member._welcomed.wait()
        return member

    def say(self, message: Any) -> None:
        """Send a message."""
        self.socket.write_message(json.dumps(message))

    async def moved(self, query: str) -> None:
        """Wait until the page has been told of a state."""
        while self.query != query:
            self._moved.clear()
            await self._moved.wait()

    async def _listen(self) -> None:
        while (part := await self.socket.read_message()) is not None:
            told = json.loads(part)
            self.told += 1
            if "welcome" in told:
                self.welcome = told["welcome"]
                self._welcomed.set()
            elif place := told.get("room", {}).get("place"):
                self.query = place["query"]
                self._moved.set()


class ClassRoom:
    """A teacher and her students, who do something as long as they are asked to."""

    def __init__(self, teacher: Member, students: list[Member]):
        self.teacher, self.students = teacher, students
        self._at = count()
        self._work: list[asyncio.Task] = []

    @classmethod
    async def open(cls, address: str) -> "ClassRoom":
        """Open a room and let all come in."""
        teacher = await Member.open(address, open=True)
        code = teacher.welcome["code"]
        students = await asyncio.gather(*(Member.open(address, code=code, me="") for _ in range(READERS)))
        teacher.say({"follow": True})
        teacher.say({"train": {"kind": "seed", "task": "new-facts", "size": "1", "steps": STEPS}})
        return cls(teacher, [*students])

    async def follow(self) -> float:
        """Move the teacher's figure once; return the seconds until the last student's page knows."""
        query = f"inits.step={next(self._at)}"
        start = perf_counter()
        self.teacher.say({"show": SHOW | {"query": query}})
        await asyncio.gather(*(each.moved(query) for each in self.students))
        return perf_counter() - start

    async def begin(self) -> None:
        """Let the teacher move her figure, and everyone train."""
        self._work = [asyncio.ensure_future(self._move())]
        self._work += [asyncio.ensure_future(self._train(each)) for each in self.students]

    async def rest(self) -> None:
        """Do nothing more."""
        for each in self._work:
            each.cancel()

    async def _move(self) -> None:
        while True:
            self.teacher.say({"show": SHOW | {"query": f"inits.step={next(self._at)}"}})
            await asyncio.sleep(MOVES)

    @staticmethod
    async def _train(student: Member) -> None:
        for step in count():
            result = {"round": 1, "step": step, "task": 0.5, "facts": 0.5, "loss": 1.0, "over": False}
            student.say({"result": result})
            await asyncio.sleep(NEWS)


async def school(address: str, asked: Connection) -> None:
    """Open all rooms, and do what is asked: each deed is answered when it is done."""
    there = [await ClassRoom.open(address) for _ in range(ROOMS)]
    asked.send(None)
    while (deed := await asyncio.to_thread(asked.recv)) != "leave":
        if deed == "follow":
            asked.send(await there[0].follow())
        elif deed == "told":
            asked.send(sum(each.told for room in there for each in (room.teacher, *room.students)))
        else:
            await asyncio.gather(*(getattr(each, deed)() for each in there))
            asked.send(None)


def members(address: str, asked: Connection) -> None:
    """Be all the pages in rooms: three hundred other machines, which take no time from this one's server and reader."""
    os.nice(10)
    asyncio.run(school(address, asked))


@contextmanager
def rooms(address: str) -> Iterator[Callable[[str], Any]]:
    """Fill all rooms, and give a function that has something done in them."""
    here, there = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=members, args=(address, there), daemon=True)
    process.start()
    here.recv()

    def ask(deed: str) -> Any:
        here.send(deed)
        return here.recv()

    try:
        yield ask
    finally:
        here.send("leave")
        process.join(5)
        process.kill()


def measure(browser: Browser) -> Iterator[Row]:
    """Yield the lines about rooms, from a server of their own."""
    with serve() as address:
        process = pages.server_process(address)
        figure = ticks.watch(browser, "ours", f"{address}/embed/rank/rank.html?guess=skip", 32)
        before = process.memory_info().rss
        with rooms(address) as ask:
            grown = (process.memory_info().rss - before) / (ROOMS * READERS)
            yield at_most(
                f"memory for each of {ROOMS} × {READERS} readers in rooms", grown / MB, 0.5, "{:.3f} MB"
            )
            yield at_most(
                "from a move of a teacher's figure to the last page of her class",
                percentile([ask("follow") for _ in range(20)], 0.5),
                0.5,
                "{:.2f} s",
            )
            yield from beside(figure, address, process, ask)


def beside(figure: ticks.Watched, address: str, process: Process, ask: Callable[[str], Any]) -> Iterator[Row]:
    """Yield the lines about a reader of a lesson while all rooms are busy."""
    taken: dict[bool, list[float]] = {False: [], True: []}  # by whether they are
    loads: dict[bool, list[float]] = {False: [], True: []}
    used, lasted, told = 0.0, 0.0, 0
    with pages.client(address) as connection:
        for busy in [False, True] * TURNS:
            if busy:
                ask("begin")
            figure.taken.clear()
            start, work, news = perf_counter(), spent(process), ask("told")
            for _ in range(BLOCKS):
                ticks.take(figure)
            if busy:
                used, lasted = used + spent(process) - work, lasted + perf_counter() - start
                told += ask("told") - news
            taken[busy] += figure.taken
            loads[busy] += [1 / pages.per_second(connection, LESSON, 1) for _ in range(LOADS)]
            ask("rest")
    figure.page.context.close()
    tick = {busy: percentile(values, 0.5) for busy, values in taken.items()}
    load = {busy: 1000 * percentile(values, 0.5) for busy, values in loads.items()}
    slow = {busy: 1000 * percentile(values, 0.95) for busy, values in loads.items()}
    rooms = f"{ROOMS} rooms of {READERS}"
    yield Row(
        f"{rooms}, all training and following: of a core",
        f"{used / lasted:.0%}, for {told / lasted:,.0f} messages a second",
    )
    yield at_most(
        f"slider tick beside {rooms} / idle, median",
        tick[True] / tick[False],
        1.5,
        "{:.2f} ×",
        f" ({tick[True]:.1f} ms, idle {tick[False]:.1f} ms)",
    )
    yield at_most(
        f"load of a lesson page beside {rooms} / idle, median",
        load[True] / load[False],
        2,
        "{:.2f} ×",
        f" ({load[True]:.2f} ms, idle {load[False]:.2f} ms; 95th percentile {slow[True]:.1f} and {slow[False]:.1f} ms)",
    )
