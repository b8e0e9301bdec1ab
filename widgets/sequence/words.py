"""What the sequence instrument says: tasks in their order, ways to learn them, sentences, code."""

from typing import Any

from compute.experiments.after import EACH, ONE
from compute.experiments.runs import FULL, FULL_SLOW
from widgets.kit.guess import WORDS as GUESS

VOICES = {
    "legal": "legal voice",
    "medical": "medical voice",
    "code": "code voice",
    "new language": "new language",
    "base": "base's own voices",
}
# Of a way: key of its values, name at a curve, class of the curve.
WAYS_TOLD = {
    ONE: ("one", "one adapter", "kept"),
    EACH: ("each", "an adapter each", "kept second"),
    FULL: ("full", "full, fast", "control-1"),
    FULL_SLOW: ("slow", "full, slow", "control-0"),
}

TITLE = "Three tasks in a row"
CAPTION = (
    "Across: how many tasks are learned. One picture for each task, one for the base's own voices. Sentences ended "
    "in the voice: the model gets the first two words of unseen sentences of that voice, and the exact classifier "
    "tells whether what it writes is a sentence of it; two hundred for each point. Losses are on unseen sentences. "
    "Teal: one adapter trained on and on; dotted, an adapter for each task, each task asked of its own, and the "
    "base's own voices without any. Grey: full finetuning, dashed at the usual rate and dotted at a third of it. "
    "Lines are means of two seeds, the band reaches from one to the other for the one adapter. Left out: other "
    "orders and ranks."
)

WORDS: dict[str, Any] = {
    "stageLabel": "Tasks learned",
    "stages": ["none yet", "{first}", "{first}, {second}", "{first}, {second}, {third}"],
    "ticks": ["none", "1st", "2nd", "3rd"],
    "sentences": {
        "share": (
            "After {told}: of sentences begun in the {voice}, one adapter trained on and on ends {one:.0%} in it, full "
            "finetuning {full:.0%}, slower full finetuning {slow:.0%}, and an adapter for each task {each:.0%}. The "
            "base alone ends {before:.0%}."
        ),
        "loss": (
            "After {told}: on unseen sentences of the {voice}, one adapter trained on and on has a loss of {one:.2f} "
            "nats per token, full finetuning {full:.2f}, slower full finetuning {slow:.2f}, and an adapter for each "
            "task {each:.2f}. The base alone has {before:.2f}."
        ),
    },
    "untold": "no task",
    "recorded": "Recorded {recorded}.",
    "veiled": "Three tasks, one after the other: how much is left of the first, the {voice}?",
    "readouts": {
        "one": "One adapter, {voice}",
        "each": "An adapter each",
        "full": "Full finetuning",
        "slow": "Full, slower",
    },
    "readoutValues": {
        name: {"share": f"{{{name}:.0%}}", "loss": f"{{{name}:.2f}}"}
        for name in ("one", "each", "full", "slow")
    },
    "titles": {
        "share": "{place}: {voice}, sentences ended in it",
        "loss": "{place}: {voice}, loss (nats per token)",
        "base": "The base's own voices, loss (nats per token)",
    },
    "places": ["First task", "Second task", "Third task"],
    "x": "tasks learned",
    "probe": {"share": "{name} {value:.1%}", "loss": "{name} {value:.3f}", "all": "{told}: {each}"},
    "guess": {
        **GUESS,
        "question": (
            "Guess first. One adapter learns the {first}, then the {second}, then the {third}. After that: of a "
            "hundred sentences begun in the {first}, how many does it still end in it? The base "
            "alone ends {before:.0%}."
        ),
        "field": "My guess, of a hundred:",
        "again": "Guess for this order",
        "right": "You said {guess} for the {first}, and {truth} it is.",
        "tooLow": "You said {guess} for the {first}. More is left: {truth}.",
        "tooHigh": "You said {guess} for the {first}. Less is left: {truth}.",
    },
    "tableHead": ["way", "seed", "tasks learned"],
    "downloads": {"stages": "Stages (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
from compute.experiments.after import SEEDS, load_after

runs = load_after().sequences[{order}]
for way, seeds in runs.items():
    values = [stages[{stage}].{measure}[{voice}] for stages in seeds]
    print(f"{way}: {sum(values) / len(SEEDS):.3f}")
"""
