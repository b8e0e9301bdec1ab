"""What the lab instrument says: title and caption, labels, sentences, code."""

from typing import Any

from widgets.kit.guess import WORDS as GUESS
from widgets.kit.runs import RUNS_RECORDED

NAMES = {"lora": "LoRA", "full": "full finetuning"}  # of the two places; another method may stand in LoRA's
METHOD_NAMES = NAMES | {
    "dora": "DoRA",
    "adalora": "AdaLoRA",
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
    "finetuning. Losses are means over sentences that no run trains on, in nats per token. The samples come from "
    "the same throws of the dice. Singular values: filled bars for full finetuning, the teal line for LoRA, the "
    "grey band for noise of the same shape. Left out: other learning rates, and what a larger model would do."
)
PUBLISHED = RUNS_RECORDED
ENCLOSED = "the one run with r = {r}; the lesson has the others"

WORDS: dict[str, Any] = {
    "sentence": (
        "After {step} steps on “{label}”, {sized} is at {lora_loss:.2f} nats per token on sentences "
        "it has not seen, {full_name} at {full_loss:.2f}. On the base's own voices {lora_name} went from "
        "{base_before:.2f} to {lora_base:.2f}, {full_name} to {full_base:.2f}."
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
    "noise": "noise",
    "charts": {
        "validation": {
            "title": "Loss on the task, unseen sentences (nats per token)",
            "x": "step",
            "probe": "step {step}: {lora_name} {lora_loss:.2f}, {full_name} {full_loss:.2f}",
        },
        "loss": {
            "title": "Loss on the sentences it trains on",
            "x": "step",
            "probe": "step {step}: {lora_name} {lora_train:.2f}, {full_name} {full_train:.2f}",
        },
        "base": {
            "title": "Forgetting: loss on the base's own voices",
            "x": "step",
            "probe": "step {step}: {lora_name} {lora_base:.2f}, {full_name} {full_base:.2f}",
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
        "{lora_name}: task",
        "full: task",
        "{lora_name}: base voices",
        "full: base voices",
    ],
    "tableRow": ["{step}", "{lora_loss:.3f}", "{full_loss:.3f}", "{lora_base:.3f}", "{full_base:.3f}"],
    "downloads": {"curves": "Curves (CSV)", "sweep": "Losses against r (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """from compute.training.config import TrainConfig
from compute.training.loop import train

*steps, result = train(TrainConfig({settings}))
print(f"loss on unseen sentences: {result.evaluation.validation_loss:.2f} nats per token")
"""
