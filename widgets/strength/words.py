"""What the strength instrument says: title and caption, labels, sentences, code."""

from typing import Any

from widgets.kit.guess import WORDS as GUESS
from widgets.kit.runs import RUNS_RECORDED

TITLE = "Turn the adapter up and down"
CAPTION = (
    "The strength is what delta_w is multiplied by before it is added to the base: 0 adds nothing, 1 is the "
    "adapter as it was trained, 2 adds it twice. Teal is the mean loss on sentences of the task that no run trains "
    "on; its axis need not start at zero. Vermilion is the mean loss on the base's own voices: what it gains has "
    "been forgotten. Both are measured at each quarter, with straight lines between. The grey lines are the "
    "control, the end of full finetuning. The samples come from the same throws of the dice. Left out: strengths "
    "below 0 and above 2, and other seeds."
)
PUBLISHED = RUNS_RECORDED

LOSS = "At strength {strength:.2f} “{label}” has a loss of {loss:.2f} nats per token on the task"
BASE = "On the base's own voices it has {base:.2f}"
ENDS = (
    " The base alone has {loss_before:.2f} and {base_before:.2f}, full finetuning ends at {full_loss:.2f} and "
    "{full_base:.2f}."
)

SENTENCES = {
    "shares": f"{LOSS}: {{kept:.0%}} of the fall that strength 1 brings. {BASE}: {{lost:.0%}} of the rise.{ENDS}",
    "losses": f"{LOSS}. {BASE}.{ENDS}",
}
WORDS: dict[str, Any] = {
    "sentences": SENTENCES,
    "dialLabel": "Strength",
    "dial": "{strength:.2f} / {last:.2f}",
    "curves": {"adapter": "LoRA", "full": "full finetuning"},
    "tick": "{strength:.1f}",
    "charts": {
        "task": {
            "title": "Loss on the task, unseen sentences (nats per token)",
            "x": "strength: 0 without delta_w, 1 as trained",
            "probe": "strength {strength:.2f}: {loss:.3f} nats; full finetuning {full_loss:.3f}",
        },
        "base": {
            "title": "Forgetting: loss on the base's own voices (nats per token)",
            "x": "strength: 0 without delta_w, 1 as trained",
            "probe": "strength {strength:.2f}: {base:.2f} nats; full finetuning {full_base:.2f}",
        },
    },
    "samples": {"base": "The base writes", "adapted": "With the adapter at strength {strength:.2f}"},
    "guess": {
        **GUESS,
        "question": (
            "Guess first. At strength 1 “{label}” takes the loss on its task from {before:.2f} to {after:.2f}. At half "
            "that strength, how many percent of this fall are left?"
        ),
        "field": "My guess, in percent:",
        "again": "Guess for this run",
        "right": "You said {guess}% for “{label}”, and {truth}% it is.",
        "tooLow": "You said {guess}% for “{label}”. Half the strength keeps more: {truth}%.",
        "tooHigh": "You said {guess}% for “{label}”. Half the strength keeps less: {truth}%.",
        "truthMark": "{truth}% of the fall",
    },
    "tableHead": ["strength", "task", "base's own voices", "full: task", "full: base's own voices"],
    "tableRow": ["{strength:.2f}", "{loss:.3f}", "{base:.3f}", "{full_loss:.3f}", "{full_base:.3f}"],
    "downloads": {"curves": "Curves (CSV)", "picture": "Picture (SVG)"},
}
STAYS = "Its embeddings were trained too. They stay as they are, whatever the strength."
IMPORTS = """from compute.adapters.layer import merge
from compute.model.checkpoint import load_base
from compute.adapters.peft_format import AdapterFiles, load_adapter
"""
PRINT_LOSS = """model = load_adapter(load_base(), files)
there = evaluate(merge(model, strength={strength}), {task})
print(f"loss at strength {strength:.2f}: {there.validation_loss:.2f} nats per token")
"""
TRAIN_AGAIN = """from compute.training.config import TrainConfig
from compute.training.loop import evaluate, train

*_, result = train(TrainConfig({config}))
files = AdapterFiles(result.weights, result.adapter_config)
"""
READ_FILES = """from compute.training.loop import evaluate
from pathlib import Path

weights = Path("adapter_model.safetensors").read_bytes()
files = AdapterFiles(weights, Path("adapter_config.json").read_text())
"""
