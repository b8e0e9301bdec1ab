"""Runs that readers share: started once for each key, watched by any number, queued, stopped and kept.

Everything here happens on one event loop, and nothing awaits between reading the state and changing it, so there
are no locks.
"""

import asyncio
import contextlib
import hashlib
import json
import sys
import weakref
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from widgets.live.runner import Runner

T = TypeVar("T")
BREATH = 100  # records replayed in one go; then the loop has a turn

STOPPED = "This run was stopped before its end."


def run_key(**config: Any) -> str:
    """Return the key of a run: the hash of all that it depends on, such as config, seed and the model's checksum.

    The order of names does not matter, nor whether a whole number comes as 8 or as 8.0: a browser sends either.

    Examples
    --------
    >>> run_key(r=4, seed=0) == run_key(seed=0, r=4)
    True
    >>> run_key(r=4, seed=0) == run_key(r=4, seed=1)
    False
    """
    text = json.dumps(_canonical(config), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """Return a JSON value with whole numbers as integers."""
    if isinstance(value, dict):
        return {name: _canonical(inside) for name, inside in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(inside) for inside in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class RunStopped(Exception):
    """Somebody stopped the run; what its watchers have seen is not the whole."""


@dataclass(frozen=True)
class Waiting:
    """What a watcher gets before the first record: the place in the queue, 1 is next, 0 is being started."""

    place: int


class _Run:
    """One run and what it has said so far. Watchers keep a position in `records`, never a copy."""

    def __init__(self, fn: Callable[..., Iterator], kwargs: dict[str, Any]) -> None:
        self.fn, self.kwargs = fn, kwargs
        self.records: list[Any] = []
        self.watchers = 0
        self.ended = False
        self.error: BaseException | None = None
        self.task: asyncio.Task | None = None
        self.leaving: asyncio.TimerHandle | None = None  # stops it when nobody came back
        self.news = asyncio.Event()
        self.shared: weakref.ref | None = None  # what its watchers have in common

    def tell(self) -> None:
        """Wake whoever waits. The next news is another event, so that no watcher has to clear this one."""
        self.news.set()
        self.news = asyncio.Event()


class Registry:
    """Start each distinct run once, whoever watches.

    At most `most_at_once` runs are given to the runner; the others queue in the order they were asked for. A run that
    nobody watches is stopped after `grace` seconds, in which a reader may reload the page. Finished runs are kept up
    to `keep` bytes, those watched last; failed and stopped ones are forgotten, so that asking again starts anew.
    """

    def __init__(self, runner: Runner, most_at_once: int, keep: int = 50 * 10**6, grace: float = 5) -> None:
        self._runner, self._most_at_once, self._keep, self._grace = runner, most_at_once, keep, grace
        self._recorded: dict[str, _Run] = {}
        self._runs: dict[str, _Run] = {}  # queued and running
        self._queue: list[str] = []
        self._running = 0
        self._kept: OrderedDict[str, tuple[_Run, int]] = OrderedDict()  # finished, with size; last is newest

    async def watch(
        self, key: str, fn: Callable[..., Iterator], /, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        """Yield all records of the run so far and then each as it comes; start the run where there is none.

        Before the first record come `Waiting` items, one for each change of the place in the queue. Raises what the
        run failed of (`WorkerDied` among it), or `RunStopped`. Two calls with one key must mean the same run:
        make it by `run_key` of everything in `kwargs`.
        """
        run = self._find(key) or self._begin(key, fn, kwargs)
        run.watchers += 1
        if run.leaving:
            run.leaving.cancel()
            run.leaving = None
        seen, told = 0, None
        try:
            while True:
                while seen < len(run.records):
                    yield run.records[seen]
                    seen += 1
                    if seen % BREATH == 0:
                        await asyncio.sleep(0)
                news, place = run.news, self.place(key)
                if run.ended:
                    break
                if not seen and place != told:
                    told = place
                    yield Waiting(place)
                await news.wait()
            if run.error is not None:
                # Without this, each watcher's frames would gather in the error that all share.
                raise run.error.with_traceback(None)
        finally:
            run.watchers -= 1
            if not run.watchers and not run.ended:
                run.leaving = asyncio.get_running_loop().call_later(self._grace, self._abandon, key, run)

    def __contains__(self, key: str) -> bool:
        """Return whether there is such a run: finished and kept, being computed, or waiting."""
        return self._find(key) is not None

    def place(self, key: str) -> int:
        """Return the place in the queue: 1 is next, 0 does not wait (or is unknown)."""
        return self._queue.index(key) + 1 if key in self._queue else 0

    def shared(self, key: str, make: Callable[[], T]) -> T:
        """Return what the watchers of a run have in common: the first who asks makes it, the last lets it go."""
        run = self._find(key)
        if run is None:  # it has ended and is forgotten already
            return make()
        thing: T | None = run.shared() if run.shared else None
        if thing is None:
            thing = make()
            run.shared = weakref.ref(thing)
        return thing

    def stop(self, key: str) -> None:
        """Stop a queued or running run for all who watch it; one reader who only leaves closes the own iterator."""
        run = self._runs.get(key)
        if run is None:
            return
        self._end(key, run, RunStopped(STOPPED))
        if run.task:
            run.task.cancel()
        else:
            self._queue.remove(key)
            self._start_next()

    def leave(self, key: str) -> None:
        """Stop a run at once, without grace, if nobody watches it: its last watcher said that she is done with it."""
        run = self._runs.get(key)
        if run:
            self._abandon(key, run)

    def put(self, key: str, records: Iterable[Any]) -> None:
        """Put in a recorded run. It is replayed at once, never started and never forgotten."""
        run = _Run(lambda: iter(()), {})
        run.records, run.ended = list(records), True
        self._recorded[key] = run

    def _find(self, key: str) -> _Run | None:
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][0]
        return self._recorded.get(key) or self._runs.get(key)

    def _begin(self, key: str, fn: Callable[..., Iterator], kwargs: dict[str, Any]) -> _Run:
        run = self._runs[key] = _Run(fn, kwargs)
        self._queue.append(key)
        self._start_next()
        return run

    def _start_next(self) -> None:
        """Give the runner what it may have, and tell all who wait how far they have come."""
        waiting = [self._runs[key] for key in self._queue]
        while self._queue and self._running < self._most_at_once:
            key = self._queue.pop(0)
            run = self._runs[key]
            self._running += 1
            run.task = asyncio.ensure_future(self._gather(run))
            # Not a finally in _gather: a task that is cancelled before its first step never enters it.
            run.task.add_done_callback(partial(self._done, key, run))
        for run in waiting:
            run.tell()

    async def _gather(self, run: _Run) -> None:
        """Collect what the run yields."""
        async with contextlib.aclosing(self._runner.stream(run.fn, **run.kwargs)) as records:
            async for record in records:
                run.records.append(record)
                run.tell()

    def _done(self, key: str, run: _Run, task: asyncio.Task) -> None:
        """Make room for the next run."""
        self._running -= 1
        if not run.ended:  # else it was stopped
            self._end(key, run, RunStopped(STOPPED) if task.cancelled() else task.exception())
        self._start_next()

    def _end(self, key: str, run: _Run, error: BaseException | None) -> None:
        """Close a run for its watchers; keep it if it is whole."""
        run.ended, run.error = True, error
        del self._runs[key]
        if error is None:
            self._kept[key] = run, _size(run.records)
            while sum(size for _, size in self._kept.values()) > self._keep:
                self._kept.popitem(last=False)
        run.tell()

    def _abandon(self, key: str, run: _Run) -> None:
        if not run.watchers and self._runs.get(key) is run:
            self.stop(key)


def _size(thing: Any) -> int:
    """Return about how many bytes a record occupies, with what it holds."""
    inside: Iterable[Any] = ()
    if isinstance(thing, dict):
        inside = thing.values()
    elif isinstance(thing, list | tuple | set | frozenset):
        inside = thing
    elif hasattr(thing, "__dict__"):
        inside = vars(thing).values()
    return sys.getsizeof(thing) + sum(map(_size, inside))
