"""Long work in other processes: what a generator yields there arrives here, item by item.

A runner has one method, `stream(fn, **kwargs)`. Each worker is one process and one pipe. Items, the error and the
end travel through that pipe in this order, so nothing that was yielded can be overtaken by the end; a process
that dies closes its pipe, so nobody waits for it; and when this process dies the same pipe ends the worker.
A `ProcessPoolExecutor` has none of the three: its results come by another way than the items, a killed worker
breaks the whole pool, and its workers outlive a killed parent.
"""

import asyncio
import contextlib
import multiprocessing
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import AsyncGenerator, Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any, Protocol

from widgets.kit.text import fill

ITEM, END = "item", "end"  # what a worker says: an item, or that it ended and of what (None or an exception)
STOP = b"stop"  # what a worker is told besides its jobs
AHEAD = 64  # items that wait here for a slow consumer; then the pipe fills (some 200 kB) and the worker waits
TICK = 0.05  # seconds after which a silent worker's thread looks whether it should stop
LEAST_SLOTS = 2  # LoRA and its control grow side by side, also on one core
PATIENCE = 10  # seconds a worker has to close its generator, an import of torch included; then it is killed
NICE = 5  # the web process comes first where both want the same core; another user's program only a little

# One core for each worker. Two threads of torch that wait for each other on busy cores took 44 s where one took 7.
THREADS = {"OMP_NUM_THREADS": "1"}

OUT_OF_MEMORY = "The process that worked on this ran out of memory."
KILLED = "The process that worked on this was killed ({why}); most often the machine had run out of memory."
GONE = "The process that worked on this ended by itself ({why})."

# Not multiprocessing.Process: that imports the program's main module in each worker, here all of Panel.
BOOT = "import sys; sys.path[:] = sys.argv[2:]; from widgets.live.runner import work; work(int(sys.argv[1]))"


class WorkerDied(Exception):
    """The process that worked on a stream is no more. The next stream gets a new one."""

    def __init__(self, words: str, **values: str):
        super().__init__(words)
        self.values = values

    def __str__(self) -> str:
        """Say what became of it, in the language that is spoken: whoever shows it need not know which error it is."""
        return fill(self.args[0], self.values)


class Runner(Protocol):
    """What a registry asks of a runner."""

    def stream(self, fn: Callable[..., Iterator], /, **kwargs: Any) -> AsyncGenerator[Any, None]:
        """Yield what `fn(**kwargs)` yields elsewhere."""


def pack(thing: Any) -> bytes:
    """Return a thing as bytes for another of our own processes; a function goes by its module and name."""
    return bytes(ForkingPickler.dumps(thing))


def unpack(data: bytes) -> Any:
    """Return what was packed."""
    return ForkingPickler.loads(data)


def drive(job: bytes, say: Callable[[str, Any], None], stopped: Callable[[], bool]) -> None:
    """Run a packed job in a worker: say each item, then the end. Stopped, it closes the generator first."""
    error: Exception | None = None
    try:
        fn, kwargs = unpack(job)
        with contextlib.closing(fn(**kwargs)) as items:
            for item in items:
                if stopped():
                    break
                say(ITEM, item)
    except MemoryError:
        error = WorkerDied(OUT_OF_MEMORY)
    except Exception as raised:
        error = _portable(raised)
    say(END, error)


def _portable(error: Exception) -> Exception:
    """Return an error that arrives at the consumer as it is here, with the worker's traceback as a note."""
    where = "".join(traceback.format_exception(error))
    try:
        copy = unpack(pack(error))
        arrives = type(copy) is type(error) and str(copy) == str(error)
    except Exception:
        arrives = False
    error = error if arrives else RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(f"In the worker:\n{where}")
    return error


def work(descriptor: int) -> None:
    """Do one job after the other: the main function of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches everybody; the server decides
    os.nice(NICE)
    pipe = Connection(descriptor)
    jobs: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    stop = threading.Event()

    def listen() -> None:
        """Take orders, also while a job computes. The pipe's end is the server's end, whatever it died of."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                order = pipe.recv_bytes()
                if order == STOP:
                    stop.set()
                else:
                    stop.clear()  # a stop that came after the last job's end was not meant for this one
                    jobs.put(order)
        os._exit(0)

    def say(kind: str, value: Any) -> None:
        message = pack((kind, value))  # what fails here is the generator's error; a broken pipe is nobody's
        try:
            pipe.send_bytes(message)
        except OSError:
            os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        drive(jobs.get(), say, stop.is_set)


