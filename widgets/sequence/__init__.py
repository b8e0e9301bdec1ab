"""The sequence instrument: three tasks learned one after the other in four ways, and what is left of each."""

from functools import cache
from typing import Any

import param

from compute.experiments.after import SEEDS, SEQUENCES, WAYS, load_after
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_number
from widgets.kit.instrument import Instrument
from widgets.kit.text import fill, name_of
from widgets.sequence.words import SNIPPET, VOICES, WAYS_TOLD, WORDS

ORDERS = {"known": "legal, medical, code", "new-first": "new language, legal, medical"}
MEASURES = {"share": "Sentences ended in the voice", "loss": "Loss on unseen sentences"}
LAST = 3


class Sequence(Instrument):
    """Learn three tasks in a row and see what is left of each, and of the base's own voices.

    Teal: one adapter trained on and on, and dotted an adapter for each task. Grey, the controls: full finetuning at two
    rates. Left out: other orders, other ranks, and texts of earlier tasks mixed in.
    """

    order = one_of(
        {name: label[0].upper() + label[1:] for name, label in ORDERS.items()},
        default="known",
        label="Order",
        doc="Which tasks, in which order.",
    )
    measure = one_of(
        MEASURES, default="share", label="Measured by", doc="How it is measured what is left of a task."
    )
    stage = param.Integer(default=LAST, bounds=(0, LAST), label="Tasks learned", doc="How many are learned.")
    guess = guess_number(3)

    parts = ("choices", "steps", "guess", "readouts", "table", "code", "share")

    def make_arrays(self) -> dict[str, Any]:
        """Return both orders in both measures: it is little, so all is shipped at once."""
        return {
            "orders": {order: _shipped(order) for order in ORDERS},
            "ways": {key: [name, kind] for key, name, kind in WAYS_TOLD.values()},
            "recorded": load_after().recorded,
        }

    def values(self, stage: int) -> dict[str, Any]:
        """Return every number that the sentence may use: of the first task; they are shipped to the browser."""
        return _values(self.order)[self.measure][stage]

    def sentence(self) -> str:
        """Say in one sentence what is left of the first task."""
        values = self.values(self.stage)
        if self.asks():
            return fill(WORDS["veiled"], values)
        return fill(WORDS["sentences"][self.measure], values)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of everything that was measured."""
        return _head(self.order, self.measure), _rows(self.order, self.measure)

    def picture(self) -> list[Any]:
        """Return how much is left of the first task after each, for each way to learn them."""
        lines = _lines(self.order, self.measure, SEQUENCES[name_of(self.order)][0])
        return [{f"curve {kind}": lines[key] for key, _, kind in WAYS_TOLD.values()}]

    def snippet(self) -> str:
        """Return code that prints the numbers of the sentence."""
        return fill(_code(self.order), {"stage": self.stage, "measure": self.measure})


def _mean(order: str, way: str, stage: int, measure: str, voice: str) -> float:
    seeds = load_after().sequences[name_of(order)][way]
    return sum(getattr(stages[stage], measure)[voice] for stages in seeds) / len(seeds)


@cache
def _values(order: str) -> dict[str, list[dict[str, Any]]]:
    """Return, by measure, what is left of the first task at each stage."""
    tasks = SEQUENCES[name_of(order)]
    names = {place: VOICES[task] for place, task in zip(("first", "second", "third"), tasks, strict=True)}
    return {
        measure: [
            {
                **names,
                "voice": names["first"],
                "told": fill(WORDS["stages"][stage], names) if stage else WORDS["untold"],
                "before": _mean(order, WAYS[0], 0, measure, tasks[0]),
                **{WAYS_TOLD[way][0]: _mean(order, way, stage, measure, tasks[0]) for way in WAYS},
            }
            for stage in range(LAST + 1)
        ]
        for measure in MEASURES
    }


def _lines(order: str, measure: str, voice: str) -> dict[str, list[float]]:
    """Return one mean for each stage, by the key of the way."""
    return {
        WAYS_TOLD[way][0]: [_mean(order, way, stage, measure, voice) for stage in range(LAST + 1)]
        for way in WAYS
    }


def _span(order: str, measure: str, voice: str) -> list[list[float]]:
    """Return the lowest and the highest seed of the one adapter at each stage."""
    seeds = load_after().sequences[name_of(order)][WAYS[0]]
    stages = [[getattr(seed[at], measure)[voice] for seed in seeds] for at in range(LAST + 1)]
    return [[*map(min, stages)], [*map(max, stages)]]


def _truth(order: str) -> int:
    """Return how many of a hundred sentences of the first task are left in the end."""
    return int(100 * _values(order)["share"][LAST]["one"] + 0.5)


def _head(order: str, measure: str) -> list[str]:
    voices = [VOICES[task] for task in SEQUENCES[name_of(order)]]
    return [*WORDS["tableHead"], *voices, VOICES["base"]]


def _rows(order: str, measure: str) -> list[list[str]]:
    tasks = SEQUENCES[name_of(order)]
    rows = []
    for way in WAYS:
        for seed, stages in zip(SEEDS, load_after().sequences[name_of(order)][way], strict=True):
            for at, stage in enumerate(stages):
                told = [
                    f"{stage.share[task]:.1%}" if measure == "share" else f"{stage.loss[task]:.3f}"
                    for task in tasks
                ]
                rows.append([WAYS_TOLD[way][1], str(seed), str(at), *told, f"{stage.loss['base']:.3f}"])
    return rows


def _code(order: str) -> str:
    """Return the code with gaps for stage and measure."""
    tasks = SEQUENCES[name_of(order)]
    return fill(SNIPPET, {"order": repr(name_of(order)), "voice": repr(tasks[0])})


def _shipped(order: str) -> dict[str, Any]:
    tasks = SEQUENCES[name_of(order)]
    return {
        "voices": [VOICES[task] for task in tasks],
        "values": _values(order),
        "lines": {measure: [_lines(order, measure, task) for task in tasks] for measure in MEASURES},
        "spans": {measure: [_span(order, measure, task) for task in tasks] for measure in MEASURES},
        "base": _lines(order, "loss", "base"),
        "baseSpan": _span(order, "loss", "base"),
        "truth": _truth(order),
        "head": {measure: _head(order, measure) for measure in MEASURES},
        "rows": {measure: _rows(order, measure) for measure in MEASURES},
        "snippet": _code(order),
    }
