"""What readers share: nobody takes it all, nobody is starved, and a refusal says when to come again."""

from __future__ import annotations

import asyncio
import gc
import re
from types import SimpleNamespace

import numpy as np
import pytest

from compute.training.config import TrainConfig
from helpers import toy_runs
from helpers.foreign_files import npy
from helpers.streams import HereRunner, collect, run, until
from helpers.uploading import begin, send
from widgets.live import own_matrix
from widgets.live.fair import OURS, Full, Reader, Room, Turns, told
from widgets.live.own_matrix import OwnMatrix
from widgets.live.registry import USUAL, Registry, RunRefused, Waiting
from widgets.live.watched import Watched

HOG, ADA, EVE = Reader("192.0.2.1", "hog"), Reader("192.0.2.2", "ada"), Reader("192.0.2.2", "eve")
IN_A_WHILE = re.compile(r"in about (\d+ seconds|1 minute|\d+ minutes): ask again then")


def test_room_is_bounded_for_all_for_an_address_and_for_one():
    room = Room(every=5, address=4, session=3)
    for _ in range(3):
        room.take(ADA)
    with pytest.raises(Full) as own:
        room.take(ADA)
    room.take(EVE)
    with pytest.raises(Full) as network:
        room.take(EVE)
    room.take(HOG)
    with pytest.raises(Full) as every:
        room.take(HOG)
    assert [(full.value.level, full.value.taken) for full in (own, network, every)] == [
        (2, 3),
        (1, 4),
        (0, 5),
    ]
    assert room.refused == {0: 1, 1: 1, 2: 1}
    for reader in (ADA, ADA, ADA, EVE, HOG):
        room.give(reader)
    assert (room.taken(), dict(room._taken)) == (0, {(): 0}), "nothing is remembered of who has gone"


def test_turns_are_taken_between_addresses_and_there_between_sessions():
    turns = Turns()
    waiting = [[HOG]] * 5 + [[ADA]] * 2 + [[EVE]]
    for [reader] in waiting:
        turns.come(reader)
    names = [waiting[at][0].session for at in turns.order(waiting, seconds=1)]
    assert names == ["hog", "ada", "hog", "eve", "hog", "ada", "hog", "hog"]


def test_who_has_long_runs_has_fewer_of_them():
    turns, begun = Turns(), []
    for reader in (HOG, ADA):
        turns.come(reader)
    for _ in range(12):
        reader = (HOG, ADA)[turns.first([[HOG], [ADA]])]
        turns.begin(reader, 10)
        turns.end(reader, 10, 50 if reader is HOG else 10)
        begun.append(reader.session)
    assert begun.count("hog") == 2


def test_nobody_saves_up_turns_by_staying_away():
    turns = Turns()
    turns.come(HOG)
    turns.end(HOG, 0, 1000)
    turns.come(ADA)  # comes now, and has had nothing yet
    assert turns.first([[HOG], [ADA]]) == 0, "the one who asked first"
    turns.end(HOG, 0, 1)
    assert turns.first([[HOG], [ADA]]) == 1
    for reader in (HOG, ADA):
        turns.go(reader)
    assert turns._had == {}


@pytest.mark.parametrize("long", [1, 20])
def test_whoever_asks_for_200_runs_starves_nobody(long, monkeypatch):
    """Also where each of them is twenty times as long."""
    here = HereRunner()
    clock = SimpleNamespace(monotonic=lambda: 0.01 * here.items)
    monkeypatch.setattr("widgets.live.registry.time", clock)

    async def main():
        registry = Registry(here, most_at_once=2, grace=0, room=Room(every=300, address=250, session=250))
        hog = [
            asyncio.create_task(
                collect(registry.watch(f"hog {i}", toy_runs.count, reader=HOG, n=2 * long, tag="hog"))
            )
            for i in range(200)
        ]
        await until(lambda: len(here.begun) == 2)
        others = [
            asyncio.create_task(
                collect(
                    registry.watch(
                        f"{reader.session} {i}", toy_runs.count, reader=reader, n=2, tag=reader.session
                    )
                )
            )
            for reader in (ADA, EVE)
            for i in range(2)
        ]
        await asyncio.gather(*others)
        begun = here.begun[:]
        for task in hog:
            task.cancel()
        await asyncio.gather(*hog, return_exceptions=True)
        await until(lambda: registry.running() == registry.waiting() == 0)
        return begun

    assert run(main()).count("hog") <= 8


