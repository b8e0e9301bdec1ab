"""The map of rank and rate: a sweep over both and over seeds, followed through the registry, and the table it fills."""

import contextlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar

import param
from panel.custom import AnyWidgetComponent

from compute.numbers.records import base_sum
from compute.training.config import TrainConfig
from compute.training.jobs import sweep_runs, sweep_time
from compute.training.swept import Cell, Map
from widgets.kit.instrument import WORDS as SHARED
from widgets.kit.instrument import esm, stylesheet
from widgets.kit.languages import say, say_all, written
from widgets.kit.text import fill
from widgets.live import watched
from widgets.live.fair import OURS, Reader
from widgets.live.registry import Registry, RunRefused, RunStopped, Waiting, run_key
from widgets.live.runner import WorkerDied

WORDS = {
    "name": "The map",
    "title": (
        "Loss of the finished models on {task}, in nats a word: mean over seeds, and below it the lowest and highest"
    ),
    "corner": "Learning rate",
    "row": "r = {r}",
    "loss": "{loss:.3f}",
    "spread": "{low:.3f} to {high:.3f}",
    "one": "one seed so far",
    "diverged": "diverged",
    "partly": "{diverged} of {seeds} diverged",
    "growing": "{done:.0%}",
    "waiting": "waits",
    "numbers": SHARED["table"],
    "none": "No run of the map has ended yet.",
    "sofar": "Ended so far: {ended} of {runs} runs.",
    "lowest": (
        "The lowest loss is {loss:.3f} nats, at r = {r} and a rate of {rate:g}: {low:.3f} to {high:.3f} over {seeds} "
        "seeds."
    ),
    "closeNone": "None of the other {cells} cells comes as low with any of its seeds.",
    "closeOne": "One of the other {cells} cells comes as low with one of its seeds.",
    "close": "{close} of the other {cells} cells come as low with at least one of their seeds.",
    "lostOne": "In one cell a run diverged.",
    "lost": "In {lost} cells a run diverged.",
    "timing": "A few steps are taken to see how long the map will take.",
    "expected": (
        "The map is {runs} runs of {steps} steps: r = {ranks}, {rates} learning rates around yours, {seeds} seeds "
        "each. On {device} they take about {time}{order}. Press again to train them."
    ),
    "together": ", all at once",
    "inTurn": ", one after the other",
    "seconds": "{seconds:.0f} s",
    "minutes": "{minutes:.0f} minutes",
    "running": "run {run} of {runs}",
    "finished": "finished: {runs} runs",
    "stopped": "stopped after {ended} of {runs} runs",
}
HEAD = ["r", "learning rate", "seeds that went well", "diverged", "loss, mean", "lowest", "highest"]


class RateMap(AnyWidgetComponent):
    """A table that fills in: a row a rank, a column a rate, the loss in each cell and a tint as deep as it is low."""

    spec = param.String(doc="Labels, as JSON for the browser.")
    shown = param.String("{}", doc="Cells, sentence and table, as JSON for the browser.")

    _esm = esm("rate_map")
    _stylesheets: ClassVar[list[str]] = [stylesheet("site/theme", "kit/instrument", "live/rate_map")]

    def __init__(self, **params: Any):
        super().__init__(**{"sizing_mode": "stretch_width"} | params)
        self.spec = json.dumps({"numbers": say(WORDS["numbers"])})


