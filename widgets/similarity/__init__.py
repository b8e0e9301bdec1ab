"""The similarity instrument: whether two runs found the same directions, as the paper asks."""

from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar

import numpy as np
import param

from compute.experiments.paper import COMPARED, LARGE, PAIRS, SMALL, load_paper
from compute.matrices.similarity import chance_similarity
from widgets.kit.choices import one_of
from widgets.kit.instrument import Instrument, Values
from widgets.kit.layers import shape_of
from widgets.kit.paper import LAYER_LABELS, TASK_LABELS, TASK_OF, task_choice
from widgets.kit.text import fill, fill_code
from widgets.similarity.words import ALL, SENTENCE, SNIPPET

EVERY = "all"
CHANCE = "chance"
DIGITS = 4


class Similarity(Instrument):
    """Show how alike the first directions of two runs are, beside chance.

    Teal is LoRA beside LoRA: two ranks, or two seeds. Grey is full finetuning beside LoRA, and chance. Left out: other
    numbers of directions of the one than of the other.
    """

    task = task_choice("new-facts")
    layer = one_of(
        {EVERY: ALL, **LAYER_LABELS}, default=EVERY, label="Layer", doc="Whose directions are compared."
    )
    i = param.Integer(default=1, bounds=(1, COMPARED), label="Directions", doc="How many of each run.")

    keyed_by: ClassVar[tuple[str, ...]] = ("task",)
    parts = ("choices", "steps", "curves", "table", "code", "share")
    says = ("task_label",)
    pictured = ({"line kept": 1, "line control": 5},)

    def make_arrays(self) -> dict[str, Any]:
        """Return the similarities of every pair in every layer."""
        return {"key": self.task, "layers": shipped(self.task), "told": self._told(), "snippet": SNIPPET}

    def _told(self) -> dict[str, Any]:
        rates = load_paper().rates[TASK_OF[self.task]]
        return {
            "task_label": TASK_LABELS[self.task],
            "task_name": TASK_OF[self.task],
            "r": SMALL,
            "more": LARGE,
            "rate": rates[SMALL],
            "more_rate": rates[LARGE],
        }

    def values(self, i: int | None = None) -> dict[str, Any]:
        """Return every number that the sentence may use; similarity.js makes the same."""
        count = i or self.i
        found = shipped(self.task)[self.layer]
        return {
            **self._told(),
            "i": count,
            "layer_label": ALL if self.layer == EVERY else LAYER_LABELS[self.layer],
            **{name.replace(" ", "_"): each[count - 1] for name, each in found.items()},
        }

    def sentence(self) -> str:
        """Say how alike the directions are."""
        return fill(SENTENCE, self.values())

    def rows(self) -> Iterable[Values]:
        """Return the values of each number of directions."""
        return [self.values(i) for i in range(1, COMPARED + 1)]

    def snippet(self) -> str:
        """Return code that trains both ranks again and compares them."""
        return fill_code(SNIPPET, self.values())


@cache
def shipped(slug: str) -> dict[str, dict[str, list[float]]]:
    """Return by layer, "all" first, the similarities of each pair and what chance gives."""
    similar = load_paper().similar[TASK_OF[slug]]
    layers = {
        layer: {pair: similar[pair][layer] for pair in PAIRS}
        | {CHANCE: [chance_similarity(i, i, shape_of(layer)[1]) for i in range(1, COMPARED + 1)]}
        for layer in LAYER_LABELS
    }
    every = {
        name: np.mean([of[name] for of in layers.values()], axis=0).round(DIGITS).tolist()
        for name in (*PAIRS, CHANCE)
    }
    return {EVERY: every, **layers}
