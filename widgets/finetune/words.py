"""What the trainer in the page says: title and caption, labels, sentences, code."""

from typing import Any

from compute.model.layers import ATTENTION, MLP, TARGET_MODULES

TITLE = "Finetune it here"
CAPTION = (
    "Your own browser trains the model that the lessons use, on texts that it draws itself; nothing is sent. "
    "Matrices: lora_A above, lora_B to the left, delta_w their product (with DoRA the rows made as long as was "
    "learned), each on a scale of its own, zero in the middle. Answers: in teal the share of right ones on the task, "
    "on texts that are not trained on (except new facts, which are there to be remembered), in vermilion on facts "
    "that the base knew; rings: with another strength. Gradients: the Frobenius norm over all layers, dashed lora_B, "
    "dotted lora_A. Bars: the singular values of delta_w; the grey band: those of random factors whose product is as "
    "large (for a single direction it is the same value), with DoRA those of a random matrix. Loss: of each step's "
    "texts; the floor is the part that is due to chance. Left out: larger models, other bases, a second seed beside "
    "the first."
)
MATRICES: dict[str, tuple[str, tuple[str, ...]]] = {
    "all": ("all six", TARGET_MODULES),
    "attention": ("attention", ATTENTION),
    "mlp": ("MLP", MLP),
    "qv": ("q_proj and v_proj", ("q_proj", "v_proj")),
    **{name: (name, (name,)) for name in TARGET_MODULES},
}
ODD_RANK = "The orthogonal start pairs directions, so r must be even: r = {r} is not possible."
ALPHAS = {"2r": "2 r", "r": "r", "1": "1", "8": "8", "16": "16", "32": "32", "64": "64", "128": "128"}