class _Worker:
    """One process, and this side of its pipe."""

    def __init__(self) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        with theirs:  # closed here once the process has it, else its death would not end the pipe
            command = [sys.executable, "-c", BOOT, str(theirs.fileno()), *sys.path]
            environment = THREADS | os.environ
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], env=environment
            )

    def end(self) -> WorkerDied:
        """End the process where it has not ended yet, and return how it ended."""
        self.pipe.close()
        try:
            code = self.process.wait(1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if code < 0:
            return WorkerDied(KILLED, why=signal.Signals(-code).name)
        return WorkerDied(GONE, why=f"exit status {code}")


class _Reader:
    """One stream's thread: it alone uses the worker's pipe, so that no lock is needed and the loop never blocks."""

    def __init__(self, runner: "LocalRunner", worker: _Worker | None, job: bytes):
        self.runner, self.worker, self.job = runner, worker, job
        self.loop = asyncio.get_running_loop()
        self.said: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.room = threading.Semaphore(AHEAD)
        self.stop = threading.Event()
        # A daemon, so that a server which ends does not wait for its runs; the pipe's end stops them.
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        """Hand the worker its job and pass on what it says; in the end give back the slot."""
        end: Exception | None
        worker = None
        try:
            worker = self.runner._living(self.worker)
            end = self._listen(worker)
        except Exception as error:
            end = error
            if worker:
                how = self.runner._drop(worker)
                worker = None
                if isinstance(error, EOFError | OSError):  # of the pipe: what the generator raised is a value
                    end = how
        self._post(self.said.put_nowait, (END, end))
        self._post(self.runner._give_back, worker)

    def _listen(self, worker: _Worker) -> Exception | None:
        """Pass on each item while the consumer has room, none after a stop; return what the job ended of."""
        pipe, deadline = worker.pipe, None
        pipe.send_bytes(self.job)
        while True:
            if deadline is None and self.stop.is_set():
                pipe.send_bytes(STOP)
                deadline = time.monotonic() + PATIENCE
            if deadline is not None and time.monotonic() > deadline:
                worker.process.kill()
            if not pipe.poll(TICK):
                continue
            kind, value = unpack(pipe.recv_bytes())
            if kind == END:
                return value
            while not self.stop.is_set() and not self.room.acquire(timeout=TICK):
                pass
            if not self.stop.is_set():
                self._post(self.said.put_nowait, (ITEM, value))

    def _post(self, callback: Callable, argument: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is there any more
            self.loop.call_soon_threadsafe(callback, argument)


class LocalRunner:
    """Run generators in warm processes of this machine, at most `slots` at once; the others wait their turn.

    A worker starts with the first stream that needs it and is kept, with what it has imported. A runner belongs to
    one event loop. It needs Linux or macOS.
    """

    def __init__(self, slots: int | None = None) -> None:
        self.slots = slots or max(LEAST_SLOTS, _cores() - 1)  # the web process keeps a core
        self._free = asyncio.Semaphore(self.slots)
        self._idle: list[_Worker] = []  # the one used last is taken first: it is the warmest
        self._workers: set[_Worker] = set()

    async def stream(self, fn: Callable[..., Iterator], /, **kwargs: Any) -> AsyncGenerator[Any, None]:
        """Yield what `fn(**kwargs)` yields in a worker, and raise what it raises.

        Leaving the iteration stops the worker's generator within an item. Raises `WorkerDied` where the process
        was killed or ran out of memory.
        """
        job = pack((fn, kwargs))
        await self._free.acquire()
        reader = _Reader(self, self._idle.pop() if self._idle else None, job)
        try:
            while True:
                kind, value = await reader.said.get()
                if kind == END:
                    break
                reader.room.release()
                yield value
            if value is not None:
                raise value
        finally:
            reader.stop.set()  # break, aclose() and cancel all come here; nothing is awaited, so nothing can be cut

    def close(self) -> None:
        """End all workers."""
        self._idle.clear()
        for worker in list(self._workers):
            worker.process.kill()
            worker.process.wait()
        self._workers.clear()

    def _living(self, worker: _Worker | None) -> _Worker:
        """Return the worker, or a new one where there is none or it died while it was idle."""
        if worker and worker.process.poll() is None:
            return worker
        if worker:
            self._drop(worker)
        worker = _Worker()
        self._workers.add(worker)  # in a reader's thread, but the set's operations are atomic
        return worker

    def _drop(self, worker: _Worker) -> WorkerDied:
        """Forget a worker that is not fit for another job, and return how it ended."""
        self._workers.discard(worker)
        return worker.end()

    def _give_back(self, worker: _Worker | None) -> None:
        if worker in self._workers:
            self._idle.append(worker)
        self._free.release()


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
