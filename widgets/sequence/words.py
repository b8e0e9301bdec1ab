"""What the sequence and magnitude instruments say: tasks in their order, ways to learn them, sentences, code."""

from typing import Any

from compute.experiments.after import EACH, ONE
from compute.experiments.runs import FULL, FULL_SLOW

VOICES = {
    "legal": "legal voice",
    "medical": "medical voice",
    "code": "code voice",
    "new language": "new language",
    "base": "base's own voices",
}
# Of a way: key of its values, name at a curve, class of the curve.
WAYS_TOLD = {
    ONE: ("one", "one adapter", "kept"),
    EACH: ("each", "an adapter each", "kept second"),
    FULL: ("full", "full, fast", "control-1"),
    FULL_SLOW: ("slow", "full, slow", "control-0"),
}

SEQUENCE_WORDS: dict[str, Any] = {
    "stageLabel": "Tasks learned",
    "stages": ["none yet", "{first}", "{first}, {second}", "{first}, {second}, {third}"],
    "ticks": ["none", "1st", "2nd", "3rd"],
    "sentences": {
        "share": (
            "After {told}: of sentences begun in the {voice}, one adapter trained on and on ends {one:.0%} in it, full "
            "finetuning {full:.0%}, slower full finetuning {slow:.0%}, and an adapter for each task {each:.0%}. The "
            "base alone ends {before:.0%}."
        ),
        "loss": (
            "After {told}: on unseen sentences of the {voice}, one adapter trained on and on has a loss of {one:.2f} "
            "nats per token, full finetuning {full:.2f}, slower full finetuning {slow:.2f}, and an adapter for each "
            "task {each:.2f}. The base alone has {before:.2f}."
        ),
    },
    "untold": "no task",
    "recorded": "Recorded {recorded}.",
    "veiled": "Three tasks, one after the other: how much is left of the first, the {voice}?",
    "readouts": {
        "one": "One adapter, {voice}",
        "each": "An adapter each",
        "full": "Full finetuning",
        "slow": "Full, slower",
    },
    "readoutValues": {
        name: {"share": f"{{{name}:.0%}}", "loss": f"{{{name}:.2f}}"}
        for name in ("one", "each", "full", "slow")
    },
    "titles": {
        "share": "{place}: {voice}, sentences ended in it",
        "loss": "{place}: {voice}, loss (nats per token)",
        "base": "The base's own voices, loss (nats per token)",
    },
    "places": ["First task", "Second task", "Third task"],
    "x": "tasks learned",
    "probe": {"share": "{name} {value:.1%}", "loss": "{name} {value:.3f}", "all": "{told}: {each}"},
    "guess": {
        "question": (
            "Guess first. One adapter learns the {first}, then the {second}, then the {third}. After that: of a "
            "hundred sentences begun in the {first}, how many does it still end in it? The base "
            "alone ends {before:.0%}."
        ),
        "field": "My guess, of a hundred:",
        "reveal": "Reveal",
        "skip": "Skip",
        "again": "Guess for this order",
        "right": "You said {guess} for the {first}, and {truth} it is.",
        "tooLow": "You said {guess} for the {first}. More is left: {truth}.",
        "tooHigh": "You said {guess} for the {first}. Less is left: {truth}.",
    },
    "tableHead": ["way", "seed", "tasks learned"],
    "downloads": {"stages": "Stages (CSV)", "picture": "Picture (SVG)"},
}

SEQUENCE_SNIPPET = """# Run it in the folder of this project.
from compute.experiments.after import SEEDS, load_after

runs = load_after().sequences[{order}]
for way, seeds in runs.items():
    values = [stages[{stage}].{measure}[{voice}] for stages in seeds]
    print(f"{way}: {sum(values) / len(SEEDS):.3f}")
"""

LAYER_KINDS = {
    "all": "all 18 layers",
    "q_proj": "q_proj",
    "k_proj": "k_proj",
    "v_proj": "v_proj",
    "o_proj": "o_proj",
    "up_proj": "up_proj",
    "down_proj": "down_proj",
}
MAGNITUDE_WORDS: dict[str, Any] = {
    "checkpointLabel": "Updates",
    "recorded": "Recorded {recorded}.",
    "sentence": (
        "{task}, {layers}: over all checkpoints the correlation of the change of length with the change of direction "
        "is {correlation:.2f} for LoRA with r = {r} and {control:.2f} for {way}. After {updates} updates alone it is "
        "{correlation_now:.2f} and {control_now:.2f}. On average the rows have then turned by {direction:.4f} and "
        "{control_direction:.4f}, and their length has changed by {magnitude:.4f} and {control_magnitude:.4f}."
    ),
    "veiled": "{task}, {layers}: do rows that turn more also change more in length?",
    "titles": {
        "run": "LoRA, r = {r}: correlation {correlation:.2f}",
        "control": "{way_capital}: correlation {control:.2f}",
    },
    "axes": {"x": "change of direction, 1 - cos", "y": "change of length"},
    "point": "{layer}, {updates} updates: direction {direction:.4f}, length {magnitude:.4f}",
    "guess": {
        "question": (
            "Guess first. {task}, {way}, {layers}: where the rows of a layer turn more, does their length change more, "
            "too?"
        ),
        "field": "My guess:",
        "options": [
            ["more", "more: a correlation above 0.2"],
            ["none", "no clear relation"],
            ["less", "less: a correlation below −0.2"],
        ],
        "reveal": "Reveal",
        "skip": "Skip",
        "again": "Guess for this choice",
        "right": "You said {guess}, and so it is: {control:.2f}.",
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
MAGNITUDE_SNIPPET = """# Run it in the folder of this project.
from compute.matrices.row_changes import line_through
from compute.experiments.after import LAYERS, load_after

for run in ({lora}, {beside}):
    over = load_after().splits[{task}][run]
    points = [split for at in over for name, split in zip(LAYERS, at) if {chosen}]
    slope, correlation = line_through(points)
    print(f"{run}: correlation {correlation:.2f}, slope {slope:.3f}")
"""
WAY_NAMES = {"full": "full finetuning", "full-slow": "slower full finetuning"}
TASK_NAMES = {"legal": "Legal voice", "new-language": "New language"}
