"""Recorded runs as the instruments know them: their tasks in words, read once."""

from functools import cache
from typing import ClassVar

import param

from compute.experiments.runs import FULL, LAB_FACTS, LAB_TASKS, RECORDED_RANKS, load
from compute.training.gathered import Run
from compute.world.tasks import FACTS, NEW_WORDS, SKILL
from widgets.kit.choices import one_of
from widgets.kit.text import name_of, slug

OPTIMIZER_LABELS = {"sgd": "SGD", "adamw": "AdamW"}
# Of the lab: what the model is to learn, and what counts as right.
LAB = {
    FACTS: (
        "New facts",
        f"Facts about people whom the base has never read of: {LAB_FACTS} in the recorded runs. Right is each answer.",
    ),
    SKILL: (
        "Who had it first",
        "A question that the base was never asked, about things that changed hands. Right is each answer, on stories "
        "that no run has read.",
    ),
    "formal voice": (
        "Formal voice",
        "Stories in a voice that the base has never read, though it knows each word of it. Right is a sentence in that "
        "voice that is true in its story.",
    ),
    "mirror voice": (
        "Mirror",
        "Plain sentences from their end to their beginning. Right is a sentence in that order that is true in its "
        "story.",
    ),
    NEW_WORDS: (
        "New words",
        "Plain stories in which every word is a new one. Right is a sentence that is true in its story.",
    ),
}
LAB_LABELS = {slug(task): LAB[task] for task in LAB_TASKS}
RUNS_RECORDED = f"r = {', '.join(map(str, RECORDED_RANKS))} for each task"


@cache
def runs_of(task: str) -> dict[str, Run]:
    """Return the recorded runs of a task by rank, "full" among them."""
    return {str(r): load(name_of(task), r) for r in (*RECORDED_RANKS, FULL)}


class OfRecordedRun(param.Parameterized):
    """The choices of an instrument that shows one recorded LoRA run."""

    task = one_of(
        {task: label for task, (label, _) in LAB_LABELS.items()},
        default=slug(FACTS),
        label="Task",
        doc="What the base is finetuned on.",
    )
    r = one_of(
        {str(r): str(r) for r in RECORDED_RANKS}, default="1", label="Rank r", doc="Rank of the adapter."
    )

    keyed_by: ClassVar[tuple[str, ...]] = ("task", "r")
