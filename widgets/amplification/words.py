"""What the amplification instrument says: title and caption, labels, sentences, code."""

from typing import Any

from compute.experiments.paper import SEEDS
from widgets.kit.guess import WORDS as GUESS
from widgets.kit.paper import TRAIN, TRAINED

TITLE = "What does delta_w amplify?"
CAPTION = (
    "First chart: the share of the norm of W that lies in the strongest directions of delta_w, in as many random "
    "ones, and in W's own strongest. Second chart: the norm of delta_w over that of W in the same directions, for the "
    "six projections of the block; the grey mark is what the ratio would be if delta_w pointed anywhere. Diamonds and "
    "the upright line: the paper's Table 7, one query projection of GPT-3, r = 4 beside our r = 4 and full "
    "finetuning, r = 64 beside our r = 8. Both axes are logarithmic. Of full finetuning the four strongest directions "
    "are taken. Each run is at its own best learning rate. Left out: all other matrices of GPT-3, which the paper "
    "does not show."
)


SNIPPET = (
    TRAIN
    + "from compute.matrices.amplification import amplified\n"
    + TRAINED
    + """found = amplified(W["{layer}"], changes["{layer}"], r={r})
print(f"norm of delta_w: {found.size:.2f}")
print(f"of W in its directions: {found.kept:.3f}, in random ones: {found.random:.3f}")
print(f"amplification: {found.factor:.1f}")
"""
)
WORDS: dict[str, Any] = {
    "sentences": {
        "veiled": "In {layer_label}, after {run_label} on {task_label}, delta_w has a norm of {size:.2f} and W one of "
        "{whole:.2f}. How much of W lies in the {r} strongest directions of delta_w?",
        "told": "In {layer_label}, after {run_label} on {task_label}, the {r} strongest directions of delta_w hold "
        "{kept:.2f} of the norm of W, which is {whole:.2f}; random directions hold {random:.2f} and W's own strongest "
        "{strongest:.2f}. The norm of delta_w is {size:.2f}, so the amplification is {factor:.1f}, and chance would "
        "give {chance:.1f}. In the paper it is {paper_factor:.1f}, and chance would give {paper_chance:.0f}.",
    },
    "readouts": {
        "ratio": "Of W in the directions of delta_w, over random ones",
        "factor": "Amplification here",
        "paper": "The paper's, r = {paper_r}",
    },
    "readoutValues": {
        "ratio": "{ratio:.1f} times",
        "factor": "{factor:.1f}",
        "paper": "{paper_factor:.1f}; {paper_ratio:.1f} times random",
    },
    "charts": {
        "share": {
            "title": "Share of the norm of W that lies in directions",
            "x": "share of the norm of W, logarithmic",
            "row": "{name}: here {here:.1%}, in the paper {paper:.2%}",
        },
        "factor": {
            "title": "Amplification in each projection of this block",
            "x": "norm of delta_w over that of W there, logarithmic",
            "row": "{name}: {factor:.1f}, by chance {chance:.1f}",
            "rule": "the paper: {paper_factor:.1f}",
        },
    },
    "of": {"kept": "of delta_w", "random": "random", "strongest": "of W itself"},
    "key": {
        "ours": "measured here",
        "seed": f"from {len(SEEDS) - 1} other seeds",
        "chance": "random directions",
        "paper": "GPT-3, the paper's Table 7",
    },
    "guess": {
        **GUESS,
        "question": (
            "Guess first. Take the strongest directions of delta_w, and as many random ones. Which hold more of W?"
        ),
        "options": [
            ["less", "the random ones hold more"],
            ["same", "about the same"],
            ["more", "those of delta_w hold more"],
        ],
        "again": "Guess for this layer",
        "right": "You said {guess}, which is right: {ratio:.1f} times what random directions hold.",
        "wrong": "You said {guess}. It is: {truth}. They have {ratio:.1f} times what random directions hold.",
    },
    "tableHead": [
        "layer",
        "norm of W",
        "norm of delta_w",
        "W in its directions",
        "in random ones",
        "in W's own",
        "amplification",
        "by chance",
    ],
    "tableRow": [
        "{layer_label}",
        "{whole:.2f}",
        "{size:.2f}",
        "{kept:.3f}",
        "{random:.3f}",
        "{strongest:.3f}",
        "{factor:.2f}",
        "{chance:.2f}",
    ],
    "downloads": {"layers": "Layers (CSV)", "picture": "Picture (SVG)"},
}
PUBLISHED = "all runs of both tasks"
