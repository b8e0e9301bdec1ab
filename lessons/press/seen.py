"""What an operator sees: that the server is well, counters, a log of answers that names no reader, errors once."""

import logging
import logging.handlers
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from lessons.press.doors import Doors, Stalled
from lessons.press.rooms import ClassRooms
from widgets.live import own_matrix, training

WHOSE = ("all", "address", "session")  # whose bound a refusal was about
KINDS = ("lesson", "embed", "file", "arrays", "assets", "live", "static")
ENDS = ("whole", "stopped", "failed")
NO_LOG = "The access log cannot be written: {why}. Its lines are lost until it can."

Sample = tuple[dict[str, str], float]


def kind_of(path: str) -> str:
    """Return what kind of thing stands at a path below the prefix.

    Examples
    --------
    >>> kind_of("/lesson/rank.html"), kind_of("/live/lab/train/ws"), kind_of("/"), kind_of("/metrics")
    ('lesson', 'websocket', 'page', 'page')
    """
    first = path.split("/")[1] if path.startswith("/") else ""
    if first in ("live", "room") and path.endswith("/ws"):
        return "websocket"
    return first if first in KINDS else "page"


class _LogFile(logging.handlers.WatchedFileHandler):
    """A file that may be moved away by who keeps logs, and whose disk may be full: then it says so once."""

    silent = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        if not self.silent:
            self.silent = True
            sys.stderr.write(NO_LOG.format(why=getattr(sys.exc_info()[1], "strerror", "unknown")) + "\n")


class Seen:
    """Count what is answered, and tell it in Prometheus' text format."""

    rooms: ClassRooms  # set when there are pages

    def __init__(self, prefix: str, doors: Doors, stalled: Stalled, log: str = ""):
        self.prefix, self.doors, self.stalled = prefix, doors, stalled
        self.answers: Counter[tuple[str, str]] = Counter()  # by kind and class of status
        self._log = logging.getLogger("lora.access")
        self._log.propagate, self._log.level = False, logging.INFO
        self._log.handlers = (
            [] if not log else [logging.StreamHandler(sys.stdout) if log == "-" else _LogFile(log)]
        )

    def answered(self, handler: RequestHandler) -> None:
        """Count one answer and log it: when, what, how it went, how long it took; not who asked, nor with what."""
        request, status = handler.request, handler.get_status()
        path = request.path.removeprefix(self.prefix)
        kind = kind_of(path)
        self.answers[kind, f"{status // 100}xx"] += 1
        if self._log.handlers:
            when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            what = path if status < 400 else f"({kind})"  # where nothing is, a path may be anything
            self._log.info(
                "%s %s %s %d %.1f ms", when, request.method, what, status, 1000 * request.request_time()
            )

    def counters(self) -> Iterator[tuple[str, str, str, Sequence[Sample]]]:
        """Yield name, type, meaning and values of each counter."""
        runs = training.registry()
        answers = [
            ({"kind": kind, "status": status}, n) for (kind, status), n in sorted(self.answers.items())
        ]
        yield "lora_answers_total", "counter", "answers, by what was asked for", answers
        yield "lora_sessions_open", "gauge", "live parts that are open", [({}, len(self.doors.readers()))]
        yield "lora_sessions_total", "counter", "live parts that were opened", [({}, self.doors.opened)]
        yield "lora_runs_begun_total", "counter", "runs that were begun", [({}, runs.counts["begun"])]
        ended: list[Sample] = [({"end": end}, runs.counts[end]) for end in ENDS]
        yield "lora_runs_ended_total", "counter", "runs that ended, also in the queue", ended
        yield "lora_runs_running", "gauge", "runs being computed", [({}, runs.running())]
        yield "lora_runs_waiting", "gauge", "runs in the queue", [({}, runs.waiting())]
        yield (
            "lora_oldest_wait_seconds",
            "gauge",
            "wait of the run that was asked for first",
            [({}, runs.oldest())],
        )
        yield "lora_run_seconds", "gauge", "how long runs took lately", [({}, runs.seconds())]
        yield (
            "lora_memory_held_bytes",
            "gauge",
            "memory for readers' matrices",
            [({}, own_matrix.room.taken())],
        )
        refusing = {
            "session": self.doors.refused,
            "run": runs.room.refused,
            "memory": own_matrix.room.refused,
        }
        refused: list[Sample] = [
            ({"what": what, "bound": whose}, each[level])
            for what, each in refusing.items()
            for level, whose in enumerate(WHOSE)
        ]
        yield "lora_refusals_total", "counter", "what readers were refused, by whose bound it was", refused
        yield "lora_rooms_open", "gauge", "rooms for classes that are open", [({}, len(self.rooms.rooms))]
        yield "lora_rooms_total", "counter", "rooms that were opened", [({}, self.rooms.opened)]
        yield "lora_room_readers", "gauge", "students who are in a room", [({}, self.rooms.readers())]
        unlet: list[Sample] = [({"why": why}, n) for why, n in sorted(self.rooms.refused.items())]
        yield "lora_room_refusals_total", "counter", "who was let into no room, or could open none", unlet
        yield (
            "lora_stalled_total",
            "counter",
            "answers that nobody took, and that were cut",
            [({}, self.stalled.cut)],
        )
        if memory := _resident():
            yield "process_resident_memory_bytes", "gauge", "memory of this process", [({}, memory)]

    def text(self) -> str:
        """Return all counters in Prometheus' text format."""
        lines = []
        for name, kind, meaning, samples in self.counters():
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
            for labels, value in samples:
                told = ",".join(f'{label}="{text}"' for label, text in labels.items())
                lines.append(f"{name}{{{told}}} {value:g}" if told else f"{name} {value:g}")
        return "\n".join(lines) + "\n"

    def routes(self) -> list[tuple]:
        """Return the addresses for operators."""
        return [("/health", Health), ("/metrics", Metrics, {"seen": self})]


