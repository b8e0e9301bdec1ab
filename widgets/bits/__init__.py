"""The bits instrument: a matrix in a few bits, with its levels, its blocks, and what is lost."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import param

from compute.experiments.sample_weights import SAMPLE_WEIGHTS, sample_weights
from compute.numbers.quantising import (
    LEVELS,
    bits_per_number,
    dequantise,
    quantise,
    relative_squared_error,
    usage,
    usage_entropy,
)
from widgets.bits.words import FORMATS, MATRICES, SNIPPET, WORDS
from widgets.kit.choices import one_of
from widgets.kit.instrument import Instrument, Values
from widgets.kit.matrix import packed
from widgets.kit.text import fill, fill_code

BLOCKS = (16, 32, 64, 128, 256, 4096)  # the last is the whole matrix


@lru_cache(maxsize=256)
def measured(matrix: str, format: str, block: int) -> dict[str, Any]:
    """Return every number about a matrix in a format; quantise.js makes the same."""
    weights = sample_weights(matrix).astype(np.float64)
    quantised = quantise(weights, format, block)
    shares = usage(quantised)
    squared = relative_squared_error(weights, dequantise(quantised))
    return {
        "format": FORMATS[format][1],
        "levels": len(LEVELS[format]),
        "bits": bits_per_number(format, block),
        "code": bits_per_number(format, block) - 32 / block,  # beside its share of a scale
        "double": bits_per_number(format, block, double=True),
        "error": squared**0.5,
        "squared": squared,
        "least": float(shares.min()),
        "most": float(shares.max()),
        "entropy": usage_entropy(shares),
    }


class Bits(Instrument):
    """Quantise a small matrix: its histogram with the levels, how full each level is, copy, loss and block errors.

    Teal is the chosen format, grey the one beside it. Weights are divided by the largest of their block before they
    go to the nearest level. Left out: scales that are quantised themselves, which change the error hardly at all.
    """

    matrix = one_of(
        {name: MATRICES[name][0] for name in SAMPLE_WEIGHTS},
        default="base",
        label="Matrix",
        doc="What is stored.",
    )
    format = one_of(
        {name: FORMATS[name][0] for name in LEVELS},
        default="nf4",
        label="Format",
        doc="Which levels it is stored on.",
    )
    other = one_of(
        {name: FORMATS[name][0] for name in LEVELS},
        default="int4",
        label="Beside it",
        doc="The control: other levels for the same matrix.",
    )
    block = param.Integer(
        default=BLOCKS.index(64),
        bounds=(0, len(BLOCKS) - 1),
        label="Block",
        doc=f"Which of the block sizes {', '.join(map(str, BLOCKS))}, the first being 0.",
    )

    keyed_by = ("matrix",)
    sheets = ("bits/bits",)
    parts = ("choices", "steps", "readouts", "usage", "maps", "table", "code", "share")
    says = ("label", "name", "note")

    def enclosed(self) -> list[str]:
        """Return two other matrices, so that the file stays light."""
        return [name for name in ("base", "gaussian", "uniform") if name != self.matrix][:2]

    def make_arrays(self) -> dict[str, Any]:
        """Return the matrix, and the levels of all formats."""
        weights = sample_weights(self.matrix)
        _, label, note = MATRICES[self.matrix]
        return {
            "key": self.matrix,
            "label": label,
            "note": note,
            "shape": weights.shape,
            "weights": packed(weights, "f4"),
            "kinds": _kinds(),
            "blocks": BLOCKS,
            "snippet": SNIPPET,
        }

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use; bits.js makes the same."""
        block = BLOCKS[self.block]
        other = measured(self.matrix, self.other, block)
        return measured(self.matrix, self.format, block) | {
            "label": MATRICES[self.matrix][1],
            "block": block,
            "other": other["format"],
            "other_error": other["error"],
        }

    def sentence(self) -> str:
        """Say in one sentence what the format costs and loses."""
        return fill(WORDS["sentence"], self.values())

    def rows(self) -> Iterable[Values]:
        """Return the values of all formats for this matrix and block."""
        return [measured(self.matrix, name, BLOCKS[self.block]) for name in LEVELS]

    def picture(self) -> list[Any]:
        """Return the matrix, of which every second row and column is drawn, and how full each level is."""
        weights = sample_weights(self.matrix).astype(np.float64)
        return [weights[::2, ::2], {"bars kept": usage(quantise(weights, self.format, BLOCKS[self.block]))}]

    def snippet(self) -> str:
        """Return NumPy code that prints both errors."""
        return fill_code(
            SNIPPET,
            {
                "matrix": self.matrix,
                "block_size": BLOCKS[self.block],
                "format_key": self.format,
                "other_key": self.other,
            },
        )


def _kinds() -> dict[str, dict[str, Any]]:
    return {
        name: {
            "name": FORMATS[name][1],
            "levels": levels,
            "bits": [bits_per_number(name, block) for block in BLOCKS],
            "double": [bits_per_number(name, block, double=True) for block in BLOCKS],
        }
        for name, levels in LEVELS.items()
    }
