"""The menu instrument: every method of finetuning on one task, against the numbers that it trains."""

from dataclasses import asdict
from statistics import fmean
from typing import Any

import numpy as np

from compute.adapters.rank_budget import start_rank
from compute.experiments.menu import (
    BATCH_SIZE,
    BATCHES,
    FACTS_TOLD,
    MENU_TASKS,
    MERGE,
    SEEDS,
    SIZES,
    STEP,
    STEPS,
    Learned,
    config_of,
    load_menu,
)
from compute.model.layers import LAYERS, TARGET_MODULES
from compute.training.config import TrainConfig
from compute.world.tasks import FACTS
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_option
from widgets.kit.instrument import Instrument
from widgets.kit.languages import kept, written
from widgets.kit.text import fill, fill_code, slug
from widgets.menu.words import (
    ABOUT,
    AGAINST,
    METHOD_WORDS,
    OPTIONS,
    SHOWN_LABELS,
    SIZE_LABELS,
    SNIPPET,
    TASK_LABELS,
    WORDS,
)

GUESSED = FACTS  # the task that the guess is about
PLACES = [*SIZE_LABELS]


class Menu(Instrument):
    """Compare all methods by what they train, learn, forget and cost in time.

    Every mark is a method at one size, the mean of its seeds. Across, logarithmic: numbers trained. Up, by choice: loss
    on the task, share right, old facts still right, or the time of a forward pass over the plain base's, of a step
    over plain LoRA's. Each method has a shape of its own; the chosen one is filled. Grey are the controls: full
    finetuning, and the base. Left out: other tasks and models.
    """

    task = one_of(
        {slug(task): TASK_LABELS[task] for task in MENU_TASKS},
        default=slug(FACTS),
        label="Task",
        doc="What the base is finetuned on.",
    )
    shown = one_of(SHOWN_LABELS, default="right", label="Upwards", doc="What the height of a mark says.")
    method = one_of(
        {slug(name): words["label"] for name, words in METHOD_WORDS.items()},
        default="lora",
        label="Method",
        doc="The method whose numbers are told.",
    )
    size = one_of(SIZE_LABELS, default="small", label="Size", doc="Its size, where it has one to choose.")
    guess = guess_option(OPTIONS, "a method")

    sheets = ("menu/menu",)
    parts = ("choices", "guess", "chart", "readouts", "ranks", "table", "code", "share")
    says = ("about", "label", "mixes", "merges", "name", "note", "rows", "said_size", "task")

    def make_arrays(self) -> dict[str, Any]:
        """Return everything recorded: both tasks, all methods, all sizes."""
        return shipped()

    def chosen(self) -> tuple[str, int | None]:
        """Return the method and the size of the present choices."""
        method = next(name for name in SIZES if slug(name) == self.method)
        sizes = SIZES[method]
        return method, sizes[PLACES.index(self.size)] if len(sizes) > 1 else sizes[0]

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use; menu.js makes the same."""
        task = next(task for task in MENU_TASKS if slug(task) == self.task)
        return {**of_point(task, *self.chosen()), **of_task(task)}

    def sentence(self) -> str:
        """Say in a few words what the chosen method does."""
        return fill(WORDS["veiled" if self.asks() else "sentences"][self.task], self.values())

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of all methods and sizes on the present task."""
        return self.words["tableHead"], shipped()["tasks"][self.task]["rows"]

    def picture(self) -> list[Any]:
        """Return numbers trained, logarithmic, and share right of each method, full finetuning as the control."""
        points = shipped()["tasks"][self.task]["points"]
        full, *others = [(np.log(point["trainable"]), point["right"]) for point in points]
        return [{"dots kept": others, "dots control": [full]}]

    def snippet(self) -> str:
        """Return code that trains the first seed of the chosen run again and prints its loss."""
        return fill_code(SNIPPET, self.values())


def of_task(task: str) -> dict[str, Any]:
    """Return what the base does of a task, and full finetuning."""
    before, full = load_menu().before[task], load_menu().of(task, "full", None)
    return {
        "task": TASK_LABELS[task],
        "before": before["loss"],
        "before_right": before["task"],
        "before_facts": before["facts"],
        "full": round(fmean(full.loss), 4),
        "full_right": round(fmean(full.task_right), 4),
    }


def of_point(task: str, method: str, size: int | None) -> dict[str, Any]:
    """Return every number and word about a method at a size on a task."""
    words, one = METHOD_WORDS[method], load_menu().of(task, method, size)
    values = {
        "method": slug(method),
        "place": PLACES[SIZES[method].index(size)] if size is not None else None,
        "settings": _settings(task, method, size, one.rate),
        "tried": ", ".join(map(written, one.tried)),
        "rate": f"{one.rate:g}",
        "trainable": one.numbers,
        "best_size": one == load_menu().best(task, method),
        **_spread("loss", one.loss),
        **_spread("right", one.task_right),
        **_spread("facts", one.facts),
        **_against(task, one),
        **{name: words[name] for name in ("label", "name", "note", "merges", "mixes")},
        "said_size": fill(words["size"], {"size": size}),
    }
    for batch in BATCHES:
        plain = load_menu().timing(method, size, str(batch))
        values |= {f"time_{batch}": plain.median, f"low_{batch}": plain.low, f"high_{batch}": plain.high}
        merged = load_menu().timing(method, size, str(batch), merged=True).median if method in MERGE else None
        values[f"merged_{batch}"] = merged
    step = load_menu().timing(method, size, STEP)
    return values | {"step": step.median, "low_step": step.low, "high_step": step.high}


