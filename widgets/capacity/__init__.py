"""The capacity instrument: how many new facts an adapter holds at each rank, and what is left of the old ones."""

from collections.abc import Iterable
from functools import cache
from statistics import fmean
from typing import Any

import param

from compute.experiments.capacity import COUNTS, ENOUGH, FULL, MIXED, RANKS, SEEDS, Held, load_capacity
from widgets.capacity.words import NOTE, SNIPPET, WORDS
from widgets.kit.instrument import Instrument, Values
from widgets.kit.text import fill, fill_code

DECIMALS = 4


class Capacity(Instrument):
    """Choose how many new facts are learned, and see which ranks hold them and what they cost.

    Teal is what was learned, a band from the worst to the best of five seeds; vermilion what is lost, dashed where
    base text was mixed in; grey the control, full finetuning. Left out: ranks and counts between those recorded.
    """

    facts = param.Integer(
        default=len(COUNTS) - 1,
        bounds=(0, len(COUNTS) - 1),
        label="New facts",
        doc=f"Which of {', '.join(f'{count:,}' for count in COUNTS)} facts are learned, the first being 0.",
    )

    parts = ("steps", "readouts", "old", "table", "code", "share")
    pictured = ({"curve kept": 2, "curve lost": 5},)

    def make_arrays(self) -> dict[str, Any]:
        """Return what runs of every size learned and what they kept."""
        recorded = load_capacity()
        return {
            "note": fill(NOTE, {"recorded": recorded.recorded, "seeds": len(SEEDS)}),
            "counts": COUNTS,
            "ranks": RANKS,
            "before": recorded.before["old"],
            "cells": [[_cell(recorded.of(count, r)) for r in RANKS] for count in COUNTS],
            "full": [_cell(recorded.of(count, FULL)) for count in COUNTS],
            "mixed": {"count": MIXED, "old": [_mean(recorded.of(MIXED, r, mixed=True).old) for r in RANKS]},
            "enough": ENOUGH,
            "snippet": SNIPPET,
        }

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use; capacity.js makes the same."""
        return _values(self.facts)

    shown_values = values

    def sentence(self) -> str:
        """Say in a few words which rank holds the facts, and what is left of the old ones."""
        values = self.values()
        held = "first" if values["r"] == RANKS[0] else "held"
        return fill(WORDS["sentences"][held if values["right"] >= ENOUGH else "never"], values)

    def rows(self) -> Iterable[Values]:
        """Return what each rank does with the chosen facts, full finetuning last."""
        recorded, count = load_capacity(), COUNTS[self.facts]
        for r in (*RANKS, FULL):
            yield _cell(recorded.of(count, r)) | {"r": str(r) if r else self.words["full"]}

    def snippet(self) -> str:
        """Return code that reads the record and prints the numbers of the sentence."""
        return fill_code(SNIPPET, self.values())


def _mean(values: list[float]) -> float:
    return round(fmean(values), DECIMALS)


def _cell(held: Held) -> dict[str, Any]:
    """Return the numbers about runs of one size: means over the seeds, and their ends."""
    return {
        "r": held.r,
        "numbers": held.numbers,
        "rate": f"{held.rate:g}",
        "right": _mean(held.right),
        "low": min(held.right),
        "high": max(held.right),
        "old": _mean(held.old),
        "stories": _mean(held.stories),
        "bits": round(held.bits, DECIMALS),
    }


@cache
def _values(facts: int) -> dict[str, Any]:
    recorded, count = load_capacity(), COUNTS[facts]
    cells = [_cell(recorded.of(count, r)) for r in RANKS]
    least = recorded.least(count)
    found = cells[RANKS.index(least)] if least else max(cells, key=lambda cell: cell["right"])
    full = _cell(recorded.of(count, FULL))
    return {
        **found,
        "count": count,
        "held": found["bits"] * found["numbers"] / count,
        "before": recorded.before["old"],
        "first_right": cells[0]["right"],
        "full_right": full["right"],
        "full_old": full["old"],
    }
