"""What the change instrument says: title and caption, labels, sentences, code."""

from typing import Any

TITLE = "Before, after, and the difference"
CAPTION = (
    "One weight matrix of the small model, cell by cell: as it was, as full finetuning left it, and the difference, "
    "new minus old. Blue is below zero, orange above. W and W + delta_w always share one colour scale; delta_w has "
    "the same or one of its own. The norm of a matrix is the root of the sum of its squares. Left out: the other "
    "matrices, what the change does to an answer, and other seeds."
)
PUBLISHED = "v_proj and up_proj of the middle block, after the formal voice and after the new words"
ENCLOSED = "v_proj and the matrix that it opens with; the lesson has the others"

WORDS: dict[str, Any] = {
    "sentences": {
        "same": (
            "Full finetuning on the {task} gave {layer} of the middle block a delta_w with {ratio:.1%} of the norm of "
            "W. On the scale of W it can hardly be seen."
        ),
        "own": (
            "Full finetuning on the {task} gave {layer} of the middle block a delta_w with {ratio:.1%} of the norm of "
            "W. Here it has a colour scale of its own, {times:.1f} times as fine."
        ),
    },
    "readouts": {
        "W": "Norm of W",
        "delta_w": "Norm of delta_w",
        "ratio": "delta_w over W",
        "numbers": "Numbers in each of the three",
    },
    "readoutValues": {
        "W": "{W:.2f}",
        "delta_w": "{delta_w:.2f}",
        "ratio": "{ratio:.1%}",
        "numbers": "{numbers:,d}",
    },
    "maps": {
        "W": "W, before",
        "after": "W + delta_w, after",
        "delta_w": "delta_w, the difference",
    },
    "legend": {"W": "W, W + delta_w", "delta_w": "delta_w"},
    "ranges": {"W": "−{top_W:.3f} to {top_W:.3f}", "delta_w": "−{top_delta:.3f} to {top_delta:.3f}"},
    "noCell": "Point at a cell, or press the arrow keys on a picture, to read its value.",
    "cell": (
        "Row {row}, column {column}: {cell_W:+.4f} before, {cell_after:+.4f} after, a difference of {cell_delta:+.4f}."
    ),
    "tableHead": ["matrix", "norm", "largest number", "numbers"],
    "tableRow": ["{name}", "{norm:.4f}", "{largest:.4f}", "{numbers:,d}"],
    "downloads": {"change": "delta_w (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
import numpy as np

from compute.experiments.learned import load_learned
from compute.model.forward import base_weights

W = base_weights().tensors["{layer_name}.weight"]
delta_w = load_learned("{key}")
print(f"norm of W: {np.linalg.norm(W):.2f}")
print(f"norm of delta_w: {np.linalg.norm(delta_w):.2f}")
print(f"delta_w over W: {np.linalg.norm(delta_w) / np.linalg.norm(W):.1%}")
"""