def _spread(name: str, seeds: list[float]) -> dict[str, float]:
    """Return the mean of the seeds, the lowest and the highest."""
    return {name: round(fmean(seeds), 4), f"{name}_low": min(seeds), f"{name}_high": max(seeds)}


def _against(task: str, one: Learned) -> dict[str, Any]:
    """Return how much higher the loss is than that of LoRA at its best size, seed by seed, with the interval."""
    beside = load_menu().best(task, "lora")
    size = fill(METHOD_WORDS["lora"]["size"], {"size": beside.size})
    if one == beside:
        return {"beside": size, "gap": None, "gap_low": None, "gap_high": None, "against": "–"}
    gap = load_menu().apart(one, beside)
    found = {
        "gap": round(gap.mean, 4),
        "gap_low": round(gap.low, 4),
        "gap_high": round(gap.high, 4),
    }
    return {"beside": size, **found, "against": fill(AGAINST, found)}


def _settings(task: str, method: str, size: int | None, rate: float) -> str:
    """Return the arguments of a run as Python code."""
    config, usual = asdict(config_of(task, method, size, rate, 0)), asdict(TrainConfig())
    said = {name: value for name, value in config.items() if name == "task" or value != usual[name]}
    return ", ".join(f"{name}={value!r}" for name, value in said.items())


def _row(values: dict[str, Any]) -> list[str]:
    """Return a row of the table; what does not merge has no merged time."""
    merged = {
        name: values[name] is not None and fill("{time:.2f}", {"time": values[name]})
        for name in ("merged_1", "merged_32")
    }
    return [
        fill(cell, values | {name: said or "–" for name, said in merged.items()})
        for cell in WORDS["tableRow"]
    ]


def _ranks(task: str, size: int | None) -> list[list[int]]:
    """Return how many directions AdaLoRA left in each layer with the first seed, a row for each block."""
    ranks = load_menu().of(task, "adalora", size).ranks[0]
    names, each = iter(LAYERS), len(TARGET_MODULES)
    return [[ranks[next(names)] for _ in range(each)] for _ in range(len(LAYERS) // each)]


def guessed() -> dict[str, Any]:
    """Return what the question is about: who trains no more than LoRA at its smaller rank, and how much each knows.

    "close" are those which the seeds cannot tell from the best: the interval of the paired difference holds zero.
    """
    menu = load_menu()
    lora = menu.of(GUESSED, "lora", SIZES["lora"][0])
    small = {
        method: max(some, key=lambda each: fmean(each.task_right))
        for method, sizes in SIZES.items()
        if (
            some := [one for size in sizes if (one := menu.of(GUESSED, method, size)).numbers <= lora.numbers]
        )
    }
    rights = {slug(method): round(fmean(one.task_right), 4) for method, one in small.items()}
    best = max(rights, key=rights.__getitem__)
    top = next(one for method, one in small.items() if slug(method) == best)
    close = [
        slug(method)
        for method, one in small.items()
        if one == top or menu.apart(one, top, "task_right").verdict == "level"
    ]
    return {
        "rights": rights,
        "numbers": {slug(method): one.numbers for method, one in small.items()},
        "lowest": best,
        "best": rights[best],
        "best_numbers": top.numbers,
        "close": close,
        "lora_numbers": lora.numbers,
        "lora_right": rights["lora"],
    }


@kept()
def shipped() -> dict[str, Any]:
    """Return what the browser needs: every point of both tasks, and what the guess is about."""
    menu = load_menu()
    tasks = {}
    for task in MENU_TASKS:
        points = [of_point(task, method, size) for method, sizes in SIZES.items() for size in sizes]
        tasks[slug(task)] = {
            **of_task(task),
            "points": points,
            "rows": [_row(values) for values in points],
            "ranks": {
                place: _ranks(task, size) for place, size in zip(PLACES, SIZES["adalora"], strict=True)
            },
        }
    about = {
        "voice_steps": STEPS[MENU_TASKS[0]],
        "voice_batch": BATCH_SIZE[MENU_TASKS[0]],
        "facts_steps": STEPS[FACTS],
        "facts_batch": BATCH_SIZE[FACTS],
        "facts_told": FACTS_TOLD,
        "seeds": len(SEEDS),
        "milliseconds": menu.milliseconds["1"],
        "milliseconds_32": menu.milliseconds["32"],
        "milliseconds_step": menu.milliseconds[STEP],
        "recorded": menu.recorded,
    }
    return {
        "tasks": tasks,
        "layers": TARGET_MODULES,
        "start": {
            place: start_rank(size) for place, size in zip(PLACES, SIZES["adalora"], strict=True) if size
        },
        "guessed": guessed(),
        "about": fill(ABOUT, about),
        "snippet": SNIPPET,
    }
