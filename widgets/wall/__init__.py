"""The wall instrument: what rank a task of the world needs, where no rank is enough, and what it all costs."""

from collections.abc import Iterable
from functools import cache
from statistics import fmean
from typing import Any

import param

from compute.experiments.tasks import (
    FULL,
    MEASURED,
    RANKS,
    SEEDS,
    SUSPECTS,
    Learned,
    load_tasks,
    way_of,
    ways,
)
from compute.training.config import TrainConfig
from compute.world.tasks import NEW_WORDS
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_option
from widgets.kit.instrument import Instrument, Values
from widgets.kit.languages import kept
from widgets.kit.runs import LAB
from widgets.kit.text import fill, fill_code, name_of, slug
from widgets.wall.words import MEASURES, SNIPPET, TASKS, WAYS, WORDS

DECIMALS = 6  # so that the browser rounds what Python rounds
MOST = len(RANKS) + len(SUSPECTS) - 1
COLUMNS = {"loss": "loss", "right": "task_right"}  # what a measure is called in the record
RANK = "rank"  # the guess that only a higher rank is missing


class Wall(Instrument):
    """Choose a task and slide the rank, and see how close LoRA comes to full finetuning, and what is forgotten.

    Teal is what was learned, a ring for each seed, a line through their means; squares are what learns in place of an
    adapter or beside it. Grey is the control, full finetuning, a band from its worst to its best seed, and the floor.
    Vermilion is what of the old is left. Left out: ranks between, other rates, longer runs.
    """

    task = one_of(
        {slug(task): LAB[task][0] for task in MEASURED},
        default="mirror-voice",
        label="Task",
        doc="What is learned.",
    )
    measure = one_of(MEASURES, default="loss", label="Measured by", doc="What the left chart shows.")
    place = param.Integer(
        default=0,
        bounds=(0, MOST),
        label="What learns",
        doc=f"Which of r = {', '.join(map(str, RANKS))} learns, the first being 0; of the new words, what else does.",
    )
    guess = guess_option(WORDS["guess"]["options"])

    sheets = ("wall/wall",)
    parts = ("choices", "steps", "guess", "readouts", "price", "table", "code", "share")
    says = ("all", "by", "name", "note", "of", "unit", "way", "what")
    pictured = ({"curve kept": 5, "curve lost": 8},)

    def make_arrays(self) -> dict[str, Any]:
        """Return the runs of all tasks: they are little, so all are shipped at once."""
        told = {"seeds": len(SEEDS), "steps": TrainConfig.steps, "recorded": load_tasks().recorded}
        return {
            "note": fill(WORDS["note"], told),
            "ranks": len(RANKS),
            "tasks": {slug(task): _shipped(task) for task in MEASURED},
            "snippet": SNIPPET,
        }

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use; they are shipped to the browser."""
        places = _values(name_of(self.task))
        return places[min(self.place, self._last())]

    def sentence(self) -> str:
        """Say in a few words how far from full finetuning this ends, and what of the old is left."""
        values = self.values()
        said = WORDS["sentences"][self.measure][values[f"{self.measure}_verdict"]]
        return fill(said, values) + fill(WORDS["sentences"]["price"], values)

    def rows(self) -> Iterable[Values]:
        """Return what each way comes to, full finetuning last; suspects only once they have been guessed at."""
        task = name_of(self.task)
        return [*_values(task)[: self._last() + 1], _full(task)]

    def snippet(self) -> str:
        """Return code that reads the record and prints the numbers of the sentence."""
        return fill_code(SNIPPET, self.values())

    def _last(self) -> int:
        """Return the last place that the slider has: the suspects come into sight after the guess."""
        asked = self.asks() or name_of(self.task) != NEW_WORDS
        return len(RANKS) - 1 if asked else MOST


def _numbers(learned: Learned) -> dict[str, Any]:
    """Return means over the seeds, and their ends."""
    found: dict[str, Any] = {"numbers": learned.numbers, "rate": f"{learned.rate:g}"}
    for name, column in (COLUMNS | {"facts": "facts", "stories": "stories"}).items():
        each = getattr(learned, column)
        found |= {name: round(fmean(each), DECIMALS), f"{name}_low": min(each), f"{name}_high": max(each)}
    return found


@cache
def _full(task: str) -> dict[str, Any]:
    return _numbers(load_tasks().of(task, FULL)) | {"way": WAYS[FULL].name}


@kept()
def _values(task: str) -> list[dict[str, Any]]:
    """Return the numbers of each way to learn a task, beside those of full finetuning and of the base."""
    recorded = load_tasks()
    full, before = recorded.of(task, FULL), recorded.before[task]
    common = {
        "seeds": len(SEEDS),
        "task": task,
        "of": TASKS[task].of,
        "unit": TASKS[task].unit,
        "what": TASKS[task].what,
        "all": TASKS[task].all,
        "full_loss": round(fmean(full.loss), DECIMALS),
        "full_right": round(fmean(full.task_right), DECIMALS),
        "before_facts": before["facts"],
        "before_stories": before["stories"],
    }
    found = []
    for way in ways(task):
        if way == FULL:
            continue
        said = WAYS.get(way) or WAYS["r"]
        values = common | _numbers(recorded.of(task, way)) | {"key": way}
        values |= {name: fill(getattr(said, name), {"r": way.split()[-1]}) for name in ("name", "by", "tick")}
        for measure, column in COLUMNS.items():
            gap = recorded.apart(task, way, what=column)
            values |= {
                f"{measure}_verdict": gap.verdict,
                f"{measure}_apart": abs(round(gap.mean, DECIMALS)),
                f"{measure}_least": round(min(abs(gap.low), abs(gap.high)), DECIMALS),
                f"{measure}_most": round(max(abs(gap.low), abs(gap.high)), DECIMALS),
            }
        found.append(values | {"way": values["name"]})
    return found


def _truth() -> str:
    """Return who did it: of what learns alone, with a rank or without, what ends lowest with the new words."""
    recorded = load_tasks()
    losses = {RANK: min(fmean(recorded.of(NEW_WORDS, way_of(r)).loss) for r in RANKS)}
    losses |= {name: fmean(recorded.of(NEW_WORDS, name).loss) for name in SUSPECTS[:2]}
    return min(losses, key=losses.__getitem__)


def _shipped(task: str) -> dict[str, Any]:
    recorded = load_tasks()
    each = [recorded.of(task, way) for way in (*ways(task)[: len(RANKS)], *ways(task)[len(RANKS) + 1 :])]
    values = _values(task)
    suspects = values[len(RANKS) :]
    guess = {}
    if suspects:
        guess = {
            "truth": _truth(),
            "best": min(one["loss"] for one in values[: len(RANKS)]),
            "full": values[0]["full_loss"],
            **{f"suspect_{i}": one["loss"] for i, one in enumerate(suspects)},
        }
    return {
        "note": TASKS[task].note,
        "values": values,
        "full": _full(task),
        "seeds": {name: [getattr(one, column) for one in each] for name, column in COLUMNS.items()},
        "before": {"right": recorded.before[task]["task"], "loss": recorded.before[task]["loss"]},
        "floor": recorded.floor.get(task),
        "guess": guess,
    }
