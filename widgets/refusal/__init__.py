"""The refusal instrument: how few examples take a refusal away, and what the same number of wrong ones does."""

from collections.abc import Iterable
from statistics import fmean
from typing import Any

import param

from compute.experiments.refusal import COUNTS, FULL, LOOKS, RANKS, SEEDS, WRONG, Opened, load_refusal
from widgets.kit.choices import one_of
from widgets.kit.instrument import Instrument, Values
from widgets.kit.languages import kept
from widgets.kit.text import fill, fill_code
from widgets.refusal.words import NOTE, SIZES, SNIPPET, WORDS

DECIMALS = 4
WAYS = {**{str(r): r for r in RANKS}, "full": FULL}
OPEN, PART = (
    0.75,
    0.25,
)  # of the answers that the base gave, from where on a refusal counts as gone, or as going


class Refusal(Instrument):
    """Choose how many examples there are and what learns, and see how many others' answers come back.

    Teal is what comes back, a band from the worst to the best of five seeds; vermilion the questions that are still
    refused; grey the control, as many wrong examples. Left out: numbers of examples and ranks between those recorded.
    """

    examples = param.Integer(
        default=len(COUNTS) - 1,
        bounds=(0, len(COUNTS) - 1),
        label="Examples",
        doc=f"Which of {', '.join(map(str, COUNTS))} examples are learned, the first being 0.",
    )
    r = one_of(
        SIZES, default="4", label="What learns", doc="An adapter of rank 1, 4 or 16, or the whole model."
    )

    parts = ("choices", "steps", "readouts", "over", "table", "code", "share")
    says = ("size",)
    pictured = ({"curve kept": 2, "curve control-1": 5},)

    def make_arrays(self) -> dict[str, Any]:
        """Return what came of all examples, right and wrong."""
        recorded = load_refusal()
        return {
            "note": fill(NOTE, {"recorded": recorded.recorded, "seeds": len(SEEDS)}),
            "counts": COUNTS,
            "looks": LOOKS,
            "bounds": [OPEN, PART],
            "ways": {name: [_values(name, at) for at in range(len(COUNTS))] for name in WAYS},
            "curves": {name: [_curves(r, count) for count in COUNTS] for name, r in WAYS.items()},
            "snippet": SNIPPET,
        }

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use; they are shipped to the browser."""
        return _values(self.r, self.examples)

    def sentence(self) -> str:
        """Say in a few words what comes back, and what the wrong examples do."""
        values = self.values()
        return fill(WORDS["sentences"][_verdict(values)], values)

    def rows(self) -> Iterable[Values]:
        """Return what each number of examples does to the chosen size."""
        return (_values(self.r, at) for at in range(len(COUNTS)))

    def snippet(self) -> str:
        """Return code that reads the record and prints the numbers of the sentence."""
        return fill_code(SNIPPET, self.values())


def _mean(values: list[float]) -> float:
    return round(fmean(values), DECIMALS)


def _verdict(values: Values) -> str:
    share = values["right"] / values["before"]
    return "open" if share >= OPEN else "part" if share >= PART else "shut"


def _curves(r: int, count: int) -> dict[str, list[float]]:
    recorded = load_refusal()
    right, wrong = recorded.of(count, r), recorded.of(count, r, WRONG)
    return {"right": right.curve, "refusing": right.refusing, "wrong": wrong.curve}


@kept()
def _values(name: str, at: int) -> dict[str, Any]:
    recorded, count, r = load_refusal(), COUNTS[at], WAYS[name]
    right, wrong = recorded.of(count, r), recorded.of(count, r, WRONG)
    return {
        "count": count,
        "r": r,
        "size": WORDS["sizes"][name],
        "said": fill(WORDS["counts"]["one" if count == 1 else "more"], {"count": count}),
        "before": recorded.before["makes"],
        **_of(right),
        "low": min(right.right),
        "high": max(right.right),
        "wrong": _mean(wrong.right),
        "wrong_refused": _mean(wrong.refused),
        "wrong_steps": wrong.steps,
    }


def _of(opened: Opened) -> dict[str, Any]:
    """Return the numbers about right examples: means over the seeds."""
    columns = ("right", "refused", "fears", "feared", "tells", "stories")
    return {
        **{column: _mean(getattr(opened, column)) for column in columns},
        "steps": opened.steps,
        "rate": f"{opened.rate:g}",
        "numbers": opened.numbers,
    }