def test_nobody_waits_longer_than_the_queue_says_if_nobody_else_comes(monkeypatch):
    here = HereRunner()
    clock = SimpleNamespace(monotonic=lambda: USUAL * len(here.ended))  # each run takes as long
    monkeypatch.setattr("widgets.live.registry.time", clock)

    async def main():
        registry = Registry(here, most_at_once=1)
        here.go.clear()

        async def watch(reader: Reader, i: int) -> list[int]:
            records = registry.watch(
                f"{reader} {i}", toy_runs.count, reader=reader, n=1, tag=f"{reader.session} {i}"
            )
            return [item.place async for item in records if isinstance(item, Waiting)]

        wished = [(HOG, 4), (ADA, 2), (EVE, 1)]
        waits = [asyncio.create_task(watch(reader, i)) for reader, n in wished for i in range(n)]
        while registry.waiting() < 6:
            await asyncio.sleep(0)
        expected = registry._in_order()
        here.go.set()
        places = await asyncio.gather(*waits)
        assert [f"{eval_name(key)}" for key in expected] == here.begun[1:]
        since = [each[each.index(max(each)) :] for each in places]  # all have come
        assert all(each == sorted(each, reverse=True) for each in since), places

    def eval_name(key: str) -> str:
        session, number = re.fullmatch(r"Reader\(.*session='(\w+)'\) (\d+)", key).groups()
        return f"{session} {number}"

    run(main())


def test_a_run_that_several_wait_for_is_begun_at_the_first_of_their_turns():
    here = HereRunner()

    async def main():
        registry = Registry(here, most_at_once=1)
        here.go.clear()
        watch = lambda key, reader: asyncio.create_task(  # noqa: E731
            collect(registry.watch(key, toy_runs.count, reader=reader, n=1, tag=key))
        )
        hog = [watch(key, HOG) for key in "abcd"]
        await until(lambda: registry.waiting() == 3)
        ada = watch("d", ADA)
        await until(lambda: registry.place("d") == 1)
        here.go.set()
        await asyncio.gather(*hog, ada)
        assert here.begun == ["a", "d", "b", "c"]

    run(main())


@pytest.mark.parametrize(
    ("room", "said"),
    [
        (Room(2, 9, 9), "2 runs wait already, which is as many as may."),
        (
            Room(9, 2, 9),
            "2 runs wait already that were asked for from your network, which is as many as may.",
        ),
        (Room(9, 9, 2), "2 of your runs wait already, which is as many as may."),
    ],
)
def test_a_run_that_finds_no_room_is_refused_and_the_sentence_says_when_to_come_again(room, said):
    here = HereRunner()

    async def main():
        registry = Registry(here, most_at_once=1, grace=0, room=room)
        here.go.clear()
        watch = [registry.watch(key, toy_runs.count, reader=HOG, n=3, tag=key) for key in "abc"]
        begun = [asyncio.create_task(collect(each)) for each in watch]
        await until(lambda: registry.waiting() == 2)
        with pytest.raises(RunRefused) as refused:
            await anext(registry.watch("d", toy_runs.count, reader=HOG, n=3, tag="d"))
        assert str(refused.value).startswith(said)
        assert IN_A_WHILE.search(str(refused.value))
        one = Watched("LoRA", TrainConfig())
        await one.follow(registry, HOG)
        assert (one.ended, one.said) == (True, str(refused.value)), "a reader of the lab is told just so"
        joined = asyncio.create_task(collect(registry.watch("b", toy_runs.count, reader=EVE, n=3, tag="b")))
        here.go.set()
        assert await joined == [("b", 0), ("b", 1), ("b", 2)], "to watch what there is needs no room"
        await asyncio.gather(*begun)
        await collect(registry.watch("d", toy_runs.count, reader=HOG, n=1, tag="d"))
        assert (room.taken(), registry._turns._had) == (0, {})

    run(main())


