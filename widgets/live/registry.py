"""Runs that readers share: started once for each key, watched by any number, queued, stopped and kept.

Everything here happens on one event loop, and nothing awaits between reading the state and changing it, so there
are no locks.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import sys
import time
import weakref
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from widgets.kit.text import fill
from widgets.live.fair import OURS, Full, Reader, Room, Turns, told
from widgets.live.runner import Runner, WorkerDied

T = TypeVar("T")
BREATH = 100  # records replayed in one go; then the loop has a turn

LATELY = 20  # runs, of whose time the waiting is estimated
USUAL = 60.0  # seconds of a run, as long as none has ended

STOPPED = "This run was stopped before its end."
FULL = (
    "{taken} runs wait already, which is as many as may. The next of them is begun in about {time}: ask again then. "
    "“Finetune it here” trains in your own browser and waits for nobody.",
    "{taken} runs wait already that were asked for from your network, which is as many as may. The next of them is "
    "begun in about {time}: ask again then. “Finetune it here” trains in your own browser and waits for nobody.",
    "{taken} of your runs wait already, which is as many as may. The next of them is begun in about {time}: ask again "
    "then.",
)


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


class RunRefused(Exception):
    """There is no room for another run in the queue; the sentence says when there will be."""


class RunStopped(Exception):
    """Somebody stopped the run; what its watchers have seen is not the whole."""


@dataclass(frozen=True)
class Waiting:
    """What a watcher gets before the first record: the place in the queue, 1 is next, 0 is being started."""

    place: int


class _Run:
    """One run and what it has said so far. Watchers keep a position in `records`, never a copy."""

    def __init__(self, fn: Callable[..., Iterator], kwargs: dict[str, Any], owner: Reader) -> None:
        self.fn, self.kwargs, self.owner = fn, kwargs, owner
        self.readers: list[Reader] = []  # the watchers; the owner may have left, or be one of them
        self.asked = self.begun = time.monotonic()
        self.expected = 0.0  # seconds, when it began
        self.records: list[Any] = []
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

    At most `most_at_once` runs are given to the runner; the others queue, as many as there is `room` for, and readers
    take turns: whose runs have had the least time goes first, and of one reader's the one asked for first. A run that
    nobody watches is stopped after `grace` seconds, in which a reader may reload the page. Finished runs are kept up
    to `keep` bytes, those watched last; failed and stopped ones are forgotten, so that asking again starts anew.
    """

    def __init__(
        self,
        runner: Runner,
        most_at_once: int,
        keep: int = 50 * 10**6,
        grace: float = 5,
        room: Room | None = None,
    ) -> None:
        self._runner, self._most_at_once, self._keep, self._grace = runner, most_at_once, keep, grace
        self.room = room or Room(every=200, address=100, session=20)
        self.counts: Counter[str] = Counter()  # runs begun, and how they ended
        self._turns = Turns()
        self._lately: deque[float] = deque(maxlen=LATELY)  # seconds of the runs that ended last
        self._order: list[str] | None = None  # of the queue, until it changes
        self._recorded: dict[str, _Run] = {}
        self._runs: dict[str, _Run] = {}  # queued and running
        self._queue: list[str] = []
        self._running = 0
        self._kept: OrderedDict[str, tuple[_Run, int]] = OrderedDict()  # finished, with size; last is newest

    async def watch(
        self, key: str, fn: Callable[..., Iterator], /, *, reader: Reader = OURS, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        """Yield all records of the run so far and then each as it comes; start the run where there is none.

        Before the first record come `Waiting` items, one for each change of the place in the queue. Raises what the
        run failed of (`WorkerDied` among it), or `RunStopped`; `RunRefused` where it would have to be begun and there
        is no room. Two calls with one key must mean the same run: make it by `run_key` of everything in `kwargs`.
        """
        run = self._find(key) or self._begin(key, fn, kwargs, reader)
        self._join(run, reader)
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
            self._part(run, reader)
            if not run.readers and not run.ended:
                run.leaving = asyncio.get_running_loop().call_later(self._grace, self._abandon, key, run)

    def __contains__(self, key: str) -> bool:
        """Return whether there is such a run: finished and kept, being computed, or waiting."""
        return self._find(key) is not None

    def place(self, key: str) -> int:
        """Return the place in the queue: 1 is next, 0 does not wait (or is unknown)."""
        return self._in_order().index(key) + 1 if key in self._queue else 0

    def seconds(self) -> float:
        """Return how long a run takes, by those that ended last."""
        return sum(self._lately) / len(self._lately) if self._lately else USUAL

    def waiting(self) -> int:
        """Return how many runs wait."""
        return len(self._queue)

    def running(self) -> int:
        """Return how many runs are being computed."""
        return self._running

    def oldest(self) -> float:
        """Return for how many seconds the run has waited that was asked for first."""
        now = time.monotonic()
        return max((now - self._runs[key].asked for key in self._queue), default=0.0)

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
        if run.task:
            self._end(key, run, RunStopped(STOPPED))
            run.task.cancel()
            return
        self._unqueue(key)
        self._turns.go(run.owner)
        self._end(key, run, RunStopped(STOPPED))
        self._start_next()

    def leave(self, key: str) -> None:
        """Stop a run at once, without grace, if nobody watches it: its last watcher said that she is done with it."""
        run = self._runs.get(key)
        if run:
            self._abandon(key, run)

    def put(self, key: str, records: Iterable[Any]) -> None:
        """Put in a recorded run. It is replayed at once, never started and never forgotten."""
        run = _Run(lambda: iter(()), {}, OURS)
        run.records, run.ended = list(records), True
        self._recorded[key] = run

    def _find(self, key: str) -> _Run | None:
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][0]
        return self._recorded.get(key) or self._runs.get(key)

    def _begin(self, key: str, fn: Callable[..., Iterator], kwargs: dict[str, Any], owner: Reader) -> _Run:
        try:
            self.room.take(owner)
        except Full as full:
            turns = [self._runs[each].owner[: full.level] == owner[: full.level] for each in self._in_order()]
            seconds = (turns.index(True) + 1) * self.seconds() / self._most_at_once
            raise RunRefused(fill(FULL[full.level], {"taken": full.taken, "time": told(seconds)})) from None
        run = self._runs[key] = _Run(fn, kwargs, owner)
        self._turns.come(owner)
        self._queue.append(key)
        self._order = None
        self._start_next()
        return run

    def _join(self, run: _Run, reader: Reader) -> None:
        run.readers.append(reader)
        self._turns.come(reader)
        self._order = None

    def _part(self, run: _Run, reader: Reader) -> None:
        run.readers.remove(reader)
        self._turns.go(reader)
        self._order = None

    def _in_order(self) -> list[str]:
        """Return the queue in the order of turns, as things are now."""
        if self._order is None:
            waiting = [self._waiters(each) for each in self._queue]
            self._order = [self._queue[at] for at in self._turns.order(waiting, self.seconds())]
        return self._order

    def _waiters(self, key: str) -> list[Reader]:
        """Return who waits for a run; the owner counts also where she has just left."""
        return [self._runs[key].owner, *self._runs[key].readers]

    def _unqueue(self, key: str) -> None:
        self._queue.remove(key)
        self._order = None
        self.room.give(self._runs[key].owner)

    def _start_next(self) -> None:
        """Give the runner what it may have, and tell all who wait how far they have come."""
        waiting = [self._runs[key] for key in self._queue]
        while self._queue and self._running < self._most_at_once:
            key = self._queue[self._turns.first([self._waiters(each) for each in self._queue])]
            run = self._runs[key]
            self._unqueue(key)
            self._running += 1
            self.counts["begun"] += 1
            run.begun, run.expected = time.monotonic(), self.seconds()
            self._turns.begin(run.owner, run.expected)
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
        took = time.monotonic() - run.begun
        self._turns.end(run.owner, run.expected, took)
        self._turns.go(run.owner)
        if not run.ended:  # else it was stopped
            error = RunStopped(STOPPED) if task.cancelled() else task.exception()
            if error is None and run.owner != OURS:  # the server's own are short
                self._lately.append(took)
            self._end(key, run, error)
        self._start_next()

    def _end(self, key: str, run: _Run, error: BaseException | None) -> None:
        """Close a run for its watchers; keep it if it is whole."""
        run.ended, run.error = True, error
        del self._runs[key]
        self._order = None
        self.counts[
            "whole" if error is None else "stopped" if isinstance(error, RunStopped) else "failed"
        ] += 1
        if error is not None:
            _log(run, error)
        else:
            self._kept[key] = run, _size(run.records)
            while sum(size for _, size in self._kept.values()) > self._keep:
                self._kept.popitem(last=False)
        run.tell()

    def _abandon(self, key: str, run: _Run) -> None:
        if not run.readers and self._runs.get(key) is run:
            self.stop(key)


def _log(run: _Run, error: BaseException) -> None:
    """Tell the log once what a run failed of; whoever watches it gets a sentence. What a reader brought is not told."""
    from compute.numbers.refusal import FileRefused  # it loads NumPy, which a worker does not need

    log, name = logging.getLogger(__name__), run.fn.__name__
    if isinstance(error, RunStopped | FileRefused):  # neither is a failure of ours
        return
    if isinstance(error, WorkerDied):
        log.warning("a run failed: %s: %s", name, error)
    elif any(isinstance(value, bytes) for value in run.kwargs.values()):
        places = [line.strip() for note in getattr(error, "__notes__", ()) for line in note.splitlines()]
        where = [line for line in places if line.startswith("File ")]
        log.error("a run failed: %s: %s, %s", name, type(error).__name__, where[-1] if where else "here")
    else:
        log.error("a run failed: %s %s", name, run.kwargs.get("config", ""), exc_info=error)


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
