"""The rank instrument: slide r and watch a matrix collapse into a few directions."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import param

from compute.costs.sizes import stored_numbers
from compute.experiments.learned import LEARNED
from compute.matrices.examples import MAX_SEED, MAX_SIZE, MIN_SIZE, TASKS
from compute.matrices.spectrum import energy, relative_error
from widgets.kit.instrument import Instrument, esm
from widgets.kit.matrix import (
    LEARNED_LABELS,
    TASK_LABELS,
    TOLERANCE,
    Matrix,
    named_matrix,
    own_matrix,
    to_arrays,
)
from widgets.kit.text import fill

PUBLISHED_SIZES = (16, 32, 64, 128)
SIZE, SEED = 32, 0  # what the figure opens with

STORES = "It stores {stored:,d} numbers in place of {total:,d}"
MISSES = (
    "At r = {r} the copy of “{label}” misses {error:.1%} of it (relative error) "
    "and keeps {energy:.1%} of its energy. "
)
NOISE = " {noise_name} would miss {noise_error:.1%}."

SENTENCES = {
    "nothing": "At r = 0 nothing of “{label}” is kept: the copy is all zeros and misses everything.",
    "saves": MISSES + STORES + ", {times:.1f} times fewer." + NOISE,
    "even": MISSES + STORES + ": as many, so nothing is saved." + NOISE,
    "costs": MISSES + STORES + ", {times:.1f} times more: nothing is saved." + NOISE,
}

READOUT_VALUES = {
    "error": "{error:.1%}",
    "energy": "{energy:.1%}",
    "stored": "{stored:,d} of {total:,d}",
    "times": {
        "nothing": "nothing stored",
        "saves": "{times:.1f} times smaller",
        "even": "no smaller",
        "costs": "{times:.1f} times larger",
    },
}

WORDS: dict[str, Any] = {
    "sentences": SENTENCES,
    "readouts": {
        "error": "Relative error",
        "energy": "Energy kept",
        "stored": "Numbers stored",
        "times": "Against the matrix",
    },
    "readoutValues": READOUT_VALUES,
    "maps": {
        "delta_w": "delta_w, {out:,d} × {in:,d}",
        "copy": "best copy at r = {r}",
        "residual": "residual: delta_w − copy",
        "lora_B": "lora_B, {out:,d} × {r}",
        "lora_A": "lora_A, {r} × {in:,d}",
    },
    "legend": {"matrix": "delta_w, copy, residual", "factor": "lora_B, lora_A"},
    "noCell": "Point at a cell, or press the arrow keys on a picture, to read its value.",
    "cells": {
        "matrix": "Row {row}, column {column}: delta_w {delta_w}, copy {copy}, residual {residual}.",
        "lora_B": "lora_B, row {row}, column {column}: {lora_B}.",
        "lora_A": "lora_A, row {row}, column {column}: {lora_A}.",
        "unused": "{name}, row {row}, column {column}: not stored at this r.",
    },
    "charts": {
        "error": {
            "title": "Relative error: what the copy misses",
            "x": "rank r",
            "curve": "error",
            "probe": "r = {r}: error {error:.1%}; noise {noise_low:.1%} to {noise_high:.1%}",
        },
        "energy": {
            "title": "Energy: share of s² that is kept",
            "x": "rank r",
            "curve": "energy",
            "probe": "r = {r}: energy {energy:.1%}; noise {noise_energy:.1%}",
        },
        "s": {
            "title": "Singular values, over their norm",
            "x": "rank r",
            "probe": "direction {r}: {share:.3f} of the norm; noise {noise_s:.3f}",
        },
    },
    "breakEven": "break-even r = {break_even:.0f}",
    "tolerance": "{tolerance:.0%}",
    "guess": {
        "question": "Guess first. Look at “{label}”: from which r on is the relative error {tolerance:.0%} or less?",
        "field": "My guess: r =",
        "reveal": "Reveal",
        "skip": "Skip",
        "again": "Guess for this matrix",
        "right": "You said r = {guess} for “{label}”, and r = {truth} it is.",
        "tooLow": "You said r = {guess} for “{label}”. It takes more: r = {truth}.",
        "tooHigh": "You said r = {guess} for “{label}”. Fewer do: r = {truth}.",
        "truthMark": "r = {knee}",
        "guessMark": "your guess: {guess}",
    },
    "tableHead": [
        "r",
        "relative error",
        "energy kept",
        "singular value",
        "numbers stored",
        "noise: error",
        "5 % to 95 %",
    ],
    "tableRow": [
        "{r}",
        "{error:.2%}",
        "{energy:.2%}",
        "{s:.4f}",
        "{stored:,d}",
        "{noise_error:.2%}",
        "{noise_low:.2%} to {noise_high:.2%}",
    ],
    "downloads": {
        "curves": "Curves (CSV)",
        "copy": "The copy at this r (CSV)",
        "picture": "Picture (SVG)",
    },
}


class Rank(Instrument):
    """Show a matrix, its best rank-r copy, the residual and the two factors, and three curves over r.

    The pictures are matrices of numbers on one blue-white-orange scale with zero in the middle. The curves run
    over r = 0..k: relative error, energy kept, singular values. Grey is the control: independent noise of the
    same shape. Left out: what a network would make of the copy; the error is that of the numbers alone.

    `Rank()` offers the matrices of `compute.matrices.examples` and of `compute.experiments.learned`;
    `Rank.of(delta_w)` shows one of your own.
    """

    task = param.Selector(
        default="few-patterns",
        objects={label: name for name, label in (TASK_LABELS | LEARNED_LABELS).items()},
        label="Matrix",
        doc="Which matrix is taken apart.",
    )
    n = param.Integer(
        default=SIZE, bounds=(MIN_SIZE, MAX_SIZE), label="Size", doc="Rows and columns of the matrix."
    )
    seed = param.Integer(
        default=SEED, bounds=(0, MAX_SEED), label="Seed", doc="Seed of the matrices drawn by chance."
    )
    r = param.Integer(default=1, bounds=(0, 4096), label="Rank r", doc="How many directions the copy keeps.")
    guess = param.String(
        default="ask",
        regex=r"ask|skip|\d{1,4}",
        label="Guess",
        doc="the words ask and skip, or a whole number",
    )
    matrix = param.ClassSelector(
        class_=Matrix, allow_refs=False, doc="A matrix of the reader's, in place of the tasks."
    )

    script = "rank"
    title = "Slide the rank"
    caption = (
        "delta_w, its best copy of rank r, and what the copy misses share one colour scale. The two factors, whose "
        "product the copy is, have a scale of their own and are filled as far as they are stored. The curves show "
        "relative error, energy and singular values over r. The grey band is the control: matrices of independent "
        "noise of the same shape, 5th to 95th percentile of the draws. Left out: what a network does with the copy. "
        "The error is that of the numbers, not of a task."
    )
    choices = ("task", "n", "seed", "r", "guess")
    keyed_by: ClassVar[tuple[str, ...]] = ("task", "n", "seed")
    idle: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **{name: ("seed",) for name, task in TASKS.items() if not task.seeded},
        **dict.fromkeys(LEARNED, ("n", "seed")),
    }
    parts = ("matrix", "steps", "guess", "factors", "charts", "table", "code", "share")

    _esm = esm("rank")

    @classmethod
    def of(cls, delta_w: np.ndarray, label: str = "delta_w", **params: Any) -> Self:
        """Return the instrument for a matrix of your own, (out, in)."""
        load = "delta_w = ...  # your matrix"
        return cls(
            matrix=own_matrix(delta_w, label, load), hide=["matrix", *params.pop("hide", [])], **params
        )

    @classmethod
    def published(cls) -> list[str]:
        """Return the keys of the published matrices: every task in the usual sizes, seed 0, and all learned ones."""
        made = [f"{task}-{n}-{SEED}" for n in PUBLISHED_SIZES for task in TASKS]
        return made + [f"{name}-{SIZE}-{SEED}" for name in LEARNED]

    @classmethod
    def published_words(cls) -> str:
        """Say which matrices a published copy carries."""
        return (
            f"the sizes {', '.join(map(str, PUBLISHED_SIZES))} with seed {SEED}, and the learned matrices; the served "
            "app makes the others"
        )

    def enclosed(self) -> list[str]:
        """Return the other tasks at the present size; a figure of one's own matrix has no others."""
        shown = f"{self.task}-{self.n}-{self.seed}"
        keys = [f"{task}-{self.n}-{SEED}" for task in TASKS]
        return [] if self.matrix else [key for key in keys if key != shown]

    def enclosed_words(self) -> str:
        """Say which matrices the single file carries."""
        return (
            f"of the made-up matrices size {self.n} with seed {SEED}; the exported site also has the learned ones, and "
            "the served app makes the others"
        )

    @param.depends("matrix", watch=True)
    def _show_matrix(self) -> None:
        self._make()

    def _factored(self) -> Matrix:
        return self.matrix or named_matrix(self.task, self.n, self.seed)

    def words(self) -> dict[str, Any]:
        """Return labels and templates."""
        return WORDS

    def make_arrays(self) -> dict[str, Any]:
        """Return the factors to draw from, the curves and the control."""
        return to_arrays(self._factored())

    def values(self, r: int) -> dict[str, Any]:
        """Return every number that a sentence about rank r may use; rank.js makes the same."""
        matrix = self._factored()
        shape, s = matrix.svd.shape, matrix.svd.s
        stored, total = stored_numbers(shape, r), shape[0] * shape[1]
        noise = matrix.controls[0].band
        return {
            "r": r,
            "label": matrix.label,
            "out": shape[0],
            "in": shape[1],
            "tolerance": TOLERANCE,
            "stored": stored,
            "total": total,
            "times": total / stored if 0 < stored < total else stored / total,
            "error": relative_error(s)[r],
            "energy": energy(s)[r],
            "s": s[r - 1] if r else 0.0,
            "share": s[r - 1] / np.linalg.norm(s) if r else 0.0,
            "noise_name": matrix.controls[0].name,
            "noise_low": noise.error[0, r],
            "noise_error": noise.error[1, r],
            "noise_high": noise.error[2, r],
            "noise_energy": noise.energy[1, r],
            "noise_s": noise.s[1, r - 1] if r else 0.0,
        }

    def shown_r(self) -> int:
        """Return r as far as this matrix has directions."""
        return min(self.r, len(self._factored().svd.s))

    def sentence(self) -> str:
        """Say in one sentence what the picture shows now."""
        values = self.values(self.shown_r())
        return fill(SENTENCES[case(values)], values)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of the numbers behind the curves."""
        ranks = range(len(self._factored().svd.s) + 1)
        rows = [[fill(cell, values) for cell in WORDS["tableRow"]] for values in map(self.values, ranks)]
        return WORDS["tableHead"], rows

    def snippet(self) -> str:
        """Return NumPy code that prints the relative error on the screen."""
        return fill(self._factored().code, {"r": self.shown_r()})


def case(values: dict[str, Any]) -> str:
    """Say which sentence fits: nothing kept, fewer numbers than the matrix, as many, or more."""
    if values["r"] == 0:
        return "nothing"
    if values["stored"] == values["total"]:
        return "even"
    return "saves" if values["stored"] < values["total"] else "costs"
