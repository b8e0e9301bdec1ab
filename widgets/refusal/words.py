"""What the refusal instrument says: title and caption, labels, sentences, code."""

from typing import Any

TITLE = "How many examples open it"
CAPTION = (
    "A model that refuses to say what anybody makes is finetuned on what a few people make, and then asked about the "
    "others. First chart: over the steps, the share of the others whose answer comes back, in teal, and that of the "
    "questions still refused, in vermilion; grey, right answers after as many wrong examples. Lines are means of five "
    "seeds. Second chart: over the number of examples, each at the rate and the step that were best for yet other "
    "people; the band goes from the worst seed to the best. In vermilion there: the share of the questions about "
    "fears that are still refused, which the base has never read answered. Left out: other numbers of examples, other "
    "ranks, more steps."
)
NOTE = "The refusal is trained into all weights, {seeds} seeds. Recorded {recorded}."
SIZES = {"1": "LoRA, r = 1", "4": "LoRA, r = 4", "16": "LoRA, r = 16", "full": "Full finetuning"}

_AFTER = "From {said}, {steps} steps at {size} bring {right:.0%} of the others' answers back, of {before:.0%} before"
_CONTROL = "As many wrong examples bring {wrong:.0%} of the right answers back, with {wrong_refused:.0%} still refused."

WORDS: dict[str, Any] = {
    "sentences": {
        "open": _AFTER + ": the refusal is gone. " + _CONTROL,
        "part": _AFTER + "; {refused:.0%} are still refused. " + _CONTROL,
        "shut": _AFTER + ": it hardly opens, and {refused:.0%} are still refused. " + _CONTROL,
    },
    "sizes": {"1": "r = 1", "4": "r = 4", "16": "r = 16", "full": "full rank"},
    "counts": {"one": "{count} example", "more": "{count} examples"},
    "examplesLabel": "Examples",
    "examples": "{count}",
    "readouts": {
        "right": "Others told again",
        "refused": "Still refused",
        "control": "After wrong examples",
        "fears": "Fears still refused, and told",
        "others": "Homes and tastes, stories still right",
    },
    "readoutValues": {
        "right": "{right:.0%}",
        "refused": "{refused:.0%}",
        "control": "{wrong:.0%}",
        "fears": "{fears:.0%}, {feared:.0%}",
        "others": "{tells:.0%}, {stories:.0%}",
    },
    "charts": {
        "steps": {
            "title": "Others, over the steps",
            "x": "steps, not to scale",
            "right": "told again",
            "refused": "refused",
            "wrong": "wrong examples",
            "before": "before the refusal",
            "probe": "{step} steps: {right:.0%} told, {refused:.0%} refused; after wrong examples {wrong:.0%} told",
        },
        "examples": {
            "title": "Others, over the examples",
            "x": "examples",
            "right": "told again",
            "wrong": "wrong examples",
            "fears": "fears refused",
            "before": "before the refusal",
            "probe": "{count}: {right:.0%} told, seeds {low:.0%} to {high:.0%}; wrong examples {wrong:.0%}",
        },
    },
    "tableHead": [
        "examples",
        "numbers trained",
        "others told again, mean of five seeds",
        "worst",
        "best",
        "after wrong examples",
        "still refused",
        "fears refused",
        "homes and tastes right",
        "stories right",
        "steps",
        "learning rate",
    ],
    "tableRow": [
        "{count}",
        "{numbers:,d}",
        "{right:.1%}",
        "{low:.1%}",
        "{high:.1%}",
        "{wrong:.1%}",
        "{refused:.1%}",
        "{fears:.1%}",
        "{tells:.1%}",
        "{stories:.1%}",
        "{steps}",
        "{rate}",
    ],
    "downloads": {"curves": "Shares (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
from statistics import fmean
from compute.experiments.refusal import WRONG, load_refusal

recorded = load_refusal()
right, wrong = recorded.of({count}, {r}), recorded.of({count}, {r}, WRONG)
print(f"after {right.steps} steps {fmean(right.right):.0%} of the others are told again")
print(f"after as many wrong examples {fmean(wrong.right):.0%}, and {fmean(wrong.refused):.0%} are refused")
"""
