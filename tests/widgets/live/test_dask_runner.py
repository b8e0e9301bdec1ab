"""The Dask runner on a real local cluster keeps the promises of the local one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from helpers import toy_runs
from helpers.streams import collect, run, until, upto
from widgets.live import dask_runner as _dask_runner
from widgets.live.dask_runner import DaskRunner
from widgets.live.registry import Registry
from widgets.live.runner import WorkerDied


def local_cluster(workers: int):
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",  # any free port: None means 8787, which may be taken
        scheduler_kwargs={"dashboard": False},
        host="127.0.0.1",
        silence_logs=50,
    )


@pytest.fixture(scope="module")
def cluster() -> Iterator:
    with local_cluster(workers=2) as cluster:
        yield cluster


def on(cluster, main) -> None:
    """Call an async function with a runner on the cluster."""

    async def with_runner() -> None:
        runner = DaskRunner(cluster.scheduler_address)
        try:
            await main(runner)
        finally:
            await runner.close()

    run(with_runner())


def test_short_jobs_arrive_whole_and_in_order(cluster):
    async def main(runner):
        jobs = [collect(runner.stream(toy_runs.count, n=n, tag=str(n))) for n in range(30)]
        assert await asyncio.gather(*jobs) == [[(str(n), i) for i in range(n)] for n in range(30)]

    on(cluster, main)


def test_an_error_arrives_with_type_and_message(cluster):
    async def main(runner):
        with pytest.raises(KeyError, match=r"\(1, 2\)") as caught:
            await collect(runner.stream(toy_runs.failing, error=KeyError, after=3))
        assert "toy_runs.py" in caught.value.__notes__[0]
        with pytest.raises(RuntimeError, match="Odd: 1 and 2"):
            await collect(runner.stream(toy_runs.failing, error=toy_runs.Odd, after=0))
        assert await collect(runner.stream(toy_runs.count, n=1)) == [("", 0)]

    on(cluster, main)


@pytest.mark.parametrize("way", ["aclose", "cancel"])
def test_leaving_closes_the_generator_on_the_cluster(cluster, tmp_path, way):
    path = tmp_path / "notes"

    async def main(runner):
        stream = runner.stream(toy_runs.notes, path=str(path))
        if way == "aclose":
            assert [await anext(stream) for _ in range(3)] == [0, 1, 2]
            await stream.aclose()
        else:
            task = asyncio.create_task(collect(stream))
            await until(lambda: toy_runs.noted(path) == ["start"])
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await until(lambda: toy_runs.noted(path) == ["start", "close"])  # by itself it takes longer

    on(cluster, main)


def test_a_job_that_is_cancelled_in_the_queue_never_starts(cluster, tmp_path):
    path = tmp_path / "notes"

    async def main(runner):
        busy = [runner.stream(toy_runs.count, n=10_000, seconds=0.05) for _ in range(2)]
        await asyncio.gather(*(anext(each) for each in busy))
        waits = asyncio.create_task(collect(runner.stream(toy_runs.notes, path=str(path))))
        await asyncio.sleep(0.2)
        waits.cancel()
        assert [len(each) for each in await asyncio.gather(*(upto(each, 5) for each in busy))] == [5, 5]
        await asyncio.gather(*(each.aclose() for each in busy))
        assert await collect(runner.stream(toy_runs.count, n=1)) == [("", 0)]

    on(cluster, main)
    assert toy_runs.noted(path) == []


def test_a_killed_worker_is_told_and_the_run_does_not_begin_again(cluster, tmp_path):
    path = tmp_path / "notes"

    async def main(runner):
        stream = runner.stream(toy_runs.killed, after=3, path=str(path))
        assert [await anext(stream) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(WorkerDied, match="worker in the cluster is gone"):
            await asyncio.wait_for(anext(stream), 5)
        assert len(await collect(runner.stream(toy_runs.count, n=3))) == 3

    on(cluster, main)
    assert toy_runs.noted(path) == ["start"]


def test_a_registry_shares_a_run_on_the_cluster(cluster, tmp_path):
    path = tmp_path / "notes"

    async def main(runner):
        registry = Registry(runner, most_at_once=2)
        watching = [collect(registry.watch("a", toy_runs.notes, path=str(path), n=30)) for _ in range(5)]
        assert await asyncio.gather(*watching) == [list(range(30))] * 5
        assert toy_runs.noted(path) == ["start", "close"]

    on(cluster, main)


def test_a_job_that_dask_itself_cannot_run_is_an_error(cluster, monkeypatch):
    monkeypatch.setattr(_dask_runner, "_drive", toy_runs.refuse)

    async def main(runner):
        with pytest.raises(ModuleNotFoundError, match="not on this machine"):
            await collect(runner.stream(toy_runs.count, n=1))

    on(cluster, main)


def test_a_task_that_the_scheduler_gave_up_is_told(cluster):
    async def main(runner):
        from distributed import Future

        stream = runner.stream(toy_runs.deaf, seconds=2)
        await anext(stream)
        client = await runner._connected()
        await client.cancel([Future(key, client) for key in runner._inboxes], force=True)
        with pytest.raises(WorkerDied, match="connection to the Dask scheduler was lost"):
            await asyncio.wait_for(anext(stream), 5)

    on(cluster, main)


def test_a_cluster_that_goes_away_is_told():
    cluster = local_cluster(workers=1)

    async def main(runner):
        stream = runner.stream(toy_runs.notes, path=os.devnull)
        await anext(stream)
        closing = asyncio.create_task(asyncio.to_thread(cluster.close))
        with pytest.raises(WorkerDied, match="is gone|was lost"):
            await asyncio.wait_for(collect(stream), 10)
        await closing

    on(cluster, main)


def test_without_a_scheduler_there_is_a_sentence(monkeypatch):
    monkeypatch.setattr(_dask_runner, "CONNECT", 0.3)

    async def main():
        runner = DaskRunner("tcp://127.0.0.1:9")
        for _ in range(2):
            with pytest.raises(WorkerDied, match="No Dask scheduler answers at tcp://127.0.0.1:9"):
                await collect(runner.stream(toy_runs.count, n=1))
        await runner.close()

    run(main())
