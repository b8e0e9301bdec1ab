"""What the strength instrument says: title and caption, labels, sentences, code."""

from typing import Any

from widgets.kit.guess import WORDS as GUESS
from widgets.kit.runs import RUNS_RECORDED

TITLE = "Turn the adapter up and down"
CAPTION = (
    "The strength is what delta_w is multiplied by before it is added to the base: 0 adds nothing, 1 is the adapter as "
    "it was trained, 2 adds it twice. Teal is the mean loss on validation texts of the task; its axis need not start "
    "at zero. Vermilion is the share of facts that the base knew and that are still right. Both are measured at each "
    "quarter, with straight lines between. The grey lines are the control, the end of full finetuning. The samples "
    "come from the same throws of the dice. Left out: strengths below 0 and above 2, and other seeds."
)
PUBLISHED = RUNS_RECORDED

_LOSS = "At strength {strength:.2f} “{label}” has a loss of {loss:.2f} nats per word on the task"
_FACTS = "Of the facts that the base knew it has {facts:.0%} right"
_ENDS = (
    " The base alone has {loss_before:.2f} and {facts_before:.0%}, full finetuning ends at {full_loss:.2f} and "
    "{full_facts:.0%}."
)

SENTENCES = {
    "shares": f"{_LOSS}: {{kept:.0%}} of the fall that strength 1 brings. {_FACTS}: {{lost:.0%}} of that loss.{_ENDS}",
    "losses": f"{_LOSS}. {_FACTS}.{_ENDS}",
}
WORDS: dict[str, Any] = {
    "sentences": SENTENCES,
    "dialLabel": "Strength",
    "dial": "{strength:.2f} / {last:.2f}",
    "curves": {"adapter": "LoRA", "full": "full finetuning"},
    "tick": "{strength:.1f}",
    "charts": {
        "task": {
            "title": "Loss on the task (nats per word)",
            "x": "strength: 0 without delta_w, 1 as trained",
            "probe": "strength {strength:.2f}: {loss:.3f} nats; full finetuning {full_loss:.3f}",
        },
        "facts": {
            "title": "Forgetting: facts of the base that are still right",
            "x": "strength: 0 without delta_w, 1 as trained",
            "probe": "strength {strength:.2f}: {facts:.0%}; full finetuning {full_facts:.0%}",
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
    "tableHead": ["strength", "loss on the task", "old facts right", "full: loss", "full: old facts right"],
    "tableRow": ["{strength:.2f}", "{loss:.3f}", "{facts:.0%}", "{full_loss:.3f}", "{full_facts:.0%}"],
    "downloads": {"curves": "Curves (CSV)", "picture": "Picture (SVG)"},
}
STAYS = "Its embeddings were trained too. They stay as they are, whatever the strength."
IMPORTS = """from compute.adapters.layer import merge
from compute.model.checkpoint import load_base
from compute.adapters.peft_format import AdapterFiles, load_adapter
"""
PRINT_LOSS = """model = load_adapter(load_base(), files)
there = evaluate(merge(model, strength={strength}), {task}, n_texts={n_texts})
print(f"loss at strength {strength:.2f}: {there.validation_loss:.2f} nats per word")
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
