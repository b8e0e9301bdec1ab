"""The subspace instrument: finetuning with D numbers, and the rank of the change that they make."""

from functools import cache
from typing import Any, ClassVar

import numpy as np
import param

from compute.experiments.runs import FULL, load
from compute.experiments.subspace import DIMENSIONS, SEEDS, SUBSPACE_TASKS, load_subspace, subspace_config
from compute.matrices.noise import DRAWS, noise_control
from compute.matrices.spectrum import r90
from widgets.kit.instrument import Instrument, esm
from widgets.kit.layers import LAYERS, SHAPES, noise_by_shape, shape_of
from widgets.kit.runs import TASKS
from widgets.kit.text import fill

NAMES = {task.replace(" ", "-"): task for task in SUBSPACE_TASKS}
MIDDLE = [layer for layer in LAYERS if layer.startswith("blocks.1.")]
LEVEL = 0.9

SENTENCE = (
    "With {D:,d} numbers in place of {weights:,d}, the model reaches {loss:.3f} nats per token on “{label}”; the base "
    "has {before:.3f}, full finetuning {floor:.3f}. Yet the change of {layer} has rank {rank} of {k}, and {r90} "
    "directions hold {level:.0%} of its energy. Noise needs {noise_r90}, full finetuning's change {full_r90}."
)
WORDS: dict[str, Any] = {
    "sentence": SENTENCE,
    "sliderLabel": "Numbers D",
    "shown": "{D:,d}",
    "readouts": {
        "numbers": "Numbers trained",
        "loss": "Loss, unseen sentences",
        "rank": "Rank of the change",
        "r90": "r90 of the change",
    },
    "readoutValues": {
        "numbers": "{D:,d}",
        "loss": "{loss:.3f} nats",
        "rank": "{rank} of {k}",
        "r90": "{r90} of {k}",
    },
    "readoutControls": {
        "numbers": "of {weights:,d}",
        "loss": "full finetuning {floor:.3f}",
        "rank": "noise {k}",
        "r90": "noise {noise_r90}, full {full_r90}",
    },
    "charts": {
        "loss": {
            "title": "Loss on unseen sentences against D (nats)",
            "x": "numbers trained, D",
            "probe": "D = {D:,d}: {loss:.3f} nats, {loss_low:.3f} to {loss_high:.3f} over subspaces",
        },
        "r90": {
            "title": "r90 of the change against D",
            "x": "numbers trained, D",
            "probe": "D = {D:,d}: {r90} of {k} directions; noise {noise_r90}, full finetuning {full_r90}",
        },
        "s": {
            "title": "Singular values, over their norm",
            "x": "direction",
            "probe": "direction {i}: {s:.3f} of the norm; noise {noise_s:.3f}, full finetuning {full_s:.3f}",
        },
    },
    "curve": "D numbers",
    "base": "base",
    "full": "full finetuning",
    "noise": "noise",
    "tableHead": ["D", "loss (nats)", "lowest", "highest", "rank", "r90"],
    "tableRow": ["{D:,d}", "{loss:.3f}", "{loss_low:.3f}", "{loss_high:.3f}", "{rank}", "{r90}"],
    "downloads": {"curves": "Curves (CSV)", "picture": "Picture (SVG)"},
}
SNIPPET = """# Run it in the folder of this project; it trains for about ten seconds.
import torch

from compute.model.checkpoint import load_base
from compute.training.config import TrainConfig
from compute.training.subspace import train_in_subspace
from compute.training.loop import evaluate, learned

base = load_base()
config = TrainConfig(task="{task}", method="full", learning_rate={rate})
model = train_in_subspace(config, D={D}, seed={seed}, base=base)
print(f"loss on unseen sentences: {evaluate(model, config.task).validation_loss:.3f} nats per token")
print(f"rank of the change: {torch.linalg.matrix_rank(learned(model, base)['{layer}'])}")
"""


class Subspace(Instrument):
    """Show how well the model learns with D numbers, and that the change they make has full rank.

    Three charts: loss against D, r90 of the change against D, and the singular values of the change at one D. Grey is
    the control: full finetuning and noise. Left out: other learning rates, and other kinds of subspaces.
    """

    task = param.Selector(
        default="legal",
        objects={TASKS[name][0]: name for name in NAMES},
        label="Task",
        doc="What the base is finetuned on.",
    )
    layer = param.Selector(
        default="blocks.1.attention.v_proj",
        objects={name: name for name in MIDDLE},
        label="Layer",
        doc="The layer whose change is taken apart.",
    )
    D = param.Selector(
        default="1000",
        objects={f"{D:,d}": str(D) for D in DIMENSIONS},
        label="D",
        doc="How many numbers are trained.",
    )

    script = "subspace"
    title = "Intrinsic dimension is not rank"
    caption = (
        "Every weight of the model, embeddings included, was dealt one of D numbers and a sign, by lot; only these "
        "numbers learn. Left: the loss they reach, on an axis that does not start at zero. The line is one subspace, "
        f"the band the range over {len(SEEDS)}. Middle: how many directions hold nine tenths of the energy of one "
        "layer's change. Right: the singular values of that change, filled as far as r90 goes, over the band of "
        f"{DRAWS} draws of noise; dashed, those of full finetuning. Left out: other learning rates. One rate serves "
        "every D, and at small D it may be too large."
    )
    choices = ("task", "layer", "D")
    keyed_by: ClassVar[tuple[str, ...]] = ("task",)
    parts = ("task", "steps", "loss", "r90", "values", "table", "code", "share")

    _esm = esm("subspace")

    @classmethod
    def published(cls) -> list[str]:
        """Return the keys of the recorded tasks."""
        return list(NAMES)

    @classmethod
    def published_words(cls) -> str:
        """Say which tasks are recorded."""
        return ", ".join(NAMES)

    def enclosed(self) -> list[str]:
        """Return the other task."""
        return [name for name in NAMES if name != self.task]

    def enclosed_words(self) -> str:
        """Say which tasks the single file carries."""
        return ", ".join(NAMES)

    def words(self) -> dict[str, Any]:
        """Return labels and templates."""
        return WORDS

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

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of the curves against D."""
        rows = [[fill(cell, self.values(at)) for cell in WORDS["tableRow"]] for at in range(len(DIMENSIONS))]
        return WORDS["tableHead"], rows

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
