"""What the wall instrument says: title and caption, labels, sentences, code."""

from typing import Any

from widgets.kit.runs import RUNS_RECORDED, TASKS

TITLE = "The real knee"
CAPTION = (
    "Each teal line is one task, the thick one the task chosen: the final loss of LoRA on sentences that no run "
    "trains on, less that of full finetuning, over r. The places of r double. The three known voices lie on the "
    "floor, one on the other. The dotted line is the tolerance, and a ring is the first recorded r within it. "
    "Squares: the embeddings learn too. Right: numbers trained. Every point is one run of "
    "one small model. Left out: the ranks between, other seeds and learning rates."
)
PUBLISHED = RUNS_RECORDED

# Names at the curves. The three known voices lie on each other at this scale, so one name serves for all.
NAMES = {"legal": "legal, medical and code voice", "dialect": "dialect", "new-language": "new language"}
REACHES = (
    "On “{label}” LoRA comes within {tolerance:.2f} nats of full finetuning at r = {r}: a loss of {loss:.3f} nats per "
    "token beside {full:.3f}, with {trainable:,d} numbers trained in place of {full_trainable:,d}."
)
NEVER = (
    "On “{label}” no recorded r comes within {tolerance:.2f} nats of full finetuning: the closest, r = {r}, has a loss "
    "of {loss:.3f} nats per token beside {full:.3f}."
)
WORDS: dict[str, Any] = {
    "sentences": {"knee": REACHES, "wall": NEVER},
    "embeddings": (
        " When the embeddings learn too, r = {with_rank} has {with_loss:.3f}, with {with_trainable:,d} numbers trained."
    ),
    "toleranceLabel": "Tolerance",
    "tolerance": "{tolerance:.2f} nats",
    "readouts": {
        "knee": "Knee",
        "loss": "Loss at this r",
        "floor": "Full finetuning",
        "trainable": "Numbers trained at this r",
    },
    "readoutValues": {
        "knee": {"knee": "r = {r}", "wall": "none; closest: r = {r}"},
        "loss": "{loss:.3f}",
        "floor": "{full:.3f}",
        "trainable": "{trainable:,d}",
    },
    "names": NAMES,
    "marks": {
        "knee": "knee r = {r}",
        "wall": "not within {tolerance:.2f}",
        "embeddings": "+ embeddings",
    },
    "charts": {
        "gap": {
            "title": "Final loss above that of full finetuning (nats per token)",
            "x": "rank r, doubling",
            "full": "full finetuning",
            "probe": "r = {r}, {label}: {loss:.3f} nats; full finetuning {full:.3f}",
        },
        "cost": {
            "title": "Numbers trained",
            "x": "rank r, doubling",
            "curve": "LoRA",
            "full": "full finetuning",
            "probe": "r = {r}: {trainable:,d} numbers; full finetuning {full_trainable:,d}",
        },
    },
    "tableHead": ["r", "numbers trained", *(label for label, _ in TASKS.values())],
    "downloads": {"curves": "Losses (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
from compute.matrices.knee import first_within
from compute.experiments.runs import RECORDED_RANKS, load

losses = {r: load({task}, r).validation_loss[-1] for r in RECORDED_RANKS}
full = load({task}, "full").validation_loss[-1]
knee = first_within(losses, full, {tolerance})
closest = knee or min(losses, key=losses.get)
print(f"knee: {knee}; r = {closest} has {losses[closest]:.3f}, full finetuning {full:.3f} nats per token")
"""
