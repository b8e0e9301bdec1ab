"""What the block figure says: names of places and projections, sentences, labels, and the code behind its numbers."""

from typing import Any

from compute.model.forward import PROJECTIONS
from widgets.kit.guess import WORDS as GUESS

TEXTS = {
    "formal": "anna is seen at the said mill. ben",
    "plain": "anna is at the mill. ben",
}
TEXT_LABELS = {"formal": "A formal sentence", "plain": "A plain sentence"}
SHOWN_LABELS = {"base": "the base", "every": "all adapters on", "change": "what all adapters change"}
BEGIN_WORD = "(begin)"

# In the order in which a text passes them.
PLACES = {
    "into": "into the block",
    "norm_1": "normalised",
    "q": "queries",
    "k": "keys",
    "v": "values",
    "attention": "attention, 4 heads",
    "mixed": "what the heads took",
    "o": "what attention adds",
    "middle": "after attention",
    "norm_2": "normalised",
    "up": "widened",
    "gelu": "bent by GELU",
    "down": "what the MLP adds",
    "out": "out of the block",
}

SNIPPET = """# Run it in the folder of this project.
from compute.model.forward import base_weights, follow
from compute.model.layers import layer_name
from compute.experiments.block import load_factors
from compute.adapters.alone import relative_change, switched_on
from compute.world.tokens import encode

tokens = encode("{text}")
name = layer_name({block}, "{projection}")
base, adapter = base_weights(), load_factors()
before = follow(base, tokens).blocks[{block}]
after = follow(switched_on(base, adapter, [name]), tokens).blocks[{block}]
written = relative_change(before.{writes}, after.{writes})
print(f"what it writes changes by {written:.1%}")
print(f"what leaves the block changes by {relative_change(before.out, after.out):.1%}")
"""

_ALONE = (
    "With the adapter of {projection} in the {block_name} block switched on alone, what it writes changes by "
    "{change:.1%} and what leaves the block by {block_change:.1%}. A random matrix of the same size would change them "
    "by {random_change:.1%} and {random_block:.1%}. After “{word}” the base expects “{word_base}” ({p_base:.0%}), the "
    "model with this adapter “{word_alone}” ({p_alone:.0%}), and with all of them “{word_every}” ({p_every:.0%})."
)
_LOSS = (
    " The loss on formal texts falls from {loss_none:.3f} to {loss_alone:.3f} nats per word. A random matrix "
    "leaves it between {loss_low:.3f} and {loss_high:.3f}. Of the statements that this model writes {told_alone:.0%} "
    "are formal; with all adapters on it is {told_every:.0%}."
)

TITLE = "One block, seen through"
CAPTION = (
    "From top to bottom: a text on its way through the block. Each strip has a row for each token and a column "
    "for each number, of the widest every fourth, in a colour scale of its own with zero in the middle. The line "
    "on the left is the residual stream; the block adds to it twice. The six buttons are the linear layers, the "
    "teal line around each is its adapter. Bars: one adapter on alone, the formal voice, r = 4; circles: the same "
    "run from four other seeds; grey lines: random matrices as large as delta_w, on the left their mean, on the "
    "right from lowest to highest. W and all strips reach this page in as many steps as the scale has colours. "
    "Left out: the weights of both norms, and what two or three adapters do together."
)
PUBLISHED = "both texts in all three blocks"
ENCLOSED = "{text} in the {block} block; the lesson has the others"