def test_thirty_readers_with_runs_of_their_own_and_200_in_the_queue_leave_nothing_behind():
    here = HereRunner()
    readers = [Reader(f"192.0.2.{i % 6}", f"session {i}") for i in range(30)]

    async def main():
        registry = Registry(here, most_at_once=4, keep=0, room=Room(every=200, address=100, session=20))
        sizes = []
        for turn in range(3):
            watch = [
                registry.watch(f"{turn} {i}", toy_runs.count, reader=readers[i % 30], n=2, tag="run")
                for i in range(200)
            ]
            await asyncio.gather(*map(collect, watch))
            gc.collect()
            sizes.append(len(gc.get_objects()))
        assert (registry.waiting(), registry.running(), registry.counts["whole"]) == (0, 0, 600)
        assert (registry.room.taken(), registry._turns._had, registry._runs) == (0, {}, {})
        return sizes

    sizes = run(main())
    assert max(sizes[1:]) - sizes[1] < 500, sizes


def test_a_failure_is_logged_once_however_many_watch_and_an_upload_never(caplog):
    here = HereRunner()

    async def main():
        registry = Registry(here, most_at_once=1)
        watch = [
            collect(registry.watch("a", toy_runs.failing, reader=ADA, error=KeyError, after=1))
            for _ in range(30)
        ]
        assert {type(each) for each in await asyncio.gather(*watch, return_exceptions=True)} == {KeyError}
        secret = {"weights": b"salary-of-ada", "config": "salary-of-ada"}
        with pytest.raises(ValueError, match="salary"):
            await collect(registry.watch("b", toy_runs.telling, **secret))

    run(main())
    failed, kept = [record.getMessage() for record in caplog.records]
    assert failed.startswith("a run failed: failing")
    assert caplog.records[0].exc_info
    assert kept.startswith("a run failed: telling: ValueError")
    assert "salary" not in caplog.text


@pytest.fixture
def memory(monkeypatch) -> Room:
    room = Room(every=40_000, address=30_000, session=20_000)
    monkeypatch.setattr(own_matrix, "room", room)
    monkeypatch.setattr(own_matrix, "_one_at_a_time", asyncio.Semaphore(1))
    return room


def test_what_readers_bring_is_bounded_and_let_go(memory):
    matrix = npy(
        np.arange(1.0, 901.0).reshape(30, 30) % 7
    )  # 7,328 bytes; its factors have 14,400 and its s 240

    async def main():
        first = OwnMatrix()
        assert (await send(first, "a.npy", matrix)).startswith("Read a.npy")
        assert memory.taken() == 14_640
        assert (await send(first, "b.npy", matrix)).startswith("It takes more memory than one page may have.")
        assert first.rank.matrix.label == "a.npy", "what was there stays"
        assert memory.taken() == 14_640
        second = OwnMatrix()
        second.reader = EVE
        assert (await send(second, "a.npy", matrix)).startswith("Read a.npy")
        third = OwnMatrix()
        third.reader = ADA
        assert (await send(third, "a.npy", matrix)).startswith(
            "There is no memory for it now: the matrices that readers"
        )
        begin(third, "a.npy", 15_000)
        assert third.upload.wanted == -1, "nothing is sent for which there is no room"
        for each in (first, second, third):
            each.close()
        assert memory.taken() == 0

    asyncio.run(main())


def test_a_wait_is_told_rounded_up():
    assert [told(each) for each in (0, 10, 10.1, 50, 51, 60, 121, 1e9)] == [
        "10 seconds", "10 seconds", "20 seconds", "50 seconds", "1 minute", "1 minute", "3 minutes", "60 minutes"
    ]  # fmt: skip
    assert Reader("", "") == OURS
