"""The lines that the benchmark prints: what, measured, limit, verdict."""

import math
from collections.abc import Iterable
from typing import NamedTuple

KB = 1000  # bytes


class Row(NamedTuple):
    """One line: `met` is None where there is nothing to keep."""

    what: str
    measured: str
    limit: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        return {True: "met", False: "MISSED", None: ""}[self.met]


def at_most(what: str, value: float, limit: float, form: str, note: str = "") -> Row:
    """Return the line of a value that must not be larger than the limit."""
    return Row(what, form.format(value) + note, "≤ " + form.format(limit), value <= limit)


def at_least(what: str, value: float, limit: float, form: str, note: str = "") -> Row:
    """Return the line of a value that must not be smaller than the limit."""
    return Row(what, form.format(value) + note, "≥ " + form.format(limit), value >= limit)


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that the share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def line(row: Row) -> str:
    """Return one line in columns."""
    return f"  {row.what:64}  {row.measured:44}  {row.limit:9}  {row.verdict}".rstrip()
