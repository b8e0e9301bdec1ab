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
    "vera": {
        "label": "VeRA",
        "name": "VeRA",
        "size": "r = {size}",
        "note": "All layers share two frozen random matrices; each learns two vectors that scale them.",
        "merges": "yes",
        "mixes": "unless merged",
    },
    "lora-xs": {
        "label": "LoRA-XS",
        "name": "LoRA-XS",
        "size": "r = {size}",
        "note": "Both thin matrices are directions of the weight itself, frozen; a small square between them learns.",
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
TASK_LABELS = {"formal voice": "Formal voice", "new facts": "New facts"}
SIZE_LABELS = {"small": "Smaller", "large": "Larger"}
SHOWN_LABELS = {
    "right": "Share right",
    "loss": "Loss on the task",
    "forgetting": "Old facts still right",
    "time-1": "Time of a pass, 1 text",
    "time-32": "Time of a pass, 32 texts",
    "step": "Time of a step of training",
}
BELOW = (
    "lora",
    "vera",
    "lora-xs",
    "bottleneck",
    "soft prompt",
    "ia3",
    "bitfit",
)  # train no more than LoRA at r = 1
OPTIONS = [[slug(name), METHOD_WORDS[name]["label"]] for name in BELOW]
AGAINST = "{gap:+.3f} ({gap_low:+.3f} to {gap_high:+.3f})"

TITLE = "The menu"
CAPTION = (
    "Each mark is one method at one size, the mean of its seeds; thin lines join the sizes of a method. Across: "
    "numbers trained, logarithmic. Vertical, by choice: the share of new facts answered correctly, or of written "
    "sentences that are in the voice; the loss on test texts, in nats per word that is learned; the share of the "
    "facts the base knew that is still right; the time of a forward pass as a multiple of the plain base's, or of a "
    "step as a multiple of plain LoRA's at its smaller rank. An upright line reaches from the lowest to the highest "
    "seed; on a time it holds half of the rounds, and a small open mark is the same method merged. The upward axis is "
    "logarithmic where losses or times span more than three times the lowest. Grey: full finetuning and the base. "
    "Left out: other tasks, longer runs, larger models, rates between those tried, and time on a graphics card."
)

WORDS: dict[str, Any] = {
    "sentences": {
        "formal-voice": (
            "“{task}”: {name} ({said_size}) trains {trainable:,d} numbers and ends at {loss:.3f} nats per word; "
            "{right:.0%} of the sentences it writes are in the voice. Full finetuning ends at {full:.3f}, the base "
            "was at {before:.2f}. Of the facts the base knew, {facts:.0%} are still right."
        ),
        "new-facts": (
            "“{task}”: {name} ({said_size}) trains {trainable:,d} numbers and answers {right:.0%} of the new facts "
            "correctly, at {loss:.3f} nats an answer; full finetuning {full_right:.0%}, at {full:.3f}. Of the facts "
            "the base knew, {facts:.0%} are still right."
        ),
    },
    "veiled": {
        "formal-voice": (
            "“{task}”: {name} ({said_size}) trains {trainable:,d} numbers. Full finetuning ends at {full:.3f} nats "
            "per word. How close does each of the others get?"
        ),
        "new-facts": (
            "“{task}”: {name} ({said_size}) trains {trainable:,d} numbers. Full finetuning gets {full_right:.0%} of "
            "the new facts right. How many does each of the others?"
        ),
    },
    "readouts": {
        "trainable": "Numbers trained",
        "right": "Right, mean and seeds",
        "loss": "Loss, mean and seeds",
        "against": "Loss against LoRA with {beside}, 95 % interval",
        "facts": "Old facts still right",
        "time": "Pass against the base, 1 text / 32",
        "merged": "The same, merged",
        "step": "Step against LoRA's",
        "merges": "Merges into the base",
        "mixes": "Tasks mix in one batch",
        "rate": "Learning rate, best of {tried}",
    },
    "readoutValues": {
        "trainable": "{trainable:,d}",
        "right": "{right:.0%} ({right_low:.0%} to {right_high:.0%})",
        "loss": "{loss:.3f} ({loss_low:.3f} to {loss_high:.3f})",
        "against": "{against}",
        "facts": "{facts:.0%} ({facts_low:.0%} to {facts_high:.0%})",
        "time": "{time_1:.2f} × / {time_32:.2f} ×",
        "merged": {"yes": "{merged_1:.2f} × / {merged_32:.2f} ×", "no": "does not merge"},
        "step": "{step:.2f} ×",
        "merges": "{merges}",
        "mixes": "{mixes}",
        "rate": "{rate}",
    },
    "charts": {
        "right": {
            "title": "Share right against numbers trained",
            "probe": "{name}, {said_size}: {trainable:,d} numbers, {right:.0%} right",
        },
        "loss": {
            "title": "Loss on the task (nats per word that is learned) against numbers trained",
            "probe": "{name}, {said_size}: {trainable:,d} numbers, {loss:.3f} nats",
        },
        "forgetting": {
            "title": "Share of the facts that the base knew and that are still right, against numbers trained",
            "probe": "{name}, {said_size}: {trainable:,d} numbers, {facts:.0%} of the old facts",
        },
        "time-1": {
            "title": "Time of a forward pass of 1 text, over the plain base's, against numbers trained",
            "probe": "{name}, {said_size}: {time_1:.2f} times, half of the rounds from {low_1:.2f} to {high_1:.2f}",
        },
        "time-32": {
            "title": "Time of a forward pass of 32 texts, over the plain base's, against numbers trained",
            "probe": "{name}, {said_size}: {time_32:.2f} times, half of the rounds from {low_32:.2f} to {high_32:.2f}",
        },
        "step": {
            "title": "Time of a step of training, over plain LoRA's, against numbers trained",
            "probe": "{name}, {said_size}: {step:.2f} times, half of the rounds from {low_step:.2f} to {high_step:.2f}",
        },
    },
    "x": "numbers trained",
    "rules": {
        "right": "the base",
        "loss": "",
        "forgetting": "the base",
        "time-1": "the plain base",
        "time-32": "the plain base",
        "step": "plain LoRA",
    },
    "ranks": {
        "title": "Directions that AdaLoRA left in each layer, of {start} at first, with the first seed",
        "head": "layer",
        "block": "block {number}",
    },
    "guess": {
        **GUESS,
        "question": (
            "Guess first. Of all methods that train no more numbers than LoRA at r = 1, which one remembers the most "
            "new facts?"
        ),
        "options": OPTIONS,
        "again": "Guess again",
        "right": (
            "You said {guess}: with {its_numbers:,d} numbers it has {its:.0%} of the facts, and the seeds can tell "
            "none that has more. LoRA at r = 1 has {lora_right:.0%} with {lora_numbers:,d}."
        ),
        "wrong": (
            "You said {guess}: {its:.0%} of the facts with {its_numbers:,d} numbers. {truth} has {best:.0%} with "
            "{best_numbers:,d}, LoRA at r = 1 {lora_right:.0%} with {lora_numbers:,d}."
        ),
    },
    "tableHead": [
        "method",
        "size",
        "numbers trained",
        "learning rate",
        "right",
        "loss",
        "lowest seed",
        "highest seed",
        "loss against LoRA, 95 % interval",
        "old facts still right",
        "pass, 1 text",
        "merged, 1 text",
        "pass, 32 texts",
        "merged, 32 texts",
        "step",
        "merges",
        "tasks mix in a batch",
    ],
    "tableRow": [
        "{label}",
        "{said_size}",
        "{trainable:,d}",
        "{rate}",
        "{right:.0%}",
        "{loss:.3f}",
        "{loss_low:.3f}",
        "{loss_high:.3f}",
        "{against}",
        "{facts:.0%}",
        "{time_1:.2f}",
        "{merged_1}",
        "{time_32:.2f}",
        "{merged_32}",
        "{step:.2f}",
        "{merges}",
        "{mixes}",
    ],
    "downloads": {"points": "Points (CSV)", "picture": "Picture (SVG)"},
}
ABOUT = (
    "AdamW, from the same base. Formal voice: {voice_steps} steps of {voice_batch} texts; {facts_told} new facts: "
    "{facts_steps} steps of {facts_batch}. Each method at each size has the learning rate with the lowest loss on "
    "validation texts of the first seed, with worse rates on both sides; shown are {seeds} seeds on test texts. The "
    "new facts are there to be remembered: they are those trained on. LoRA's size in the differences is chosen like "
    "the rates. Times are of the machine that recorded, on one thread: the plain base takes {milliseconds:.1f} ms for "
    "one text and {milliseconds_32:.1f} ms for 32, a step of LoRA {milliseconds_step:.1f} ms. Recorded {recorded}."
)

SNIPPET = """from compute.training.config import TrainConfig
from compute.training.short_runs import outcomes

end = outcomes(TrainConfig({settings}), ("test",))["test"]
print(f"numbers trained: {end.numbers:,d}")
print(f"loss: {end.loss:.3f} nats, right: {end.task:.0%}, old facts still right: {end.facts:.0%}")
"""
