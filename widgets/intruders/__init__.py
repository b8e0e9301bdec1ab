"""The intruders instrument: strong singular vectors of a finetuned weight that the base did not have, counted."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
import param

from compute.experiments.paper import FULL_RUNS, NAMES, load_paper, random_cosines
from compute.experiments.runs import FULL, load
from compute.matrices.intruders import EPSILON, TOP, count_intruders
from compute.model.forward import layer_name
from widgets.kit.instrument import Instrument, esm
from widgets.kit.matrix import packed
from widgets.kit.paper import (
    LAYER_LABELS,
    TASK_LABELS,
    TASK_OF,
    TRAIN,
    in_code,
    run_label,
    run_labels,
)
from widgets.kit.text import fill

MOST = 12  # singular vectors that are shown; a few more are recorded
WIDENING = layer_name(2, "up_proj")  # where the first task makes most of them
Cosines = Mapping[str, Sequence[float]]

SNIPPET = (
    TRAIN
    + """from compute.matrices.intruders import count_intruders, largest_cosines

config = config_of("{task_name}", {run_name})
*_, end = train(config, load_base())
W = base_weights().tensors
found = [
    count_intruders(largest_cosines(W[f"{name}.weight"], delta_w), top={top}, epsilon={epsilon})
    for name, delta_w in changes(end.weights, config).items()
]
print(f"intruders: {sum(found)} of {len(found) * {top}}")
"""
)

WORDS: dict[str, Any] = {
    "sentences": {
        "veiled": "{matrices} matrices, the {top} strongest singular vectors of each: how many resemble none of the "
        "base's by {epsilon:.2f} or more?",
        "told": "At a threshold of {epsilon:.2f}, {count} of the {of} strongest singular vectors after {run_label} on "
        "{task_label} are intruders; random changes of the same rank and size would make {random}, and full finetuning "
        "makes {full}. Its loss on the base's own voices is {base_loss:.2f} nats per token, that of full finetuning "
        "{full_base:.2f}; the base had {before:.2f}.",
    },
    "epsilonLabel": "Threshold",
    "epsilon": "{epsilon:.2f}",
    "charts": {
        "count": {
            "title": "Intruders among the {of} strongest singular vectors",
            "x": "intruders",
            "row": "{name}: {value}, random {low}",
            "behind": "base loss {base_loss:.2f}",
        },
        "cosine": {
            "title": "Largest cosine with a singular vector of the base: {layer_label}",
            "x": "singular vector, strongest first",
            "probe": "vector {i}: {cosine:.2f}; random change {random_cosine:.2f}",
            "line": "{run_label}",
            "random": "random change",
        },
    },
    "key": {
        "learned": "LoRA",
        "plain": "full finetuning",
        "seeds": "from two other seeds",
        "random": "random changes of the same rank and size",
    },
    "readouts": {
        "count": "Intruders",
        "random": "Random changes",
        "base_loss": "Loss on the base's own voices",
    },
    "readoutValues": {"count": "{count} of {of}", "random": "{random}", "base_loss": "{base_loss:.2f} nats"},
    "guess": {
        "question": (
            "Guess first. Which has more intruders at the usual threshold: LoRA with r = 4, or random changes of the "
            "same rank and size, put in the same places?"
        ),
        "field": "My guess:",
        "options": [["lora", "LoRA"], ["random", "random changes"], ["same", "both the same number"]],
        "reveal": "Reveal",
        "skip": "Skip",
        "again": "Guess for this task",
        "right": "You said {guess}, and so it is: {lora} by LoRA, {random} by random changes.",
        "wrong": "You said {guess}. It is {truth}: {lora} by LoRA, {random} by random changes.",
    },
    "tableHead": [
        "run",
        "intruders",
        "other seeds",
        "random changes",
        "loss on the task",
        "loss on the base's voices",
    ],
    "tableRow": ["{name}", "{value}", "{others}", "{low}", "{validation_loss:.3f}", "{base_loss:.3f}"],
    "downloads": {"counts": "Counts (CSV)", "picture": "Picture (SVG)"},
}


class Intruders(Instrument):
    """Count intruder dimensions of LoRA at six ranks and of full finetuning, at a threshold that the reader sets.

    A left singular vector of W + delta_w, among the strongest of its matrix, is an intruder if its largest absolute
    cosine with all left singular vectors of W is below the threshold. Grey bars and lines are controls. Left out:
    right singular vectors, and what happens when intruders are made smaller.
    """

    task = param.Selector(
        default="legal",
        objects={label: slug for slug, label in TASK_LABELS.items()},
        label="Learned",
        doc="What the base was finetuned on.",
    )
    run = param.Selector(
        default="4", objects=run_labels(NAMES), label="By", doc="Which run is set off and taken apart."
    )
    layer = param.Selector(
        default=WIDENING,
        objects={label: name for name, label in LAYER_LABELS.items()},
        label="Layer",
        doc="Whose singular vectors the second chart shows.",
    )
    top = param.Integer(
        default=TOP, bounds=(1, MOST), label="Strongest", doc="How many singular vectors of each matrix."
    )
    epsilon = param.Integer(
        default=round(100 * EPSILON), bounds=(10, 95), label="Threshold", doc="In hundredths of a cosine."
    )
    guess = param.String(
        default="ask", regex="ask|skip|lora|random|same", label="Guess", doc="ask, skip, lora, random, same"
    )

    script = "intruders"
    title = "Intruder dimensions"
    caption = (
        "Left: of the strongest left singular vectors of each of 18 finetuned matrices, how many have no absolute "
        "cosine at or above the threshold with any left singular vector of the base, which is how PEFT counts. "
        "The grey upright mark is the control: random changes of the same rank and size. Behind each bar stands what "
        "the model has kept of the base's voices, as a loss: more is more forgotten. Right: the largest cosine of each "
        "singular vector in one matrix; rings mark intruders. Left out: right singular vectors, and what happens when "
        "intruders are made smaller."
    )
    choices = ("task", "run", "layer", "top", "epsilon", "guess")
    keyed_by: ClassVar[tuple[str, ...]] = ("task",)
    parts = ("choices", "steps", "guess", "cosines", "table", "code", "share")

    sheets = ("kit/effects",)

    _esm = esm("intruders")

    @classmethod
    def published(cls) -> list[str]:
        """Return the keys of the published arrays: each task."""
        return list(TASK_LABELS)

    @classmethod
    def published_words(cls) -> str:
        """Say which arrays a published copy carries."""
        return "both tasks"

    def enclosed(self) -> list[str]:
        """Return the key of the other task."""
        return [task for task in TASK_LABELS if task != self.task]

    def enclosed_words(self) -> str:
        """Say which arrays the single file carries."""
        return "both tasks"

    def words(self) -> dict[str, Any]:
        """Return labels and templates."""
        return WORDS

    def make_arrays(self) -> dict[str, Any]:
        """Return the cosines of every run and of its control."""
        return _light(shipped(self.task)) | {"key": self.task}

    def values(self, name: str | None = None) -> dict[str, Any]:
        """Return every number that the sentence may use; resemblance.js makes the same."""
        of, epsilon = shipped(self.task), self.epsilon / 100
        run = of["runs"][name or self.run]
        full = of["runs"][FULL]

        def counted(cosines: Cosines) -> int:
            return sum(count_intruders(each, self.top, epsilon) for each in cosines.values())

        return {
            "epsilon": epsilon,
            "top": self.top,
            "matrices": len(LAYER_LABELS),
            "of": len(LAYER_LABELS) * self.top,
            "task_label": TASK_LABELS[self.task],
            "task_name": TASK_OF[self.task],
            "run_label": run["label"],
            "run_name": run["code"],
            "layer_label": LAYER_LABELS[self.layer],
            "name": run["label"],
            "value": counted(run["cosines"][0]),
            "count": counted(run["cosines"][0]),
            "others": ", ".join(str(counted(seed)) for seed in run["cosines"][1:]) or "–",
            "random": counted(run["random"]),
            "low": counted(run["random"]),
            "full": counted(full["cosines"][0]),
            "validation_loss": run["validation_loss"],
            "base_loss": run["base_loss"],
            "full_base": full["base_loss"],
            "before": of["before"],
        }

    def sentence(self) -> str:
        """Say what is counted; before the guess only what is asked."""
        asked = self.guess == "ask" and "guess" not in self.hide
        return fill(WORDS["sentences"]["veiled" if asked else "told"], self.values())

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows: every run."""
        rows = [self.values(str(name)) for name in NAMES]
        return WORDS["tableHead"], [[fill(cell, values) for cell in WORDS["tableRow"]] for values in rows]

    def snippet(self) -> str:
        """Return code that trains the run again and counts."""
        return fill(SNIPPET, self.values())


