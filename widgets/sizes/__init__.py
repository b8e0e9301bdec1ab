"""The sizes instrument: how rank, learning rate and forgetting move when the same world is read by a wider base."""

from collections.abc import Iterable
from functools import cache
from statistics import fmean, geometric_mean
from typing import Any

import param

from compute.experiments.sizes import COUNT, FULL, RANKS, SEEDS, WIDTHS, R, load_sizes
from widgets.kit.instrument import Instrument, Values
from widgets.kit.text import fill, fill_code
from widgets.sizes.words import NOTE, SNIPPET, WORDS

DECIMALS = 4


class Sizes(Instrument):
    """Choose how wide the base is, and see what each rank holds, how the best rates stand and what is forgotten.

    Teal is what an adapter holds, and LoRA's best rate over that of full finetuning with a band from the least to the
    largest of the seeds; vermilion what LoRA leaves of the old facts; grey the control, full finetuning. Left out:
    other depths, and widths between and beyond.
    """

    wide = param.Integer(
        default=WIDTHS.index(64),
        bounds=(0, len(WIDTHS) - 1),
        label="Width",
        doc=f"Which of the widths {', '.join(map(str, WIDTHS))} the base has, the first being 0.",
    )

    parts = ("steps", "readouts", "rate", "old", "table", "code", "share")
    pictured = ({"curve kept": 3, "curve control": 5},)

    def make_arrays(self) -> dict[str, Any]:
        """Return what bases of all widths came to."""
        about = {"recorded": load_sizes().recorded, "seeds": len(SEEDS), "count": COUNT}
        return {"note": fill(NOTE, about), "sizes": [_at(width) for width in WIDTHS], "snippet": SNIPPET}

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use."""
        return _at(WIDTHS[self.wide])

    def sentence(self) -> str:
        """Say what a base of this width holds, wants and forgets."""
        return fill(WORDS["sentence"], self.values())

    def rows(self) -> Iterable[Values]:
        """Return the values of all widths."""
        return map(_at, WIDTHS)

    def snippet(self) -> str:
        """Return code that reads the record and prints the numbers of the sentence."""
        return fill_code(SNIPPET, self.values())


@cache
def _at(width: int) -> dict[str, Any]:
    """Return every number about a width: means over the seeds; of the ratio the geometric mean and its ends."""
    recorded = load_sizes()
    before, ratios = recorded.before[width], recorded.ratios(width)
    adapted, full = (recorded.skill(width, r) for r in (R, FULL))
    held = dict(zip(("first", "second", "whole"), (*RANKS, FULL), strict=True))
    found = {
        **{name: fmean(recorded.of(width, r).right) for name, r in held.items()},
        "known": before.facts,
        "ratio": geometric_mean(ratios),
        "low": min(ratios),
        "high": max(ratios),
        "adapted_left": fmean(adapted.facts),
        "full_left": fmean(full.facts),
        "adapted_right": fmean(adapted.right),
        "full_right": fmean(full.right),
    }
    rounded = {name: round(value, DECIMALS) for name, value in found.items()}
    trained = recorded.of(width, RANKS[0]).numbers
    return {"width": width, "numbers": before.numbers, "trained": trained, "count": COUNT, "r": R, **rounded}
