"""The grid instrument: what each scaling comes to at each learning rate, where the rules walk on it, two rates."""

from collections.abc import Iterable
from functools import cache
from statistics import fmean
from typing import Any

import param

from compute.adapters.scaling import scaling_of
from compute.experiments.grid import (
    AT,
    BATCH_SIZE,
    COUNT,
    RANKS,
    RATES,
    RATIOS,
    SCALINGS,
    SEEDS,
    STEPS,
    Found,
    load_grid,
)
from compute.training.config import TrainConfig
from widgets.grid.words import NOTE, OPTIMIZERS, RUNS, SNIPPET, WORDS
from widgets.kit.choices import one_of
from widgets.kit.instrument import Instrument, Values
from widgets.kit.text import fill, fill_code

DECIMALS = 4
CHOSEN = {f"{optimizer}-{r}": (optimizer, r) for optimizer in RATES for r in RANKS}


class Grid(Instrument):
    """Choose an optimiser, a rank and a scaling, and see what every learning rate makes of it.

    Teal is what LoRA reaches, the deeper the lower its loss; grey the control, full finetuning of the same matrices.
    Left out: scalings and rates between those recorded.
    """

    runs = one_of(
        {slug: fill(RUNS, {"optimizer": OPTIMIZERS[o], "r": r}) for slug, (o, r) in CHOSEN.items()},
        default="adamw-16",
        label="Runs",
        doc="Optimiser and rank.",
    )
    scaling = param.Integer(
        default=SCALINGS.index(2),
        bounds=(0, len(SCALINGS) - 1),
        label="Scaling",
        doc=f"Which of {', '.join(f'{scaling:g}' for scaling in SCALINGS)}, the first being 0.",
    )

    parts = ("steps", "cells", "readouts", "charts", "table", "code", "share")
    pictured = ({"curve kept": len(RANKS)}, {"curve kept": len(RANKS)})
    sheets = ("grid/grid",)

    def make_arrays(self) -> dict[str, Any]:
        """Return every cell of every grid, what each row's best came to, and the runs with two rates."""
        recorded = load_grid()
        about = {"count": COUNT, "steps": STEPS, "batch": BATCH_SIZE, "seeds": len(SEEDS)}
        return {
            "note": fill(NOTE, about | {"recorded": recorded.recorded}),
            "scalings": [f"{scaling:g}" for scaling in SCALINGS],
            "before": recorded.before["loss"],
            "alpha": f"{TrainConfig.alpha:g}",
            "frequencies": recorded.frequencies,
            "full": {optimizer: _full(optimizer) for optimizer in RATES},
            "at": f"{AT:g}",
            "ratios": [f"{ratio:g}" for ratio in RATIOS],
            "two": {str(r): _two(r) for r in RANKS},
            "grids": {slug: _grid(optimizer, r) for slug, (optimizer, r) in CHOSEN.items()},
            "snippet": SNIPPET,
        }

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use; grid.js makes the same."""
        optimizer, r = CHOSEN[self.runs]
        grid = _grid(optimizer, r)
        best = min(grid["best"], key=lambda row: row["loss"])
        return {
            **{name: grid[name] for name in ("optimizer", "r", "plain", "rooted")},
            **grid["best"][self.scaling],
            "best_scaling": best["scaling"],
            "best_loss": best["loss"],
            "best_rate": best["rate"],
            "alpha": f"{TrainConfig.alpha:g}",
            **_full(optimizer),
        }

    def sentence(self) -> str:
        """Say in a few words what the rate can make of the chosen scaling."""
        values = self.values()
        verdict = "best" if values["scaling"] == values["best_scaling"] else "other"
        return fill(WORDS["sentences"][verdict], values)

    def rows(self) -> Iterable[Values]:
        """Return the best of each scaling."""
        return _grid(*CHOSEN[self.runs])["best"]

    def snippet(self) -> str:
        """Return code that reads the record and prints the numbers of the sentence."""
        return fill_code(SNIPPET, self.values() | {"name": CHOSEN[self.runs][0]})


def _mean(values: list[float]) -> float:
    return round(fmean(values), DECIMALS)


def _full(optimizer: str) -> dict[str, Any]:
    """Return what full finetuning of the same matrices comes to."""
    found = load_grid().full[optimizer]
    return {"full_loss": _mean(found.loss), "full_rate": f"{found.rate:g}"}


def _row(scaling: float, found: Found) -> dict[str, Any]:
    """Return the numbers about the best cell of a row: means over the seeds, and their ends."""
    return {
        "scaling": f"{scaling:g}",
        "rate": f"{found.rate:g}",
        "product": f"{scaling * found.rate:.2g}",
        "loss": _mean(found.loss),
        "low": min(found.loss),
        "high": max(found.loss),
        "right": _mean(found.right),
    }


def _two(r: int) -> list[dict[str, Any]]:
    """Return what every ratio of the two rates comes to at its own best rate."""
    return [
        {
            "ratio": f"{ratio:g}",
            "rate": f"{found.rate:g}",
            "loss": _mean(found.loss),
            "low": min(found.loss),
            "high": max(found.loss),
            "right": _mean(found.right),
        }
        for ratio, found in load_grid().two[r].items()
    ]


@cache
def _grid(optimizer: str, r: int) -> dict[str, Any]:
    row = load_grid().lora[optimizer][r]
    plain, rooted = (scaling_of(rule, TrainConfig.alpha, r) for rule in ("alpha/r", "alpha/sqrt(r)"))
    return {
        "name": optimizer,
        "optimizer": OPTIMIZERS[optimizer],
        "r": r,
        "rates": [f"{rate:g}" for rate in RATES[optimizer]],
        "plain": f"{plain:g}",
        "rooted": f"{rooted:g}",
        "best": [_row(scaling, found) for scaling, found in zip(SCALINGS, row, strict=True)],
        "losses": [found.tried for found in row],
        "shares": [found.shares for found in row],
    }
