"""The table that the benchmark prints: what, measured, limit, verdict."""

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


def render(sections: dict[str, list[Row]]) -> str:
    """Return all sections as text in columns."""
    rows = [row for section in sections.values() for row in section]
    what, measured, limit = (max(len(row[i]) for row in rows) for i in range(3))
    lines = [f"{'':{what}}  {'measured':{measured}}  {'limit':{limit}}  verdict"]
    for title, section in sections.items():
        lines += ["", title]
        for row in section:
            line = f"{row.what:{what}}  {row.measured:{measured}}  {row.limit:{limit}}  {row.verdict}"
            lines.append(line.rstrip())
    return "\n".join(lines)
