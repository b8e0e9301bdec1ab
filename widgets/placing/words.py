"""What the placing instrument says: names of places and sets, templates, code."""

from typing import Any

from compute.adapters.placing import BUDGET, code_of
from compute.experiments.placing import ATTENTION, CODES, MLP, SEEDS, TASKS
from compute.model.layers import TARGET_MODULES
from compute.world.tasks import FACTS
from widgets.kit.guess import WORDS as GUESS
from widgets.kit.runs import LAB

LABELS = {task: LAB[task][0] for task in TASKS} | {FACTS: f"{TASKS[FACTS]['n_texts']} new facts"}
SHOWN_LABELS = {"loss": "Loss on the task", "right": "Task right", "facts": "Old facts still right"}
BLOCK_NAMES = {"1": "the first block", "2": "the middle block", "4": "the last block"} | {
    "3": "the first two blocks",
    "6": "the last two blocks",
    "5": "the first and the last block",
    "7": "all blocks",
}
SHORT_BLOCKS = {
    "1": "first",
    "2": "middle",
    "4": "last",
    "3": "first two",
    "6": "last two",
    "5": "first + last",
}


def _mask(names: tuple[str, ...]) -> str:
    return "".join("1" if name in names else "0" for name in TARGET_MODULES)


GROUPS = {
    _mask(ATTENTION): "all of attention",
    _mask(MLP): "both MLP matrices",
    _mask(TARGET_MODULES): "all six matrices",
}
GUESSED = {  # what stands to choose, by its name in an address
    "qk": ("q_proj and k_proj", ("q_proj", "k_proj")),
    "qv": ("q_proj and v_proj", ("q_proj", "v_proj")),
    "mlp": (GROUPS[_mask(MLP)], MLP),
}
FAMILIES = {
    "matrices": "Which matrices, in all blocks",
    "blocks": "Which blocks, all six matrices",
}
# Hu et al. 2021, table 5: adapters in all blocks of GPT-3, accuracy in percent.
PAPER = {
    ("q_proj",): (8, "70.4", "91.0"),
    ("k_proj",): (8, "70.0", "90.8"),
    ("v_proj",): (8, "73.0", "91.0"),
    ("o_proj",): (8, "73.2", "91.3"),
    ("q_proj", "k_proj"): (4, "71.4", "91.3"),
    ("q_proj", "v_proj"): (4, "73.7", "91.3"),
    ATTENTION: (2, "73.7", "91.7"),
}
_WHERE = "Adapters in {where}, r = {r}: {numbers:,d} numbers learn, {off}. "
_REACHED = (
    _WHERE
    + "At {rate}, its best rate, {steps} steps of “{label}” end at {final:.3f} nats per word, {right:.0%} of the "
    "task is right, and {facts:.0%} of the old facts are left"
)
TITLE = "Where to put the adapters"
CAPTION = (
    f"Every set has the rank that brings it closest to a budget of {BUDGET:,d} numbers, and the learning rate at which "
    "its first seed does best on validation texts. Rows: what the seeds reach at that rate, on test texts; the ends "
    "of a bar are the lowest and the highest, the dot is their mean. The axis of the loss is logarithmic. Curves: the "
    "validation loss at each rate that was tried, of the set that is ticked and, grey, of all six matrices; the "
    "upright line is the rate that was taken. Teal is the set that is ticked, upright dashed lines are the controls, "
    "the base and full finetuning at its own best rate. AdamW, alpha = 2 r, 32 texts in a step. New facts are there "
    "to be remembered, so there is no unseen text. Left out: other budgets, longer runs, and most of the sets that "
    "can be ticked."
)
PUBLISHED = f"{len(CODES)} sets of places on each task"
ABOUT = f"{len(SEEDS)} seeds of each set. Recorded {{recorded}}."

