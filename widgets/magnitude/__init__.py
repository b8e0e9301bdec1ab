"""The magnitude instrument: how far finetuning turned the rows of each layer, and how far it changed their length."""

from functools import cache
from typing import Any

import numpy as np
import param

from compute.experiments.after import CHECKPOINTS, SPLIT_RANKS, load_after
from compute.matrices.row_changes import Split, line_through
from compute.model.layers import LAYERS
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_option
from widgets.kit.instrument import Instrument
from widgets.kit.text import fill, name_of
from widgets.magnitude.words import LAYER_KINDS, SNIPPET, TASK_NAMES, WAY_NAMES, WORDS

CLEAR = 0.2  # a correlation closer to zero is called none


class Magnitude(Instrument):
    """Plot the change of length of a layer's rows against their change of direction, for LoRA and full finetuning.

    Teal is LoRA, grey the control. Each point is one layer at one checkpoint; those of the chosen checkpoint stand out.
    Left out: what a single row does.
    """

    task = one_of(TASK_NAMES, default="legal", label="Task", doc="What was learned.")
    rank = one_of(
        {str(r): str(r) for r in SPLIT_RANKS}, default="4", label="Rank r of LoRA", doc="Rank of the adapter."
    )
    way = one_of(
        {name: label[0].upper() + label[1:] for name, label in WAY_NAMES.items()},
        default="full",
        label="Beside it",
        doc="The control: full finetuning at one of two rates.",
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
        default=len(CHECKPOINTS) - 1,
        bounds=(0, len(CHECKPOINTS) - 1),
        label="Checkpoint",
        doc="Which checkpoint stands out, the first being 0.",
    )
    guess = guess_option(WORDS["guess"]["options"])

    parts = ("choices", "steps", "guess", "table", "code", "share")
    keyed_by = ("task",)

    def make_arrays(self) -> dict[str, Any]:
        """Return all points of a task, and what is said of each choice of layers."""
        return {
            "key": self.task,
            "task": TASK_NAMES[self.task],
            "layers": LAYERS,
            "kinds": LAYER_KINDS,
            "ways": WAY_NAMES,
            "updates": CHECKPOINTS,
            "points": {run: over for run, over in load_after().splits[name_of(self.task)].items()},
            "said": {
                run: {kind: _said(self.task, run, kind) for kind in LAYER_KINDS} for run in _runs(self.task)
            },
            "clear": CLEAR,
            "snippet": SNIPPET,
            "recorded": load_after().recorded,
        }

    def values(self, checkpoint: int) -> dict[str, Any]:
        """Return every number that the sentence may use; magnitude.js makes the same."""
        run, control = (_said(self.task, name, self.layers) for name in (self.rank, self.way))
        name = WAY_NAMES[self.way]
        return {
            "task": TASK_NAMES[self.task],
            "layers": LAYER_KINDS[self.layers],
            "r": int(self.rank),
            "way": name,
            "way_capital": name[0].upper() + name[1:],
            "updates": CHECKPOINTS[checkpoint],
            "correlation": run["correlation"],
            "control": control["correlation"],
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
        for run, name in ((self.rank, f"LoRA, r = {self.rank}"), (self.way, WAY_NAMES[self.way])):
            for updates, layers in zip(
                CHECKPOINTS, load_after().splits[name_of(self.task)][run], strict=True
            ):
                rows += [
                    [name, str(updates), layer, f"{split.direction:.5f}", f"{split.magnitude:.5f}"]
                    for layer, split in zip(LAYERS, layers, strict=True)
                    if _chosen(self.layers, layer)
                ]
        return WORDS["tableHead"], rows

    def snippet(self) -> str:
        """Return code that prints the two correlations."""
        chosen = "True" if self.layers == "all" else f"name.endswith({self.layers!r})"
        given = {
            "task": repr(name_of(self.task)),
            "lora": repr(self.rank),
            "beside": repr(self.way),
            "chosen": chosen,
        }
        return fill(SNIPPET, given)


def _runs(task: str) -> list[str]:
    return list(load_after().splits[name_of(task)])


def _chosen(kind: str, layer: str) -> bool:
    return kind == "all" or layer.endswith(kind)


@cache
def _said(task: str, run: str, kind: str) -> dict[str, Any]:
    """Return what is said of the points of a run in some layers."""
    over = [
        [split for layer, split in zip(LAYERS, layers, strict=True) if _chosen(kind, layer)]
        for layers in load_after().splits[name_of(task)][run]
    ]
    every = [split for layers in over for split in layers]
    slope, correlation = line_through(every)
    middle = np.mean(every, axis=0)
    return {
        "slope": slope,
        "through": [float(middle[1]), float(middle[0])],
        "correlation": correlation,
        "now": [line_through(layers)[1] for layers in over],
        **{
            name: [float(np.mean([getattr(s, name) for s in layers])) for layers in over]
            for name in Split._fields
        },
    }
