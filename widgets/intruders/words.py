"""What the intruders instrument says: title and caption, labels, sentences, code."""

from typing import Any

from compute.experiments.paper import SEEDS
from widgets.kit.guess import WORDS as GUESS
from widgets.kit.paper import TRAIN, TRAINED

TITLE = "Intruder dimensions"
CAPTION = (
    "First chart: how many of the strongest left singular vectors of 18 finetuned matrices have no absolute cosine at "
    "or above the threshold with any left singular vector of the base. This is how PEFT counts. The grey upright mark "
    "is the control: random changes of the same rank and size. The number behind each bar says how many of the facts "
    "that the base knew are still right. Each run is at its own best learning rate. Second chart: the largest cosine "
    "of each singular vector in one matrix; rings mark intruders. Left out: right singular vectors, and what happens "
    "when intruders are made smaller."
)


SNIPPET = (
    TRAIN
    + "from compute.matrices.intruders import count_intruders, largest_cosines\n"
    + TRAINED
    + """found = [
    count_intruders(largest_cosines(W[key], delta_w), top={top}, epsilon={epsilon})
    for key, delta_w in changes.items()
]
print(f"intruders: {sum(found)} of {len(found) * {top}}")
"""
)
WORDS: dict[str, Any] = {
    "sentences": {
        "veiled": "{matrices} matrices, the {top} strongest singular vectors of each: how many resemble none of the "
        "base's by {epsilon:.2f} or more?",
        "told": "At a threshold of {epsilon:.2f}, {count} of the {of} strongest singular vectors after {run_label} on "
        "{task_label} are intruders; random changes of the same rank and size would make {random}, and full finetuning "
        "makes {full}. It still answers {facts:.0%} of the facts that the base knew, full finetuning {full_facts:.0%}; "
        "the base answered {before:.1%}.",
    },
    "epsilonLabel": "Threshold",
    "epsilon": "{epsilon:.2f}",
    "charts": {
        "count": {
            "title": "Intruders among the {of} strongest singular vectors",
            "x": "intruders",
            "row": "{name}: {value}, random {low}",
            "behind": "old facts {facts:.0%}",
        },
        "cosine": {
            "title": "Largest cosine with a singular vector of the base: {layer_label}",
            "x": "singular vector, strongest first",
            "probe": "vector {i}: {cosine:.2f}; random change {random_cosine:.2f}",
            "line": "{run_label}",
            "random": "random change",
        },
    },
    "key": {
        "learned": "LoRA",
        "plain": "full finetuning",
        "seeds": f"from {len(SEEDS) - 1} other seeds",
        "random": "random changes of the same rank and size",
    },
    "readouts": {
        "count": "Intruders",
        "random": "Random changes",
        "facts": "Old facts still right",
    },
    "readoutValues": {"count": "{count} of {of}", "random": "{random}", "facts": "{facts:.0%}"},
    "guess": {
        **GUESS,
        "question": (
            "Guess first. Which has more intruders at the usual threshold: LoRA with r = 4, or random changes of the "
            "same rank and size, put in the same places?"
        ),
        "options": [["lora", "LoRA"], ["random", "random changes"], ["same", "both the same number"]],
        "again": "Guess for this task",
        "right": "You said {guess}, which is right: {lora} by LoRA, {random} by random changes.",
        "wrong": "You said {guess}. It is {truth}: {lora} by LoRA, {random} by random changes.",
    },
    "tableHead": [
        "run",
        "intruders",
        "other seeds",
        "random changes",
        "loss on the task",
        "old facts right",
    ],
    "tableRow": ["{name}", "{value}", "{others}", "{low}", "{loss:.3f}", "{facts:.1%}"],
    "downloads": {"counts": "Counts (CSV)", "picture": "Picture (SVG)"},
}
PUBLISHED = "both tasks"
