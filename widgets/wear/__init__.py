"""The wear instrument: one adapter merged and taken out again and again, and how far the weights have gone."""

from collections.abc import Iterable
from typing import Any

import param

from compute.adapters.merge_state import CYCLES
from compute.experiments.merging import TASKS, load_record, state_key, worn_key
from compute.model.layers import LAYERS
from compute.numbers.precision import PRECISIONS
from widgets.kit.choices import one_of
from widgets.kit.instrument import Instrument, Values
from widgets.kit.text import fill, fill_code
from widgets.wear.words import LABELS, SNIPPET, WORDS

MILLION = 1e6
WAYS = ("same", "unrounded", "different")
FULL = 1.0  # the strength


class Wear(Instrument):
    """Merge an adapter and take it out again, up to a hundred times, and see how far W has gone.

    Teal: delta_w rounded before it is added. Vermilion: PEFT's default. Grey, the control: another adapter each time.
    Left out: other layers, and adapters at less than full strength.
    """

    task = one_of(LABELS, default="formal", label="Adapter", doc="Which adapter is merged and taken out.")
    precision = one_of(
        {name: name for name in PRECISIONS},
        default="bf16",
        label="Precision",
        doc="How the weights are stored.",
    )
    rounds = param.Integer(
        default=len(CYCLES) - 1,
        bounds=(0, len(CYCLES) - 1),
        label="In and out",
        doc=f"Which of {', '.join(map(str, CYCLES))} times, the first being 0.",
    )

    parts = ("choices", "steps", "chart", "table", "code", "share")
    says = ("labels", "recorded")
    pictured = ({"curve kept": 1, "curve lost": 2, "curve control": 3},)

    def make_arrays(self) -> dict[str, Any]:
        """Return how far W goes in every precision, and what the base knows in the end: it is small."""
        record = load_record()
        states = {
            f"{task}-{precision}": {
                **{way: record.states[state_key(task, precision, FULL)][way] for way in WAYS},
                **_facts(task, precision),
            }
            for task in TASKS
            for precision in PRECISIONS
        }
        return {
            "k": len(CYCLES) - 1,
            "cycles": CYCLES,
            "labels": LABELS,
            "layers": len(LAYERS),
            "recorded": record.recorded,
            "states": states,
            "snippet": SNIPPET,
        }

    def values(self, place: int) -> dict[str, Any]:
        """Return every number that a sentence may use; wear.js makes the same."""
        record = load_record()
        state = record.states[state_key(self.task, self.precision, FULL)]
        number = CYCLES[place]
        values: dict[str, Any] = {
            "task": self.task,
            "label": LABELS[self.task],
            "precision": self.precision,
            "number": number,
            "cycles": fill(WORDS["times"]["several" if place else "one"], {"number": number}),
            "last": CYCLES[-1],
            "layers": len(LAYERS),
            "recorded": record.recorded,
            **_facts(self.task, self.precision),
        }
        for way in WAYS:
            off = state[way][place]
            values |= {way: off, f"{way}_m": MILLION * off, f"{way}_times": off / state[way][0]}
        return values

    def sentence(self) -> str:
        """Say how far W has gone after so many times."""
        return fill(WORDS["sentence"], self.values(self.rounds))

    def rows(self) -> Iterable[Values]:
        """Return the values after each number of times."""
        return map(self.values, range(len(CYCLES)))

    def snippet(self) -> str:
        """Return code that merges the layer in and out and prints how far it has gone."""
        return fill_code(SNIPPET, self.values(self.rounds))


def _facts(task: str, precision: str) -> dict[str, float]:
    """Return which share of its facts a base has right: untouched, and worn by PEFT's default."""
    worn = load_record().worn
    return {f"facts_{way}": worn[worn_key(task, precision, way)]["facts"] for way in ("none", "unrounded")}