class Health(RequestHandler):
    """Say that the server answers."""

    def get(self) -> None:
        """Answer."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish("well\n")

    head = get


class Metrics(RequestHandler):
    """Tell the counters."""

    def initialize(self, seen: Seen) -> None:
        """Take what is told."""
        self.seen = seen

    def get(self) -> None:
        """Answer."""
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.finish(self.seen.text())


def apart(seen: Seen, address: str, port: int) -> None:
    """Serve the addresses for operators on a port of their own."""
    try:
        HTTPServer(Application(seen.routes(), log_function=lambda _: None)).listen(port, address)
    except OSError as error:
        sys.exit(
            f"Cannot listen on {address}, port {port}: {error.strerror}. Choose another port with --admin-port."
        )


def discreet() -> None:
    """Keep out of the log who asked and what was sent; what failed, and where, stays."""
    for name in (
        "tornado.application",
        "tornado.general",
        "bokeh.server.views.ws",
        "bokeh.server.protocol_handler",
    ):
        logging.getLogger(name).addFilter(_without_readers)


def _without_readers(record: logging.LogRecord) -> bool:
    """Take values out of an error: Tornado's name the request, Bokeh's quote the message, and so may the exception."""
    error = record.exc_info[1] if record.exc_info else None
    if error is not None or record.levelno >= logging.ERROR:
        what = str(record.msg).partition("%")[0].strip(" :\n")
        places = traceback.extract_tb(error.__traceback__)[-3:] if error else []
        where = " < ".join(
            f"{os.path.basename(at.filename)}:{at.lineno} {at.name}" for at in reversed(places)
        )
        record.msg, record.args = (
            f"{what}: {type(error).__name__ if error else 'error'} at {where or 'once'}",
            None,
        )
        record.exc_info = record.exc_text = None
    return True


def _resident() -> int:
    """Return the bytes of memory of this process, where Linux tells; else 0."""
    try:
        with open("/proc/self/statm", encoding="ascii") as told:
            return int(told.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
