"""What the placing instrument says: names of places and sets, templates, code."""

from typing import Any

from compute.adapters.placing import BUDGET, code_of
from compute.experiments.placing import ATTENTION, CODES, MLP, OTHER_RATES, RATE, STEPS
from compute.model.layers import TARGET_MODULES
from compute.training.config import TrainConfig
from widgets.kit.guess import WORDS as GUESS

TASKS = {"legal": ("legal", "Legal voice"), "new language": ("new-language", "New language")}
# What the live lab, whose model has read another world, trains on instead.
LAB = {"legal": "formal voice", "new language": "new words"}
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
FAMILIES = {
    "matrices": "Which matrices, in all blocks",
    "blocks": "Which blocks",
    "single": "One matrix in one block",
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
WHERE = "Adapters in {where}, r = {r}: {numbers:,d} numbers learn, {off}. "
REACHED = "After {steps} steps of “{label}” the loss is {final:.3f} nats per token"
TITLE = "Where to put the adapters"
CAPTION = (
    f"Every set has the rank that brings it closest to a budget of {BUDGET:,d} numbers; the recorded ones come "
    "within a tenth. Chart: the loss on sentences that no run trains on, in nats per token. The ends of a bar are "
    f"two seeds, the dot is their mean, at learning rate {RATE:g}; hollow rings are the first seed at "
    f"{' and '.join(f'{rate:g}' for rate in OTHER_RATES)}. AdamW, alpha / r, alpha = {TrainConfig.alpha:g}; "
    f"{STEPS['legal']} steps of the legal voice, {STEPS['new language']} of the new language. Teal is the set that "
    "is ticked, dashed lines are the controls, the base and full finetuning. Left out: other budgets, longer runs, "
    "and most of the sets that can be ticked."
)
PUBLISHED = f"{len(CODES)} sets of places on each task"

WORDS: dict[str, Any] = {
    "sentences": {
        "none": "Nothing is ticked, so nothing can learn: the loss on “{label}” stays at {start:.3f} nats per token.",
        "veiled": WHERE + "How far does the loss on “{label}” come down from {start:.3f} nats per token?",
        "recorded": WHERE
        + REACHED
        + " ({one:.3f} and {two:.3f} with two seeds); the base has {start:.3f}, full "
        "finetuning {full:.3f}.",
        "other": WHERE
        + "This set is not recorded. The nearest one that is, {nearest} (places that differ: {apart}), "
        "ends at {final:.3f} nats per token.",
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
    "live": "Run this set in the live lab, on its own model",
    "notLive": (
        "The live lab takes whole rows of whole columns. PEFT takes any set: the code below names each place."
    ),
    "readouts": {
        "rank": "Rank r for the budget",
        "trained": "Numbers that learn",
        "final": "Loss reached",
        "other_rates": "At a third and at three times the rate",
    },
    "readoutValues": {
        "rank": "{r}",
        "trained": "{numbers:,d}",
        "final": "{final:.3f}",
        "other_rates": "{slower:.3f}, {faster:.3f}",
    },
    "charts": {
        "sets": {"title": "Loss reached by the recorded sets, under one budget", "x": "nats per token"}
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
            "Guess first. “{label}”, one budget of {budget:,d} numbers: if only one kind of matrix is adapted, in all "
            "blocks, which one gets least far?"
        ),
        "options": [[name, name] for name in TARGET_MODULES],
        "again": "Guess for this task",
        "right": "You said {guess}, and so it is: {worst:.3f} nats, where the best of the six has {best:.3f}.",
        "wrong": "You said {guess}. It is {truth}: {worst:.3f} nats, where the best of the six has {best:.3f}.",
    },
    "tableHead": ["adapters in", "r", "numbers", "loss", "seed 0", "seed 1"],
    "tableRow": ["{where}", "{r}", "{numbers:,d}", "{final:.4f}", "{one:.4f}", "{two:.4f}"],
    "downloads": {"sets": "Losses (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
from peft import LoraConfig, get_peft_model

from compute.model.checkpoint import load_base

config = LoraConfig(
    r={r},
    lora_alpha=8,
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
