"""How the lessons are served: every option in one table, read from the command line, the environment and a file.

Nothing but Python's own modules is loaded here, so that --help and a refusal come at once.
"""

import argparse
import dataclasses
import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

PREFIX = "LORA_"  # of the environment's variables: --most-waiting is LORA_MOST_WAITING there
FILE = "config"  # names the file, so it cannot stand in one
MOST_STEPS, EVERY = 2000, 25  # what the live lab can do at most; it measures every so many

Read = Callable[[str], Any]


class Wrong(ValueError):
    """An option cannot be what was given; the sentence says where it was given, and what can be."""


def _port(text: str) -> int:
    if not (text.isdecimal() and len(text) <= 5 and int(text) <= 65535):
        raise ValueError(f"{text!r} is no port; 1 to 65535 are, and 0 for any free one.")
    return int(text)


def _address(text: str) -> str:
    if not re.fullmatch(r"[\w.:-]+", text, re.ASCII):
        raise ValueError(f"{text!r} is no address of this computer, such as 127.0.0.1 or 0.0.0.0.")
    return text


def _origin(text: str) -> str:
    if not re.fullmatch(r"[\w*.-]+(:(\d{1,5}|\*))?", text, re.ASCII):
        raise ValueError(f"{text!r} is no NAME or NAME:PORT, such as lora.your-site.example.")
    return text


def _scheduler(text: str) -> str:
    if not re.fullmatch(r"(tcp|tls|ucx|ws|wss)://[\w.\[\]:-]+:\d{1,5}", text, re.ASCII):
        raise ValueError(f"{text!r} is no scheduler's address, such as tcp://10.0.0.1:8786.")
    return text


def _prefix(text: str) -> str:
    """Return a path without a slash at its end; the root is empty."""
    if not re.fullmatch(r"(/[\w.~-]+)*/?", text, re.ASCII) or {".", ".."} & {*text.split("/")}:
        raise ValueError(f"{text!r} is no path before all others, such as /lora.")
    return text.rstrip("/")


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(f"{text!r} is no address or network, such as 127.0.0.1 or 10.0.0.0/8.") from None


def _count(least: int, most: int) -> Read:
    def read(text: str) -> int:
        if not (text.isdecimal() and len(text) <= 9 and least <= int(text) <= most):
            raise ValueError(f"{text!r} is not possible; a whole number from {least:,} to {most:,} is.")
        return int(text)

    return read


def _steps(text: str) -> int:
    if not (text.isdecimal() and len(text) <= 9 and 0 < int(text) <= MOST_STEPS and int(text) % EVERY == 0):
        raise ValueError(f"{text!r} is not possible; a multiple of {EVERY} up to {MOST_STEPS:,} is.")
    return int(text)


