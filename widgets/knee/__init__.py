"""The knee instrument: choose a tolerance, and see at which rank the error of a copy meets it, if there is a knee."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import param

from compute.costs.sizes import break_even_rank, stored_numbers
from compute.matrices.controls import noise_control
from compute.matrices.examples import TASKS
from compute.matrices.knee import MEASURES, Found, find_knee
from compute.matrices.spectrum import relative_error
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_number
from widgets.kit.instrument import Instrument, Values
from widgets.kit.languages import say
from widgets.kit.matrix import TASK_CODE, OfMadeMatrix, task_matrix
from widgets.kit.text import fill, fill_code
from widgets.knee.words import LABELS, MEASURE_NAMES, PRINT_KNEE, PUBLISHED_SIZES, WORDS

GUESSED, MOST = 5, 50  # percent: the tolerance of the guess, and the largest
DECIMALS = 5  # of the noise


class Curves:
    """What a matrix of a task has to say about every rank and every tolerance, and noise beside it."""

    def __init__(self, task: str, n: int, seed: int):
        svd = task_matrix(task, n, seed).svd
        self.shape, self.s, self.k = svd.shape, svd.s, len(svd.s)
        self.error = relative_error(svd.s)
        band = noise_control(svd.shape)
        self.noise_error, self.noise_s = band.error.round(DECIMALS), band.s.round(DECIMALS)
        percents = range(1, MOST + 1)
        self.knees = {m: [find_knee(svd.s, svd.shape, p / 100, m) for p in percents] for m in MEASURES}
        self.noise = {
            m: [find_knee(band.s[1], svd.shape, p / 100, m).rank for p in percents] for m in MEASURES
        }


@lru_cache(maxsize=64)
def curves(task: str, n: int, seed: int) -> Curves:
    """Return the curves of a matrix, made once."""
    return Curves(task, n, seed)


class Knee(OfMadeMatrix, Instrument):
    """Show both errors of the best copy over r, where they meet a tolerance, and what that costs.

    Vermilion is what the copy misses: the relative error as a solid line, its square dashed. Gold is what it costs
    in numbers stored. Grey is the control: noise of the same shape, under the measure that is chosen. Left out: what
    a network makes of the copy, which is the next figure's matter.
    """

    task = one_of(LABELS, default="reorder", label="Matrix", doc="Which matrix is to be copied.")
    n = param.Integer(default=24)
    measure = one_of(
        {measure: f"{name[0].upper()}{name[1:]}" for measure, name in MEASURE_NAMES.items()},
        default="norm",
        label="The tolerance is for the",
        doc="Which of the two errors must come within the tolerance.",
    )
    tolerance = param.Integer(
        default=GUESSED, bounds=(1, MOST), label="Tolerance", doc="Largest error accepted, in percent."
    )
    guess = guess_number(3)

    sizes = PUBLISHED_SIZES
    parts = ("matrix", "steps", "guess", "stored", "spectrum", "table", "code", "share")
    pictured = ({"curve lost": 1, "curve control": 5}, {"bars kept": 3})

    def _curves(self) -> Curves:
        return curves(self.task, self.n, self.seed)

    def _label(self) -> str:
        name = say(LABELS[self.task])
        return f"{name if self.task == 'noise' else name.lower()}, {self.n} × {self.n}"

    def make_arrays(self) -> dict[str, Any]:
        """Return the curves, their control, and the knee at every tolerance."""
        of = self._curves()
        return {
            "key": self.key(),
            "label": self._label(),
            "note": task_matrix(self.task, self.n, self.seed).note,
            "k": of.k,
            "per": stored_numbers(of.shape, 1),
            "total": of.shape[0] * of.shape[1],
            "even": break_even_rank(of.shape),
            "s": of.s.tolist(),
            "norm": float(np.linalg.norm(of.s)),
            "error": of.error.tolist(),
            "noise": {
                "error": of.noise_error.tolist(),
                "s": of.noise_s.tolist(),
                "knees": of.noise,
            },
            "knees": of.knees,
            "guessed": GUESSED,
            "snippets": {measure: self._code(measure) for measure in MEASURES},
        }

    def at(self, r: int) -> dict[str, Any]:
        """Return every number that a row about rank r may use; knee.js makes the same."""
        of = self._curves()
        noise = float(of.noise_error[1, r])
        return {
            "r": r,
            "error": float(of.error[r]),
            "squared": float(of.error[r]) ** 2,
            "s": float(of.s[r - 1]) if r else 0.0,
            "share": float(of.s[r - 1] / np.linalg.norm(of.s)) if r else 0.0,
            "stored": stored_numbers(of.shape, r),
            "total": of.shape[0] * of.shape[1],
            "noise_error": noise,
            "noise_squared": noise**2,
            "noise_s": float(of.noise_s[1, r - 1]) if r else 0.0,
        }

    def found(self) -> Found:
        """Return the knee at the present tolerance, in the present measure."""
        return self._curves().knees[self.measure][self.tolerance - 1]

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use; knee.js makes the same."""
        of, knee = self._curves(), self.found().rank
        other = next(measure for measure in MEASURES if measure != self.measure)
        there = self.at(knee)
        stored, total = there["stored"], there["total"]
        return there | {
            "label": self._label(),
            "measure": MEASURE_NAMES[self.measure],
            "other_measure": MEASURE_NAMES[other],
            "tolerance": self.tolerance / 100,
            "k": of.k,
            "even": break_even_rank(of.shape),
            "knee": knee,
            "other": of.knees[other][self.tolerance - 1].rank,
            "noise": of.noise[self.measure][self.tolerance - 1],
            "times": total / stored,
        }

    def sentence(self) -> str:
        """Say in one sentence where the knee is, or that there is none."""
        return fill(WORDS["sentences"][self.found().verdict], self.values())

    def rows(self) -> Iterable[Values]:
        """Return the values of each rank."""
        return map(self.at, range(self._curves().k + 1))

    def _code(self, measure: str) -> str:
        """Return the code with a gap for the tolerance."""
        seeded = f"rng = np.random.default_rng({self.seed})\n" if TASKS[self.task].seeded else ""
        made = f"import numpy as np\n\nn = {self.n}\n{seeded}{TASK_CODE[self.task]}\n"
        return f"{made}s = np.linalg.svd(delta_w, compute_uv=False)\n{PRINT_KNEE[measure]}"

    def snippet(self) -> str:
        """Return NumPy code that prints the rank on the screen."""
        return fill_code(self._code(self.measure), {"tolerance": self.tolerance / 100})