WORDS: dict[str, Any] = {
    "finetune": "Finetune",
    "goOn": "Go on",
    "again": "Finetune again",
    "take": "Take what was learned",
    "more": "More settings",
    "stepLabel": "Step",
    "strength": "Strength",
    "times": "{strength:.1f} ×",
    "open": "Open an adapter: PEFT's two files, or a zip of them",
    "opened": "Your adapter: r = {r}, alpha = {alpha}. Finetune goes on from here, Reset goes back to the base.",
    "between": "{low} to {high}",
    "dora": "DoRA with r = {r}",
    "yours": "your adapter",
    "recorded": "Recorded with torch. Press Finetune, and your own browser does it again. ",
    "nothing": "Nothing has been learned yet.",
    "product": "delta_w, {out} × {in}: the product of lora_B, on its left, and lora_A, above it",
    "change": "delta_w, {out} × {in}: what was added to the weights",
    "measured": {"speed": "{speed} steps a second, ", "numbers": "{numbers:,d} numbers learn"},
    "noCell": "Move over a matrix to read a number.",
    "cell": "{name}[{row}, {column}] = {value}",
    "sentences": {
        "before": (
            "Nothing has been trained yet on “{label}”. Of the facts that the base knows by heart, it has "
            "{facts_before:.0%} right."
        ),
        "running": (
            "After {step} steps on “{label}”, {how} has {task:.0%} right. Of the facts that the base knew, "
            "{facts:.0%} are left of {facts_before:.0%}."
        ),
        "recorded": (
            "Recorded: after {step} steps on “{label}”, {how} had {task:.0%} right. Of the facts that the base knew, "
            "{facts:.0%} were left of {facts_before:.0%}."
        ),
        "dialled": (
            "With {strength:.1f} times its delta_w, {how} has {task:.0%} right on “{label}” and {facts:.0%} of the "
            "facts that the base knew; its loss on the task is {loss:.2f} nats per word."
        ),
    },
    "oddRank": ODD_RANK,
    "diverged": "The loss has grown out of all bounds: the run has diverged. Try a smaller learning rate.",
    "problems": {
        "forbidden": (
            "This browser, or the page around this figure, does not allow such computing. So what you see is a "
            "recorded run, with the settings that this figure opens with."
        ),
        "unreachable": "The model could not be loaded. Try again.",
        "simd": (
            "This browser is too old to train here: it lacks the SIMD instructions of WebAssembly. What you see was "
            "recorded."
        ),
        "memory": "There is not enough memory here for such a run. Try a smaller rank or fewer texts a step.",
        "setting": "The trainer takes ranks from 1 to 64, and no such settings as these.",
        "unfit": "This adapter does not fit the model of these lessons: its layers have other names or other sizes.",
        "other": "The trainer has stopped: {why}. Try other settings.",
    },
    "refused": {
        "both": "Two files are needed, or a zip with both: adapter_config.json and adapter_model.safetensors.",
        "large": "{name} is too large: at most {most} MB are read.",
        "archive": "This zip is damaged, or of a kind that is not read here.",
        "json": "adapter_config.json is no JSON with names and values.",
        "kind": "peft_type is {kind} in adapter_config.json; LORA is needed.",
        "asks": "adapter_config.json asks for {name}, which this model does not do.",
        "pattern": "The pattern {pattern} in adapter_config.json is too involved to be tried here.",
        "alpha": "lora_alpha in adapter_config.json is no number.",
        "damaged": "adapter_model.safetensors is no such file, or is damaged.",
        "stored": "The adapter is stored as {dtype}, which is not read here; F32, F16 and BF16 are.",
        "infinite": "{name} holds something that is no finite number.",
        "place": "The adapter holds {name}, which has no place in this model.",
        "empty": "The adapter has no lora_A and lora_B.",
    },
    "maps": {
        "lora_A": "lora_A, {r} × {in}, up to {top}",
        "lora_B": "lora_B, {out} × {r}, up to {top}",
        "delta_w": "delta_w, {out} × {in}, up to {top}",
    },
    "charts": {
        "answers": {
            "title": "Right answers",
            "x": "step",
            "task": "the task",
            "facts": "old facts",
            "probe": "step {evaluated}: task {task:.0%}, old facts {facts:.0%}",
        },
        "spectrum": {
            "title": "Singular values of delta_w",
            "x": "direction",
            "random": "random factors",
            "probe": "direction {direction}: {s:.3f}, random factors {random:.3f}",
        },
        "loss": {
            "title": "Loss (nats per word)",
            "x": "step",
            "floor": "floor",
            "probe": "step {step}: {loss:.3f}",
        },
        "gradients": {
            "title": "Size of the gradients",
            "x": "step",
            "all": "all weights",
            "probe": "step {step}: lora_A {lora_A:.3f}, lora_B {lora_B:.3f}, other weights {other:.3f}",
        },
    },
    "said": {
        "heads": {"adapted": "It says now", "base": "Of the old, it says now"},
        "right": "✓",
        "wrong": "✗",
        "was": "(before: {word})",
        "wanted": "(right: {answer})",
        "wantedAndWas": "(right: {answer}; before: {word})",
        "lost": "(lost: {answer})",
    },
    "tableHead": ["step", "task right", "old facts right", "stories right", "loss, nats per word"],
    "tableRow": ["{step}", "{task:.1%}", "{facts:.1%}", "{stories:.1%}", "{loss:.3f}"],
    "downloads": {"curves": "Curves (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# The same run with torch, in the folder of this project.
from compute.training.config import TrainConfig
from compute.training.loop import train

*steps, result = train(TrainConfig({settings}))
print(f"right on the task: {result.evaluation.right['task']:.1%}")
"""

OPENED = """# The same adapter on the same base with the peft library; its two files are in the folder "adapter".
from peft import PeftModel

from compute.model.checkpoint import load_base
from compute.training.loop import evaluate

model = PeftModel.from_pretrained(load_base(), "adapter").get_base_model()
print(f"right on the task: {evaluate(model, '{task}', {facts}).right['task']:.1%}")
"""
