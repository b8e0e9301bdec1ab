"""The registry runs each run once, shows all of it to whoever comes, and forgets what is not whole."""

from __future__ import annotations

import asyncio
import gc
import re
import tracemalloc
import weakref
from contextlib import aclosing
from functools import partial

import pytest

from helpers import toy_runs
from helpers.streams import HereRunner, collect, run, until, upto
from widgets.live.registry import Registry, RunStopped, Waiting, run_key
from widgets.live.runner import LocalRunner, WorkerDied

GRACE = 0.2
LONG = 3600


@pytest.fixture
def here() -> HereRunner:
    return HereRunner()


def records(tag: str, n: int) -> list:
    return list(toy_runs.count(n, tag=tag))


def test_thirty_watchers_cost_one_run_and_each_sees_all(tmp_path):
    path = tmp_path / "notes"
    runner = LocalRunner(slots=2)

    async def main():
        registry = Registry(runner, most_at_once=2)

        async def watch(i: int) -> list:
            await asyncio.sleep(i * 0.02)
            return await collect(registry.watch("a", toy_runs.notes, path=str(path), n=60))

        return await asyncio.gather(*(watch(i) for i in range(30)))

    seen = run(main())
    runner.close()
    assert seen == [list(range(60))] * 30
    assert toy_runs.noted(path) == ["start", "close"]


def test_who_joins_in_the_middle_sees_the_whole(here):
    async def main():
        registry = Registry(here, most_at_once=1)
        first = registry.watch("a", toy_runs.count, n=50, tag="a")
        assert await upto(first, 20) == records("a", 20)
        late = registry.watch("a", toy_runs.count, n=50, tag="a")
        assert await upto(late, 20) == records("a", 20)
        assert here.ended == []
        assert await asyncio.gather(collect(first), collect(late)) == [records("a", 50)[20:]] * 2
        assert here.begun == ["a"]

    run(main())


def test_a_finished_run_replays_at_once_without_a_worker(here):
    async def main():
        registry = Registry(here, most_at_once=1)
        whole = await collect(registry.watch("a", toy_runs.count, n=5, tag="a"))
        again = [item async for item in registry.watch("a", toy_runs.count, n=5, tag="a")]
        assert again == whole == records("a", 5)
        assert here.begun == ["a"]

    run(main())


def test_a_recorded_run_is_replayed_and_never_started(here):
    async def main():
        registry = Registry(here, most_at_once=1, keep=0)
        registry.put("a", records("recorded", 250))
        got = [item async for item in registry.watch("a", toy_runs.count, n=3)]
        assert got == records("recorded", 250)
        assert here.begun == []

    run(main())


def test_different_keys_never_mix():
    runner = LocalRunner(slots=2)

    async def main():
        registry = Registry(runner, most_at_once=2)
        watch = partial(registry.watch, n=40, seconds=0.001)
        return await asyncio.gather(*(collect(watch(tag, toy_runs.count, tag=tag)) for tag in "abcdef" * 2))

    seen = run(main())
    runner.close()
    assert seen == [records(tag, 40) for tag in "abcdef" * 2]


def test_the_place_in_the_queue_is_told_whenever_it_changes(here):
    async def main():
        registry = Registry(here, most_at_once=1)

        async def watch(key: str) -> list:
            return [item async for item in registry.watch(key, toy_runs.count, n=10, tag=key)]

        here.go.clear()  # the first one does not end while the others are looked at
        watching = [asyncio.create_task(watch(key)) for key in "abcd"]
        await until(lambda: [registry.place(key) for key in "abcde"] == [0, 1, 2, 3, 0])
        assert len(here.begun) == 1
        here.go.set()
        registry.stop("c")
        assert registry.place("d") == 2
        seen = await asyncio.gather(*watching, return_exceptions=True)
        assert seen[0] == [Waiting(0), *records("a", 10)]
        assert seen[1] == [Waiting(1), Waiting(0), *records("b", 10)]
        assert isinstance(seen[2], RunStopped)
        assert seen[3] == [Waiting(3), Waiting(2), Waiting(1), Waiting(0), *records("d", 10)]
        assert here.begun == here.ended == ["a", "b", "d"]

    run(main())


