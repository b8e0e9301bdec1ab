"""What readers share: how much each may have, and whose turn it is.

A reader is known at two levels: the address that she asks from, and her session there. A class may sit behind one
address, and one program may open many sessions; so both are counted, and turns are taken between addresses first.
"""

import heapq
import ipaddress
import itertools
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from widgets.kit.languages import say
from widgets.kit.text import fill

NETWORK_BITS = 64  # of an address of IPv6: whoever has one has all that begin like it
HOUR = 3600.0


class Reader(NamedTuple):
    """Who wishes for something."""

    address: str = ""
    session: str = ""


OURS = Reader()  # the server's own wishes


def reader_here() -> Reader:
    """Return the reader whose session runs now."""
    from panel import state  # the registry, which workers import, must stay light

    context = state.curdoc.session_context if state.curdoc else None
    request = getattr(context, "request", None)
    return Reader(address_of(getattr(request, "remote_ip", "")), str(getattr(context, "id", "")))


def address_of(text: str) -> str:
    """Return what counts as one address.

    Examples
    --------
    >>> address_of("192.0.2.7"), address_of("2001:db8::7:1"), address_of("")
    ('192.0.2.7', '2001:db8::/64', '')
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if address.version == 6:
        return str(ipaddress.ip_network((address, NETWORK_BITS), strict=False))
    return text


def levels(reader: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield all readers together, those at this one's address, and this one."""
    for level in range(len(Reader._fields) + 1):
        yield tuple(reader[:level])


class Full(Exception):
    """There is no room: `taken` is what those have who share the bound, `level` is 0 for all, 1 an address, 2 one."""

    def __init__(self, level: int, taken: int):
        super().__init__(level, taken)
        self.level, self.taken = level, taken


class Room:
    """So much for all readers together, so much for those at one address, and so much for one."""

    def __init__(self, every: int, address: int, session: int):
        self.bounds = (every, address, session)
        self._taken: Counter[tuple[str, ...]] = Counter()
        self.refused: Counter[int] = Counter()  # by level

    def taken(self, level: Sequence[str] = ()) -> int:
        """Return how much is taken by all, or by those at a level."""
        return self._taken[tuple(level)]

    def take(self, reader: Reader, amount: int = 1) -> None:
        """Take room or raise Full, and then take none; a negative amount gives some back."""
        wanted = [*levels(reader)]
        for level, (bound, whose) in enumerate(zip(self.bounds, wanted, strict=True)):
            if amount > 0 and self._taken[whose] + amount > bound:
                self.refused[level] += 1
                raise Full(level, self._taken[whose])
        for whose in wanted:
            self._taken[whose] += amount
            if whose and not self._taken[whose]:
                del self._taken[whose]

    def give(self, reader: Reader, amount: int = 1) -> None:
        """Give room back."""
        self.take(reader, -amount)


class Turns:
    """Whose turn is next: hers who has had the least time since she has been here, address by address.

    Who comes starts at what those here have had least, so that nobody saves up turns by staying away.
    """

    def __init__(self) -> None:
        self._had: dict[tuple[str, ...], float] = {}  # seconds
        self._having: defaultdict[tuple[str, ...], float] = defaultdict(
            float
        )  # what goes on now, as expected
        self._here: Counter[tuple[str, ...]] = Counter()
        self._since: dict[tuple[str, ...], int] = {}  # who of two that have had the same came first
        self._arrivals = itertools.count()

    def come(self, reader: Reader) -> None:
        """Let a reader take part, once for each thing she waits for."""
        for whose in _turn_levels(reader):
            if not self._here[whose]:
                self._since[whose] = next(self._arrivals)
                beside = [
                    had
                    for other, had in self._had.items()
                    if len(other) == len(whose) and other[:-1] == whose[:-1]
                ]
                self._had[whose] = min(beside, default=0.0)
            self._here[whose] += 1

    def go(self, reader: Reader) -> None:
        """Let a reader leave."""
        for whose in _turn_levels(reader):
            self._here[whose] -= 1
            if not self._here[whose]:
                del self._here[whose], self._had[whose], self._since[whose]

    def begin(self, reader: Reader, seconds: float) -> None:
        """Say that a reader has her turn, and how long it may take: she does not get all places at once."""
        for whose in _turn_levels(reader):
            self._having[whose] += seconds

    def end(self, reader: Reader, seconds: float, took: float) -> None:
        """Say that her turn is over, which would take so many seconds, and how many it took."""
        for whose in _turn_levels(reader):
            self._having[whose] -= seconds
            if not self._having[whose]:
                del self._having[whose]
            if whose in self._had:
                self._had[whose] += took

    def first(self, waiting: Sequence[Sequence[Reader]]) -> int:
        """Return the index of what is next, of things that one or several readers wait for; the oldest goes first."""
        return self.order(waiting, seconds=0, most=1)[0]

    def order(
        self, waiting: Sequence[Sequence[Reader]], seconds: float, most: int = sys.maxsize
    ) -> list[int]:
        """Return the indices in the order of their turns, if each takes so long and nobody else comes.

        The first reader of a thing has the time that it takes, and all of them bring it forward.
        """
        had = {whose: before + self._having.get(whose, 0.0) for whose, before in self._had.items()}
        alike: dict[tuple[Reader, ...], list[int]] = {}  # what the same readers wait for, its oldest last
        for at, readers in reversed([*enumerate(waiting)]):
            alike.setdefault(tuple(dict.fromkeys(readers)), []).append(at)

        def key(readers: tuple[Reader, ...]) -> list:
            keys = [
                [(had.get(whose, 0.0), self._since.get(whose, 0)) for whose in _turn_levels(reader)]
                for reader in readers
            ]
            return [min(keys), alike[readers][-1]]

        heap = [(key(readers), readers) for readers in alike]
        heapq.heapify(heap)
        order: list[int] = []
        while heap and len(order) < most:
            known, readers = heap[0]
            now = key(readers)
            if known != now:  # another's turn has changed it; it can only be later than it was
                heapq.heapreplace(heap, (now, readers))
                continue
            order.append(alike[readers].pop())
            for whose in _turn_levels(readers[0]):
                had[whose] = had.get(whose, 0.0) + seconds
            if alike[readers]:
                heapq.heapreplace(heap, (key(readers), readers))
            else:
                heapq.heappop(heap)
        return order


def _turn_levels(reader: Reader) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the levels at which turns are taken; at that of all there is nobody else."""
    return reader[:1], tuple(reader)


def told(seconds: float) -> str:
    """Return a wait in words, rounded up: nobody comes back too early.

    Examples
    --------
    >>> told(3), told(31), told(61), told(3599)
    ('10 seconds', '40 seconds', '2 minutes', '60 minutes')
    """
    if seconds <= 50:
        return fill("{count} seconds", {"count": 10 * max(1, math.ceil(seconds / 10))})
    minutes = math.ceil(min(seconds, HOUR) / 60)
    return fill("{count} minutes", {"count": minutes}) if minutes > 1 else say("1 minute")
