"""What the trainer in the page says: title and caption, labels, sentences, code."""

from typing import Any

from compute.model.layers import ATTENTION, MLP, TARGET_MODULES

TITLE = "Finetune it here"
CAPTION = (
    "Your own browser trains the model that the lessons use, on texts that it draws itself; nothing is sent. Matrices: "
    "lora_A above, lora_B to the left, delta_w their product, each on a scale of its own, zero in the middle. Answers: "
    "teal the share of right ones on the task, on texts that are not trained on (new facts are there to be remembered: "
    "the same), vermilion on facts that the base knew. Gradients: the Frobenius norm over all layers, teal lora_B, "
    "grey lora_A. Bars: the singular values of delta_w; the grey band: those of random factors whose product is as "
    "large, of a single direction the same. Loss: of each step's texts; the floor is what they leave to chance. Left "
    "out: larger models, other bases, a second seed beside the first."
)
MATRICES: dict[str, tuple[str, tuple[str, ...]]] = {
    "all": ("all six", TARGET_MODULES),
    "attention": ("attention", ATTENTION),
    "mlp": ("MLP", MLP),
    "qv": ("q_proj and v_proj", ("q_proj", "v_proj")),
    **{name: (name, (name,)) for name in TARGET_MODULES},
}
ALPHAS = {"2r": "2 r", "r": "r", "1": "1", "8": "8", "16": "16", "32": "32", "64": "64", "128": "128"}

WORDS: dict[str, Any] = {
    "finetune": "Finetune",
    "goOn": "Go on",
    "again": "Finetune again",
    "take": "Take what was learned",
    "more": "More settings",
    "stepLabel": "Step",
    "product": "delta_w, {out} × {in}: the product of lora_B, on its left, and lora_A, above it",
    "change": "delta_w, {out} × {in}: what was added to the weights",
    "measured": "{speed} steps a second, {numbers:,d} numbers learn",
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
    },
    "diverged": "The loss is out of all bounds: the run has diverged. Try a smaller learning rate.",
    "problems": {
        "forbidden": (
            "This browser, or the page around this figure, does not let a page compute like this. The figures of the "
            "lessons replay runs that were recorded."
        ),
        "unreachable": "The model could not be loaded. Try again.",
        "simd": "This browser is too old to train here: it lacks the SIMD instructions of WebAssembly.",
        "memory": "There is not enough memory here for such a run. Try a smaller rank or fewer texts a step.",
        "other": "The trainer has stopped: {why}. Try other settings.",
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
            "title": "Loss of each step (nats per word)",
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
        "lost": "(it was right: {answer})",
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
