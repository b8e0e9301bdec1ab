"""The subspace instrument: finetuning with D numbers, and the rank of the change that they make."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from compute.experiments.runs import FULL, load
from compute.experiments.subspace import DIMENSIONS, SEEDS, SUBSPACE_TASKS, load_subspace, subspace_config
from compute.matrices.controls import noise_control
from compute.matrices.spectrum import r90
from compute.model.layers import LAYERS
from widgets.kit.choices import one_of
from widgets.kit.instrument import Instrument, Values
from widgets.kit.layers import SHAPES, noise_by_shape, shape_of
from widgets.kit.runs import TASKS
from widgets.kit.text import fill, slug
from widgets.subspace.words import SENTENCE, SNIPPET

NAMES = {slug(task): task for task in SUBSPACE_TASKS}
MIDDLE = [layer for layer in LAYERS if layer.startswith("blocks.1.")]
LEVEL = 0.9


class Subspace(Instrument):
    """Show how well the model learns with D numbers, and that the change they make has full rank.

    Three charts: loss against D, r90 of the change against D, and the singular values of the change at one D. Grey is
    the control: full finetuning and noise. Left out: other learning rates, and other kinds of subspaces.
    """

    task = one_of(
        {name: TASKS[name][0] for name in NAMES},
        default="legal",
        label="Task",
        doc="What the base is finetuned on.",
    )
    layer = one_of(
        {name: name for name in MIDDLE},
        default="blocks.1.attention.v_proj",
        label="Layer",
        doc="The layer whose change is taken apart.",
    )
    D = one_of(
        {str(D): f"{D:,d}" for D in DIMENSIONS},
        default="1000",
        label="D",
        doc="How many numbers are trained.",
    )

    keyed_by = ("task",)
    parts = ("task", "steps", "loss", "r90", "values", "table", "code", "share")

    def make_arrays(self) -> dict[str, Any]:
        """Return the losses, and of each layer the spectra, ranks and controls."""
        return _arrays(self.task)

    def values(self, at: int) -> dict[str, Any]:
        """Return every number that a sentence about the at-th D may use; subspace.js makes the same."""
        arrays = _arrays(self.task)
        layer = arrays["layers"][self.layer]
        losses = arrays["loss"][at]
        return {
            **{name: arrays[name] for name in ("label", "weights", "before", "floor", "level")},
            "D": DIMENSIONS[at],
            "loss": losses[0],
            "loss_low": min(losses),
            "loss_high": max(losses),
            "layer": self.layer,
            "k": len(layer["full"]),
            **{name: layer[name][at] for name in ("rank", "r90")},
            **{name: layer[name] for name in ("noise_r90", "full_r90")},
        }

    def sentence(self) -> str:
        """Say in one sentence what D numbers reach, and what their change looks like."""
        return fill(SENTENCE, self.values(DIMENSIONS.index(int(self.D))))

    def rows(self) -> Iterable[Values]:
        """Return the values of each D."""
        return map(self.values, range(len(DIMENSIONS)))

    def snippet(self) -> str:
        """Return code that trains the run again and prints its loss and rank."""
        return fill(_arrays(self.task)["snippet"], {"D": int(self.D), "layer": self.layer})


@cache
def _arrays(key: str) -> dict[str, Any]:
    task = NAMES[key]
    runs, full = load_subspace(task), load(task, FULL)
    noise = noise_by_shape()
    layers = {
        layer: {
            "spectra": runs.spectra[layer],
            "r90": runs.r90[layer],
            "rank": runs.rank[layer],
            "full": _share(full.spectra[layer]),
            "full_r90": r90(np.array(full.spectra[layer])),
            "shape": SHAPES[layer],
            "noise_r90": r90(noise_control(shape_of(layer)).s[1]),
        }
        for layer in MIDDLE
    }
    return {
        "key": key,
        "label": TASKS[key][0].lower(),
        "note": f"{TASKS[key][1]} Recorded {runs.recorded}.",
        "dimensions": DIMENSIONS,
        "weights": runs.weights,
        "level": LEVEL,
        "before": runs.before,
        "floor": full.validation_loss[-1],
        "loss": runs.loss,
        "layers": layers,
        "noise": {shape: noise[shape] for shape in sorted({SHAPES[layer] for layer in MIDDLE})},
        "snippet": fill(
            SNIPPET, {"task": task, "rate": subspace_config(task).learning_rate, "seed": SEEDS[0]}
        ),
    }


def _share(s: list[float]) -> list[float]:
    """Return singular values over their norm, with as many digits as a figure can show."""
    return (np.array(s) / np.linalg.norm(s)).round(4).tolist()
