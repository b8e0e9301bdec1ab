"""The subspace instrument: finetuning with D numbers, and the rank of the change that they make."""

from collections.abc import Iterable
from typing import Any

from compute.experiments.subspace import DIMENSIONS, MIDDLE, SEEDS, TASKS, TEXTS, load_subspace
from compute.matrices.controls import noise_control
from compute.matrices.spectrum import r90
from compute.world.tasks import FACTS
from widgets.kit.choices import one_of
from widgets.kit.instrument import Instrument, Values
from widgets.kit.languages import kept, say
from widgets.kit.layers import SHAPES, noise_by_shape, shape_of
from widgets.kit.text import fill, fill_code
from widgets.subspace.words import LABELS, MEASURES, SENTENCE, SNIPPET

LEVEL = 0.9


class Subspace(Instrument):
    """Show how well the model learns with D numbers, and that the change they make has full rank.

    Three charts: the share of right answers against D, r90 of the change against D, and the singular values of the
    change at one D. Grey is the control: full finetuning and noise, and the other tasks. Left out: other kinds of
    subspaces.
    """

    task = one_of(
        {name: LABELS[name] for name in TASKS},
        default="new-facts-64",
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
    parts = ("task", "steps", "right", "r90", "values", "table", "code", "share")
    says = ("label", "measure")
    pictured = ({"curve kept": 2}, {"curve control": 7})

    def make_arrays(self) -> dict[str, Any]:
        """Return the losses, and of each layer the spectra, ranks and controls."""
        return _arrays(self.task)

    def values(self, at: int) -> dict[str, Any]:
        """Return every number that a sentence about the at-th D may use; subspace.js makes the same."""
        arrays = _arrays(self.task)
        layer = arrays["layers"][self.layer]
        rights, losses = arrays["right"][at], arrays["loss"][at]
        return {
            **{name: arrays[name] for name in ("label", "measure", "weights", "level", "seeds")},
            **{name: arrays[name] for name in ("before", "floor", "before_loss", "floor_loss")},
            "D": DIMENSIONS[at],
            "rate": arrays["rates"][at],
            "right": mean(rights),
            "right_low": min(rights),
            "right_high": max(rights),
            "loss": mean(losses),
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
        at = DIMENSIONS.index(int(self.D))
        return fill_code(_arrays(self.task)["snippet"], self.values(at))


def mean(values: list[float]) -> float:
    """Return the mean of the seeds, as many digits as the record has; mean in subspace.js gives the same."""
    return round(sum(values) / len(values), 4)


@kept()
def _arrays(key: str) -> dict[str, Any]:
    recorded = load_subspace()
    runs, noise = recorded.tasks[key], noise_by_shape()
    layers = {
        layer: {
            "spectra": runs.spectra[layer],
            "r90": runs.r90[layer],
            "rank": runs.rank[layer],
            "full": runs.full["spectra"][layer],
            "full_r90": runs.full["r90"][layer],
            "shape": SHAPES[layer],
            "noise_r90": r90(noise_control(shape_of(layer)).s[1]),
        }
        for layer in MIDDLE
    }
    others = [
        {"label": LABELS[name], "right": [*map(mean, other.right)]}
        for name, other in recorded.tasks.items()
        if name != key
    ]
    return {
        "key": key,
        "label": say(LABELS[key]).lower(),
        "measure": MEASURES[TASKS[key].task],
        "note": fill("Recorded {recorded}.", {"recorded": recorded.recorded}),
        "dimensions": DIMENSIONS,
        "rates": runs.rate,
        "weights": recorded.weights,
        "seeds": len(SEEDS),
        "level": LEVEL,
        "before": runs.before["right"],
        "before_loss": runs.before["loss"],
        "floor": mean(runs.full["right"]),
        "floor_loss": mean(runs.full["loss"]),
        "right": runs.right,
        "loss": runs.loss,
        "others": others,
        "layers": layers,
        "noise": {shape: noise[shape] for shape in sorted({SHAPES[layer] for layer in MIDDLE})},
        "snippet": fill_code(
            SNIPPET,
            {
                "task": key,
                "seed": SEEDS[0],
                "texts": TASKS[key].n_texts if TASKS[key].task == FACTS else TEXTS,
            },
        ),
    }
