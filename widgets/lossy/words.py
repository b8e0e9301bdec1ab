"""What the instrument of lossy formats says: title and caption, labels, sentences, code."""

from typing import Any

TITLE = "What is lost, and what brings it back"
CAPTION = (
    "First chart: the share of facts that the base still has right as each format stores it, in vermilion, and with "
    "noise as large in each layer, in grey. Right, for the chosen format: the same share over r, with LoftQ's factors "
    "beside the coarse weights and no training, dashed, and with an adapter that was trained on the base's own texts, "
    "from lora_B = 0 and from LoftQ's factors, means of five seeds. Left out: formats that lose next to nothing are "
    "not trained on, and other numbers of steps."
)
NOTE = "The base of the world, {seeds} seeds, {steps} steps of repair. Recorded {recorded}."

_STORED = (
    "Stored in {name}, the base has {facts:.1%} of its facts right, where it had {plain:.1%}; noise as large leaves "
    "{noise:.1%}."
)
_CORRECTED = " LoftQ's factors with r = {r} bring it to {corrected:.1%} without any training."
WORDS: dict[str, Any] = {
    "sentences": {
        "plain": "As it is, the base has {facts:.1%} of its facts right.",
        "corrected": _STORED + _CORRECTED,
        "repaired": (
            f"{_STORED}{_CORRECTED} Trained on the base's own texts, an adapter with r = {{r}} brings {{zero:.1%}} "
            "from lora_B = 0 and {loftq:.1%} from LoftQ's factors."
        ),
    },
    "formatLabel": "Format",
    "readouts": {
        "facts": "Facts right, as stored",
        "stories": "Questions on stories right",
        "noise": "With noise as large",
        "corrected": "With LoftQ's factors, untrained",
        "repaired": "Repaired by training",
    },
    "readoutValues": {
        "facts": "{facts:.1%}",
        "stories": "{stories:.1%}",
        "noise": {"plain": "no noise", "corrected": "{noise:.1%}", "repaired": "{noise:.1%}"},
        "corrected": {
            "plain": "nothing to correct",
            "corrected": "{corrected:.1%}, r = {r}",
            "repaired": "{corrected:.1%}, r = {r}",
        },
        "repaired": {"plain": "not trained", "corrected": "not trained", "repaired": "{loftq:.1%}, r = {r}"},
    },
    "charts": {
        "stored": {
            "title": "Facts right, by format",
            "x": "what the layers are stored in",
            "curve": "as stored",
            "noise": "noise as large",
            "probe": "{name}: {facts:.1%} right, with noise as large {noise:.1%}",
        },
        "repaired": {
            "title": "Facts right with an adapter",
            "x": "rank r",
            "plain": "not stored in few bits",
            "stored": "as stored",
            "corrected": "LoftQ, untrained",
            "zero": "trained from lora_B = 0",
            "loftq": "trained from LoftQ",
            "probe": "r = {r}: untrained {corrected:.1%}",
            "trained": "r = {r}: untrained {corrected:.1%}, trained {zero:.1%}, from LoftQ {loftq:.1%}",
        },
    },
    "tableHead": [
        "format",
        "facts right",
        "stories right",
        "loss, nats per word",
        "noise: facts right",
        "LoftQ, untrained",
        "trained from lora_B = 0",
        "worst, best",
        "trained from LoftQ",
        "worst, best",
    ],
    "tableRow": [
        "{name}",
        "{facts:.1%}",
        "{stories:.1%}",
        "{loss:.3f}",
        "{noise_said}",
        "{corrected_said}",
        "{zero_said}",
        "{zero_ends}",
        "{loftq_said}",
        "{loftq_ends}",
    ],
    "unmeasured": "not measured",
    "downloads": {"curves": "Shares (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
from compute.experiments.lossy import load_lossy

stored = load_lossy().stored
print(f"float32: {stored['float32'].facts:.1%}, {base_format}: {stored['{base_format}'].facts:.1%} of the facts right")
"""