def _file(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("A file needs a name; - is standard output.")
    return text


def _option(default: Any, read: Read, told: str, metavar: str, each: bool = False) -> Any:
    return dataclasses.field(
        default=default, metadata={"read": read, "told": told, "metavar": metavar, "each": each}
    )


@dataclasses.dataclass(frozen=True)
class Options:
    """Every option of serving. An option that may be given several times is a tuple."""

    address: str = _option(
        "127.0.0.1",
        _address,
        "network address to listen on; 127.0.0.1 is this computer only, 0.0.0.0 all",
        "IP",
    )
    port: int = _option(5006, _port, "port to listen on, 0 for any free one", "PORT")
    prefix: str = _option(
        "", _prefix, "path before all others, /lora for https://your-site.example/lora/", "/PATH"
    )
    allow_origin: tuple[str, ...] = _option(
        (),
        _origin,
        "a name under which readers reach this server; live parts answer to these only",
        "NAME[:PORT]",
        each=True,
    )
    trust: tuple[Any, ...] = _option(
        (),
        _network,
        "a proxy whose X-Forwarded headers are believed, by address or network",
        "IP[/BITS]",
        each=True,
    )
    scheduler: str | None = _option(
        None,
        _scheduler,
        "a Dask scheduler whose workers do the training, not processes of this computer",
        "tcp://HOST:PORT",
    )
    workers: int | None = _option(
        None,
        _count(1, 1024),
        "runs computed at once on this computer (usually one for each core but one)",
        "N",
    )
    most_steps: int = _option(MOST_STEPS, _steps, "steps of one run", "N")
    most_sessions: int = _option(200, _count(1, 10**6), "live parts open at once", "N")
    sessions_each: int = _option(
        100, _count(1, 10**6), "of these, from one address: a class may have only one", "N"
    )
    most_waiting: int = _option(200, _count(1, 10**6), "runs that may wait for their turn", "N")
    waiting_each: int = _option(100, _count(1, 10**6), "of these, asked for from one address", "N")
    most_memory: int = _option(2000, _count(1, 10**6), "megabytes for matrices that readers bring", "MB")
    memory_each: int = _option(1000, _count(1, 10**6), "of these, from one address", "MB")
    rooms: int = _option(
        20, _count(0, 1000), "rooms for classes open at once, half of them from one address; 0 for none", "N"
    )
    access_log: str = _option(
        "", _file, "file for a line about each answer, which names no reader; - for standard output", "FILE"
    )
    admin_port: int | None = _option(
        None,
        _port,
        "port of their own for /health and /metrics (usually they stand beside the pages)",
        "PORT",
    )
    admin_address: str = _option("127.0.0.1", _address, "network address of that port", "IP")


FIELDS = {field.name: field for field in dataclasses.fields(Options)}


def add_to(parser: argparse.ArgumentParser) -> None:
    """Offer every option on a command line. What was not given is not in the result."""
    for name, field in FIELDS.items():
        about, usual = field.metadata, field.default
        told = about["told"]
        if about["each"]:
            told += "; repeatable"
        elif usual not in (None, ""):
            told += f" (usually {usual})"
        parser.add_argument(
            flag(name),
            dest=name,
            metavar=about["metavar"],
            action="append" if about["each"] else "store",
            default=argparse.SUPPRESS,
            help=told.replace("%", "%%"),
        )
    parser.add_argument(
        flag(FILE),
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="a TOML file of these options, by their names without the dashes in front",
    )


def flag(name: str) -> str:
    """Return an option's name as the command line spells it."""
    return "--" + name.replace("_", "-")


def options(given: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Options:
    """Return all options: the command line's, else the environment's, else the file's, else the usual.

    `given` holds what stood on the command line, as texts. Raises Wrong, with a sentence.
    """
    surroundings = {
        name: environment[variable]
        for name in (*FIELDS, FILE)
        if (variable := PREFIX + name.upper()) in environment
    }
    path = surroundings.pop(FILE, None)
    path = given.get(FILE) or path
    values: dict[str, Any] = {}
    if path:
        values |= {
            name: _value(name, value, f"{path}: {name}") for name, value in _written(Path(path)).items()
        }
    values |= {
        name: _value(name, text.split(",") if _many(name) else text, PREFIX + name.upper())
        for name, text in surroundings.items()
    }
    values |= {name: _value(name, value, flag(name)) for name, value in given.items() if name in FIELDS}
    return Options(**values)


def unknown(environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Yield the variables of the environment that look like options and are none: a name with a slip, most likely."""
    known = {PREFIX + name.upper() for name in (*FIELDS, FILE)}
    yield from sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def _many(name: str) -> bool:
    return FIELDS[name].metadata["each"]


def _value(name: str, value: Any, where: str) -> Any:
    """Return an option's value from a text, a number or several of them."""
    read = FIELDS[name].metadata["read"]
    texts = value if isinstance(value, list) else [value]
    if len(texts) != 1 and not _many(name):
        raise Wrong(f"{where}: one value is possible, not {len(texts)}.")
    if not all(type(text) in (str, int) for text in texts):
        raise Wrong(f"{where}: a text or a whole number is possible, not {value!r}.")
    try:
        found = [read(str(text).strip()) for text in texts]
    except ValueError as refusal:
        raise Wrong(f"{where}: {refusal}") from None
    return tuple(found) if _many(name) else found[0]


def _written(path: Path) -> dict[str, Any]:
    """Return what stands in a file, by the options' names."""
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Wrong(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:  # no TOML, or no text
        raise Wrong(f"{path} is no TOML: {error}.") from None
    named = {name.replace("-", "_"): value for name, value in written.items()}
    for name, asked in zip(named, written, strict=False):
        if name not in FIELDS:
            raise Wrong(f"{path}: there is no option {asked!r}. There are: {', '.join(FIELDS)}.")
    return named
