"""The failures instrument: two ways to fail, each over one knob, beside what would have held."""

from functools import cache
from statistics import fmean
from typing import Any

import param

from compute.experiments.failures import BASES, COUNTS, FULL, RANKS, SEEDS, load_failures
from widgets.failures.words import ABOUT, BASE_NAMES, SNIPPETS, TOLD
from widgets.kit.choices import one_of
from widgets.kit.instrument import Instrument
from widgets.kit.languages import say_all
from widgets.kit.text import fill, fill_code

KNOBS: dict[str, tuple[int | str, ...]] = {"data": COUNTS, "base": BASES}
LAST = max(map(len, KNOBS.values())) - 1


class Failures(Instrument):
    """Turn the one knob of a failure and see how many answers are right.

    Teal is what is learned, grey what stands beside it as the control. Left out: other tasks and ranks.
    """

    failure = one_of(
        {name: told.label for name, told in TOLD.items()},
        default="data",
        label="Failure",
        doc="Which way to fail.",
    )
    place = param.Integer(
        default=0, bounds=(0, LAST), label="Place of the knob", doc="Place of the knob, the first being 0."
    )

    parts = ("failure", "steps", "chart", "readouts", "table", "code", "share")
    says = ("about", "head", "knob", "lines", "note", "of", "sentence", "ticks")
    pictured = ({"curve kept": 1, "curve control": 2},)

    def make_arrays(self) -> dict[str, Any]:
        """Return what both failures have to show: it is little, so all is shipped at once."""
        return {
            "failures": {name: _shipped(name) for name in TOLD},
            "about": fill(ABOUT, {"recorded": load_failures().recorded, "seeds": len(SEEDS)}),
        }

    def values(self, place: int) -> dict[str, Any]:
        """Return every number that a sentence about a place may use; they are shipped to the browser."""
        places = _values(self.failure)
        return places[min(place, len(places) - 1)]

    def sentence(self) -> str:
        """Say in one sentence what is seen at the present place."""
        return fill(TOLD[self.failure].sentence, self.values(self.place))

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of the shares at each place."""
        return say_all(_head(self.failure)), _rows(self.failure)

    def snippet(self) -> str:
        """Return code that prints the shares at the present place."""
        return fill_code(SNIPPETS[self.failure], {"place": self.values(self.place)["at"]})


def _seeds(failure: str, place: int) -> dict[str, list[float]]:
    """Return, by the name of a line, the share right with each seed."""
    recorded = load_failures()
    if failure == "base":
        return {line: bases[place] for line, bases in recorded.moved.items()}
    small, large = (recorded.of(COUNTS[place], r) for r in RANKS if r != FULL)
    return {
        "shown": large.shown,
        "unseen": large.unseen,
        "stopped": large.stopped,
        "small": small.unseen,
        "full": recorded.of(COUNTS[place], FULL).unseen,
    }


@cache
def _values(failure: str) -> list[dict[str, Any]]:
    """Return the numbers at each place of a knob: means over the seeds."""
    return [
        {
            "at": at,
            "knob": BASE_NAMES[knob].told if failure == "base" else f"{knob}",
            "before": load_failures().before,
            **{name: round(fmean(seeds), 4) for name, seeds in _seeds(failure, at).items()},
        }
        for at, knob in enumerate(KNOBS[failure])
    ]


def _head(failure: str) -> list[str]:
    return [TOLD[failure].knob, *(name for name, _ in TOLD[failure].lines.values())]


def _rows(failure: str) -> list[list[str]]:
    return [
        [
            fill(TOLD[failure].of, values),
            *(fill("{share:.1%}", {"share": values[key]}) for key in TOLD[failure].lines),
        ]
        for values in _values(failure)
    ]


def _shipped(failure: str) -> dict[str, Any]:
    told, knobs = TOLD[failure], KNOBS[failure]
    own = [_seeds(failure, at)[told.own] for at in range(len(knobs))]
    return {
        "note": told.note,
        "knob": told.knob,
        "of": told.of,
        "ticks": [BASE_NAMES[knob].tick if failure == "base" else f"{knob}" for knob in knobs],
        "lines": told.lines,
        "span": [[min(seeds) for seeds in own], [max(seeds) for seeds in own]],
        "values": _values(failure),
        "sentence": told.sentence,
        "head": _head(failure),
        "snippet": SNIPPETS[failure],
    }
