"""The sequence instrument: three sets of facts learned one after the other in five ways, and what is left of each."""

from functools import cache
from typing import Any

import param

from compute.experiments.retention import OLD, SEEDS, SETS, SIZE, WAYS, load_retention
from widgets.kit.guess import guess_number
from widgets.kit.instrument import Instrument
from widgets.kit.languages import say
from widgets.kit.text import fill, fill_code
from widgets.sequence.words import ABOUT, SNIPPET, WAYS_TOLD, WORDS

SHOWN = (*range(SETS), OLD)  # of which the share right is drawn


class Sequence(Instrument):
    """Learn three sets of new facts in a row and see what is left of each, and of the facts that the base knew.

    Teal: one adapter trained on and on, dotted an adapter for each set, thin one whose steps ask old questions, too.
    Grey, the control: full finetuning. Left out: other sizes, ranks and shares of old questions.
    """

    stage = param.Integer(default=SETS, bounds=(0, SETS), label="Sets learned", doc="How many are learned.")
    guess = guess_number(3)

    parts = ("steps", "guess", "readouts", "table", "code", "share")
    says = ("about", "rows", "told", "ways")

    def make_arrays(self) -> dict[str, Any]:
        """Return all that is shown: it is little."""
        return {
            "ways": {key: [name, kind] for key, name, kind in WAYS_TOLD.values()},
            "about": fill(ABOUT, {"recorded": load_retention().recorded, "seeds": len(SEEDS)}),
            "values": [_values(stage) for stage in range(SETS + 1)],
            "lines": [_lines(what) for what in SHOWN],
            "spans": [_span(what) for what in SHOWN],
            "truth": int(100 * _values(SETS)["one"] + 0.5),
            "rows": _stages(),
            "snippet": SNIPPET,
        }

    def values(self, stage: int) -> dict[str, Any]:
        """Return every number that the sentence may use; they are shipped to the browser."""
        return _values(stage)

    def sentence(self) -> str:
        """Say in one sentence what is left of the first set."""
        return fill(WORDS["veiled" if self.asks() else "sentence"], self.values(self.stage))

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of everything that was measured."""
        rows = [
            [say(way), seed, at, *(fill("{share:.1%}", {"share": share}) for share in stage)]
            for way, seed, at, *stage in _stages()
        ]
        return self.words["tableHead"], rows

    def picture(self) -> list[Any]:
        """Return how much is left of the first set after each, for each way to learn them."""
        lines = _lines(0)
        return [{f"curve {kind}": lines[key] for key, _, kind in WAYS_TOLD.values()}]

    def snippet(self) -> str:
        """Return code that prints the numbers of the sentence."""
        return fill_code(SNIPPET, {"stage": self.stage})


@cache
def _values(stage: int) -> dict[str, Any]:
    """Return what is left of the first set at a stage."""
    of = {way: load_retention().of(way) for way in WAYS}
    return {
        "told": WORDS["stages"][stage],
        "size": SIZE,
        **{WAYS_TOLD[way][0]: found.mean(stage, 0) for way, found in of.items()},
        **{f"{WAYS_TOLD[way][0]}_old": found.mean(stage, OLD) for way, found in of.items()},
    }


def _stages() -> list[list[Any]]:
    """Return way, seed and stage, and then what is right of each set."""
    return [
        [WAYS_TOLD[way][1], str(seed), str(at), *stage]
        for way in WAYS
        for seed, stages in zip(SEEDS, load_retention().of(way).stages, strict=True)
        for at, stage in enumerate(stages)
    ]


def _lines(what: int | str) -> dict[str, list[float]]:
    """Return one mean for each stage, by the key of the way."""
    return {
        WAYS_TOLD[way][0]: [load_retention().of(way).mean(stage, what) for stage in range(SETS + 1)]
        for way in WAYS
    }


def _span(what: int | str) -> list[list[float]]:
    """Return the lowest and the highest seed of the one adapter at each stage."""
    place = SETS if what == OLD else int(what)
    seeds = [[stage[place] for stage in stages] for stages in load_retention().of(WAYS[0]).stages]
    return [[min(at) for at in zip(*seeds, strict=True)], [max(at) for at in zip(*seeds, strict=True)]]
