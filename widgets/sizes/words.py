"""What the sizes instrument says: title and caption, labels, sentences, code."""

from typing import Any

from compute.experiments.sizes import RANKS

TITLE = "Three bases of one world"
CAPTION = (
    "Three bases have read the same texts; only their width differs. First chart: the share of new facts that each "
    "rank holds. Second: the best learning rate of LoRA at r = 4 over that of full finetuning, for a skill; the band "
    "goes from the least to the largest of the seeds, each with rates of its own. Third: the share of old "
    "facts that are left after the skill is learned, at these rates. Grey and dashed: full finetuning. Left out: "
    "other depths, more steps, and widths between and beyond."
)
NOTE = "{count:,d} new facts, and a skill; {seeds} seeds. Recorded {recorded}."

WORDS: dict[str, Any] = {
    "sentence": (
        "A base of width {width}, {numbers:,d} numbers, holds {first:.0%} of {count:,d} new facts at r = 1, with "
        "{trained:,d} numbers trained, and {second:.0%} at r = 2. "
        "For the skill LoRA's best rate is {ratio:.1f} times that of full finetuning. Of the old facts, {known:.0%} "
        "before, LoRA leaves {adapted_left:.0%} and full finetuning {full_left:.0%}."
    ),
    "widthLabel": "Width of the base",
    "widthOf": "{width}",
    "readouts": {
        "numbers": "Numbers of the base",
        "held": "New facts right, r = 1 and 2",
        "trained": "Numbers trained at r = 1",
        "ratio": "Best rates, LoRA's over full's",
        "left": "Old facts left, LoRA and full",
    },
    "readoutValues": {
        "numbers": "{numbers:,d}",
        "held": "{first:.0%}, {second:.0%}",
        "trained": "{trained:,d}",
        "ratio": "{ratio:.1f}",
        "left": "{adapted_left:.0%}, {full_left:.0%}",
    },
    "charts": {
        "held": {
            "title": "New facts right",
            "x": "width of the base",
            "ranks": [f"r = {r}" for r in RANKS],
            "full": "full",
            "probe": "Width {width}: r = 1 {first:.0%}, r = 2 {second:.0%}, full {whole:.0%}",
        },
        "rate": {
            "title": "LoRA's best rate over full’s",
            "x": "width of the base",
            "curve": "times as large",
            "same": "the same rate",
            "probe": "Width {width}: {ratio:.1f} times, seeds {low:.1f} to {high:.1f}",
        },
        "old": {
            "title": "Old facts left after the skill",
            "x": "width of the base",
            "adapted": "LoRA",
            "before": "before",
            "probe": (
                "Width {width}: LoRA {adapted_left:.0%}, full {full_left:.0%}, before {known:.0%}; of the skill "
                "{adapted_right:.0%} and {full_right:.0%} right"
            ),
        },
    },
    "tableHead": [
        "width",
        "numbers",
        "old facts known",
        "new facts, r = 1",
        "r = 2",
        "full",
        "numbers trained, r = 1",
        "ratio of best rates",
        "least",
        "largest",
        "skill right, LoRA",
        "full",
        "old facts left, LoRA",
        "full",
    ],
    "tableRow": [
        "{width}",
        "{numbers:,d}",
        "{known:.1%}",
        "{first:.1%}",
        "{second:.1%}",
        "{whole:.1%}",
        "{trained:,d}",
        "{ratio:.2f}",
        "{low:.2f}",
        "{high:.2f}",
        "{adapted_right:.1%}",
        "{full_right:.1%}",
        "{adapted_left:.1%}",
        "{full_left:.1%}",
    ],
    "downloads": {"curves": "Curves (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
from statistics import fmean, geometric_mean
from compute.experiments.sizes import load_sizes

sizes = load_sizes()
print(f"width {width}, r = 1: {fmean(sizes.of({width}, 1).right):.0%} of {count:,d} new facts right")
print(f"LoRA's best rate is {geometric_mean(sizes.ratios({width})):.1f} times that of full finetuning")
print(f"LoRA leaves {fmean(sizes.skill({width}, {r}).facts):.0%} of the old facts")
"""
