"""What the patterns instrument says: title and caption, labels, sentences, code."""

from typing import Any

from compute.matrices.examples import TASKS

TITLE = "Add one pattern at a time"
CAPTION = (
    "First matrix: the newest pattern, a column times a row times a strength. Second: the sum of the patterns so far. "
    "Third: the matrix that is being built. Column and row run from −1 to 1; the three matrices share one scale of "
    "their own, blue below zero and orange above. Left out: other ways to split the matrix. These patterns are the "
    "ones for which each sum is as close as its rank allows."
)
PUBLISHED = ", ".join(TASKS)

PRINT_ENERGY = """
s = np.linalg.svd(delta_w, compute_uv=False)
energy = (s[:r] ** 2).sum() / (s**2).sum()
print(f"strength of pattern {r}: {s[r - 1]:.2f}")
print(f"energy of the first {r}: {energy:.2%}")
"""

SENTENCES = {
    "first": (
        "Pattern 1 of “{label}” is one column of {out} numbers times one row of {in}, with strength {s:.2f}. "
        "Alone it holds {energy:.1%} of the energy."
    ),
    "more": (
        "Pattern {r} has strength {s:.2f}. The sum of the first {r} holds {energy:.1%} of the energy of “{label}”. "
        "Its rank is at most {r}: {stored:,d} numbers describe it, where the full matrix has {total:,d}."
    ),
}
WORDS: dict[str, Any] = {
    "sentences": SENTENCES,
    "maps": {
        "column": "column",
        "row": "row",
        "pattern": "pattern {r}: strength × column × row",
        "sum": "sum of the first {r}",
        "target": "delta_w",
    },
    "noCell": "Point at a cell, or press the arrow keys on a picture, to see its arithmetic.",
    "cell": (
        "Row {row}, column {column}: {s} × {u} × {v} = {product} from this pattern; sum so far {sum}; delta_w {target}."
    ),
    "tableHead": ["pattern", "strength s", "energy so far", "numbers stored"],
    "tableRow": ["{r}", "{s:.4f}", "{energy:.2%}", "{stored:,d}"],
    "downloads": {"patterns": "Patterns (CSV)", "picture": "Picture (SVG)"},
}
