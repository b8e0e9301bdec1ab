"""The wall instrument: how close a trained adapter comes to full finetuning as r grows, and where it stops."""

from functools import cache
from typing import Any, ClassVar

import param

from compute.experiments.runs import FULL, RECORDED_RANKS, WITH_EMBEDDINGS, load
from compute.matrices.knee import first_within
from compute.text.voices import NEW_VOICES
from compute.training.gathered import Run
from widgets.kit.instrument import Instrument, esm
from widgets.kit.runs import TASKS, runs_of
from widgets.kit.text import fill

WITH_RANK = 4  # of the runs whose embeddings learned too
MOST = 80  # hundredths of a nat: the largest tolerance, which every task meets
# Names at the curves. The three known voices lie on each other at this scale, so one name serves for all.
NAMES = {"legal": "legal, medical and code voice", "dialect": "dialect", "new-language": "new language"}

REACHES = (
    "On “{label}” LoRA comes within {tolerance:.2f} nats of full finetuning at r = {r}: a loss of {loss:.3f} nats per "
    "token beside {full:.3f}, with {trainable:,d} numbers trained in place of {full_trainable:,d}."
)
NEVER = (
    "On “{label}” no recorded r comes within {tolerance:.2f} nats of full finetuning: the closest, r = {r}, has a loss "
    "of {loss:.3f} nats per token beside {full:.3f}."
)
WORDS: dict[str, Any] = {
    "sentences": {"knee": REACHES, "wall": NEVER},
    "embeddings": (
        " When the embeddings learn too, r = {with_rank} has {with_loss:.3f}, with {with_trainable:,d} numbers trained."
    ),
    "toleranceLabel": "Tolerance",
    "tolerance": "{tolerance:.2f} nats",
    "readouts": {
        "knee": "Knee",
        "loss": "Loss at this r",
        "floor": "Full finetuning",
        "trainable": "Numbers trained at this r",
    },
    "readoutValues": {
        "knee": {"knee": "r = {r}", "wall": "none; closest: r = {r}"},
        "loss": "{loss:.3f}",
        "floor": "{full:.3f}",
        "trainable": "{trainable:,d}",
    },
    "names": NAMES,
    "marks": {
        "knee": "knee r = {r}",
        "wall": "not within {tolerance:.2f}",
        "embeddings": "+ embeddings",
    },
    "charts": {
        "gap": {
            "title": "Final loss above that of full finetuning (nats per token)",
            "x": "rank r, doubling",
            "full": "full finetuning",
            "probe": "r = {r}, {label}: {loss:.3f} nats; full finetuning {full:.3f}",
        },
        "cost": {
            "title": "Numbers trained",
            "x": "rank r, doubling",
            "curve": "LoRA",
            "full": "full finetuning",
            "probe": "r = {r}: {trainable:,d} numbers; full finetuning {full_trainable:,d}",
        },
    },
    "tableHead": ["r", "numbers trained", *(label for label, _ in TASKS.values())],
    "downloads": {"curves": "Losses (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
from compute.matrices.knee import first_within
from compute.experiments.runs import RECORDED_RANKS, load

losses = {r: load({task}, r).validation_loss[-1] for r in RECORDED_RANKS}
full = load({task}, "full").validation_loss[-1]
knee = first_within(losses, full, {tolerance})
closest = knee or min(losses, key=losses.get)
print(f"knee: {knee}; r = {closest} has {losses[closest]:.3f}, full finetuning {full:.3f} nats per token")
"""


@cache
def _with_embeddings(task: str) -> Run | None:
    """Return the run at r = 4 whose embeddings learned too, None where there is none."""
    name = task.replace("-", " ")
    return load(name, WITH_EMBEDDINGS) if name in NEW_VOICES else None


def _final(run: Run) -> float:
    return run.validation_loss[-1]


class Wall(Instrument):
    """Show for each task how far the final loss of LoRA stays above that of full finetuning, over r.

    Teal is LoRA, one line a task; the grey line at zero is the control, full finetuning. Squares are runs at r = 4
    whose embeddings learned too. Gold is the count of numbers trained. Left out: ranks between those recorded, other
    seeds, other learning rates.
    """

    task = param.Selector(
        default="new-language",
        objects={label: task for task, (label, _) in TASKS.items()},
        label="Task",
        doc="Which task the sentence and the thick line are about.",
    )
    tolerance = param.Integer(
        default=5,
        bounds=(1, MOST),
        label="Tolerance",
        doc="Largest loss above full finetuning that is accepted, in hundredths of a nat.",
    )

    script = "wall"
    title = "The real knee"
    caption = (
        "Each teal line is one task, the thick one the task chosen: the final loss of LoRA on sentences that no run "
        "trains on, less that of full finetuning, over r. The places of r double. The three known voices lie on the "
        "floor, one on the other. The dotted line is the tolerance, and a ring is the first recorded r within it. "
        "Squares: the embeddings learn too. Right: numbers trained. Every point is one run of "
        "one small model. Left out: the ranks between, other seeds and learning rates."
    )
    choices = ("task", "tolerance")
    keyed_by: ClassVar[tuple[str, ...]] = ("task",)
    parts = ("task", "steps", "cost", "table", "code", "share")

    _esm = esm("wall")

    @classmethod
    def published(cls) -> list[str]:
        """Return the keys of the tasks."""
        return list(TASKS)

    @classmethod
    def published_words(cls) -> str:
        """Say what is recorded."""
        return f"r = {', '.join(map(str, RECORDED_RANKS))} for each task"

    def enclosed(self) -> list[str]:
        """Return the other tasks."""
        return [task for task in TASKS if task != self.task]

    def enclosed_words(self) -> str:
        """Say what the single file carries."""
        return self.published_words()

    def words(self) -> dict[str, Any]:
        """Return labels and templates."""
        return WORDS

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
            "snippet": fill(SNIPPET, {"task": repr(self.task.replace("-", " "))}),
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
        task = repr(self.task.replace("-", " "))
        return fill(SNIPPET, {"task": task, "tolerance": self.tolerance / 100})


def _knee(task: str, hundredths: int) -> int | None:
    """Return the first recorded r within a tolerance of full finetuning."""
    runs = runs_of(task)
    losses = {r: _final(runs[str(r)]) for r in RECORDED_RANKS}
    return first_within(losses, _final(runs[FULL]), hundredths / 100)
