"""The text of the menu: names of the methods, what each changes, labels, templates, code."""

from typing import Any

from widgets.kit.guess import WORDS as GUESS
from widgets.kit.text import slug

# Name in the figure, name in a sentence, what the size is, what it changes, whether it merges, whether tasks mix.
METHOD_WORDS: dict[str, dict[str, str]] = {
    "full": {
        "label": "full finetuning",
        "name": "full finetuning",
        "size": "every number",
        "note": "Every number of the model learns.",
        "merges": "is the model",
        "mixes": "no: a model for each task",
    },
    "lora": {
        "label": "LoRA",
        "name": "LoRA",
        "size": "r = {size}",
        "note": "A product of two thin matrices is added to each weight.",
        "merges": "yes",
        "mixes": "unless merged",
    },
    "dora": {
        "label": "DoRA",
        "name": "DoRA",
        "size": "r = {size}",
        "note": "LoRA turns each row of a weight, and one more number a row says how long it is.",
        "merges": "yes",
        "mixes": "unless merged",
    },
    "adalora": {
        "label": "AdaLoRA",
        "name": "AdaLoRA",
        "size": "r = {size} left on average",
        "note": "It starts with half as many directions again. The least important are switched off as it learns.",
        "merges": "yes",
        "mixes": "unless merged",
    },
    "bottleneck": {
        "label": "bottleneck",
        "name": "bottleneck adapters",
        "size": "width {size}",
        "note": "A small network after attention and one after the MLP, in every block.",
        "merges": "no",
        "mixes": "yes",
    },
    "soft prompt": {
        "label": "soft prompt",
        "name": "a soft prompt",
        "size": "{size} vectors",
        "note": "Learned vectors stand before the words. The model itself is left alone.",
        "merges": "no",
        "mixes": "yes",
    },
    "ia3": {
        "label": "(IA)³",
        "name": "(IA)³",
        "size": "one size",
        "note": "Learned numbers scale keys, values and the inside of each MLP, feature by feature.",
        "merges": "yes",
        "mixes": "unless merged",
    },
    "bitfit": {
        "label": "BitFit",
        "name": "BitFit",
        "size": "one size",
        "note": "Only biases learn: new ones, zero at first, in the linear layers, and those of the norms.",
        "merges": "yes, as biases",
        "mixes": "yes",
    },
}
TASK_LABELS = {"legal": "Legal voice", "new language": "New language"}
SIZE_LABELS = {"small": "Small", "middle": "Middle", "large": "Large"}
SHOWN_LABELS = {
    "loss": "Loss on the task",
    "forgetting": "Loss on the base's own voices",
    "time-1": "Time of a pass, 1 text",
    "time-32": "Time of a pass, 32 texts",
}

TITLE = "The menu"
CAPTION = (
    "Each mark is one method at one size; thin lines join the sizes of a method. Across: numbers trained, "
    "logarithmic. Upwards, by choice: the loss on sentences of the task that no run trains on, the loss on the "
    "base's own voices, both in nats per token, or the time of a forward pass as a multiple of the plain base's. "
    "There a small open mark is the same method merged, and an upright line holds half of the rounds; on a loss "
    "the line reaches from the lowest to the highest seed. The upward axis is logarithmic where the "
    "marks span more than three times the lowest, and never starts at zero. Grey: full finetuning and the base. "
    "Left out: other tasks, longer runs, larger models, rates between those tried, and time on a graphics card."
)

