"""The failures instrument: five ways to make a finetune fail, each over one knob, beside what would have held."""

from functools import cache
from typing import Any

import param

from compute.experiments.failures import FAILURES, KNOBS, LINES, OTHER_SEED, Outcome, load_failures
from compute.text.voices import TRAINING_TEXTS
from widgets.failures.words import BASES, SNIPPET, TOLD, WORDS
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_option
from widgets.kit.instrument import Instrument
from widgets.kit.text import fill

LAST = max(map(len, KNOBS.values())) - 1
STAYS = 0.05  # nats: a smaller change is none


class Failures(Instrument):
    """Turn the one knob of a failure and see the losses on the task and on the base's own voices.

    Teal is what is learned, vermilion what is lost, grey what stands beside it as the control. Left out: other tasks
    and ranks than those that the note below the choices names.
    """

    failure = one_of(
        {name: TOLD[name].label for name in FAILURES},
        default="forgetting",
        label="Failure",
        doc="Which way to fail.",
    )
    place = param.Integer(
        default=0, bounds=(0, LAST), label="Place of the knob", doc="Place of the knob, the first being 0."
    )
    guess = guess_option(WORDS["guess"]["options"])

    parts = ("failure", "steps", "guess", "readouts", "base", "table", "code", "share")
    pictured = ({"curve kept": 1, "curve lost": 3, "curve control": 4},)

    def make_arrays(self) -> dict[str, Any]:
        """Return what every failure has to show: it is little, so all is shipped at once."""
        return {"failures": {name: _shipped(name) for name in FAILURES}, "recorded": load_failures().recorded}

    def values(self, place: int) -> dict[str, Any]:
        """Return every number that a sentence about a place may use; they are shipped to the browser."""
        places = _values(self.failure)
        return places[min(place, len(places) - 1)]

    def sentence(self) -> str:
        """Say in one sentence what is seen at the present place."""
        if self.asks():
            return fill(WORDS["veiled"], {"label": TOLD[self.failure].label})
        values = self.values(self.place)
        told = TOLD[self.failure]
        return fill(told.sentence if values["validation"] is not None else told.diverged, values)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of the losses at each place."""
        return [TOLD[self.failure].knob, *_columns(self.failure).values()], _rows(self.failure)

    def snippet(self) -> str:
        """Return code that prints the losses at the present place."""
        place = self.values(self.place)["at"]
        return fill(_code(self.failure), {"place": place})


@cache
def _values(failure: str) -> list[dict[str, Any]]:
    """Return the numbers at each place of a knob. What a line has no run for is None."""
    record, found = load_failures(), []
    before = record.before[failure]
    first, *others = LINES[failure]
    for at, knob in enumerate(KNOBS[failure]):
        runs = record.lines[failure][first][at]
        values = {
            "at": at,
            "knob": _knob(failure, knob),
            "place": BASES[knob][2] if failure == "base" else "",
            **{name: _mean(runs, name) for name in ("train", "validation", "base", "best")},
            **_broken(runs),
            "before_validation": before.validation,
            "before_base": before.base,
        }
        for line in others:
            beside = record.lines[failure][line][at]
            values |= {f"{line}_{name}": _mean(beside, name) for name in ("validation", "base")}
        found.append(values)
    return found


def _mean(runs: list[Outcome | None], name: str) -> float | None:
    """Return the mean over the seeds, None if there is none, or if a run diverged."""
    losses = [getattr(run, name) for run in runs if run]
    whole = len(losses) == len(runs) > 0 and None not in losses
    return sum(losses) / len(losses) if whole else None


def _broken(runs: list[Outcome | None]) -> dict[str, Any]:
    """Return how many seeds diverged, and what became of the others if some did."""
    rest = [run.validation for run in runs if run]
    left = fill(WORDS["left"], {"left": sum(rest) / len(rest)}) if rest else ""
    return {"broken": runs.count(None), "seeds": len(runs), "left": left}


def _span(failure: str, name: str) -> list[list[float]] | None:
    """Return the lowest and the highest of the seeds at each place, up to one that stands apart or diverged."""
    places = load_failures().lines[failure][LINES[failure][0]][: _apart(failure)]
    known = places[: next((at for at, runs in enumerate(places) if None in runs), len(places))]
    if all(len(runs) < 2 for runs in known):
        return None
    return [[pick(getattr(run, name) for run in runs) for runs in known] for pick in (min, max)]


def _apart(failure: str) -> int | None:
    """Return the last place of a knob if it is no more of the same."""
    knobs = KNOBS[failure]
    return knobs.index(OTHER_SEED) if OTHER_SEED in knobs else None


def _knob(failure: str, knob: Any) -> str:
    if failure == "base":
        return BASES[knob][1]
    return f"{knob * 32:.0f}" if failure == "forgetting" else f"{knob:g}"


def _tick(failure: str, knob: Any) -> str:
    if failure == "base":
        return BASES[knob][0]
    return WORDS["all"] if knob == TRAINING_TEXTS else _knob(failure, knob)


def _truth(failure: str) -> dict[str, Any]:
    """Return the answer to the question of a failure, and the two losses behind it."""
    places = _values(failure)
    before, after = (places[at][name] for name, at in TOLD[failure].compared)
    truth = "stays" if abs(after - before) <= STAYS else "falls" if after < before else "rises"
    return {"truth": truth, "from": before, "to": after}


def _columns(failure: str) -> dict[str, str]:
    """Return how the columns of the table are headed, by the name of their values."""
    own = ("validation", "train", "base")
    others = {
        key: f"{name} ({WORDS['columns'][chart]})"
        for chart, lines in TOLD[failure].lines.items()
        for key, (name, _) in lines.items()
        if key not in own
    }
    return dict(zip(own, WORDS["tableHead"], strict=True)) | others


def _rows(failure: str) -> list[list[str]]:
    rows = []
    for values in _values(failure):
        numbers = [values[key] for key in _columns(failure)]
        cells = (WORDS["none"] if number is None else f"{number:.3f}" for number in numbers)
        rows.append([fill(TOLD[failure].of, values), *cells])
    return rows


def _code(failure: str) -> str:
    """Return the code with a gap for the place."""
    return fill(SNIPPET, {"failure": repr(failure), "line": repr(LINES[failure][0])})


def _shipped(failure: str) -> dict[str, Any]:
    told = TOLD[failure]
    return {
        "label": told.label,
        "note": told.note,
        "knob": told.knob,
        "of": told.of,
        "ticks": [_tick(failure, knob) for knob in KNOBS[failure]],
        "lines": told.lines,
        "apart": _apart(failure),
        "values": _values(failure),
        "spans": {name: _span(failure, name) for name in ("validation", "base")},
        "sentence": told.sentence,
        "diverged": told.diverged,
        "ask": told.ask,
        **_truth(failure),
        "head": [told.knob, *_columns(failure).values()],
        "rows": _rows(failure),
        "snippet": _code(failure),
    }
