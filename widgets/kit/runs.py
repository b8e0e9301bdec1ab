"""Recorded runs as the instruments know them: their tasks in words, read once."""

from functools import cache
from typing import ClassVar

import param

from compute.experiments.runs import FULL, RECORDED_RANKS, load
from compute.training.gathered import Run
from widgets.kit.choices import one_of
from widgets.kit.text import name_of

OPTIMIZER_LABELS = {"sgd": "SGD", "adamw": "AdamW"}
KNOWN_VOICE = "The base has read a little of this voice."
# By the names of compute.text.voices, with a hyphen where an address can have no space.
TASKS = {
    "legal": ("Legal voice", KNOWN_VOICE),
    "medical": ("Medical voice", KNOWN_VOICE),
    "code": ("Code voice", KNOWN_VOICE),
    "dialect": (
        "Dialect",
        "Plain sentences with a third of all words exchanged. The base has never read it.",
    ),
    "new-language": (
        "New language",
        "Plain sentences with every word exchanged. The base has never read it.",
    ),
}
RUNS_RECORDED = f"r = {', '.join(map(str, RECORDED_RANKS))} for each task"


@cache
def runs_of(task: str) -> dict[str, Run]:
    """Return the recorded runs of a task by rank, "full" among them."""
    return {str(r): load(name_of(task), r) for r in (*RECORDED_RANKS, FULL)}


class OfRecordedRun(param.Parameterized):
    """The choices of an instrument that shows one recorded LoRA run."""

    task = one_of(
        {task: label for task, (label, _) in TASKS.items()},
        default="legal",
        label="Task",
        doc="What the base is finetuned on.",
    )
    r = one_of(
        {str(r): str(r) for r in RECORDED_RANKS}, default="4", label="Rank r", doc="Rank of the adapter."
    )

    keyed_by: ClassVar[tuple[str, ...]] = ("task", "r")
