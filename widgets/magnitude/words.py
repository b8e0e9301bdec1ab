"""What the magnitude instrument says: tasks, layers and ways, sentences, code."""

from typing import Any

from compute.experiments.magnitude import SEEDS
from widgets.kit.guess import WORDS as GUESS

TASK_NAMES = {"who-had-it-first": "Who had it first", "new-facts": "New facts"}
LAYER_KINDS = {
    "all": "all 18 layers",
    "q_proj": "q_proj",
    "k_proj": "k_proj",
    "v_proj": "v_proj",
    "o_proj": "o_proj",
    "up_proj": "up_proj",
    "down_proj": "down_proj",
}

TITLE = "Longer, or turned"
CAPTION = (
    "Each point is one linear layer at one of four checkpoints; full points belong to the chosen one. Across: one "
    "less the cosine between a row of the weight before and after, as a mean over the rows of the layer. Up: the "
    "absolute change of the row's length, as a mean likewise. A row is what makes one output. The line is the "
    "least squares fit through all points of the picture. Each picture has scales of its own. Drawn is the first "
    f"of {len(SEEDS)} seeds; each method has its own best learning rate. Left out: what single rows "
    "do, and layers that are no matrix."
)
PUBLISHED = "both tasks"

WORDS: dict[str, Any] = {
    "checkpointLabel": "Updates",
    "recorded": "Recorded {recorded}.",
    "sentence": (
        "{task}, {layers}: over all checkpoints the correlation of the change of length with the change of direction "
        "is {correlation:.2f} for LoRA with r = {r} ({low:.2f} to {high:.2f} over all seeds) and {control:.2f} for "
        "full finetuning ({control_low:.2f} to {control_high:.2f}). After {updates} updates alone it is "
        "{correlation_now:.2f} and {control_now:.2f}. On average the rows have then turned by {direction:.4f} and "
        "{control_direction:.4f}, and their length has changed by {magnitude:.4f} and {control_magnitude:.4f}."
    ),
    "veiled": "{task}, {layers}: do rows that turn more also change more in length?",
    "titles": {
        "run": "LoRA, r = {r}: correlation {correlation:.2f}",
        "control": "Full finetuning: correlation {control:.2f}",
    },
    "full": "full finetuning",
    "axes": {"x": "change of direction, 1 - cos", "y": "change of length"},
    "point": "{layer}, {updates} updates: direction {direction:.4f}, length {magnitude:.4f}",
    "guess": {
        **GUESS,
        "question": (
            "Guess first. {task}, full finetuning, {layers}: where the rows of a layer turn more, does their length "
            "change more, too?"
        ),
        "options": [
            ["more", "more: a correlation above 0.2"],
            ["none", "no clear relation"],
            ["less", "less: a correlation below −0.2"],
        ],
        "again": "Guess for this choice",
        "right": "You said {guess}, which is right: {control:.2f}.",
        "wrong": "You said {guess}. Here it is {control:.2f}.",
    },
    "tableHead": [
        "run",
        "updates",
        "layer",
        "change of direction",
        "change of length",
    ],
    "downloads": {"points": "Points (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
from compute.matrices.row_changes import line_through
from compute.experiments.magnitude import load_magnitude
from compute.model.layers import LAYERS

for way in ({lora}, "full"):
    over = load_magnitude().splits[{task}][way][0]  # of the first seed
    points = [split for at in over for name, split in zip(LAYERS, at) if {chosen}]
    slope, correlation = line_through(points)
    print(f"{way}: correlation {correlation:.2f}, slope {slope:.3f}")
"""
