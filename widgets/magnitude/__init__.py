"""The magnitude instrument: how far finetuning turned the rows of each layer, and how far it changed their length."""

from functools import cache
from typing import Any

import numpy as np
import param

from compute.experiments.magnitude import FULL, MOMENTS, RANKS, load_magnitude, moments
from compute.matrices.row_changes import Split, line_through
from compute.model.layers import LAYERS
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_option
from widgets.kit.instrument import Instrument
from widgets.kit.text import fill, fill_code, name_of
from widgets.magnitude.words import LAYER_KINDS, SNIPPET, TASK_NAMES, WORDS

CLEAR = 0.2  # a correlation closer to zero is called none


class Magnitude(Instrument):
    """Plot the change of length of a layer's rows against their change of direction, for LoRA and full finetuning.

    Teal is LoRA, grey the control. Each point is one layer at one checkpoint of the first seed; those of the chosen
    checkpoint stand out. Left out: what a single row does.
    """

    task = one_of(TASK_NAMES, default="who-had-it-first", label="Task", doc="What was learned.")
    rank = one_of(
        {str(r): str(r) for r in RANKS}, default="4", label="Rank r of LoRA", doc="Rank of the adapter."
    )
    layers = one_of(
        {
            name: label[0].upper() + label[1:] if name == "all" else label
            for name, label in LAYER_KINDS.items()
        },
        default="all",
        label="Layers",
        doc="Which linear layers are shown.",
    )
    checkpoint = param.Integer(
        default=MOMENTS - 1,
        bounds=(0, MOMENTS - 1),
        label="Checkpoint",
        doc="Which checkpoint stands out, the first being 0.",
    )
    guess = guess_option(WORDS["guess"]["options"])

    sheets = ("magnitude/magnitude",)
    parts = ("choices", "steps", "guess", "table", "code", "share")
    says = ("kinds", "recorded", "task")
    pictured = ({"dots kept": 3}, {"dots lost": 4})
    keyed_by = ("task",)

    def make_arrays(self) -> dict[str, Any]:
        """Return all points of a task, and what is said of each choice of layers."""
        return {
            "key": self.task,
            "task": TASK_NAMES[self.task],
            "layers": LAYERS,
            "kinds": LAYER_KINDS,
            "full": FULL,
            "updates": moments(name_of(self.task)),
            "points": {way: seeds[0] for way, seeds in _seeds(self.task).items()},
            "said": {
                way: {kind: _said(self.task, way, kind) for kind in LAYER_KINDS} for way in _seeds(self.task)
            },
            "clear": CLEAR,
            "snippet": SNIPPET,
            "recorded": load_magnitude().recorded,
        }

    def values(self, checkpoint: int) -> dict[str, Any]:
        """Return every number that the sentence may use; magnitude.js makes the same."""
        run, control = (_said(self.task, way, self.layers) for way in (f"r = {self.rank}", FULL))
        return {
            "task": TASK_NAMES[self.task],
            "layers": LAYER_KINDS[self.layers],
            "r": int(self.rank),
            "updates": moments(name_of(self.task))[checkpoint],
            "correlation": run["correlation"],
            "low": run["low"],
            "high": run["high"],
            "control": control["correlation"],
            "control_low": control["low"],
            "control_high": control["high"],
            "correlation_now": run["now"][checkpoint],
            "control_now": control["now"][checkpoint],
            "direction": run["direction"][checkpoint],
            "magnitude": run["magnitude"][checkpoint],
            "control_direction": control["direction"][checkpoint],
            "control_magnitude": control["magnitude"][checkpoint],
        }

    def sentence(self) -> str:
        """Say in a few words how the two parts of the change go together."""
        return fill(WORDS["veiled" if self.asks() else "sentence"], self.values(self.checkpoint))

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of all points that are shown."""
        rows = []
        for way, name in ((f"r = {self.rank}", f"LoRA, r = {self.rank}"), (FULL, self.words["full"])):
            for updates, layers in zip(moments(name_of(self.task)), _seeds(self.task)[way][0], strict=True):
                rows += [
                    [
                        name,
                        str(updates),
                        layer,
                        fill("{direction:.5f}", split._asdict()),
                        fill("{magnitude:.5f}", split._asdict()),
                    ]
                    for layer, split in zip(LAYERS, layers, strict=True)
                    if _chosen(self.layers, layer)
                ]
        return self.words["tableHead"], rows

    def snippet(self) -> str:
        """Return code that prints the two correlations."""
        chosen = "True" if self.layers == "all" else f"name.endswith({self.layers!r})"
        given = {
            "task": repr(name_of(self.task)),
            "lora": repr(f"r = {self.rank}"),
            "chosen": chosen,
        }
        return fill_code(SNIPPET, given)


def _seeds(task: str) -> dict[str, list[list[list[Split]]]]:
    return load_magnitude().splits[name_of(task)]


def _chosen(kind: str, layer: str) -> bool:
    return kind == "all" or layer.endswith(kind)


@cache
def _said(task: str, way: str, kind: str) -> dict[str, Any]:
    """Return what is said of the points of the first seed in some layers, and how far the other seeds are from it."""
    seeds = [
        [
            [split for layer, split in zip(LAYERS, layers, strict=True) if _chosen(kind, layer)]
            for layers in over
        ]
        for over in _seeds(task)[way]
    ]
    correlations = [line_through([split for layers in over for split in layers])[1] for over in seeds]
    over = seeds[0]
    every = [split for layers in over for split in layers]
    slope, correlation = line_through(every)
    middle = np.mean(every, axis=0)
    return {
        "slope": slope,
        "through": [float(middle[1]), float(middle[0])],
        "correlation": correlation,
        "low": min(correlations),
        "high": max(correlations),
        "now": [line_through(layers)[1] for layers in over],
        **{
            name: [float(np.mean([getattr(s, name) for s in layers])) for layers in over]
            for name in Split._fields
        },
    }
