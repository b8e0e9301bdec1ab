"""The wall instrument: how close a trained adapter comes to full finetuning as r grows, and where it stops."""

from functools import cache
from typing import Any

import param

from compute.experiments.runs import FULL, RECORDED_RANKS, WITH_EMBEDDINGS, load
from compute.matrices.knee import first_within
from compute.text.voices import NEW_VOICES
from compute.training.gathered import Run
from widgets.kit.choices import one_of
from widgets.kit.instrument import Instrument
from widgets.kit.runs import TASKS, runs_of
from widgets.kit.text import fill, name_of
from widgets.wall.words import SNIPPET, WORDS

WITH_RANK = 4  # of the runs whose embeddings learned too
MOST = 80  # hundredths of a nat: the largest tolerance, which every task meets


@cache
def _with_embeddings(task: str) -> Run | None:
    """Return the run at r = 4 whose embeddings learned too, None where there is none."""
    name = name_of(task)
    return load(name, WITH_EMBEDDINGS) if name in NEW_VOICES else None


def _final(run: Run) -> float:
    return run.validation_loss[-1]


class Wall(Instrument):
    """Show for each task how far the final loss of LoRA stays above that of full finetuning, over r.

    Teal is LoRA, one line a task; the grey line at zero is the control, full finetuning. Squares are runs at r = 4
    whose embeddings learned too. Gold is the count of numbers trained. Left out: ranks between those recorded, other
    seeds, other learning rates.
    """

    task = one_of(
        {task: label for task, (label, _) in TASKS.items()},
        default="new-language",
        label="Task",
        doc="Which task the sentence and the thick line are about.",
    )
    tolerance = param.Integer(
        default=5,
        bounds=(1, MOST),
        label="Tolerance",
        doc="Largest loss above full finetuning that is accepted, in hundredths of a nat.",
    )

    keyed_by = ("task",)
    parts = ("task", "steps", "cost", "table", "code", "share")

    def make_arrays(self) -> dict[str, Any]:
        """Return the losses of all tasks over r, their floors and the knees at every tolerance."""
        runs = runs_of(self.task)
        trained = _with_embeddings(self.task)
        label, note = TASKS[self.task]
        return {
            "key": self.task,
            "label": label,
            "note": f"{note} Recorded {runs[FULL].recorded}.",
            "ranks": RECORDED_RANKS,
            "losses": {task: [_final(runs_of(task)[str(r)]) for r in RECORDED_RANKS] for task in TASKS},
            "full": {task: _final(runs_of(task)[FULL]) for task in TASKS},
            "knees": {task: [_knee(task, i) for i in range(1, MOST + 1)] for task in TASKS},
            "trainable": [runs[str(r)].trainable for r in RECORDED_RANKS],
            "full_trainable": runs[FULL].trainable,
            "with": {task: _final(run) for task in TASKS if (run := _with_embeddings(task))},
            "with_rank": WITH_RANK,
            "with_trainable": trained.trainable if trained else None,
            "rows": self.table()[1],
            "snippet": fill(SNIPPET, {"task": repr(name_of(self.task))}),
        }

    def at(self, r: int) -> dict[str, Any]:
        """Return every number that a probe of r may use; wall.js makes the same."""
        run, full = runs_of(self.task)[str(r)], runs_of(self.task)[FULL]
        return {
            "r": r,
            "label": TASKS[self.task][0],
            "loss": _final(run),
            "full": _final(full),
            "trainable": run.trainable,
            "full_trainable": full.trainable,
        }

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use; wall.js makes the same."""
        runs = runs_of(self.task)
        closest = min(RECORDED_RANKS, key=lambda r: _final(runs[str(r)]))
        values = self.at(_knee(self.task, self.tolerance) or closest) | {"tolerance": self.tolerance / 100}
        trained = _with_embeddings(self.task)
        if trained:
            values |= {
                "with_rank": WITH_RANK,
                "with_loss": _final(trained),
                "with_trainable": trained.trainable,
            }
        return values

    def sentence(self) -> str:
        """Say in one sentence where the knee is, or that there is none."""
        case = "knee" if _knee(self.task, self.tolerance) else "wall"
        more = WORDS["embeddings"] if _with_embeddings(self.task) else ""
        return fill(WORDS["sentences"][case] + more, self.values())

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of the final losses of all tasks."""
        names = [*map(str, RECORDED_RANKS), FULL]
        rows = []
        for name in names:
            runs = {task: runs_of(task)[name] for task in TASKS}
            first = next(iter(runs.values()))
            rows.append([name, f"{first.trainable:,d}", *(f"{_final(run):.3f}" for run in runs.values())])
        trained = {task: _with_embeddings(task) for task in TASKS}
        one = next(run for run in trained.values() if run)
        losses = (f"{_final(run):.3f}" if run else "not recorded" for run in trained.values())
        rows.append([f"{WITH_RANK} + embeddings", f"{one.trainable:,d}", *losses])
        return WORDS["tableHead"], rows

    def snippet(self) -> str:
        """Return code that finds the knee among the recorded runs."""
        task = repr(name_of(self.task))
        return fill(SNIPPET, {"task": task, "tolerance": self.tolerance / 100})


def _knee(task: str, hundredths: int) -> int | None:
    """Return the first recorded r within a tolerance of full finetuning."""
    runs = runs_of(task)
    losses = {r: _final(runs[str(r)]) for r in RECORDED_RANKS}
    return first_within(losses, _final(runs[FULL]), hundredths / 100)