def test_of_two_watchers_one_may_leave(here):
    async def main():
        registry = Registry(here, most_at_once=1, grace=0)
        stays, leaves = (registry.watch("a", toy_runs.count, n=30, tag="a") for _ in range(2))
        async with aclosing(leaves):
            await asyncio.gather(upto(stays, 3), upto(leaves, 3))
        assert await collect(stays) == records("a", 30)[3:]
        assert here.begun == ["a"]

    run(main())


@pytest.mark.parametrize("back", [True, False])
def test_a_run_that_nobody_watches_is_stopped_after_a_grace(here, back):
    async def main():
        registry = Registry(here, most_at_once=1, grace=LONG if back else GRACE)
        async with aclosing(registry.watch("a", toy_runs.count, n=100_000, tag="a")) as watcher:
            await upto(watcher, 3)
        if back:
            watcher = registry.watch("a", toy_runs.count, n=100_000, tag="a")
            await upto(watcher, 10)
            assert (here.begun, here.ended) == (["a"], [])
            registry._grace = GRACE
            await watcher.aclose()
        assert await until(lambda: here.ended == ["a"]) > GRACE / 2
        again = registry.watch("a", toy_runs.count, n=3, tag="a")
        assert await collect(again) == records("a", 3)  # what was stopped is no whole run
        assert here.begun == ["a", "a"]

    run(main())


def test_a_queued_run_that_nobody_watches_leaves_the_queue(here):
    async def main():
        registry = Registry(here, most_at_once=1, grace=0)
        first = registry.watch("a", toy_runs.count, n=20, tag="a")
        await anext(first)
        async with aclosing(registry.watch("b", toy_runs.count, n=1, tag="b")) as watcher:
            assert await anext(watcher) == Waiting(1)
        await until(lambda: registry.place("b") == 0)
        await collect(first)
        assert here.begun == ["a"]

    run(main())


def test_stop_ends_a_run_for_all_and_makes_room(here):
    async def main():
        registry = Registry(here, most_at_once=1)
        begin = asyncio.create_task
        watchers = [begin(collect(registry.watch("a", toy_runs.count, n=1000, tag="a"))) for _ in range(3)]
        waits = begin(collect(registry.watch("b", toy_runs.count, n=3, tag="b")))
        await until(lambda: here.begun == ["a"])
        registry.stop("a")
        registry.stop("unknown")
        again = registry.watch("a", toy_runs.count, n=4, tag="a")  # asked for before the old one has ended
        assert await collect(again) == records("a", 4)
        for watcher in watchers:
            with pytest.raises(RunStopped, match="stopped before its end"):
                await watcher
        assert await waits == records("b", 3)
        assert here.begun == ["a", "b", "a"]

    run(main())


def test_a_run_stopped_before_it_began_gives_back_its_room(here):
    async def main():
        registry = Registry(here, most_at_once=1)
        watcher = registry.watch("a", toy_runs.count, n=1, tag="a")
        assert await anext(watcher) == Waiting(0)
        registry.stop("a")
        with pytest.raises(RunStopped):
            await anext(watcher)
        assert await collect(registry.watch("b", toy_runs.count, n=1, tag="b")) == records("b", 1)

    run(main())


def test_a_failed_run_tells_all_why_and_can_be_started_again(here, tmp_path):
    async def main():
        registry = Registry(here, most_at_once=1)
        config = {"error": toy_runs.Odd, "after": 3, "once": str(tmp_path / "failed")}

        async def watch() -> list:
            watcher = registry.watch("a", toy_runs.failing, **config)
            got = await upto(watcher, 3)
            with pytest.raises(toy_runs.Odd, match="1 and 2"):
                await anext(watcher)
            return got

        assert await asyncio.gather(*(watch() for _ in range(3))) == [[0, 1, 2]] * 3
        assert await collect(registry.watch("a", toy_runs.failing, **config)) == [0, 1, 2]
        assert len(here.begun) == 2

    run(main())


