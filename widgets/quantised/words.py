"""What the quantised-base figure says: names of formats, templates, code."""

from typing import Any

from compute.experiments.forgetting import TASKS
from compute.world.tasks import FACTS, SKILL
from widgets.kit.formats import BASE_NAMES
from widgets.kit.guess import WORDS as GUESS

TITLE = "Finetuned on a base in few bits"
CAPTION = (
    "First chart: nothing is trained; the 18 linear layers are stored with one scale for each block of weights, and "
    "the base is asked for all the facts that it knows. Second chart: LoRA with r = 4 learned the task on the base in "
    "each format, in blocks of 64, each at its best learning rate. Teal, with a band from the worst to the best seed: "
    "right answers with the adapter kept apart from the base. Vermilion: delta_w added to the base in the end, and "
    "the sum stored in the format again. Dashed grey: an adapter that was trained on the float32 base and moved to "
    "this one. Left out: larger models, other r, and the memory that four bits save, which in a model this small is "
    "nothing."
)
PUBLISHED = "both tasks with every format"
NOTE = (
    "{note} Each format has the best rate of five, chosen on validation; {seeds} seeds. Recorded {recorded}."
)
NOTES = {
    SKILL: "“Who had it first?”, a question that the base was never asked, about things that changed hands.",
    FACTS: f"{TASKS[FACTS]['n_texts']} facts about people of whom the base has never read.",
}

WORDS: dict[str, Any] = {
    "names": {name: axis for name, (axis, _) in BASE_NAMES.items()},
    "formatLabel": "The frozen layers are stored in",
    "sentence": (
        "Stored in {name}, {bits} bits a number, the unchanged base has {stored:.1%} of its facts right, in float32 "
        "{plain_stored:.1%}. On “{label}” LoRA beside it comes from {before:.1%} to {right:.1%} right (seeds {low:.1%} "
        "to {high:.1%}); on the float32 base it has {plain:.1%} ({plain_low:.1%} to {plain_high:.1%})."
    ),
    "readouts": {
        "stored": "Facts right, as stored",
        "right": "Task right, with LoRA on it",
        "requantised": "Merged and stored again",
        "moved": "Adapter from the float32 base",
        "facts": "Old facts left",
    },
    "readoutValues": {
        "stored": "{stored:.1%}",
        "right": "{right:.1%}",
        "requantised": "{requantised:.1%}",
        "moved": "{moved:.1%}",
        "facts": "{facts:.1%}",
    },
    "charts": {
        "stored": {
            "title": "Base as stored: facts right",
            "x": "weights that share a scale",
            "plain": "float32",
            "probe": "{blocks:,d} weights a scale: {name} {stored:.1%}, float32 {plain_stored:.1%}",
        },
        "after": {
            "title": "After training: task right",
            "x": "what the frozen layers are stored in",
            "right": "adapter beside the base",
            "requantised": "merged, stored again",
            "moved": "adapter from float32",
            "probe": (
                "{name}: {right:.1%}, from {low:.1%} to {high:.1%}; merged and stored again {requantised:.1%}; with an "
                "adapter from float32 {moved:.1%}"
            ),
        },
    },
    "guess": {
        **GUESS,
        "question": (
            "Guess first. The base has {plain_stored:.1%} of the facts right that it knows by heart. Now all 18 linear "
            "layers are stored in NF4, four bits in place of 32, and nothing is trained. How many in a hundred are "
            "still right?"
        ),
        "again": "Guess again",
        "right": "You said {guess}, which is right, to the nearest whole number.",
        "tooLow": "You said {guess}. It is more: {truth}.",
        "tooHigh": "You said {guess}. It is less: {truth}, to the nearest whole number.",
    },
    "tableHead": [
        "stored in",
        "bits",
        "facts right, as stored",
        "task right before",
        "after (mean)",
        "worst seed",
        "best seed",
        "merged, stored again",
        "adapter from float32",
        "old facts left",
        "learning rate",
    ],
    "tableRow": [
        "{name}",
        "{bits}",
        "{stored:.1%}",
        "{before:.1%}",
        "{right:.1%}",
        "{low:.1%}",
        "{high:.1%}",
        "{requantised:.1%}",
        "{moved:.1%}",
        "{facts:.1%}",
        "{rate}",
    ],
    "downloads": {"shares": "Shares (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
from statistics import fmean

from compute.experiments.qlora import load_qlora

recorded = load_qlora()
for each in ("{base_format}", "float32"):
    print(f"{each}: {fmean(recorded.of('{task}', each).right):.1%} right with LoRA on it")
"""
