"""The menu: the reader can say what each method changes, what it costs, whether it merges, and what was measured."""

from collections.abc import Iterator, Mapping
from typing import Any

from compute.menu_plan import BATCHES, MENU_TASKS, MERGE, SIZES
from compute.recorded_menu import Entry, entry, load_menu, timing
from lessons._blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.menu import Menu

KNOWN, NEW = MENU_TASKS
FIRST, MIDDLE, LAST = 0, 1, -1  # places among the sizes of a method
OTHERS = [method for method in SIZES if method != "full"]
THIN = ("lora", "dora", "adalora", "bottleneck")  # methods with two thin matrices and a size


def _of(task: str, method: str, place: int = LAST) -> Entry:
    return entry(load_menu(), task, method, SIZES[method][place])


def _loss(task: str, method: str, place: int = LAST) -> float:
    return _of(task, method, place).validation_loss


def _time(method: str, batch: int, merged: bool = False, place: int = LAST) -> float:
    return timing(load_menu(), method, SIZES[method][place], merged, batch).median


def _known() -> Mapping[str, Any]:
    losses = {method: [_loss(KNOWN, method, i) for i in range(len(SIZES[method]))] for method in OTHERS}
    without = [loss for method in OTHERS if method != "soft prompt" for loss in losses[method]]
    return {
        "before": load_menu().before[KNOWN][0],
        "full": _loss(KNOWN, "full"),
        "low": min(without),
        "high": max(without),
        "prompt_low": min(losses["soft prompt"]),
        "prompt_high": max(losses["soft prompt"]),
        "smallest": _of(KNOWN, "ia3").trainable,
        "whole": _of(KNOWN, "full").trainable,
    }


def _new() -> Mapping[str, Any]:
    return {
        "before": load_menu().before[NEW][0],
        **{method.replace(" ", "_"): _loss(NEW, method) for method in SIZES},
        "lora_trainable": _of(NEW, "lora").trainable,
        "ia3_trainable": _of(NEW, "ia3").trainable,
        "bitfit_trainable": _of(NEW, "bitfit").trainable,
        "prompt_trainable": _of(NEW, "soft prompt").trainable,
    }
