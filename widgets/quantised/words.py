"""What the quantised-base figure says: names of formats, templates, code."""

from typing import Any

from widgets.kit.formats import BASE_NAMES
from widgets.kit.guess import WORDS as GUESS

TITLE = "Finetuned on a base in few bits"
CAPTION = (
    "All losses are in nats per token, on sentences that no run trains on. Left: nothing is trained; the 18 linear "
    "layers are stored with one scale for so many weights, and the base is asked about its own voices. Middle: "
    "LoRA with r = 4 on the base in blocks of 64, teal, and on the float32 base, dashed grey; the band holds all "
    "three seeds, the line is the middle one. Right: the end of the run for each format; its axis does not begin "
    "at zero. Vermilion there: delta_w added to the base and the sum stored in the format again. Grey: full "
    "finetuning. Left out: larger models, other r, more seeds, and the memory that four bits save, which in a "
    "model this small is nothing."
)
PUBLISHED = "both tasks with every format"

WORDS: dict[str, Any] = {
    "names": {name: axis for name, (axis, _) in BASE_NAMES.items()},
    "formatLabel": "The frozen layers are stored in",
    "sentence": (
        "Stored in {name}, {bits} bits a number, the unchanged base has a loss of {stored:.3f} on its own voices, in "
        "float32 {plain_stored:.3f}; random noise as large as the rounding gives {noise:.3f}. On “{label}” it begins "
        "at {before:.3f}, and LoRA on top of it ends at {final:.3f} (seeds {low:.3f} to {high:.3f}); on the float32 "
        "base at {plain_final:.3f} ({plain_low:.3f} to {plain_high:.3f})."
    ),
    "readouts": {
        "stored": "Base as stored, own voices",
        "random": "Random noise as large",
        "final": "LoRA on it, at the end",
        "requantised": "Merged and stored again",
        "moved": "Adapter from the float32 base",
    },
    "readoutValues": {
        "stored": "{stored:.3f}",
        "random": "{noise:.3f}",
        "final": "{final:.3f}",
        "requantised": "{requantised:.3f}",
        "moved": "{moved:.3f}",
    },
    "charts": {
        "stored": {
            "title": "Base as stored: loss on its own voices",
            "x": "weights that share a scale",
            "plain": "float32",
            "probe": "{blocks:,d} weights a scale: {name} {stored:.3f}, float32 {plain_stored:.3f}",
        },
        "learning": {
            "title": "LoRA on it (grey: on float32): loss on the task",
            "x": "step",
            "probe": "step {step}: {name} {loss:.3f}, float32 {plain_loss:.3f}",
        },
        "after": {
            "title": "After the last step: loss on the task",
            "x": "what the frozen layers are stored in",
            "final": "adapter beside the base",
            "requantised": "merged, stored again",
            "full": "full finetuning",
            "probe": "{name}: {final:.3f}, from {low:.3f} to {high:.3f}; merged and stored again {requantised:.3f}",
        },
    },
    "guess": {
        **GUESS,
        "question": (
            "Guess first. The base's loss on its own voices is {plain_stored:.2f} nats per token. Now all 18 linear "
            "layers are stored in NF4, four bits in place of 32, and nothing is trained. By how many hundredths of a "
            "nat does the loss rise?"
        ),
        "again": "Guess again",
        "right": "You said {guess}, and so it is, to the nearest hundredth.",
        "tooLow": "You said {guess}. It is more: {truth}.",
        "tooHigh": "You said {guess}. It is less: {truth}, to the nearest hundredth.",
    },
    "tableHead": [
        "stored in",
        "bits",
        "base, own voices",
        "with noise",
        "task before",
        "task after (middle seed)",
        "least",
        "most",
        "merged, stored again",
        "adapter from float32",
    ],
    "tableRow": [
        "{name}",
        "{bits}",
        "{stored:.4f}",
        "{noise:.4f}",
        "{before:.4f}",
        "{final:.4f}",
        "{low:.4f}",
        "{high:.4f}",
        "{requantised:.4f}",
        "{moved:.4f}",
    ],
    "downloads": {"losses": "Losses (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project; a run takes some ten seconds.
from compute.model.checkpoint import load_base
from compute.model.quantised import quantised_model
from compute.training.config import TrainConfig
from compute.training.loop import evaluate, train

base = quantised_model(load_base(), "{base_format}")
print(f"the base as stored, on its own voices: {evaluate(base, '{task}').base_loss:.3f}")
# To finetune on it:
# *_, result = train(TrainConfig(task="{task}", base_format="{base_format}"))
# print(result.evaluation.validation_loss)
"""
