"""What the capacity instrument says: title and caption, labels, sentences, code."""

from typing import Any

TITLE = "How much fits in"
CAPTION = (
    "First chart: the share of new facts that the model gets right after finetuning, over r; the teal band goes from "
    "the worst to the best of five seeds, the thin lines are the other numbers of facts. Second chart: the share of "
    "old facts that are still right; dashed, where each step also read text of the base's own. Grey: full finetuning. "
    "The learning rate of a rank is its best of four for the most facts. Left out: ranks and numbers of facts between "
    "those recorded, and more steps."
)
NOTE = "New facts about people whom the base has never read of, {seeds} seeds. Recorded {recorded}."

WORDS: dict[str, Any] = {
    "sentences": {
        "first": (
            "{count:,d} new facts fit at r = {r}, the smallest there is: {right:.1%} of them right with {numbers:,d} "
            "numbers trained, {bits:.2f} bits held for each. Of the old facts, {before:.1%} before, {old:.1%} are "
            "left; full finetuning leaves {full_old:.1%}."
        ),
        "held": (
            "{count:,d} new facts fit at r = {r}: {right:.1%} of them right with {numbers:,d} numbers trained, "
            "{bits:.2f} bits held for each. At r = 1 it is {first_right:.1%}. Of the old facts, {before:.1%} before, "
            "{old:.1%} are left; full finetuning leaves {full_old:.1%}."
        ),
        "never": (
            "{count:,d} new facts do not fit at any recorded r: at most {right:.1%} are right, at r = {r}, with "
            "{numbers:,d} numbers trained, {bits:.2f} bits held for each. At r = 1 it is {first_right:.1%}. Of the "
            "old facts, {before:.1%} before, {old:.1%} are left; full finetuning leaves {full_old:.1%}."
        ),
    },
    "factsLabel": "New facts",
    "facts": "{count:,d}",
    "readouts": {
        "r": "Least rank that holds them",
        "right": "Right at this rank",
        "each": "Bits for each number trained",
        "old": "Old facts still right",
        "floor": "Full finetuning: new, old",
    },
    "readoutValues": {
        "r": {"first": "r = {r}", "held": "r = {r}", "never": "none; best: r = {r}"},
        "right": "{right:.1%}",
        "each": "{bits:.2f}",
        "old": "{old:.1%}",
        "floor": "{full_right:.1%}, {full_old:.1%}",
    },
    "arithmetic": {
        "each": "facts × bits held of each / numbers trained = {count:,d} × {held:.2f} / {numbers:,d} = {bits:.2f}",
    },
    "charts": {
        "right": {
            "title": "New facts right",
            "x": "rank r",
            "full": "full finetuning",
            "curve": "{count:,d} facts",
            "probe": "r = {r}: {right:.1%} right, seeds {low:.1%} to {high:.1%}; {bits:.2f} bits a number",
        },
        "old": {
            "title": "Old facts still right",
            "x": "rank r",
            "full": "full finetuning",
            "before": "before",
            "curve": "LoRA",
            "mixed": "with base text",
            "probe": "r = {r}: {old:.1%} of the old facts right, {stories:.1%} of the stories' questions",
        },
    },
    "full": "full",
    "tableHead": [
        "r",
        "numbers trained",
        "new facts right, mean of five seeds",
        "worst",
        "best",
        "old facts right",
        "stories right",
        "bits a number",
        "learning rate",
    ],
    "tableRow": [
        "{r}",
        "{numbers:,d}",
        "{right:.1%}",
        "{low:.1%}",
        "{high:.1%}",
        "{old:.1%}",
        "{stories:.1%}",
        "{bits:.3f}",
        "{rate}",
    ],
    "downloads": {"curves": "Shares (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
from statistics import fmean
from compute.experiments.capacity import load_capacity

held = load_capacity().of({count}, {r})
print(f"r = {r}: {fmean(held.right):.1%} of {count:,d} new facts right, {held.bits:.2f} bits for each number trained")
print(f"{fmean(held.old):.1%} of the old facts are still right")
"""