@cache
def shipped(slug: str) -> dict[str, Any]:
    """Return what the browser needs of a task; made once, so do not write to it."""
    task = TASK_OF[slug]
    runs = {}
    for name, seeds in load_paper().runs[task].items():
        runs[str(name)] = {
            "label": run_label(name),
            "code": in_code(name),
            "full": name in FULL_RUNS,
            "validation_loss": seeds[0].validation_loss,
            "base_loss": seeds[0].base_loss,
            "cosines": [{layer: of.cosines[:MOST] for layer, of in seed.layers.items()} for seed in seeds],
            "random": {layer: each[:MOST] for layer, each in random_cosines(task, name, seed=0).items()},
        }
    return {
        "task": {"task_label": TASK_LABELS[slug], "task_name": task},
        "layers": LAYER_LABELS,
        "before": load(task, 4).base_loss[0],
        "usual": {"top": TOP, "epsilon": EPSILON, "run": "4"},
        "runs": runs,
        "snippet": SNIPPET,
    }


def _light(of: dict[str, Any]) -> dict[str, Any]:
    """Return the same with cosines in thousandths, as resemblance.js takes them: a page must be light."""

    def thousandths(cosines: Cosines) -> dict[str, str]:
        return packed(np.rint(1000 * np.array([*cosines.values()])), "i2")

    runs = {
        name: {**run, "cosines": [*map(thousandths, run["cosines"])], "random": thousandths(run["random"])}
        for name, run in of["runs"].items()
    }
    return {**of, "runs": runs}


def verdict(slug: str, guess: str) -> str:
    """Say whether a guess was right."""
    of = shipped(slug)["runs"]["4"]
    lora, random = (
        sum(count_intruders(cosines) for cosines in each.values())
        for each in (of["cosines"][0], of["random"])
    )
    truth = "lora" if lora > random else "random" if random > lora else "same"
    named = dict(WORDS["guess"]["options"])
    told = {"guess": named[guess], "truth": named[truth], "lora": lora, "random": random}
    return fill(WORDS["guess"]["right" if guess == truth else "wrong"], told)
