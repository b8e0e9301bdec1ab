"""The runs of this server: one registry for all its readers, with workers on this machine or in a Dask cluster."""

import asyncio
import contextlib
from functools import cache

from compute.training.jobs import warm
from widgets.live.dask_runner import DaskRunner
from widgets.live.fair import Room
from widgets.live.registry import Registry
from widgets.live.runner import LocalRunner

CLUSTER_RUNS = 64  # given to a cluster at once; what its workers have no room for waits there

# Set before the first reader comes.
scheduler: str | None = None  # address of a Dask scheduler, such as tcp://10.0.0.1:8786
workers: int | None = None  # processes of this machine that compute; None for one for each core but one
room = Room(every=200, address=100, session=20)  # runs that may wait


@cache
def registry() -> Registry:
    """Return the registry of this process; its workers start when the first run is asked for."""
    if scheduler:
        return Registry(DaskRunner(scheduler), most_at_once=CLUSTER_RUNS, room=room)
    runner = LocalRunner(workers)
    return Registry(runner, most_at_once=runner.slots, room=room)


async def warm_up() -> str:
    """Have two workers import torch before a reader presses Train, once; return what runs are computed on."""
    return (await asyncio.gather(_warm("warm LoRA"), _warm("warm its control")))[0]


async def _warm(key: str) -> str:
    async with contextlib.aclosing(registry().watch(key, warm)) as said:
        async for record in said:
            if isinstance(record, str):
                return record
    return ""
