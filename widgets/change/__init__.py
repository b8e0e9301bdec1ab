"""The change instrument: a weight matrix before and after full finetuning, and the difference."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from compute.experiments.learned import LEARNED, load_learned
from compute.model.forward import base_weights
from widgets.change.words import SNIPPET, WORDS
from widgets.kit.choices import one_of
from widgets.kit.instrument import Instrument, Values
from widgets.kit.matrix import stepped
from widgets.kit.text import fill, fill_code

LABELS = {
    name: f"{task[0].upper()}{task[1:]}, {layer.rpartition('.')[2]}"
    for name, (task, layer) in LEARNED.items()
}
LIGHT = tuple(
    name for name in LEARNED if name.endswith("v_proj")
)  # what a single file carries beside its own


class Change(Instrument):
    """Show a matrix of the base, the same matrix after full finetuning, and what was added, as three heatmaps.

    All three are on the scale of W at first, on which the difference is nearly blank; then delta_w may have its own.
    Left out: what the change does to an answer, and whether it is simple: that is the rank instrument's.
    """

    matrix = one_of(
        LABELS, default="formal-voice-v_proj", label="Task and matrix", doc="Which change is looked at."
    )
    scale = one_of(
        {"same": "as for W", "own": "its own"},
        default="same",
        label="Scale of delta_w",
        doc="Whether the colours of delta_w span its own numbers or those of W.",
    )

    keyed_by = ("matrix",)
    parts = ("choices", "readouts", "table", "code", "share")
    says = ("task",)
    sheets = ("change/change",)

    def enclosed(self) -> list[str]:
        """Return the square matrices, so that the file stays light."""
        return [name for name in LIGHT if name != self.matrix]

    def _pair(self) -> tuple[np.ndarray, np.ndarray]:
        """Return W and delta_w."""
        return base_weights().tensors[f"{LEARNED[self.matrix].layer}.weight"], load_learned(self.matrix)

    def make_arrays(self) -> dict[str, Any]:
        """Return both matrices, and what the sentence needs of them."""
        W, delta_w = self._pair()
        return {
            "key": self.matrix,
            "shape": W.shape,
            "W": stepped(W, "i2"),
            "delta_w": stepped(delta_w, "i2"),
            "values": self.values(),
            "rows": list(self.rows()),
            "snippet": self.snippet(),
        }

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use."""
        W, delta_w = self._pair()
        task, layer = LEARNED[self.matrix]
        norms = {"W": float(np.linalg.norm(W)), "delta_w": float(np.linalg.norm(delta_w))}
        tops = {"top_W": float(np.abs([W, W + delta_w]).max()), "top_delta": float(np.abs(delta_w).max())}
        return {
            "task": task,
            "layer": layer.rpartition(".")[2],
            "numbers": W.size,
            **norms,
            "ratio": norms["delta_w"] / norms["W"],
            **tops,
            "times": tops["top_W"] / tops["top_delta"],
        }

    def sentence(self) -> str:
        """Say in one sentence what the picture shows now."""
        return fill(WORDS["sentences"][self.scale], self.values())

    def rows(self) -> Iterable[Values]:
        """Return size and largest number of each of the three matrices."""
        W, delta_w = self._pair()
        for name, matrix in (("W", W), ("W + delta_w", W + delta_w), ("delta_w", delta_w)):
            yield {
                "name": name,
                "norm": float(np.linalg.norm(matrix)),
                "largest": float(np.abs(matrix).max()),
                "numbers": matrix.size,
            }

    def picture(self) -> list[Any]:
        """Return the matrix before and after, and the difference."""
        W, delta_w = self._pair()
        return [W, W + delta_w, delta_w]

    def snippet(self) -> str:
        """Return Python code that prints the numbers of the read-outs."""
        return fill_code(SNIPPET, {"layer_name": LEARNED[self.matrix].layer, "key": self.matrix})