WORDS: dict[str, Any] = {
    "sentence": (
        "On “{task}”, {name} ({said_size}) trains {trainable:,d} numbers and ends at {loss:.2f} nats per token; full "
        "finetuning ends at {full:.2f}, the base was at {before:.2f}. On the base's own voices it goes from "
        "{base_before:.2f} to {base:.2f}. A forward pass of one text takes {time_1:.2f} times the base's, of 32 texts "
        "{time_32:.2f} times."
    ),
    "veiled": (
        "On “{task}”, {name} ({said_size}) trains {trainable:,d} numbers. Full finetuning ends at {full:.2f} nats per "
        "token. How close does each of the others come?"
    ),
    "readouts": {
        "trainable": "Numbers trained",
        "loss": "Loss on the task",
        "base": "Loss on the base's own voices",
        "time": "Pass against the base, 1 text / 32",
        "merged": "The same, merged",
        "merges": "Merges into the base",
        "mixes": "Tasks mix in one batch",
        "rate": "Learning rate, best of {tried}",
    },
    "readoutValues": {
        "trainable": "{trainable:,d}",
        "loss": {"one": "{loss:.3f}", "many": "{loss:.3f} ({lowest:.3f} to {highest:.3f})"},
        "base": "{base:.3f}",
        "time": "{time_1:.2f} × / {time_32:.2f} ×",
        "merged": {"yes": "{merged_1:.2f} × / {merged_32:.2f} ×", "no": "does not merge"},
        "merges": "{merges}",
        "mixes": "{mixes}",
        "rate": "{rate}",
    },
    "charts": {
        "loss": {
            "title": "Loss on the task (nats per token) against numbers trained",
            "probe": "{name}, {said_size}: {trainable:,d} numbers, {loss:.3f} nats per token",
        },
        "forgetting": {
            "title": "Loss on the base's own voices (nats per token) against numbers trained",
            "probe": "{name}, {said_size}: {trainable:,d} numbers, {base:.3f} nats per token",
        },
        "time-1": {
            "title": "Time of a forward pass of 1 text, over the plain base's, against numbers trained",
            "probe": "{name}, {said_size}: {time_1:.2f} times, half of the rounds from {low_1:.2f} to {high_1:.2f}",
        },
        "time-32": {
            "title": "Time of a forward pass of 32 texts, over the plain base's, against numbers trained",
            "probe": "{name}, {said_size}: {time_32:.2f} times, half of the rounds from {low_32:.2f} to {high_32:.2f}",
        },
    },
    "x": "numbers trained",
    "rules": {
        "loss": "",
        "forgetting": "the base",
        "time-1": "the plain base",
        "time-32": "the plain base",
    },
    "ranks": {
        "title": "Directions that AdaLoRA left in each layer, of {start} at first",
        "head": "layer",
        "block": "block {number}",
    },
    "guess": {
        **GUESS,
        "question": (
            "Guess first. In the new language, which of them comes closest to full finetuning, whatever its size?"
        ),
        "options": [[slug(name), words["label"]] for name, words in METHOD_WORDS.items() if name != "full"],
        "again": "Guess again",
        "right": (
            "You said {guess}, and none is closer as far as we can tell: {its:.2f} nats, where seeds alone differ by "
            "{spread:.2f}. Full finetuning has {full_new:.2f}."
        ),
        "wrong": (
            "You said {guess}: {its:.2f} nats. Closest is {truth} with {best:.2f}; full finetuning has {full_new:.2f}."
        ),
    },
    "tableHead": [
        "method",
        "size",
        "numbers trained",
        "learning rate",
        "loss on the task",
        "seeds, from",
        "to",
        "base's own voices",
        "pass, 1 text",
        "merged, 1 text",
        "pass, 32 texts",
        "merged, 32 texts",
        "merges",
        "tasks mix in a batch",
    ],
    "tableRow": [
        "{label}",
        "{said_size}",
        "{trainable:,d}",
        "{rate}",
        "{loss:.3f}",
        "{lowest:.3f}",
        "{highest:.3f}",
        "{base:.3f}",
        "{time_1:.2f}",
        "{merged_1}",
        "{time_32:.2f}",
        "{merged_32}",
        "{merges}",
        "{mixes}",
    ],
    "downloads": {"points": "Points (CSV)", "picture": "Picture (SVG)"},
}
ABOUT = (
    "{steps} steps of 32 texts each, AdamW, from the same base. Three learning rates were tried for each method on "
    "each task, at its middle size; shown is the smallest whose loss comes within {close} nats of the best of them. "
    "The middle sizes in the new language have {seeds} seeds, of which the middle one is shown; whatever else has one. "
    "Times are of the machine that recorded, on one thread: the plain base takes {milliseconds:.1f} ms for one text "
    "and {milliseconds_32:.1f} ms for 32. Recorded {recorded}; training took {seconds:,d} s of one core."
)

SNIPPET = """from compute.training.config import TrainConfig
from compute.training.loop import train

*steps, result = train(TrainConfig({settings}))
print(f"numbers trained: {result.trainable:,d}")
print(f"loss on unseen sentences: {result.evaluation.validation_loss:.2f} nats per token")
"""
