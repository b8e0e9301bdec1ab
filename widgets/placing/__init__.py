"""The placing instrument: tick where the adapters sit, under one budget, and see what was measured there."""

from collections.abc import Iterable
from typing import Any

import param

from compute.adapters.placing import BUDGET, MOST, apart, as_config, cells, numbers_at, rank_within
from compute.experiments.placing import ATTENTION, CODES, MLP, RATE, STEPS, Placed, load_placing
from compute.model.layers import BLOCKS, SHAPES, TARGET_MODULES
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_option
from widgets.kit.instrument import Instrument, Values
from widgets.kit.text import fill
from widgets.placing.words import (
    BLOCK_NAMES,
    FAMILIES,
    LAB,
    NOTHING,
    SHORT_BLOCKS,
    SNIPPET,
    SOME_BLOCKS,
    TASKS,
    WORDS,
)
from widgets.placing.words import GROUPS as GROUP_NAMES

BY_SLUG = {slug: task for task, (slug, _) in TASKS.items()}
KINDS = len(TARGET_MODULES)
PAPER = "707000"  # q_proj and v_proj in all blocks


class Placing(Instrument):
    """Tick matrices and blocks: the rank that the budget allows, the numbers that learn, and the loss if recorded.

    Teal is the chosen set, grey the other recorded ones; dashed grey are the controls, the base as it was and full
    finetuning. Left out: other budgets, and most of the sets that can be ticked.
    """

    task = one_of(
        {slug: label for slug, label in TASKS.values()},
        default="new-language",
        label="Task",
        doc="What is learned: a voice that the base half knows, or a new language.",
    )
    places = param.String(
        default=PAPER,
        regex=f"^[0-7]{{{KINDS}}}$",
        label="Places",
        doc="six digits from 0 to 7, one for each matrix: 1 for the first block, 2 for the middle, 4 for the last",
    )
    family = one_of(
        FAMILIES, default="matrices", label="Compare", doc="Which of the recorded sets the chart shows."
    )
    guess = guess_option(WORDS["guess"]["options"])

    keyed_by = ("task",)
    parts = ("choices", "guess", "matrix", "chart", "paper", "readouts", "live", "table", "code", "share")
    pictured = ({"bars lost": 3},)

    def make_arrays(self) -> dict[str, Any]:
        """Return all recorded sets of the task, and what counts the numbers of any other."""
        task, recorded = BY_SLUG[self.task], load_placing()
        alone = {name: self._placed(code) for name, code in zip(TARGET_MODULES, CODES, strict=False)}
        ends = {name: placed.final for name, placed in alone.items()}
        worst = max(ends, key=lambda name: ends[name])
        return {
            "key": self.task,
            "task": task,
            "lab": LAB[task],
            "label": TASKS[task][1],
            "steps": STEPS[task],
            "rate": RATE,
            "start": recorded.start[task],
            "full": recorded.full[task],
            "budget": BUDGET,
            "most": MOST,
            "shapes": SHAPES,
            "truth": worst,
            "worst": ends[worst],
            "best": min(ends.values()),
            "sets": [
                {"code": code, "label": label_of(code), "family": family_of(code)}
                | self._placed(code)._asdict()
                for code in CODES
            ],
            "about": f"Recorded {recorded.recorded}; {recorded.seconds / 60:.0f} minutes in all.",
            "snippet": SNIPPET,
            "someBlocks": SOME_BLOCKS,
            "nothing": NOTHING,
        }

    def _placed(self, code: str) -> Placed:
        return load_placing().runs[BY_SLUG[self.task]][code]

    def values(self, code: str | None = None) -> dict[str, Any]:
        """Return every number that the sentence may use; placing.js makes the same."""
        task, recorded = BY_SLUG[self.task], load_placing()
        code = self.places if code is None else code
        common = {
            "label": TASKS[task][1],
            "start": recorded.start[task],
            "full": recorded.full[task],
            "steps": STEPS[task],
        }
        if not cells(code):
            return common
        nearest = min(CODES, key=lambda each: apart(code, each))
        placed, r = self._placed(nearest), rank_within(code)
        numbers = numbers_at(code, r)
        over = numbers / BUDGET - 1
        off = "exact" if numbers == BUDGET else "more" if over > 0 else "less"
        return common | {
            "where": where(code),
            "r": r,
            "numbers": numbers,
            "off": fill(WORDS["off"][off], {"percent": abs(over)}),
            "nearest": where(nearest),
            "apart": apart(code, nearest),
            "final": placed.final,
            "one": placed.finals[0],
            "two": placed.finals[1],
        }

    def sentence(self) -> str:
        """Say in one sentence what is ticked, what it costs, and what was measured."""
        values = self.values()
        if "r" not in values:
            kind = "none"
        elif self.asks():
            kind = "veiled"
        else:
            kind = "other" if values["apart"] else "recorded"
        return fill(WORDS["sentences"][kind], values)

    def rows(self) -> Iterable[Values]:
        """Return the values of all recorded sets."""
        return map(self.values, CODES)

    def snippet(self) -> str:
        """Return code that puts the adapters there with PEFT and counts what learns."""
        if not cells(self.places):
            return NOTHING
        return fill(SNIPPET, self.values() | peft_names(self.places))


def where(code: str) -> str:
    """Name a set of places in words."""
    chosen = as_config(code)
    if chosen is None:
        return fill(WORDS["some"], {"count": len(cells(code)), "all": len(BLOCKS) * KINDS})
    names, layers = chosen
    digit = str(sum(1 << block for block in layers))
    mask = "".join("1" if name in names else "0" for name in TARGET_MODULES)
    if mask in GROUP_NAMES:
        named = GROUP_NAMES[mask]
    else:
        head = ", ".join(names[:-1])
        named = (head + WORDS["and"] if head else "") + names[-1]
    return fill(WORDS["where"], {"names": named, "blocks": BLOCK_NAMES[digit]})


def label_of(code: str) -> str:
    """Name a recorded set in the few letters that a row of the chart has."""
    names, layers = as_config(code) or ((), ())
    short = ", ".join(name.removesuffix("_proj") for name in names)
    short = {ATTENTION: "attention", MLP: "MLP", TARGET_MODULES: "all six"}.get(names, short)
    digit = str(sum(1 << block for block in layers))
    return short if digit == "7" else f"{short}, {SHORT_BLOCKS[digit]}"


def family_of(code: str) -> list[str]:
    """Say in which comparisons a recorded set stands."""
    names, layers = as_config(code) or ((), ())
    found = ["matrices"] if len(layers) == len(BLOCKS) else []
    if names in (ATTENTION, MLP, TARGET_MODULES):
        found.append("blocks")
    if len(names) == len(layers) == 1:
        found.append("single")
    return found


def peft_names(code: str) -> dict[str, str]:
    """Return target_modules and the lines about blocks as PEFT's config has them."""
    chosen = as_config(code)
    if chosen is None:
        kinds = dict.fromkeys(ATTENTION, "attention") | dict.fromkeys(MLP, "mlp")
        listed = "".join(f'\n        "blocks.{block}.{kinds[name]}.{name}",' for name, block in cells(code))
        return {"modules": f"[{listed}\n    ]", "blocks": ""}
    names, layers = chosen
    quoted = ", ".join(f'"{name}"' for name in names)
    told = ", ".join(map(str, layers))
    some = "" if len(layers) == len(BLOCKS) else fill(SOME_BLOCKS, {"layers": f"[{told}]"})
    return {"modules": f"[{quoted}]", "blocks": some}