class Mapped:
    """Follow the runs of one map for one reader.

    On a GPU they are one job of the registry. Elsewhere each is one of its own, so that other readers have their turn
    between them, and a run that another map has had before is not made again.
    """

    def __init__(self, configs: Sequence[TrainConfig], task: str, device: str):
        self.name, self.task, self.device = say(WORDS["name"]), task, device
        self.configs, self.grid = configs, Map(configs)
        self.said, self.ended = say(watched.WORDS["starting"]), False
        self._left = ""  # key of the part that was left

    @property
    def done(self) -> float:
        """Share of all steps that have been made, 0 to 1."""
        cells = self.grid.cells()
        return sum(cell.done for cell in cells) / len(cells)

    async def expected(self, registry: Registry, reader: Reader = OURS) -> str:
        """Return a sentence that says what the map is and how long it will take here."""
        configs = [asdict(config) for config in self.configs]
        key = run_key(time=configs, model=base_sum())
        async with contextlib.aclosing(
            registry.watch(key, sweep_time, reader=reader, configs=configs)
        ) as told:
            [seconds] = [each async for each in told if not isinstance(each, Waiting)]
        cells = self.grid.cells()
        values = {
            "runs": len(configs),
            "steps": self.configs[0].steps,
            "ranks": ", ".join(str(r) for r in dict.fromkeys(cell.r for cell in cells)),
            "rates": len({cell.learning_rate for cell in cells}),
            "seeds": cells[0].seeds,
            "device": watched.DEVICES[self.device],
            "time": _time(seconds),
            "order": WORDS["together" if self.device == "cuda" else "inTurn"],
        }
        return fill(WORDS["expected"], values)

    async def follow(self, registry: Registry, reader: Reader = OURS) -> None:
        """Watch all parts until the end, whatever it is; leave the one that runs when cancelled."""
        most = len(self.configs) if self.device == "cuda" else 1
        key = ""
        try:
            for first in range(0, len(self.configs), most):
                part = [asdict(config) for config in self.configs[first : first + most]]
                key = run_key(sweep=part, model=base_sum())
                async with contextlib.aclosing(
                    registry.watch(key, sweep_runs, reader=reader, configs=part)
                ) as records:
                    async for record in records:
                        if isinstance(record, Waiting):
                            place = {"place": record.place}
                            self.said = fill(watched.WORDS["waiting"], place) if record.place else self.said
                            continue
                        self.grid.add(record._replace(run=first + record.run))
                        told = {"run": min(self.grid.ended + 1, len(self.configs)), "runs": len(self.configs)}
                        self.said = fill(WORDS["running"], told)
            self.said = fill(WORDS["finished"], {"runs": len(self.configs)})
        except RunStopped:
            self.stop()
        except RunRefused as full:
            self.said = str(full)
        except WorkerDied as death:
            self.said = fill(watched.WORDS["died"], {"why": str(death)})
        except Exception:  # the reader gets a sentence, the registry's log the traceback
            self.said = say(watched.WORDS["failed"])
        finally:
            if self.ended:
                registry.leave(key)
            self.ended = True

    def stop(self) -> None:
        """Say that the map was left before its end; whoever follows is to be cancelled next."""
        if not self.ended:
            self.ended = True
            self.said = fill(WORDS["stopped"], {"ended": self.grid.ended, "runs": len(self.configs)})

    def shown(self) -> dict[str, Any]:
        """Return the table as the browser draws it, with its sentence and the numbers behind it."""
        cells = self.grid.cells()
        losses = [cell.loss for cell in cells if cell.loss is not None]
        best = _best(cells)
        rows: dict[int, list[dict[str, Any]]] = {}
        for cell in cells:
            rows.setdefault(cell.r, []).append(
                {"lines": _lines(cell), "share": _share(cell.loss, losses), "best": cell is best}
            )
        return {
            "title": fill(WORDS["title"], {"task": self.task}),
            "corner": say(WORDS["corner"]),
            "rates": [written(f"{cell.learning_rate:g}") for cell in cells[: len(cells) // len(rows)]],
            "rows": [{"name": fill(WORDS["row"], {"r": r}), "cells": row} for r, row in rows.items()],
            "sentence": self.sentence(),
            "table": {"head": say_all(HEAD), "rows": [_numbers(cell) for cell in cells]},
        }

    def sentence(self) -> str:
        """Say in a sentence what the map shows now."""
        cells = self.grid.cells()
        best, lost = _best(cells), sum(cell.diverged > 0 for cell in cells)
        told = []
        if self.grid.ended < len(self.configs):
            said = "sofar" if self.grid.ended else "none"
            told.append(fill(WORDS[said], {"ended": self.grid.ended, "runs": len(self.configs)}))
        if best:
            low, high = min(best.losses), max(best.losses)
            place = {"loss": best.loss, "r": best.r, "rate": best.learning_rate, "seeds": best.seeds}
            told.append(fill(WORDS["lowest"], place | {"low": low, "high": high}))
            others = [cell for cell in cells if cell is not best and cell.losses]
            close = sum(min(cell.losses) <= high for cell in others)
            said = {0: "closeNone", 1: "closeOne"}.get(close, "close")
            told.append(fill(WORDS[said], {"close": close, "cells": len(cells) - 1}))
        if lost:
            told.append(fill(WORDS["lostOne" if lost == 1 else "lost"], {"lost": lost}))
        return " ".join(told)


def _time(seconds: float) -> str:
    if seconds < 100:
        return fill(WORDS["seconds"], {"seconds": seconds})
    return fill(WORDS["minutes"], {"minutes": math.ceil(seconds / 60)})


def _best(cells: Sequence[Cell]) -> Cell | None:
    """Return the cell of the lowest mean, of those whose runs have all ended well."""
    whole = [cell for cell in cells if len(cell.losses) == cell.seeds]
    return min(whole, key=lambda cell: cell.loss or 0.0, default=None)


def _share(loss: float | None, losses: Sequence[float]) -> float:
    """Return how low a loss is among all, on a scale of ratios: 0 for the highest, 1 for the lowest."""
    if loss is None or min(losses) == max(losses):
        return 0.0
    low, high = math.log(min(losses)), math.log(max(losses))
    return round((high - math.log(loss)) / (high - low), 3)


def _lines(cell: Cell) -> list[str]:
    """Return what stands in a cell: the loss, and the spread or what has become of the runs."""
    if cell.loss is None:
        if cell.ended:
            return [say(WORDS["diverged"])]
        return [fill(WORDS["growing"], {"done": cell.done}) if cell.done else say(WORDS["waiting"])]
    lines = [fill(WORDS["loss"], {"loss": cell.loss})]
    if cell.diverged:
        lines.append(fill(WORDS["partly"], {"diverged": cell.diverged, "seeds": cell.seeds}))
    elif len(cell.losses) > 1:
        lines.append(fill(WORDS["spread"], {"low": min(cell.losses), "high": max(cell.losses)}))
    elif cell.seeds > 1:
        lines.append(say(WORDS["one"]))
    return lines


def _numbers(cell: Cell) -> list[str]:
    of = [f"{f(cell.losses):.4f}" if cell.losses else "" for f in (min, max)]
    mean = "" if cell.loss is None else f"{cell.loss:.4f}"
    return [str(cell.r), f"{cell.learning_rate:g}", str(len(cell.losses)), str(cell.diverged), mean, *of]
