"""The forgetting instrument: what runs of LoRA and of full finetuning forget, against the size of their change."""

from collections.abc import Iterable
from typing import Any

from compute.experiments.forgetting import (
    FULL,
    MATRICES,
    MEASURES,
    TASKS,
    WAYS,
    load_forgetting,
    rates_of,
)
from widgets.forgetting.words import (
    ACROSS_LABELS,
    NOTE,
    SHOWN_LABELS,
    SNIPPET,
    TASK_LABELS,
    WAY_LABELS,
    WAY_NAMES,
    WORDS,
)
from widgets.kit.choices import one_of
from widgets.kit.instrument import Instrument, Values
from widgets.kit.languages import kept
from widgets.kit.text import fill, fill_code

ORDER = (FULL, MATRICES, *(way for way in WAYS if way.startswith("r = ")))  # the controls first
SLUGS = {way: way.replace(" = ", "-") for way in ORDER}
TASK_SLUGS = {task: task.replace(" ", "-") for task in TASKS}
COLUMNS = ("rate", "seed", *MEASURES)
DECIMALS = 5


class Forgetting(Instrument):
    """See how much of what the base knew is left after each run, against how large its change is.

    A mark is a run: teal LoRA, grey full finetuning and, as a second control, the same matrices alone, each with a
    shape of its own. Left out: what full finetuning changes elsewhere, and other numbers of steps.
    """

    task = one_of(
        {TASK_SLUGS[task]: label for task, label in TASK_LABELS.items()},
        default=TASK_SLUGS["who had it first"],
        label="Task",
        doc="What is learned.",
    )
    shown = one_of(SHOWN_LABELS, default="facts", label="Upwards", doc="What the height of a mark says.")
    across = one_of(
        ACROSS_LABELS, default="size", label="Across", doc="What its place from left to right says."
    )
    way = one_of(
        {SLUGS[way]: WAY_LABELS[way] for way in ORDER},
        default="r-4",
        label="What learns",
        doc="The series whose numbers are told.",
    )

    sheets = ("menu/menu",)
    parts = ("choices", "chart", "readouts", "table", "code", "share")
    says = ("label", "name", "names", "note", "rows")

    def make_arrays(self) -> dict[str, Any]:
        """Return every run of both tasks."""
        return {"tasks": {slug: _of(task) for task, slug in TASK_SLUGS.items()}, "snippet": SNIPPET}

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use; forgetting.js takes the same."""
        return _of(self._task)["ways"][self.way]

    @property
    def _task(self) -> str:
        return next(task for task, slug in TASK_SLUGS.items() if slug == self.task)

    def sentence(self) -> str:
        """Say what the chosen way keeps at its own best rate, beside full finetuning at its."""
        values = self.values()
        return fill(WORDS["sentences"][values["case"]], values)

    def rows(self) -> Iterable[Values]:
        """Return the means over the seeds of every way at every rate."""
        return _rows(self._task)

    def picture(self) -> list[Any]:
        """Return the old facts left against the size, LoRA beside full finetuning."""
        points = {
            way: [(run.size**0.5, run.facts) for run in load_forgetting().of(self._task, way)]
            for way in ORDER
        }
        lora = [point for way in ORDER[2:] for point in points[way]]
        return [{"dots kept": lora, "dots control": points[FULL]}]

    def snippet(self) -> str:
        """Return code that reads the record and prints the numbers of the sentence."""
        return fill_code(SNIPPET, self.values())


@kept()
def _of(task: str) -> dict[str, Any]:
    """Return what the browser needs of a task; made once, so do not write to it."""
    recorded = load_forgetting()
    marks = [
        [ORDER.index(way), *(getattr(run, name) for name in COLUMNS)]
        for way in ORDER
        for run in recorded.of(task, way)
    ]
    return {
        "names": [WAY_LABELS[way] for way in ORDER],
        "slugs": [SLUGS[way] for way in ORDER],
        "controls": [ORDER.index(FULL), ORDER.index(MATRICES)],
        "before": recorded.before[task],
        "columns": ["series", *COLUMNS],
        "marks": marks,
        "ways": {SLUGS[way]: _way(task, way) for way in ORDER},
        "rows": [[fill(cell, row) for cell in WORDS["tableRow"]] for row in _rows(task)],
    }


def _rows(task: str) -> list[Values]:
    recorded = load_forgetting()
    return [
        {name: recorded.mean(task, way, rate, name) for name in MEASURES}
        | {"label": WAY_LABELS[way], "rate": f"{rate:g}", "seeds": len(recorded.of(task, way, rate))}
        for way in ORDER
        for rate in rates_of(way)
    ]


def _way(task: str, way: str) -> dict[str, Any]:
    """Return the numbers of a way at its own best rate, beside full finetuning at its."""
    recorded = load_forgetting()
    rate, full_rate = recorded.best(task, way), recorded.best(task, FULL)

    def means(way: str, rate: float) -> dict[str, float]:
        return {name: round(recorded.mean(task, way, rate, name), DECIMALS) for name in MEASURES}

    full = {run.seed: run.facts for run in recorded.of(task, FULL, full_rate)}
    more = [round(run.facts - full[run.seed], DECIMALS) for run in recorded.of(task, way, rate)]
    case = "less" if min(more) > 0 else "more" if max(more) < 0 else "even"
    case = {FULL: "full", MATRICES: "one"}.get(way, case)
    told = f"{rate:g}"
    return {
        "task": task,
        "way": way,
        "label": WAY_LABELS[way],
        "name": WAY_NAMES[way],
        "rate": told,
        "at_rate": rate,
        "seeds": len(more),
        **means(way, rate),
        **{f"full_{name}": value for name, value in means(FULL, full_rate).items()},
        "low": min(more),
        "high": max(more),
        "before_facts": recorded.before[task]["facts"],
        "case": case,
        "note": fill(NOTE, {"label": WAY_NAMES[way], "rate": told, "recorded": recorded.recorded}),
    }