WORDS: dict[str, Any] = {
    "sentences": {
        "none": "Nothing is ticked, so nothing can learn: the loss on “{label}” stays at {start:.3f} nats per word.",
        "veiled": _WHERE + "How far does the loss on “{label}” come down from {start:.3f} nats per word?",
        "six": _REACHED + ". The other sets are compared with this one.",
        "above": _REACHED + ". All six matrices end {gap:.3f} lower (95 % interval {near:.3f} to {far:.3f}).",
        "below": _REACHED
        + ". All six matrices end {gap:.3f} higher (95 % interval {near:.3f} to {far:.3f}).",
        "level": _REACHED
        + ". Compared with all six matrices that is {gap:+.3f} (95 % interval {near:+.3f} to {far:+.3f}): {seeds} "
        "seeds cannot tell them apart.",
        "other": _WHERE + "What it comes to was not recorded.",
    },
    "off": {
        "exact": "the budget exactly",
        "more": "{percent:.0%} over the budget",
        "less": "{percent:.0%} under it",
    },
    "blocks": BLOCK_NAMES,
    "groups": GROUPS,
    "where": "{names} in {blocks}",
    "and": " and ",
    "some": "{count} of {all} places",
    "matrix": "Where the adapters sit",
    "heads": ["matrix", "first block", "middle block", "last block", "one adapter"],
    "cell": "{name}, {block}",
    "shape": "{out} × {into}: {numbers:,d}",
    "all": "all",
    "allOf": "all of {name}",
    "presets": "Take a recorded set",
    "own": "your own",
    "families": FAMILIES,
    "live": "Run this set in the live lab",
    "notLive": (
        "The live lab takes whole rows of whole columns. PEFT takes any set: the code below names each place."
    ),
    "readouts": {
        "rank": "Rank r for the budget",
        "trained": "Numbers that learn",
        "rate": "Best learning rate",
        "final": "Loss, mean and seeds",
        "apart": "Above all six, 95 % interval",
        "right": "Task right",
        "old": "Old facts right; the base",
        "floor": "Full finetuning: loss, task right, old facts",
    },
    "readoutValues": {
        "rank": "{r}",
        "trained": "{numbers:,d}",
        "rate": "{rate}",
        "final": "{final:.3f}, {low:.3f} to {high:.3f}",
        "apart": "{above:+.3f}, {above_low:+.3f} to {above_high:+.3f}",
        "right": "{right:.1%}",
        "old": "{facts:.1%}; {known:.1%}",
        "floor": "{full:.3f}, {full_right:.1%}, {full_facts:.1%}",
    },
    "charts": {
        "sets": {
            "title": "The recorded sets, under one budget",
            "x": {
                "loss": "nats per word, on test texts",
                "right": "share of the task that is right, on test texts",
                "facts": "share of old facts that are still right",
            },
        },
        "rates": {
            "title": "Loss on validation texts by learning rate, first seed",
            "x": "learning rate",
            "probe": "learning rate {rate}: {loss:.3f} nats per word",
            "diverged": "learning rate {rate}: diverged",
            "none": "learning rate {rate}: not recorded",
        },
    },
    "paper": {
        "title": "What LoRA's authors measured: GPT-3, one budget of 18 million numbers, accuracy in percent",
        "heads": ["adapters in", "r", "WikiSQL", "MNLI"],
        "rows": [
            [code_of(names), ", ".join(name.removesuffix("_proj") for name in names), *map(str, told)]
            for names, told in PAPER.items()
        ],
        "source": "Hu et al. 2021, table 5. Their stated spread is 0.5 either way on WikiSQL, 0.1 on MNLI.",
    },
    "base": "base",
    "full": "full finetuning",
    "guess": {
        **GUESS,
        "question": (
            "Guess first. “{label}”, one budget of {budget:,d} numbers, adapters in only one of these sets, in all "
            "blocks: which one gets least far?"
        ),
        "options": [[name, label] for name, (label, _) in GUESSED.items()],
        "again": "Guess for this task",
        "right": "You said {guess}, which is right: {worst:.3f} nats, where the best of the three has {best:.3f}.",
        "wrong": "You said {guess}. It is {truth}: {worst:.3f} nats, where the best of the three has {best:.3f}.",
    },
    "tableHead": [
        "adapters in",
        "r",
        "numbers",
        "loss",
        "above all six",
        "95 % from",
        "to",
        "task right",
        "old facts right",
        "stories right",
        "learning rate",
    ],
    "tableRow": [
        "{where}",
        "{r}",
        "{numbers:,d}",
        "{final:.4f}",
        "{above:+.4f}",
        "{above_low:+.4f}",
        "{above_high:+.4f}",
        "{right:.1%}",
        "{facts:.1%}",
        "{stories:.1%}",
        "{rate}",
    ],
    "downloads": {"sets": "Losses (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
from peft import LoraConfig, get_peft_model

from compute.model.checkpoint import load_base

config = LoraConfig(
    r={r},
    lora_alpha=2 * {r},
    target_modules={modules},{blocks}
)
model = get_peft_model(load_base(), config)
learn, _ = model.get_nb_trainable_parameters()
print(f"r = {r}: {learn:,d} numbers learn")
"""
SOME_BLOCKS = """
    layers_to_transform={layers},
    layers_pattern="blocks","""
NOTHING = 'print("Nothing is ticked: no number learns.")\n'
