"""What the grid instrument says: title and caption, labels, sentences, code."""

from typing import Any

from compute.experiments.grid import AT
from compute.training.config import TrainConfig
from widgets.kit.runs import OPTIMIZER_LABELS

TITLE = "Scaling times rate"
CAPTION = (
    "First: each cell is a run, with its loss in nats per answer and the share of the facts that are right. The "
    "deeper the teal, the lower the loss; the lowest of each row is framed, and a cross means that the run diverged. "
    "Second, and in the sentence: the loss at the best rate, with two more rates tried, halfway from the framed one "
    "to its neighbours; the band goes from the worst to the best seed, and the thin lines are the other ranks with "
    "the same optimiser. The upright lines are where the two rules put this rank when alpha is "
    f"{TrainConfig.alpha:g}. Third: AdamW at scaling {AT:g}, when lora_B has a learning rate "
    "of its own, each ratio at its own best rate. Grey are the controls: full finetuning of the same matrices at its "
    "own best rate, and someone who knows how often each answer comes but not what was asked. The facts are there to "
    "be remembered, so there is no unseen text. Left out: scalings between these, longer runs, a rate that falls "
    "during the run, other tasks."
)
NOTE = "{count} new facts, {steps} steps of {batch}; the best of each row with {seeds} seeds. Recorded {recorded}."
RUNS = "{optimizer}, r = {r}"
OPTIMIZERS = {"adamw": OPTIMIZER_LABELS["adamw"], "sgd": OPTIMIZER_LABELS["sgd"]}

WORDS: dict[str, Any] = {
    "sentences": {
        "best": (
            "{optimizer}, r = {r}, scaling {scaling}: at {rate}, its best rate, the loss is {loss:.2f} nats and "
            "{right:.0%} of the facts are right. No other recorded scaling ends lower."
        ),
        "other": (
            "{optimizer}, r = {r}, scaling {scaling}: at {rate}, its best rate, the loss is {loss:.2f} nats and "
            "{right:.0%} of the facts are right. Scaling {best_scaling} ends at {best_loss:.2f}, at {best_rate}."
        ),
    },
    "scalingLabel": "Scaling",
    "readouts": {
        "rate": "Best rate at this scaling",
        "loss": "Loss there, mean and seeds",
        "product": "Scaling × rate",
        "rules": "Scaling by alpha / r, by alpha / √r, with alpha = {alpha}",
        "floor": "Full finetuning of the same matrices",
    },
    "readoutValues": {
        "rate": "{rate}",
        "loss": "{loss:.2f}, {low:.2f} to {high:.2f}",
        "product": "{product}",
        "rules": "{plain}, {rooted}",
        "floor": "{full_loss:.2f} at {full_rate}",
    },
    "heat": {
        "title": "{optimizer}, r = {r}: loss and share right, scaling down, learning rate across",
        "corner": "scaling",
        "loss": "{loss:.2f}",
        "right": "{right:.0%}",
        "diverged": "✕",
    },
    "charts": {
        "free": {
            "title": "Loss where the rate is free",
            "x": "scaling",
            "full": "full",
            "frequencies": "by frequency",
            "curve": "r = {r}",
            "plain": "alpha / r",
            "rooted": "alpha / √r",
            "probe": "scaling {scaling}: {loss:.2f} nats, {right:.0%} right, at {rate}",
        },
        "two": {
            "title": "Loss with two rates, AdamW, scaling {at}",
            "x": "learning rate of lora_B over that of lora_A",
            "curve": "r = {r}",
            "probe": "{ratio} times: {loss:.2f} nats, {right:.0%} right, lora_A at {rate}",
        },
    },
    "tableHead": [
        "scaling",
        "best learning rate",
        "scaling × rate",
        "loss, mean of seeds",
        "lowest",
        "highest",
        "facts right",
    ],
    "tableRow": [
        "{scaling}",
        "{rate}",
        "{product}",
        "{loss:.3f}",
        "{low:.3f}",
        "{high:.3f}",
        "{right:.1%}",
    ],
    "downloads": {"cells": "Every cell (CSV)", "two": "Two rates (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
from statistics import fmean
from compute.experiments.grid import SCALINGS, load_grid

found = load_grid().lora["{name}"][{r}][SCALINGS.index({scaling})]
print(f"{found.rate:g} is the best rate: {fmean(found.loss):.2f} nats, {fmean(found.right):.0%} of the facts right")
"""
