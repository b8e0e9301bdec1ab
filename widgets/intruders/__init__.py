"""The intruders instrument: strong singular vectors of a finetuned weight that the base did not have, counted."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
import param

from compute.experiments.paper import FULL, NAMES, RANKS, load_paper, random_cosines
from compute.experiments.paper import TOP as MOST
from compute.matrices.intruders import EPSILON, TOP, count_intruders
from compute.model.layers import layer_name
from widgets.intruders.words import SNIPPET, WORDS
from widgets.kit.guess import guess_option
from widgets.kit.instrument import Instrument, Values
from widgets.kit.matrix import packed
from widgets.kit.paper import (
    LAYER_LABELS,
    TASK_LABELS,
    TASK_OF,
    in_code,
    layer_choice,
    run_choice,
    run_label,
    task_choice,
)
from widgets.kit.text import fill, fill_code

FIRST = str(RANKS[0])  # the run that the figure opens with, and that is guessed about
WIDENING = layer_name(2, "up_proj")
Cosines = Mapping[str, Sequence[float]]


class Intruders(Instrument):
    """Count intruder dimensions of LoRA at three ranks and of full finetuning, at a threshold that the reader sets.

    A left singular vector of W + delta_w, among the strongest of its matrix, is an intruder if its largest absolute
    cosine with all left singular vectors of W is below the threshold. Grey bars and lines are controls. Left out:
    right singular vectors, and what happens when intruders are made smaller.
    """

    task = task_choice("formal-voice")
    run = run_choice(NAMES, "Which run is set off and taken apart.")
    layer = layer_choice(WIDENING, "Whose singular vectors the second chart shows.")
    top = param.Integer(
        default=TOP, bounds=(1, MOST), label="Strongest", doc="How many singular vectors of each matrix."
    )
    epsilon = param.Integer(
        default=round(100 * EPSILON), bounds=(10, 95), label="Threshold", doc="In hundredths of a cosine."
    )
    guess = guess_option(WORDS["guess"]["options"])

    keyed_by: ClassVar[tuple[str, ...]] = ("task",)
    parts = ("choices", "steps", "guess", "cosines", "table", "code", "share")
    says = ("label", "layers", "task_label")
    pictured = ({"bars lost": 1},)

    sheets = ("kit/effects",)

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
            "rate": run["rate"],
            "loss": run["loss"],
            "facts": run["facts"],
            "full_facts": full["facts"],
            "before": of["before"],
        }

    def sentence(self) -> str:
        """Say what is counted; before the guess only what is asked."""
        return fill(WORDS["sentences"]["veiled" if self.asks() else "told"], self.values())

    def rows(self) -> Iterable[Values]:
        """Return the values of every run."""
        return [self.values(str(name)) for name in NAMES]

    def snippet(self) -> str:
        """Return code that trains the run again and counts."""
        return fill_code(SNIPPET, self.values())


@cache
def shipped(slug: str) -> dict[str, Any]:
    """Return what the browser needs of a task; made once, so do not write to it."""
    task = TASK_OF[slug]
    runs = {}
    for name, seeds in load_paper().runs[task].items():
        runs[str(name)] = {
            "label": run_label(name),
            "code": in_code(name),
            "full": name == FULL,
            "rate": load_paper().rates[task][name],
            "loss": seeds[0].loss,
            "facts": seeds[0].facts,
            "cosines": [{layer: of.cosines for layer, of in seed.layers.items()} for seed in seeds],
            "random": random_cosines(task, name, seed=0),
        }
    return {
        "task": {"task_label": TASK_LABELS[slug], "task_name": task},
        "layers": LAYER_LABELS,
        "before": load_paper().before["facts"],
        "usual": {"top": TOP, "epsilon": EPSILON, "run": FIRST},
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
    of = shipped(slug)["runs"][FIRST]
    lora, random = (
        sum(count_intruders(cosines) for cosines in each.values())
        for each in (of["cosines"][0], of["random"])
    )
    truth = "lora" if lora > random else "random" if random > lora else "same"
    named = dict(WORDS["guess"]["options"])
    told = {"guess": named[guess], "truth": named[truth], "lora": lora, "random": random}
    return fill(WORDS["guess"]["right" if guess == truth else "wrong"], told)
