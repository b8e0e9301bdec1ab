"""The instrument of lossy formats: what few bits lose of what a base knows, and what an adapter brings back."""

from collections.abc import Iterable
from statistics import fmean
from typing import Any

import param

from compute.experiments.lossy import FORMATS, RANKS, REPAIRED, SEEDS, STARTS, STEPS, Known, load_lossy
from compute.numbers.quantising import FLOAT32
from compute.training.config import BASE_FORMATS
from widgets.kit.formats import BASE_NAMES
from widgets.kit.instrument import Instrument, Values
from widgets.kit.languages import kept
from widgets.kit.text import fill, fill_code
from widgets.lossy.words import NOTE, SNIPPET, WORDS

R = RANKS[-1]  # of which the sentence speaks
DECIMALS = 4
KEYS = dict(zip(STARTS, ("zero", "loftq"), strict=True))


class Lossy(Instrument):
    """Choose a format, and see which facts it costs the base and what low-rank factors bring back.

    Vermilion is what storing loses, teal what an adapter brings back, grey the control: noise as large, and the base
    in full precision. Left out: training on formats that lose next to nothing.
    """

    format = param.Integer(
        default=BASE_FORMATS.index("int3"),
        bounds=(0, len(BASE_FORMATS) - 1),
        label="Format",
        doc=f"Which of {', '.join(BASE_FORMATS)} the frozen layers are stored in, the first being 0.",
    )

    parts = ("steps", "readouts", "repaired", "table", "code", "share")
    says = (
        "name",
        *(f"{key}_{told}" for key in (*KEYS.values(), "noise", "corrected") for told in ("said", "ends")),
    )
    pictured = ({"curve lost": 1, "curve control": 1},)

    def make_arrays(self) -> dict[str, Any]:
        """Return what is right in each format, and at each rank."""
        recorded = load_lossy()
        return {
            "note": fill(NOTE, {"recorded": recorded.recorded, "seeds": len(SEEDS), "steps": STEPS}),
            "formats": [_at(name) for name in BASE_FORMATS],
            "ranks": RANKS,
            "over": {name: _over_ranks(name) for name in FORMATS},
            "snippet": SNIPPET,
        }

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use."""
        return _at(BASE_FORMATS[self.format])

    def sentence(self) -> str:
        """Say what a format costs, and what brings it back."""
        values = self.values()
        return fill(WORDS["sentences"][values["case"]], values)

    def rows(self) -> Iterable[Values]:
        """Return the values of all formats."""
        return map(_at, BASE_FORMATS)

    def snippet(self) -> str:
        """Return code that prints what a format leaves."""
        return fill_code(SNIPPET, self.values())


def _mean(known: list[Known]) -> float:
    return round(fmean(each.facts for each in known), DECIMALS)


def _percent(share: float) -> str:
    return fill("{share:.1%}", {"share": share})


def _over_ranks(name: str) -> list[dict[str, Any]]:
    """Return what a format has right at each rank, corrected and, where it was trained on, repaired."""
    recorded = load_lossy()
    cells = []
    for r in RANKS:
        cell: dict[str, Any] = {"r": r, "corrected": recorded.corrected[name][str(r)].facts}
        for start, key in KEYS.items() if name in REPAIRED else ():
            cell[key] = _mean(recorded.of(name, r, start).known)
        cells.append(cell)
    return cells


@kept()
def _at(name: str) -> dict[str, Any]:
    """Return every number about a format, and those that its row of the table has as text."""
    recorded = load_lossy()
    stored = recorded.stored[name]
    said = {
        f"{key}_{what}": WORDS["unmeasured"] for key in KEYS.values() for what in ("said", "ends")
    } | dict.fromkeys(("noise_said", "corrected_said"), WORDS["unmeasured"])
    values: dict[str, Any] = {
        "base_format": name,
        "name": BASE_NAMES[name][1],
        "facts": stored.facts,
        "stories": stored.stories,
        "loss": stored.loss,
        "plain": recorded.stored[FLOAT32].facts,
        "r": R,
        "case": "plain",
        **said,
    }
    if name == FLOAT32:
        return values
    values |= {"case": "corrected", "noise": _mean(recorded.noise[name]), **_over_ranks(name)[-1]}
    values |= {f"{key}_said": _percent(values[key]) for key in ("noise", "corrected")}
    if name in REPAIRED:
        values["case"] = "repaired"
        for start, key in KEYS.items():
            facts = [each.facts for each in recorded.of(name, R, start).known]
            values |= {
                f"{key}_said": _percent(values[key]),
                f"{key}_ends": f"{_percent(min(facts))}, {_percent(max(facts))}",
            }
    return values
