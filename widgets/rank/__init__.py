"""The rank instrument: slide r and watch a matrix collapse into a few directions."""

from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
import param

from compute.costs.sizes import stored_numbers
from compute.experiments.learned import LEARNED
from compute.matrices.spectrum import energy, relative_error
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_number
from widgets.kit.instrument import Instrument, Values
from widgets.kit.matrix import (
    LEARNED_LABELS,
    SEED,
    TASK_LABELS,
    TOLERANCE,
    Matrix,
    OfMadeMatrix,
    named_matrix,
    own_matrix,
    to_arrays,
)
from widgets.kit.text import fill, fill_code
from widgets.rank.words import PUBLISHED_SIZES, SENTENCES


class Rank(OfMadeMatrix, Instrument):
    """Show a matrix, its best rank-r copy, the residual and the two factors, and three curves over r.

    The pictures are matrices of numbers on one blue-white-orange scale with zero in the middle. The curves run
    over r = 0..k: relative error, energy kept, singular values. Grey is the control: independent noise of the
    same shape. Left out: what a network would make of the copy; the error is that of the numbers alone.

    `Rank()` offers the matrices of `compute.matrices.examples` and of `compute.experiments.learned`;
    `Rank.of(delta_w)` shows one of your own.
    """

    task = one_of(
        TASK_LABELS | LEARNED_LABELS,
        default="few-patterns",
        label="Matrix",
        doc="Which matrix is taken apart.",
    )
    r = param.Integer(default=1, bounds=(0, 4096), label="Rank r", doc="How many directions the copy keeps.")
    guess = guess_number(4)
    matrix = param.ClassSelector(
        class_=Matrix, allow_refs=False, doc="A matrix of the reader's, in place of the tasks."
    )

    sizes = PUBLISHED_SIZES
    idle = OfMadeMatrix.idle | dict.fromkeys(LEARNED, ("n", "seed"))
    # The browser gets the arrays that are made of it, not the thing itself.
    _rename: ClassVar[dict[str, str | None]] = {"matrix": None}
    parts = ("matrix", "steps", "guess", "factors", "charts", "table", "code", "share")
    pictured = ({"curve lost": 1, "curve kept": 2, "curve control": 5},)

    @classmethod
    def of(cls, delta_w: np.ndarray, label: str = "delta_w", **params: Any) -> Self:
        """Return the instrument for a matrix of your own, (out, in)."""
        load = "delta_w = ...  # your matrix"
        return cls(
            matrix=own_matrix(delta_w, label, load), hide=["matrix", *params.pop("hide", [])], **params
        )

    @classmethod
    def published(cls) -> list[str]:
        """Return the keys of the published matrices, the learned ones among them."""
        return super().published() + [f"{name}-{cls.param['n'].default}-{SEED}" for name in LEARNED]

    def enclosed(self) -> list[str]:
        """Return the other tasks at the present size; a figure of one's own matrix has no others."""
        return [] if self.matrix else super().enclosed()

    @param.depends("matrix", watch=True)
    def _show_matrix(self) -> None:
        self._make()

    def _factored(self) -> Matrix:
        return self.matrix or named_matrix(self.task, self.n, self.seed)

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

    def shown_values(self) -> dict[str, Any]:
        """Return the numbers of the present rank."""
        return self.values(self.shown_r())

    def shown_r(self) -> int:
        """Return r as far as this matrix has directions."""
        return min(self.r, len(self._factored().svd.s))

    def sentence(self) -> str:
        """Say in one sentence what the picture shows now."""
        values = self.values(self.shown_r())
        return fill(SENTENCES[case(values)], values)

    def rows(self) -> Iterable[Values]:
        """Return the values of each rank."""
        return map(self.values, range(len(self._factored().svd.s) + 1))

    def snippet(self) -> str:
        """Return NumPy code that prints the relative error on the screen."""
        return fill_code(self._factored().code, {"r": self.shown_r()})


def case(values: dict[str, Any]) -> str:
    """Say which sentence fits: nothing kept, fewer numbers than the matrix, as many, or more."""
    if values["r"] == 0:
        return "nothing"
    if values["stored"] == values["total"]:
        return "even"
    return "saves" if values["stored"] < values["total"] else "costs"
