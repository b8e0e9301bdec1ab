"""The menu instrument: every method of finetuning on one task, against the numbers that it trains."""

from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np

from compute.adapters.rank_budget import start_rank
from compute.experiments.menu import (
    BATCHES,
    CLOSE,
    MENU_TASKS,
    MERGE,
    RATES,
    SEEDS,
    SIZES,
    config_of,
    entry,
    load_menu,
    timing,
)
from compute.model.layers import LAYERS, TARGET_MODULES
from compute.training.config import TrainConfig
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_option
from widgets.kit.instrument import Instrument
from widgets.kit.text import fill, slug
from widgets.menu.words import ABOUT, METHOD_WORDS, SHOWN_LABELS, SIZE_LABELS, SNIPPET, TASK_LABELS, WORDS

GUESSED = "new language"  # the task that the guess is about
PLACES = [*SIZE_LABELS]


class Menu(Instrument):
    """Compare all methods by what they train, learn, forget and cost in time.

    Every mark is a method at one size. Across, logarithmic: numbers trained. Up, by choice: loss on the task, loss on
    the base's own voices, or the time of a forward pass over the plain base's. Each method has a shape of its own; the
    chosen one is filled. Grey are the controls: full finetuning, and the base. Left out: other tasks and models.
    """

    task = one_of(
        {slug(task): TASK_LABELS[task] for task in MENU_TASKS},
        default="new-language",
        label="Task",
        doc="What the base is finetuned on.",
    )
    shown = one_of(SHOWN_LABELS, default="loss", label="Upwards", doc="What the height of a mark says.")
    method = one_of(
        {slug(name): words["label"] for name, words in METHOD_WORDS.items()},
        default="lora",
        label="Method",
        doc="The method whose numbers are told.",
    )
    size = one_of(SIZE_LABELS, default="middle", label="Size", doc="Its size, where it has one to choose.")
    guess = guess_option(WORDS["guess"]["options"], "a method")

    parts = ("choices", "guess", "chart", "readouts", "ranks", "table", "code", "share")

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
        before, base_before = load_menu().before[task]
        return {
            **of_point(task, *self.chosen()),
            "task": TASK_LABELS[task],
            "before": before,
            "base_before": base_before,
            "full": entry(load_menu(), task, "full", None).validation_loss,
        }

    def sentence(self) -> str:
        """Say in a few words what the chosen method does."""
        return fill(WORDS["veiled" if self.asks() else "sentence"], self.values())

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of all methods and sizes on the present task."""
        return WORDS["tableHead"], shipped()["tasks"][self.task]["rows"]

    def picture(self) -> list[Any]:
        """Return numbers trained and loss of each method, both logarithmic, full finetuning as the control."""
        points = shipped()["tasks"][self.task]["points"]
        full, *others = [(np.log(point["trainable"]), np.log(point["loss"])) for point in points]
        return [{"dots kept": others, "dots control": [full]}]

    def snippet(self) -> str:
        """Return code that trains the chosen run again and prints its loss."""
        return fill(SNIPPET, self.values())


def of_point(task: str, method: str, size: int | None) -> dict[str, Any]:
    """Return every number and word about a method at a size on a task."""
    words, one = METHOD_WORDS[method], entry(load_menu(), task, method, size)
    values = {
        "method": slug(method),
        "place": PLACES[SIZES[method].index(size)] if size is not None else None,
        "settings": _settings(task, method, size, one.rate),
        "tried": ", ".join(f"{rate:g}" for rate in RATES[method]),
        "rate": f"{one.rate:g}",
        "trainable": one.trainable,
        "loss": one.validation_loss,
        "lowest": one.lowest,
        "highest": one.highest,
        "seeds": one.seeds,
        "base": one.base_loss,
        **{name: words[name] for name in ("label", "name", "note", "merges", "mixes")},
        "said_size": fill(words["size"], {"size": size}),
    }
    for batch in BATCHES:
        plain = timing(load_menu(), method, size, False, batch)
        values |= {f"time_{batch}": plain.median, f"low_{batch}": plain.low, f"high_{batch}": plain.high}
        merged = timing(load_menu(), method, size, True, batch).median if method in MERGE else None
        values[f"merged_{batch}"] = merged
    return values


def _settings(task: str, method: str, size: int | None, rate: float) -> str:
    """Return the arguments of a run as Python code."""
    config, usual = asdict(config_of(task, method, size, rate, 0)), asdict(TrainConfig())
    return ", ".join(f"{name}={value!r}" for name, value in config.items() if value != usual[name])


def _row(values: dict[str, Any]) -> list[str]:
    """Return a row of the table; what does not merge has no merged time."""
    merged = {name: values[name] is not None and f"{values[name]:.2f}" for name in ("merged_1", "merged_32")}
    return [
        fill(cell, values | {name: said or "–" for name, said in merged.items()})
        for cell in WORDS["tableRow"]
    ]


def _ranks(task: str, size: int | None) -> list[list[int]]:
    """Return how many directions AdaLoRA left in each layer, a row for each block."""
    rate = entry(load_menu(), task, "adalora", size).rate
    ranks = next(
        run.ranks
        for run in load_menu().runs
        if (run.task, run.method, run.size, run.rate, run.seed)
        == (task, "adalora", size, rate, SEEDS[task][0])
    )
    names, each = iter(LAYERS), len(TARGET_MODULES)
    return [[ranks[next(names)] for _ in range(each)] for _ in range(len(LAYERS) // each)]


def guessed() -> dict[str, Any]:
    """Return what the question is about: the lowest loss of each method, and which of them chance cannot tell apart."""
    one = {
        method: [entry(load_menu(), GUESSED, method, size) for size in sizes]
        for method, sizes in SIZES.items()
    }
    losses = {slug(method): min(each.validation_loss for each in of) for method, of in one.items()}
    full = losses.pop("full")
    spread = max(each.highest - each.lowest for of in one.values() for each in of)
    best = min(losses, key=lambda method: losses[method])
    close = [method for method, loss in losses.items() if loss <= losses[best] + spread]
    return {
        "losses": losses,
        "lowest": best,
        "best": losses[best],
        "close": close,
        "spread": round(spread, 4),
        "full_new": full,
    }


@cache
def shipped() -> dict[str, Any]:
    """Return what the browser needs: every point of both tasks, and what the guess is about."""
    menu = load_menu()
    tasks = {}
    for task in MENU_TASKS:
        points = [of_point(task, method, size) for method, sizes in SIZES.items() for size in sizes]
        before, base_before = menu.before[task]
        tasks[slug(task)] = {
            "task": TASK_LABELS[task],
            "before": before,
            "base_before": base_before,
            "full": points[0]["loss"],
            "points": points,
            "rows": [_row(values) for values in points],
            "ranks": {
                place: _ranks(task, size) for place, size in zip(PLACES, SIZES["adalora"], strict=True)
            },
        }
    about = {
        "steps": TrainConfig().steps,
        "close": CLOSE,
        "seeds": len(SEEDS[GUESSED]),
        "milliseconds": menu.milliseconds["1"],
        "milliseconds_32": menu.milliseconds["32"],
        "recorded": menu.recorded,
        "seconds": menu.seconds,
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
