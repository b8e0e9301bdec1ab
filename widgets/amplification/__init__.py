"""The amplification instrument: how much of W lies in the directions of delta_w, in the paper and here."""

from functools import cache
from typing import Any, ClassVar

import numpy as np
import param

from compute.experiments.paper import directions, load_paper
from compute.experiments.runs import FULL
from compute.matrices.amplification import TABLE_7, WIDTH, random_within
from compute.matrices.svd import factorize
from compute.model.forward import base_weights
from widgets.kit.instrument import Instrument, esm
from widgets.kit.paper import (
    LAYER_LABELS,
    MIDDLE_QUERY,
    TASK_LABELS,
    TASK_OF,
    TRAIN,
    in_code,
    run_label,
    run_labels,
    run_of,
)
from widgets.kit.text import fill

RUNS = (4, 32, FULL)
BESIDE = {4: 4, 32: 64, FULL: 4}  # which column of Table 7 a run stands beside
SAME = 0.1  # a share of W within this of what chance gives is the same
DIGITS = 6

SNIPPET = (
    TRAIN
    + """from compute.matrices.amplification import amplified

config = config_of("{task_name}", {run_name})
*_, end = train(config, load_base())
delta_w = changes(end.weights, config)["{layer}"]
found = amplified(base_weights().tensors["{layer}.weight"], delta_w, r={r})
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
        "seed": "from two other seeds",
        "chance": "random directions",
        "paper": "GPT-3, the paper's Table 7",
    },
    "guess": {
        "question": (
            "Guess first. Take the strongest directions of delta_w, and as many random ones. Which hold more of W?"
        ),
        "field": "My guess:",
        "options": [
            ["less", "the random ones hold more"],
            ["same", "about the same"],
            ["more", "those of delta_w hold more"],
        ],
        "reveal": "Reveal",
        "skip": "Skip",
        "again": "Guess for this layer",
        "right": "You said {guess}, and so it is: {ratio:.1f} times what random directions hold.",
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


class Amplification(Instrument):
    """Show how much of W lies in the directions of delta_w, beside random directions and W's own, and the paper's.

    Both axes are logarithmic. Teal is measured here, grey is chance, diamonds are the paper's numbers for one matrix
    of GPT-3. Left out: every matrix of GPT-3 but one, because the paper shows one.
    """

    task = param.Selector(
        default="new-language",
        objects={label: slug for slug, label in TASK_LABELS.items()},
        label="Learned",
        doc="What the base was finetuned on.",
    )
    run = param.Selector(
        default="4", objects=run_labels(RUNS), label="By", doc="LoRA at a rank, or full finetuning."
    )
    layer = param.Selector(
        default=MIDDLE_QUERY,
        objects={label: name for name, label in LAYER_LABELS.items()},
        label="Layer",
        doc="Whose W and delta_w are compared.",
    )
    guess = param.String(
        default="ask", regex="ask|skip|less|same|more", label="Guess", doc="ask, skip, less, same, more"
    )

    script = "amplification"
    title = "What does delta_w amplify?"
    caption = (
        "Left: of the norm of W, the share that lies in the strongest directions of delta_w, in as many random ones, "
        "and in W's own strongest. Right: the norm of delta_w over that of W in the same directions, for the six "
        "projections of the block; the grey mark is what the ratio would be if delta_w pointed anywhere. Diamonds and "
        "the upright line: the paper's Table 7, one query projection of GPT-3, r = 4 beside our r = 4 and full "
        "finetuning, r = 64 beside our r = 32. Both axes are logarithmic. Of full finetuning the four strongest "
        "directions are taken. Left out: all other matrices of GPT-3, which the paper does not show."
    )
    choices = ("task", "run", "layer", "guess")
    keyed_by: ClassVar[tuple[str, ...]] = ("task", "run")
    parts = ("choices", "guess", "share_chart", "factor_chart", "table", "code", "share")
    pictured = ({"bars kept": 6, "dots control": 7},)

    sheets = ("amplification/dots",)

    _esm = esm("amplification")

    @classmethod
    def published(cls) -> list[str]:
        """Return the keys of the published arrays: each run of each task."""
        return [f"{task}-{run}" for task in TASK_LABELS for run in RUNS]

    @classmethod
    def published_words(cls) -> str:
        """Say which arrays a published copy carries."""
        return "all runs of both tasks"

    def enclosed(self) -> list[str]:
        """Return the keys of all other runs."""
        return [key for key in self.published() if key != f"{self.task}-{self.run}"]

    def enclosed_words(self) -> str:
        """Say which arrays the single file carries."""
        return "all runs of both tasks"

    def words(self) -> dict[str, Any]:
        """Return labels and templates."""
        return WORDS

    def make_arrays(self) -> dict[str, Any]:
        """Return every number of every layer after the chosen run, and what the paper has beside it."""
        run = run_of(self.run)
        return {
            "key": f"{self.task}-{self.run}",
            "layers": {layer: measured(self.task, run, layer) for layer in LAYER_LABELS},
            "paper": _paper(run),
            "snippet": SNIPPET,
        }

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use; amplification.js makes the same."""
        run = run_of(self.run)
        return {**measured(self.task, run, self.layer), **_paper(run)["values"]}

    def truth(self) -> str:
        """Return whether the directions of delta_w hold less of W than random ones, the same or more."""
        return _judged(self.values()["ratio"])

    def sentence(self) -> str:
        """Say what was measured; before the guess only what is asked."""
        asked = self.guess == "ask" and "guess" not in self.hide
        return fill(WORDS["sentences"]["veiled" if asked else "told"], self.values())

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows: every layer of the run."""
        rows = [measured(self.task, run_of(self.run), layer) for layer in LAYER_LABELS]
        return WORDS["tableHead"], [[fill(cell, values) for cell in WORDS["tableRow"]] for values in rows]

    def snippet(self) -> str:
        """Return code that trains the run again and prints the amplification."""
        return fill(SNIPPET, self.values())


def _judged(ratio: float) -> str:
    return "less" if ratio < 1 - SAME else "same" if ratio <= 1 + SAME else "more"


@cache
def measured(slug: str, run: int | str, layer: str) -> dict[str, Any]:
    """Return every number of a layer after a run."""
    W = base_weights().tensors[f"{layer}.weight"]
    r, whole = directions(run), float(np.linalg.norm(W))
    seeds = [each.layers[layer] for each in load_paper().runs[TASK_OF[slug]][run]]
    size, kept = seeds[0].size, seeds[0].kept
    random = random_within(W.shape, r, whole)
    numbers = {
        "size": size,
        "kept": kept,
        "random": random,
        "strongest": float(np.linalg.norm(factorize(W).s[:r])),
        "whole": whole,
        "ratio": kept / random,
        "factor": size / kept,
        "chance": size / random,
    }
    return {name: round(number, DIGITS) for name, number in numbers.items()} | {
        "r": r,
        "run_label": run_label(run),
        "run_name": in_code(run),
        "task_label": TASK_LABELS[slug],
        "task_name": TASK_OF[slug],
        "layer": layer,
        "layer_label": LAYER_LABELS[layer],
        "truth": _judged(kept / random),
        "seeds": [
            {"share": round(other.kept / whole, DIGITS), "factor": round(other.size / other.kept, DIGITS)}
            for other in seeds[1:]
        ],
    }


def _paper(run: int | str) -> dict[str, Any]:
    """Return the column of Table 7 that a run stands beside."""
    column = TABLE_7[BESIDE[run]]
    random = random_within((WIDTH, WIDTH), column.r, column.whole)
    return {
        "shares": {name: getattr(column, name) / column.whole for name in WORDS["of"]},
        "values": {
            "paper_r": column.r,
            "paper_factor": round(column.factor, DIGITS),
            "paper_ratio": round(column.kept / random, DIGITS),
            "paper_chance": round(column.size / random, DIGITS),
        },
    }
