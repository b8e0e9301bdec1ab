"""The local runner loses nothing, hangs on nothing and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from helpers import ROOT, toy_runs
from helpers.streams import collect, run, until, upto
from widgets.kit.languages import language, speaking
from widgets.live import runner as _runner
from widgets.live.runner import (
    AHEAD,
    KILLED,
    LocalRunner,
    WorkerDied,
    pack,
    unpack,
)

PARENT = """
import asyncio, sys
sys.path.insert(0, "tests")
from helpers import toy_runs
from widgets.live.runner import LocalRunner

async def main():
    runner = LocalRunner(slots=3)
    idle = [pid async for pid in runner.stream(toy_runs.pid)]
    busy = [runner.stream(toy_runs.deaf, seconds=60), runner.stream(toy_runs.pid, seconds=60)]
    print(*[await anext(each) for each in busy], *[pid for pid in idle if pid], flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture
def runner() -> Iterator[LocalRunner]:
    runner = LocalRunner(slots=2)
    yield runner
    runner.close()


async def works(runner: LocalRunner) -> None:
    """Check that every worker does its next job."""
    jobs = [collect(runner.stream(toy_runs.count, n=3)) for _ in range(2 * runner.slots)]
    assert await asyncio.gather(*jobs) == [list(toy_runs.count(3))] * len(jobs)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_fifty_short_jobs_arrive_whole_and_in_order(runner):
    async def main():
        jobs = [collect(runner.stream(toy_runs.count, n=n, tag=str(n))) for n in range(50)]
        return await asyncio.gather(*jobs)

    assert run(main()) == [[(str(n), i) for i in range(n)] for n in range(50)]


def test_more_jobs_than_slots_wait_for_a_warm_worker(runner):
    async def main():
        pids = await asyncio.gather(*(collect(runner.stream(toy_runs.pid, seconds=0.02)) for _ in range(8)))
        return {pid for pid, _ in pids}

    assert len(run(main())) == 2


@pytest.mark.parametrize(("set_here", "there"), [(None, "1"), ("3", "3")])
def test_a_worker_uses_one_thread_unless_the_server_was_told_otherwise(runner, monkeypatch, set_here, there):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if set_here:
        monkeypatch.setenv("OMP_NUM_THREADS", set_here)
    assert run(collect(runner.stream(toy_runs.variable, name="OMP_NUM_THREADS"))) == [there]


def test_an_error_arrives_with_type_message_and_the_workers_traceback(runner):
    async def main():
        stream = runner.stream(toy_runs.failing, error=KeyError, after=2)
        assert [await anext(stream), await anext(stream)] == [0, 1]
        with pytest.raises(KeyError, match=r"\(1, 2\)") as caught:
            await anext(stream)
        assert "toy_runs.py" in caught.value.__notes__[0]
        with pytest.raises(RuntimeError, match="Odd: 1 and 2"):  # pickle cannot build it again
            await collect(runner.stream(toy_runs.failing, error=toy_runs.Odd, after=0))
        with pytest.raises(TypeError, match="unexpected keyword argument 'm'"):
            await collect(runner.stream(toy_runs.count, m=1))
        return await collect(runner.stream(toy_runs.count, n=2))

    assert run(main()) == [("", 0), ("", 1)]


def test_what_cannot_be_sent_is_an_error_and_hangs_nothing(runner):
    async def main():
        stream = runner.stream(toy_runs.unsendable)
        assert await anext(stream) == 1
        with pytest.raises(Exception, match="pickle"):
            await anext(stream)
        with pytest.raises(Exception, match="pickle"):
            await collect(runner.stream(lambda: iter(())))
        return await collect(runner.stream(toy_runs.count, n=1))

    assert run(main()) == [("", 0)]


@pytest.mark.parametrize("way", ["break", "aclose", "cancel", "cancel while it is silent"])
def test_leaving_closes_the_generator_in_the_worker(runner, tmp_path, way):
    path = tmp_path / "notes"
    silent = way.endswith("silent")

    async def main():
        stream = runner.stream(toy_runs.notes, path=str(path), seconds=0.3 if silent else 0.01)
        if way == "break":
            async for item in stream:
                if item == 3:
                    break
            del stream
        elif way == "aclose":
            await anext(stream)
            await stream.aclose()
        else:
            task = asyncio.create_task(collect(stream))
            await until(lambda: toy_runs.noted(path) == ["start"])
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await until(lambda: toy_runs.noted(path) == ["start", "close"])  # by itself it takes longer
        await works(runner)

    run(main())


def test_a_job_that_is_cancelled_in_the_queue_never_starts(tmp_path):
    path = tmp_path / "notes"
    runner = LocalRunner(slots=1)

    async def main():
        first = runner.stream(toy_runs.count, n=10_000, seconds=0.02)
        await anext(first)
        second = asyncio.create_task(collect(runner.stream(toy_runs.notes, path=str(path))))
        await asyncio.sleep(0.05)
        second.cancel()
        assert len(await upto(first, 5)) == 5
        await first.aclose()
        assert await collect(runner.stream(toy_runs.count, n=1)) == [("", 0)]

    run(main())
    runner.close()
    assert toy_runs.noted(path) == []


def test_a_killed_worker_is_told_at_once_and_disturbs_nobody(runner):
    async def main():
        other = asyncio.create_task(collect(runner.stream(toy_runs.count, n=60, seconds=0.01)))
        stream = runner.stream(toy_runs.killed, after=3)
        assert [await anext(stream) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(WorkerDied, match=r"killed \(SIGKILL\).*run out of memory"):
            await anext(stream)
        assert await collect(runner.stream(toy_runs.count, n=2)) == [("", 0), ("", 1)]
        assert len(await other) == 60

    run(main())


def test_a_worker_killed_while_idle_is_replaced_unnoticed(runner):
    async def main():
        first = (await collect(runner.stream(toy_runs.pid)))[0]
        os.kill(first, signal.SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)  # until it has ended; the runner may still notice
        second = (await collect(runner.stream(toy_runs.pid)))[0]
        assert second != first

    run(main())


def test_the_other_ends_of_a_worker_have_their_sentences(runner):
    async def main():
        with pytest.raises(WorkerDied, match="exit status 3"):
            await collect(runner.stream(toy_runs.leaving, code=3))
        with pytest.raises(WorkerDied, match="ran out of memory"):
            await collect(runner.stream(toy_runs.failing, error=MemoryError, after=1))
        assert await collect(runner.stream(toy_runs.count, n=1)) == [("", 0)]

    run(main())


def test_a_generator_that_does_not_end_is_killed_after_a_while(runner, monkeypatch):
    monkeypatch.setattr(_runner, "PATIENCE", 0.3)

    async def main():
        stream = runner.stream(toy_runs.deaf, seconds=60)
        pid = await anext(stream)
        await stream.aclose()
        assert await until(lambda: not alive(pid)) > 0.2
        await works(runner)

    run(main())


def test_a_slow_consumer_holds_up_its_worker_and_not_this_process(runner, tmp_path):
    path = tmp_path / "made"

    async def main():
        stream = runner.stream(toy_runs.large, n=4 * AHEAD, size=100_000, path=str(path))
        await anext(stream)
        await asyncio.sleep(1)
        assert len(toy_runs.noted(path)) <= AHEAD + 8  # the rest: taken, in hand, in the pipe, in the making
        assert len(await collect(stream)) == 4 * AHEAD - 1
        left = runner.stream(toy_runs.large, n=4 * AHEAD, size=100_000, path=str(path))
        await anext(left)
        await left.aclose()  # the worker waits in the full pipe, and must get out of there
        await works(runner)

    run(main())


def test_a_killed_parent_leaves_no_worker(tmp_path):
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 3
        assert all(alive(pid) for pid in pids)
        parent.kill()
    end = time.monotonic() + 60
    while any(alive(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.01)
    assert [pid for pid in pids if alive(pid)] == []


def test_the_event_loop_stays_responsive_while_four_runs_compute():
    runner = LocalRunner(slots=4)
    busy = []  # seconds that the loop itself computed between two ticks, whatever else this machine does

    async def tick():
        while True:
            computed = time.thread_time()
            await asyncio.sleep(0.005)
            busy.append(time.thread_time() - computed)

    async def main():
        await asyncio.gather(*(collect(runner.stream(toy_runs.count, n=1)) for _ in range(4)))
        ticking = asyncio.create_task(tick())
        await asyncio.gather(*(collect(runner.stream(toy_runs.burning, n=30)) for _ in range(4)))
        ticking.cancel()

    run(main())
    runner.close()
    assert max(busy) < 0.02


def test_importing_the_runners_imports_nothing_heavy():
    check = (
        "import sys, widgets.live.dask_runner, widgets.live.registry, widgets.live.runner; "
        "print(*{'torch', 'dask', 'distributed', 'panel', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_how_a_worker_died_is_told_in_the_language_that_is_spoken():
    died = unpack(pack(WorkerDied(KILLED, why="SIGKILL")))
    assert str(died) == KILLED.format(why="SIGKILL")
    with speaking(language("es")):
        assert str(died).startswith("El proceso que trabajaba en esto fue interrumpido (SIGKILL)")
