"""The amplification instrument: how much of W lies in the directions of delta_w, in the paper and here."""

from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar

import numpy as np

from compute.experiments.paper import FULL, RANKS, SMALL, directions, load_paper
from compute.matrices.amplification import TABLE_7, WIDTH
from compute.matrices.controls import random_within
from compute.matrices.svd import factorize
from compute.model.forward import base_weights
from widgets.amplification.words import SNIPPET, WORDS
from widgets.kit.guess import guess_option
from widgets.kit.instrument import Instrument, Values
from widgets.kit.paper import (
    LAYER_LABELS,
    MIDDLE_QUERY,
    TASK_LABELS,
    TASK_OF,
    in_code,
    layer_choice,
    run_choice,
    run_label,
    run_of,
    task_choice,
)
from widgets.kit.text import fill, fill_code

RUNS = (RANKS[0], SMALL, FULL)
BESIDE = dict(zip(RUNS, (4, 64, 4), strict=True))  # which column of Table 7 a run stands beside
SAME = 0.1  # a share of W within this of what chance gives is the same
DIGITS = 6


class Amplification(Instrument):
    """Show how much of W lies in the directions of delta_w, beside random directions and W's own, and the paper's.

    Both axes are logarithmic. Teal is measured here, grey is chance, diamonds are the paper's numbers for one matrix
    of GPT-3. Left out: every matrix of GPT-3 but one, because the paper shows one.
    """

    task = task_choice("new-facts")
    run = run_choice(RUNS, "LoRA at a rank, or full finetuning.")
    layer = layer_choice(MIDDLE_QUERY, "Whose W and delta_w are compared.")
    guess = guess_option(WORDS["guess"]["options"])

    keyed_by: ClassVar[tuple[str, ...]] = ("task", "run")
    parts = ("choices", "guess", "share_chart", "factor_chart", "table", "code", "share")
    says = ("layer_label", "run_label", "task_label")
    pictured = ({"bars kept": 6, "dots control": 7},)

    sheets = ("amplification/dots",)

    def make_arrays(self) -> dict[str, Any]:
        """Return every number of every layer after the chosen run, and what the paper has beside it."""
        run = run_of(self.run)
        return {
            "key": f"{self.task}-{self.run}",
            "layers": {layer: measured(self.task, run, layer) for layer in LAYER_LABELS},
            "paper": _paper(run),
            "snippet": SNIPPET,
        }

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use; amplification.js makes the same."""
        run = run_of(self.run)
        return {**measured(self.task, run, self.layer), **_paper(run)["values"]}

    def truth(self) -> str:
        """Return whether the directions of delta_w hold less of W than random ones, the same or more."""
        return _judged(self.values()["ratio"])

    def sentence(self) -> str:
        """Say what was measured; before the guess only what is asked."""
        return fill(WORDS["sentences"]["veiled" if self.asks() else "told"], self.values())

    def rows(self) -> Iterable[Values]:
        """Return the values of every layer of the run."""
        return [measured(self.task, run_of(self.run), layer) for layer in LAYER_LABELS]

    def snippet(self) -> str:
        """Return code that trains the run again and prints the amplification."""
        return fill_code(SNIPPET, self.values())


def _judged(ratio: float) -> str:
    return "less" if ratio < 1 - SAME else "same" if ratio <= 1 + SAME else "more"


@cache
def measured(slug: str, run: int | str, layer: str) -> dict[str, Any]:
    """Return every number of a layer after a run."""
    W = base_weights().tensors[f"{layer}.weight"]
    r, whole = directions(run), float(np.linalg.norm(W))
    seeds = [each.layers[layer] for each in load_paper().runs[TASK_OF[slug]][run]]
    size, kept = seeds[0].size, seeds[0].kept
    random = random_within(W.shape, r, whole)
    numbers = {
        "size": size,
        "kept": kept,
        "random": random,
        "strongest": float(np.linalg.norm(factorize(W).s[:r])),
        "whole": whole,
        "ratio": kept / random,
        "factor": size / kept,
        "chance": size / random,
    }
    return {name: round(number, DIGITS) for name, number in numbers.items()} | {
        "r": r,
        "run_label": run_label(run),
        "run_name": in_code(run),
        "task_label": TASK_LABELS[slug],
        "task_name": TASK_OF[slug],
        "rate": load_paper().rates[TASK_OF[slug]][run],
        "layer": layer,
        "layer_label": LAYER_LABELS[layer],
        "truth": _judged(kept / random),
        "seeds": [
            {"share": round(other.kept / whole, DIGITS), "factor": round(other.size / other.kept, DIGITS)}
            for other in seeds[1:]
        ],
    }


def _paper(run: int | str) -> dict[str, Any]:
    """Return the column of Table 7 that a run stands beside."""
    column = TABLE_7[BESIDE[run]]
    random = random_within((WIDTH, WIDTH), column.r, column.whole)
    return {
        "shares": {name: getattr(column, name) / column.whole for name in WORDS["of"]},
        "values": {
            "paper_r": column.r,
            "paper_factor": round(column.factor, DIGITS),
            "paper_ratio": round(column.kept / random, DIGITS),
            "paper_chance": round(column.size / random, DIGITS),
        },
    }