def test_a_worker_that_dies_ends_its_run_and_no_other():
    runner = LocalRunner(slots=2)

    async def main():
        registry = Registry(runner, most_at_once=2)
        other = asyncio.create_task(collect(registry.watch("b", toy_runs.count, n=40, seconds=0.01, tag="b")))
        for _ in range(2):
            with pytest.raises(WorkerDied, match="SIGKILL"):
                await collect(registry.watch("a", toy_runs.killed, after=2))
        assert await other == records("b", 40)

    run(main())
    runner.close()


def test_kept_runs_are_bounded_and_the_one_watched_longest_ago_goes_first(here):
    async def main():
        one = "x" * 10_000
        registry = Registry(here, most_at_once=1, keep=25_000)

        async def watch(key: str) -> None:
            await collect(registry.watch(key, lambda tag, text: iter([tag + text]), tag=key, text=one))

        for key in "abacaba":  # b makes room for c, and c for b
            await watch(key)
        assert here.begun == ["a", "b", "c", "b"]

    run(main())


def test_a_watcher_costs_a_position_and_no_copy(here):
    async def main():
        registry = Registry(here, most_at_once=1)
        registry.put("a", [{"step": i, "loss": i / 3} for i in range(1000)])
        gc.collect()
        tracemalloc.start()
        watchers = [registry.watch("a", toy_runs.count, n=1) for _ in range(50)]
        for watcher in watchers:
            for _ in range(999):
                await anext(watcher)
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        for watcher in watchers:
            await watcher.aclose()
        return size / 50

    assert run(main()) < 4000  # bytes; the issue allows two million for all that a reader costs


def test_what_watchers_have_in_common_is_made_once_and_goes_with_the_last(here):
    class Thing:
        pass

    async def main():
        registry = Registry(here, most_at_once=1)
        one, two = (registry.watch("a", toy_runs.count, n=5, tag="a") for _ in range(2))
        await asyncio.gather(upto(one, 1), upto(two, 1))
        first, second = registry.shared("a", Thing), registry.shared("a", Thing)
        assert first is second
        await asyncio.gather(collect(one), collect(two))
        assert registry.shared("a", Thing) is first, "a finished run keeps it as long as somebody looks"
        gone = weakref.ref(first)
        del first, second
        gc.collect()
        assert gone() is None
        assert registry.shared("unknown", Thing) is not registry.shared("unknown", Thing)

    run(main())


def test_a_long_replay_lets_the_event_loop_breathe(here):
    async def main():
        registry = Registry(here, most_at_once=1)
        registry.put("a", range(10_000))
        turns = []

        async def count_turns():
            while True:
                turns.append(await asyncio.sleep(0))

        counting = asyncio.create_task(count_turns())
        await collect(registry.watch("a", toy_runs.count, n=1))
        counting.cancel()
        return len(turns)

    assert run(main()) >= 50


def test_the_key_is_of_the_values_not_of_their_order_or_type():
    key = run_key(config={"r": 4, "targets": ["q", "v"]}, seed=0, model="5e1f")
    assert re.fullmatch("[0-9a-f]{64}", key)
    assert key == run_key(model="5e1f", seed=0, config={"targets": ("q", "v"), "r": 4.0})
    config = {"r": 4, "targets": ["v", "q"]}
    others = [run_key(config=config, seed=seed, model=model) for seed in (0, 1) for model in ("5e1f", "5e20")]
    assert len({key, *others}) == 5
    with pytest.raises(ValueError, match="not JSON compliant"):
        run_key(learning_rate=float("nan"))
    with pytest.raises(TypeError, match="not JSON serializable"):
        run_key(model=object())