WORDS: dict[str, Any] = {
    "sentences": {"veiled": _ALONE, "told": _ALONE + _LOSS},
    "places": PLACES,
    "strip": "{place}: {columns} numbers for each of {tokens} tokens",
    "heads": "head {head}: what each token takes of each token before it",
    "stage": "The block, from its input down to its output",
    "wordLabel": "After the word",
    "word": "“{word}”, {position} of {tokens}",
    "about": "{projection} reads “{reads_name}” and writes “{writes_name}”.",
    "sides": {"row": "row", "column": "column"},
    "drawn": " Every {step}th {side} is drawn; all numbers are those of the whole matrices.",
    "maps": {
        "W": "W, {out} × {in}, frozen",
        "delta_w": "delta_w = {scaling:.0f} lora_B lora_A",
        "lora_B": "lora_B, {out} × {r}",
        "lora_A": "lora_A, {r} × {in}",
        "plain": "What it writes in the base, a row for each token",
        "adapted": "With its adapter on",
        "change": "What the adapter adds: delta_w times the input",
    },
    "legend": {
        "W": "W, and with it delta_w",
        "factor": "lora_B and lora_A",
        "output": "what it writes",
        "change": "what the adapter adds",
    },
    "legendTop": "{low} … 0 … {high}",
    "noCell": "Point at a cell, or move with the arrow keys, to see its numbers.",
    "cells": {
        "weight": "Row {row}, column {column}: W {W}, delta_w {delta_w}.",
        "factor": "{name}, row {row}, column {column}: {value}.",
        "output": "“{word}”, number {column}: base {plain}, with its adapter {adapted}, the difference {change}.",
    },
    "readouts": {
        "trained": "Numbers trained",
        "unmerged": "Multiply-accumulates a token, adapter beside W",
        "merged": "Merged",
        "size": "Norm of delta_w over that of W",
        "change": "What it writes changes by",
    },
    "readoutValues": {
        "trained": "{trained:,d} of {total:,d}",
        "unmerged": "{unmerged:,d}",
        "merged": "{merged:,d}",
        "size": "{size:.0%}",
        "change": "{change:.1%}",
    },
    "arithmetic": {
        "trained": "r (out + in) = {r} × ({out} + {in}) = {trained:,d}; W has {out} × {in} = {total:,d}",
        "unmerged": "out × in + r (out + in) = {total:,d} + {trained:,d} = {unmerged:,d}",
    },
    "effects": {
        "block": {
            "title": "What leaves the block changes by, one adapter on alone",
            "x": "relative change",
            "row": "{name}: {value:.1%}, random {random:.1%}",
        },
        "loss": {
            "title": "The loss on formal texts falls by, one adapter on alone",
            "x": "nats per word",
            "row": "{name}: {value:.3f}, random {low:.3f} to {high:.3f}",
        },
    },
    "key": {
        "learned": "the learned delta_w",
        "seeds": "the same run from four other seeds",
        "random": "random matrices of the same size",
    },
    "next": {
        "title": "Next word after “{word}”",
        "head": ["next word", "base", "this one on", "all on"],
        "share": "{share:.0%}",
    },
    "guess": {
        **GUESS,
        "question": (
            "Guess first. Six adapters stand in the {block_name} block. Switch on one, and leave all others off: which "
            "of the six lowers the loss on formal texts most?"
        ),
        "options": [[projection, projection] for projection in PROJECTIONS],
        "again": "Guess for this block",
        "right": "You said {guess}, and {truth} it is, by {fall:.3f} nats per word.",
        "wrong": "You said {guess}, which lowers it by {fall_guess:.3f} nats. It is {truth}, by {fall:.3f}.",
    },
    "tableHead": [
        "projection",
        "shape of W",
        "numbers trained",
        "MACs, unmerged",
        "MACs, merged",
        "delta_w / W",
        "writes: change",
        "random",
        "block: change",
        "random",
        "loss alone",
        "random, lowest",
        "random, highest",
        "loss without it",
    ],
    "tableRow": [
        "{projection}",
        "{out} × {in}",
        "{trained:,d}",
        "{unmerged:,d}",
        "{merged:,d}",
        "{size:.1%}",
        "{change:.1%}",
        "{random_change:.1%}",
        "{block_change:.1%}",
        "{random_block:.1%}",
        "{loss_alone:.4f}",
        "{loss_low:.4f}",
        "{loss_high:.4f}",
        "{loss_without:.4f}",
    ],
    "downloads": {"effects": "Effects (CSV)", "picture": "Picture (SVG)"},
    "writers": {writes: projection for projection, (_, writes) in PROJECTIONS.items()},
}
