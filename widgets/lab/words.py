"""What the lab instrument says: title and caption, labels, sentences, code."""

from typing import Any

from widgets.kit.guess import WORDS as GUESS
from widgets.kit.runs import RUNS_RECORDED

NAMES = {"lora": "LoRA", "full": "full finetuning"}  # of the two places; another method may stand in LoRA's
METHOD_NAMES = NAMES | {
    "dora": "DoRA",
    "adalora": "AdaLoRA",
    "vera": "VeRA",
    "lora-xs": "LoRA-XS",
    "ia3": "(IA)³",
    "bitfit": "BitFit",
    "bottleneck": "bottlenecks",
    "soft prompt": "a soft prompt",
}
SIZED = {
    "bottleneck": "{name} of width {r}",
    "soft prompt": "{name} of {r} vectors",
    "ia3": "{name}",
    "bitfit": "{name}",
}
WITH_RANK = "{name} with r = {r}"
OTHER_LENGTH = "{name} ({steps} steps)"
RECORDED = "recorded {name}"

TITLE = "Watch it learn"
CAPTION = (
    "Both runs start from the same base and see the same sentences. Teal is LoRA, grey the control: full "
    "finetuning. What is right is measured on validation texts, what is left of the base on facts about some of the "
    "people that it knew. Losses are means in nats per word that is learned. The samples come from "
    "the same throws of the dice. Singular values: filled bars for full finetuning, the teal line for LoRA, the "
    "grey band for noise of the same shape. Left out: other learning rates, and what a larger model would do."
)
PUBLISHED = RUNS_RECORDED
ENCLOSED = "the one run with r = {r}; the lesson has the others"

WORDS: dict[str, Any] = {
    "sentence": (
        "After {step} steps on “{label}”, {sized} has {lora_task:.0%} right and {full_name} {full_task:.0%}. Of the "
        "facts that the base knew, {facts_before:.0%} were right before; {lora_name} still has {lora_facts:.0%}, "
        "{full_name} {full_facts:.0%}."
    ),
    "stepLabel": "Step",
    "layerLabel": "Layer",
    "readouts": {
        "trainable": "Numbers trained, {lora_name}",
        "full": "Numbers trained, full",
        "file": "Adapter file",
        "time": "Time of the run",
    },
    "readoutValues": {
        "trainable": "{trainable:,d}",
        "full": "{full_trainable:,d}",
        "file": "{kilobytes:,.0f} kB",
        "time": "{seconds:.1f} s",
    },
    "notYet": "at the end",
    "diverged": "diverged",
    "noise": "noise",
    "charts": {
        "task": {
            "title": "Right on the task",
            "x": "step",
            "probe": "step {step}: {lora_name} {lora_task:.0%}, {full_name} {full_task:.0%}",
        },
        "facts": {
            "title": "Forgetting: facts of the base that are still right",
            "x": "step",
            "probe": "step {step}: {lora_name} {lora_facts:.0%}, {full_name} {full_facts:.0%}",
        },
        "loss": {
            "title": "Loss on what it trains on (nats per word)",
            "x": "step",
            "probe": "step {step}: {lora_name} {lora_train:.2f}, {full_name} {full_train:.2f}",
        },
        "knee": {
            "title": "Final loss on the task against r (nats; the axis does not start at zero)",
            "x": "rank r",
            "probe": "r = {rank}: {rank_loss:.2f} nats; full finetuning {floor:.2f}",
        },
        "spectrum": {
            "title": "Singular values of delta_w in this layer, over their norm",
            "x": "direction",
            "probe": "direction {direction}: {full_name} {share:.3f}, noise {noise:.3f}",
        },
    },
    "samples": {"base": "The base writes", "adapted": "With the adapter, after {step} steps"},
    "guess": {
        **GUESS,
        "question": (
            "Guess first. “{label}”: which of r = {ranks} is the first whose final loss comes within {tolerance} nats "
            "of that of the largest?"
        ),
        "field": "My guess: r =",
        "again": "Guess for this task",
        "right": "You said r = {guess} for “{label}”, and r = {truth} it is.",
        "tooLow": "You said r = {guess} for “{label}”. It takes more: r = {truth}.",
        "tooHigh": "You said r = {guess} for “{label}”. Fewer do: r = {truth}.",
        "truthMark": "r = {knee}",
    },
    "tableHead": [
        "step",
        "{lora_name}: right",
        "full: right",
        "{lora_name}: old facts",
        "full: old facts",
        "{lora_name}: stories",
        "full: stories",
        "{lora_name}: loss",
        "full: loss",
    ],
    "tableRow": [
        "{step}",
        "{lora_task:.0%}",
        "{full_task:.0%}",
        "{lora_facts:.0%}",
        "{full_facts:.0%}",
        "{lora_stories:.0%}",
        "{full_stories:.0%}",
        "{lora_loss:.3f}",
        "{full_loss:.3f}",
    ],
    "downloads": {"curves": "Curves (CSV)", "sweep": "Ends against r (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """from compute.training.config import TrainConfig
from compute.training.loop import train

*steps, result = train(TrainConfig({settings}))
print(f"right on the task: {result.evaluation.right['task']:.0%}")
"""
