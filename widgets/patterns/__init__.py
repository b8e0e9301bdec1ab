"""The patterns instrument: a matrix built up one column times one row at a time."""

from collections.abc import Iterable
from typing import Any

import param

from compute.costs.sizes import stored_numbers
from compute.matrices.spectrum import energy
from widgets.kit.choices import one_of
from widgets.kit.instrument import Instrument, Values
from widgets.kit.matrix import PRINT_ERROR, SEED, TASK_LABELS, task_matrix, to_arrays
from widgets.kit.text import fill, fill_code
from widgets.patterns.words import PRINT_ENERGY, SENTENCES

SIZE = 16  # few enough cells to follow one by one


class Patterns(Instrument):
    """Show the r-th pattern of a matrix as column times row, and the sum of the first r patterns.

    Columns and rows have length one; what a pattern weighs is its strength s, the singular value. All pictures
    but the column and the row, which run from -1 to 1, share one scale. Left out: that the patterns are the best
    ones, which the rank instrument shows against noise.
    """

    task = one_of(TASK_LABELS, default="few-patterns", label="Matrix", doc="Which matrix is built up.")
    r = param.Integer(default=1, bounds=(1, SIZE), label="Patterns r", doc="How many patterns are added.")

    keyed_by = ("task",)
    sheets = ("patterns/patterns",)
    parts = ("matrix", "steps", "table", "code", "share")

    def make_arrays(self) -> dict[str, Any]:
        """Return the factors to draw from and the energy of each sum."""
        return to_arrays(task_matrix(self.task, SIZE, SEED)) | {"key": self.task, "snippet": self._code()}

    def _code(self) -> str:
        return task_matrix(self.task, SIZE, SEED).code.removesuffix(PRINT_ERROR) + PRINT_ENERGY

    def values(self, r: int) -> dict[str, Any]:
        """Return every number that a sentence about r patterns may use; patterns.js makes the same."""
        matrix = task_matrix(self.task, SIZE, SEED)
        return {
            "r": r,
            "label": matrix.label,
            "out": SIZE,
            "in": SIZE,
            "s": matrix.svd.s[r - 1],
            "energy": energy(matrix.svd.s)[r],
            "stored": stored_numbers(matrix.svd.shape, r),
            "total": SIZE * SIZE,
        }

    def sentence(self) -> str:
        """Say in one sentence what the picture shows now."""
        return fill(SENTENCES["first" if self.r == 1 else "more"], self.values(self.r))

    def rows(self) -> Iterable[Values]:
        """Return the values of each sum of patterns."""
        return map(self.values, range(1, SIZE + 1))

    def picture(self) -> list[Any]:
        """Return the newest pattern, the sum so far, and the matrix."""
        U, s, Vh = task_matrix(self.task, SIZE, SEED).svd
        return [
            (U[:, start:end] * s[start:end]) @ Vh[start:end]
            for start, end in ((self.r - 1, self.r), (0, self.r), (0, SIZE))
        ]

    def snippet(self) -> str:
        """Return NumPy code that prints the strength of the pattern and the energy of the sum."""
        return fill_code(self._code(), {"r": self.r})
