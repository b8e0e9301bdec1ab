"""What the forgetting instrument says: title and caption, labels, sentences, code."""

from typing import Any

from compute.experiments.forgetting import FULL, MATRICES, RANKS
from compute.world.tasks import FACTS, SKILL
from widgets.kit.runs import LAB

TITLE = "Forgotten, against the size of the change"
CAPTION = (
    "Each mark is a run, with a shape for what learns: teal LoRA, grey the controls, full finetuning and the same "
    "eighteen matrices alone, whole. Across, logarithmic: the size of the change, the Frobenius norm of delta_w over "
    "that of W, on average over the matrices; or the learning rate. There are five rates; at the best one and its "
    "neighbours five seeds, elsewhere one. The chosen series is filled, with its first seed at its own best rate in "
    "ink. Left out: what full finetuning changes outside of these matrices, and other numbers of steps."
)
TASK_LABELS = {SKILL: LAB[SKILL][0], FACTS: "512 new facts"}
WAY_LABELS = {
    **{f"r = {r}": f"LoRA r = {r}" for r in RANKS},
    MATRICES: "matrices alone",
    FULL: "full finetuning",
}
WAY_NAMES = {
    **{f"r = {r}": f"LoRA with r = {r}" for r in RANKS},
    MATRICES: "Training the same matrices whole",
    FULL: "Full finetuning",
}
SHOWN_LABELS = {
    "facts": "Old facts right",
    "stories": "Stories right",
    "right": "Task right",
    "base-loss": "Loss on the base's own text",
    "intruders": "Intruder directions",
}
ACROSS_LABELS = {"size": "Size of the change", "rate": "Learning rate"}
NOTE = "{label} at its own best rate, {rate}, chosen on validation text. Recorded {recorded}."

_OWN = (
    "{name}, at its own best rate, has {right:.1%} of the task right after a change of {size:.1%} of W, and keeps "
    "{facts:.1%} of the old facts"
)
_BOTH = (
    _OWN
    + ". Full finetuning at its best rate has {full_right:.1%} right after {full_size:.1%}, and keeps {full_facts:.1%}"
)

WORDS: dict[str, Any] = {
    "sentences": {
        "less": _BOTH + ": over {seeds} seeds {low:.1%} to {high:.1%} less.",
        "one": _BOTH + ". The control was run with one seed.",
        "more": _BOTH + ", more with every seed.",
        "even": _BOTH + ": which of the two keeps more depends on the seed.",
        "full": _OWN + ", of which the base had {before_facts:.1%}.",
    },
    "readouts": {
        "right": "Task right",
        "old": "Old facts still right",
        "size": "Size of the change, of W",
        "intruders": "Intruders; random change",
        "floor": "Full finetuning: task, old facts",
    },
    "readoutValues": {
        "right": "{right:.1%}",
        "old": "{facts:.1%}",
        "size": "{size:.1%}",
        "intruders": "{intruders:.1f}; {random:.1f}",
        "floor": "{full_right:.1%}, {full_facts:.1%}",
    },
    "x": {"size": "size of the change, of W", "rate": "learning rate"},
    "base": "base",
    "probe": (
        "{label}, rate {rate}, seed {seed}: change {size:.2%} of W, task {right:.1%}, old facts {facts:.1%}, stories "
        "{stories:.1%}, base loss {base_loss:.3f}, intruders {intruders}"
    ),
    "tableHead": [
        "what learns",
        "learning rate",
        "seeds",
        "size of the change, mean",
        "loss on the task",
        "task right",
        "old facts right",
        "stories right",
        "base loss",
        "intruders",
        "random change",
    ],
    "tableRow": [
        "{label}",
        "{rate}",
        "{seeds}",
        "{size:.2%}",
        "{loss:.3f}",
        "{right:.1%}",
        "{facts:.1%}",
        "{stories:.1%}",
        "{base_loss:.3f}",
        "{intruders:.1f}",
        "{random:.1f}",
    ],
    "downloads": {"runs": "Runs (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
from compute.experiments.forgetting import load_forgetting

recorded = load_forgetting()
rate = recorded.best("{task}", "{way}")
for measure in ("right", "size", "facts"):
    print(f"{measure}: {recorded.mean('{task}', '{way}', rate, measure):.1%}")
"""
