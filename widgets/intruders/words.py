"""What the intruders instrument says: title and caption, labels, sentences, code."""

from typing import Any

from widgets.kit.guess import WORDS as GUESS
from widgets.kit.paper import TRAIN

TITLE = "Intruder dimensions"
CAPTION = (
    "Left: of the strongest left singular vectors of each of 18 finetuned matrices, how many have no absolute "
    "cosine at or above the threshold with any left singular vector of the base, which is how PEFT counts. "
    "The grey upright mark is the control: random changes of the same rank and size. Behind each bar stands what "
    "the model has kept of the base's voices, as a loss: more is more forgotten. Right: the largest cosine of each "
    "singular vector in one matrix; rings mark intruders. Left out: right singular vectors, and what happens when "
    "intruders are made smaller."
)


SNIPPET = (
    TRAIN
    + """from compute.matrices.intruders import count_intruders, largest_cosines

config = config_of("{task_name}", {run_name})
*_, end = train(config, load_base())
W = base_weights().tensors
found = [
    count_intruders(largest_cosines(W[f"{name}.weight"], delta_w), top={top}, epsilon={epsilon})
    for name, delta_w in changes(end.weights, config).items()
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
        "makes {full}. Its loss on the base's own voices is {base_loss:.2f} nats per token, that of full finetuning "
        "{full_base:.2f}; the base had {before:.2f}.",
    },
    "epsilonLabel": "Threshold",
    "epsilon": "{epsilon:.2f}",
    "charts": {
        "count": {
            "title": "Intruders among the {of} strongest singular vectors",
            "x": "intruders",
            "row": "{name}: {value}, random {low}",
            "behind": "base loss {base_loss:.2f}",
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
        "seeds": "from two other seeds",
        "random": "random changes of the same rank and size",
    },
    "readouts": {
        "count": "Intruders",
        "random": "Random changes",
        "base_loss": "Loss on the base's own voices",
    },
    "readoutValues": {"count": "{count} of {of}", "random": "{random}", "base_loss": "{base_loss:.2f} nats"},
    "guess": {
        **GUESS,
        "question": (
            "Guess first. Which has more intruders at the usual threshold: LoRA with r = 4, or random changes of the "
            "same rank and size, put in the same places?"
        ),
        "options": [["lora", "LoRA"], ["random", "random changes"], ["same", "both the same number"]],
        "again": "Guess for this task",
        "right": "You said {guess}, and so it is: {lora} by LoRA, {random} by random changes.",
        "wrong": "You said {guess}. It is {truth}: {lora} by LoRA, {random} by random changes.",
    },
    "tableHead": [
        "run",
        "intruders",
        "other seeds",
        "random changes",
        "loss on the task",
        "loss on the base's voices",
    ],
    "tableRow": ["{name}", "{value}", "{others}", "{low}", "{validation_loss:.3f}", "{base_loss:.3f}"],
    "downloads": {"counts": "Counts (CSV)", "picture": "Picture (SVG)"},
}
PUBLISHED = "both tasks"
