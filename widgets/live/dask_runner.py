"""The runner for more than one machine: generators run on the workers of a dask.distributed cluster.

Items, error and end come as events of one topic, which keep their order; what the scheduler knows of the task
comes by another way and is asked only where no end can come any more. dask.distributed is imported when the first
stream asks for it. The cluster's machines need the same code and the same versions as the server.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import TYPE_CHECKING, Any

from widgets.live.runner import END, ITEM, WorkerDied, drive, pack, unpack

if TYPE_CHECKING:
    from distributed import Client, Future

LOST = "lost"  # what this process says to itself of a worker, beside ITEM and END
CONNECT = 10  # seconds for the scheduler to answer
LOOK = 1.0  # seconds of silence after which the scheduler and the task are asked whether they still live
STOP_EVERY = 0.1  # seconds between two questions of a worker whether to stop: each costs it a millisecond

NO_SCHEDULER = "No Dask scheduler answers at {address}."
LOST_SCHEDULER = "The connection to the Dask scheduler was lost."
LOST_WORKER = "The worker in the cluster is gone; most often its machine had run out of memory."


class DaskRunner:
    """Run generators on the cluster behind a scheduler's address, such as tcp://10.0.0.1:8786.

    The cluster decides how many run at once. A consumer that lags is not waited for: its items wait in this process.
    A runner belongs to one event loop.
    """

    def __init__(self, address: str):
        self.address = address
        self._topic = f"runs-{uuid.uuid4().hex}"  # one for all runs: the scheduler remembers topics for ever
        self._inboxes: dict[str, asyncio.Queue[tuple[str, Any]]] = {}  # by the task's key
        self._client: asyncio.Task[Client] | None = None
        self._stops: set[asyncio.Task] = set()  # asyncio itself holds its tasks only weakly

    async def stream(self, fn: Callable[..., Iterator], /, **kwargs: Any) -> AsyncGenerator[Any, None]:
        """Yield what `fn(**kwargs)` yields on a worker, and raise what it raises; see LocalRunner.stream."""
        job = pack((fn, kwargs))
        client = await self._connected()
        self._subscribe(client)  # each time: a scheduler that was restarted has forgotten it
        key = f"run-{uuid.uuid4().hex}"
        future = client.submit(_drive, job, self._topic, key, key=key, pure=False)
        inbox = self._inboxes[key] = asyncio.Queue()
        kind = ITEM
        try:
            while kind != END:
                try:
                    async with asyncio.timeout(LOOK):
                        kind, value = await inbox.get()
                except TimeoutError:
                    await self._look(client, future)
                    continue
                if kind == LOST:
                    raise WorkerDied(LOST_WORKER)
                if kind == ITEM:
                    yield unpack(value)
            error = unpack(value)
            if error is not None:
                raise error
        finally:
            del self._inboxes[key]
            future.release()  # it starts no more where it has not started
            if kind != END and client.status == "running":
                stop = asyncio.ensure_future(_stop(client, key))
                self._stops.add(stop)
                stop.add_done_callback(self._stops.discard)

    async def close(self) -> None:
        """Leave the cluster; it stays."""
        await asyncio.gather(*self._stops)
        connecting, self._client = self._client, None
        if connecting:
            with contextlib.suppress(WorkerDied):  # there was no scheduler
                client = await connecting
                for topic in (
                    self._topic,
                    "all",
                ):  # else the scheduler fails to tell this client of its own end
                    client.unsubscribe_topic(topic)
                await client.close()

    async def _connected(self) -> "Client":
        """Return the client, connected when it is first asked for, and again after the scheduler was lost."""
        if self._client and self._client.done() and not _works(self._client):
            self._client = None
        if not self._client:
            self._client = asyncio.ensure_future(self._connect())
        return await asyncio.shield(self._client)  # who is cancelled here does not cancel the others

    async def _connect(self) -> "Client":
        from distributed import Client

        try:
            client = await Client(self.address, asynchronous=True, timeout=CONNECT, set_as_default=False)
        except OSError:
            raise WorkerDied(NO_SCHEDULER, address=self.address) from None
        self._subscribe(client)
        return client

    def _subscribe(self, client: "Client") -> None:
        client.subscribe_topic(self._topic, self._receive)
        client.subscribe_topic("all", self._notice)

    def _receive(self, event: tuple[float, Any]) -> None:
        """Sort what a worker said into its stream's inbox, on the event loop."""
        key, kind, value = event[1]
        if key in self._inboxes:  # else the stream was left
            self._inboxes[key].put_nowait((kind, value))

    def _notice(self, event: tuple[float, Any]) -> None:
        """End the streams of a worker that the scheduler has lost: Dask would begin them again, from the start."""
        about = event[1]
        if isinstance(about, dict) and about.get("action") == "remove-worker":
            for key in about["processing-tasks"]:
                self._receive((0, (key, LOST, None)))

    async def _look(self, client: "Client", future: "Future") -> None:
        """Raise where no end can come any more."""
        if client.status != "running" or future.status == "cancelled":  # cancelled: lost, and found again
            raise WorkerDied(LOST_SCHEDULER)
        if future.status == "error":  # Dask could not run it; the generator's own error comes as an event
            await future


def _works(client: "asyncio.Task[Client]") -> bool:
    """Return whether a finished attempt to connect gave a client that is still connected."""
    return not client.cancelled() and client.exception() is None and client.result().status == "running"


async def _stop(client: "Client", key: str) -> None:
    from distributed import Event

    with contextlib.suppress(OSError):  # the scheduler went away, and the cluster with it
        await Event(key, client=client).set()


def _drive(job: bytes, topic: str, key: str) -> None:
    """Run a packed job on a worker of the cluster."""
    from distributed import Event, get_worker

    worker, stop, begun = get_worker(), Event(key), Event(f"{key}-begun")
    if begun.is_set():  # the worker before this one died, and what it died of would be fatal here too
        return
    begun.set()
    asked = 0.0

    def stopped() -> bool:
        nonlocal asked
        if time.monotonic() < asked + STOP_EVERY:
            return False
        asked = time.monotonic()
        if not stop.is_set():
            return False
        stop.clear()  # else the scheduler remembers it for ever
        return True

    drive(job, lambda kind, value: worker.log_event(topic, (key, kind, pack(value))), stopped)
    begun.clear()
