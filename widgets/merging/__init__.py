"""The merging instrument: fold an adapter into its layer, deploy it, take it out again, stack and peel."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import param

from compute.costs.macs import merged_macs, unmerged_macs
from compute.costs.sizes import stored_numbers
from compute.experiments.merging import (
    LAYER,
    STRENGTHS,
    TASKS,
    Record,
    load_record,
    state_key,
)
from compute.experiments.mixing import R
from compute.model.layers import LAYERS
from compute.numbers.precision import PRECISIONS
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_number
from widgets.kit.instrument import Instrument, Values
from widgets.kit.matrix import packed
from widgets.kit.text import fill, fill_code
from widgets.merging.words import ASKED, LABELS, NOTE, SENTENCES, SNIPPET

MILLION = 1e6
DRIFTS = ("same", "unrounded", "different")  # which are the wear instrument's
STATES = [(precision, f"{strength:g}") for precision in PRECISIONS for strength in STRENGTHS]


@cache
def recorded() -> Record:
    """Return the record, read once."""
    return load_record()


def other_task(task: str) -> str:
    """Return the task of the adapter that is stacked on that of a task."""
    return next(each for each in TASKS if each != task)


class Merging(Instrument):
    """Merge a trained adapter into a real layer in a precision, step by step, and count what it costs.

    Six steps: the factors beside W, merged, deployed, taken out again, a second adapter stacked on the first, the
    first peeled off. Matrices are drawn on one scale with zero in the middle, delta_w and what is off each on one of
    their own. Curves: entries that did not change against the strength.
    Left out: that activations are rounded too when a model runs in half precision.
    """

    task = one_of(LABELS, default="formal", label="Adapter", doc="Which adapter is merged first.")
    precision = one_of(
        {name: name for name in PRECISIONS},
        default="fp32",
        label="Precision",
        doc="How the weights are stored.",
    )
    strength = one_of(
        {f"{strength:g}": f"{strength:g}" for strength in STRENGTHS},
        default="1",
        label="Strength",
        doc="What delta_w is multiplied by.",
    )
    step = param.Integer(
        default=1, bounds=(1, len(SENTENCES)), label="Step", doc="How far the story has gone."
    )
    guess = guess_number(3)

    keyed_by = ("task",)
    parts = ("choices", "steps", "maps", "guess", "charts", "table", "code", "share")
    sheets = ("merging/merging",)
    says = ("label", "second")

    def make_arrays(self) -> dict[str, Any]:
        """Return the layer, both adapters, and the numbers of every precision and strength."""
        record = recorded()
        layer, second = record.layers[self.task], record.layers[other_task(self.task)]
        named = {
            "W": layer.W,
            "lora_A": layer.lora_A,
            "lora_B": layer.lora_B,
            "second_A": second.lora_A,
            "second_B": second.lora_B,
            "x": layer.x,
        }
        note = {
            "layers": len(LAYERS),
            "layer": LAYER,
            "texts": self._texts()[-1],
            "recorded": record.recorded,
        }
        return {
            "key": self.task,
            "note": fill(NOTE, note),
            "scaling": layer.scaling,
            "precisions": {name: each._asdict() for name, each in PRECISIONS.items()},
            "asked": ASKED,
            "common": self._common(),
            "fields": list(self._state(*STATES[0])),
            "states": {"-".join(state): [*self._state(*state).values()] for state in STATES},
            "snippet": SNIPPET,
            **{name: packed(array, "f4") for name, array in named.items()},
        }

    def _texts(self) -> list[str]:
        return list(recorded().times["layer"])

    def _common(self) -> dict[str, Any]:
        """Return what is the same in every state of an adapter."""
        record = recorded()
        layer = record.layers[self.task]
        shape = layer.W.shape
        ratios = {
            f"{what}_{name}": record.times[what][texts]["unmerged"] / record.times[what][texts]["merged"]
            for what in ("layer", "model")
            for name, texts in zip(("one", "many"), self._texts(), strict=True)
        }
        return {
            "task": self.task,
            "label": LABELS[self.task],
            "second": LABELS[other_task(self.task)],
            "out": shape[0],
            "in": shape[1],
            "r": R,
            "tokens": len(layer.x),
            "stored": stored_numbers(shape, R),
            "merged_macs": merged_macs(shape),
            "unmerged_macs": unmerged_macs(shape, R),
            **ratios,
        }

    def _state(self, precision: str, strength: str) -> dict[str, Any]:
        """Return the numbers of one precision and strength."""
        whole = recorded().states[state_key(self.task, precision, float(strength))]
        state = {name: value for name, value in whole.items() if name not in DRIFTS}
        gain = (state["base"] - state["merged"]) / (state["base"] - state["unmerged"])
        millionths = {name: MILLION * state[name] for name in ("difference", "off_back", "off_peeled")}
        # With the digits that were recorded: those of a quotient would only make the page longer.
        measured = {**state, **millionths, "gain": gain}
        return {
            "precision": precision,
            "strength": strength,
            **{name: float(f"{value:.8g}") for name, value in measured.items()},
        }

    def values(self, precision: str, strength: str) -> dict[str, Any]:
        """Return every number that a sentence about a state may use; the browser is given the same."""
        return self._common() | self._state(precision, strength)

    def sentence(self) -> str:
        """Say in a few sentences what this step shows."""
        return fill(SENTENCES[self.step - 1], self.values(self.precision, self.strength))

    def rows(self) -> Iterable[Values]:
        """Return the values of each precision and strength."""
        return [self._state(*state) for state in STATES]

    def picture(self) -> list[Any]:
        """Return W, of which every second row and column is drawn, and what an adapter adds to it."""
        layer = recorded().layers[self.task]
        return [matrix[::2, ::2] for matrix in (layer.W, layer.lora_B @ layer.lora_A)]

    def snippet(self) -> str:
        """Return code that merges the layer with torch and prints what changed."""
        return fill_code(SNIPPET, self.values(self.precision, self.strength))
