"""The placing instrument: tick where the adapters sit, under one budget, and see what was measured there."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import param

from compute.adapters.placing import BUDGET, MOST, as_config, cells, code_of, numbers_at, rank_within
from compute.experiments.placing import (
    ALL,
    ATTENTION,
    CODES,
    FULL,
    GROUPS,
    MLP,
    PER_SEED,
    SEEDS,
    TASKS,
    load_placing,
)
from compute.model.layers import BLOCKS, SHAPES, TARGET_MODULES
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_option
from widgets.kit.instrument import Instrument, Values
from widgets.kit.languages import say
from widgets.kit.text import fill, fill_code, name_of, slug
from widgets.placing.words import (
    ABOUT,
    BLOCK_NAMES,
    FAMILIES,
    GUESSED,
    LABELS,
    NOTHING,
    SHORT_BLOCKS,
    SHOWN_LABELS,
    SNIPPET,
    SOME_BLOCKS,
    WORDS,
)
from widgets.placing.words import GROUPS as GROUP_NAMES

KINDS = len(TARGET_MODULES)
PAPER = "707000"  # q_proj and v_proj in all blocks
DECIMALS = 5


class Placing(Instrument):
    """Tick matrices and blocks: the rank that the budget allows, the numbers that learn, and the loss if recorded.

    Teal is the chosen set, grey the other recorded ones; dashed grey are the controls, the base as it was and full
    finetuning. Left out: other budgets, and most of the sets that can be ticked.
    """

    task = one_of(
        {slug(task): LABELS[task] for task in TASKS},
        default=slug("formal voice"),
        label="Task",
        doc="What is learned: a style, a skill, or facts.",
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
    shown = one_of(SHOWN_LABELS, default="loss", label="Measure", doc="What the chart shows of them.")
    guess = guess_option(WORDS["guess"]["options"])

    keyed_by = ("task",)
    sheets = ("placing/placing",)
    parts = ("choices", "guess", "matrix", "chart", "paper", "readouts", "live", "table", "code", "share")
    pictured = ({"bars lost": 3},)

    def make_arrays(self) -> dict[str, Any]:
        """Return all recorded sets of the task, and what counts the numbers of any other."""
        task = self._task
        recorded, steps = load_placing(), TASKS[task]["steps"]
        asked = {name: recorded.runs[task][code_of(names)].mean() for name, (_, names) in GUESSED.items()}
        worst = max(asked, key=asked.__getitem__)
        lab = {"task": task, "steps": steps, "full_learning_rate": recorded.runs[task][FULL].rate}
        return {
            "key": self.task,
            "common": _common(task),
            "rates": _rates(task),
            "controls": {
                name: [recorded.before[task][name], recorded.runs[task][FULL].mean(name)]
                for name in SHOWN_LABELS
            },
            "budget": BUDGET,
            "most": MOST,
            "shapes": SHAPES,
            "all": ALL,
            "truth": worst,
            "worst": asked[worst],
            "best": min(asked.values()),
            "sets": [_set(task, code) for code in CODES],
            "lab": lab | ({"facts": TASKS[task]["n_texts"]} if "n_texts" in TASKS[task] else {}),
            "about": fill(ABOUT, {"recorded": recorded.recorded}),
            "snippet": SNIPPET,
            "someBlocks": SOME_BLOCKS,
            "nothing": NOTHING,
        }

    @property
    def _task(self) -> str:
        return name_of(self.task)

    def values(self, code: str | None = None) -> dict[str, Any]:
        """Return every number that the sentence may use; placed.js makes the same."""
        task = self._task
        code = self.places if code is None else code
        if not cells(code):
            return _common(task)
        r = rank_within(code)
        numbers = numbers_at(code, r)
        over = numbers / BUDGET - 1
        off = "exact" if numbers == BUDGET else "more" if over > 0 else "less"
        ticked = {
            "where": where(code),
            "r": r,
            "numbers": numbers,
            "off": fill(WORDS["off"][off], {"percent": abs(over)}),
        }
        return _common(task) | ticked | (_measured(task, code) if code in CODES else {})

    def sentence(self) -> str:
        """Say in one sentence what is ticked, what it costs, and what was measured."""
        values = self.values()
        if "r" not in values:
            kind = "none"
        elif self.asks():
            kind = "veiled"
        else:
            kind = values.get("case", "other")
        return fill(WORDS["sentences"][kind], values)

    def rows(self) -> Iterable[Values]:
        """Return the values of all recorded sets."""
        return map(self.values, CODES)

    def snippet(self) -> str:
        """Return code that puts the adapters there with PEFT and counts what learns."""
        if not cells(self.places):
            return NOTHING
        return fill_code(SNIPPET, self.values() | peft_names(self.places))


def _common(task: str) -> dict[str, Any]:
    """Return the numbers of a task that hold for every set."""
    recorded = load_placing()
    full = recorded.runs[task][FULL]
    return {
        "label": LABELS[task],
        "start": recorded.before[task]["loss"],
        "known": recorded.before[task]["facts"],
        "full": round(full.mean(), DECIMALS),
        "full_right": round(full.mean("right"), DECIMALS),
        "full_facts": round(full.mean("facts"), DECIMALS),
        "full_rate": f"{full.rate:g}",
        "steps": TASKS[task]["steps"],
        "seeds": len(SEEDS),
    }


@cache
def _measured(task: str, code: str) -> dict[str, Any]:
    """Return what a recorded set came to, and how far from all six; kept, so do not write to it."""
    placed, gap = load_placing().runs[task][code], load_placing().apart(task, code)
    case = "six" if code == ALL else gap.verdict
    less = case == "below"
    ends = (-gap.high, -gap.low) if less else (gap.low, gap.high)
    return {
        "rate": f"{placed.rate:g}",
        "final": round(placed.mean(), DECIMALS),
        "low": min(placed.loss),
        "high": max(placed.loss),
        "right": round(placed.mean("right"), DECIMALS),
        "facts": round(placed.mean("facts"), DECIMALS),
        "stories": round(placed.mean("stories"), DECIMALS),
        "case": case,
        "gap": round(-gap.mean if less else gap.mean, DECIMALS),
        "near": round(ends[0], DECIMALS),
        "far": round(ends[1], DECIMALS),
        "above": round(gap.mean, DECIMALS),
        "above_low": round(gap.low, DECIMALS),
        "above_high": round(gap.high, DECIMALS),
    }


def _rates(task: str) -> list[str]:
    """Return the learning rates that any set was tried with, ascending."""
    sets = [load_placing().runs[task][code] for code in CODES]
    return sorted({rate for placed in sets for rate in placed.tried}, key=float)


def _set(task: str, code: str) -> dict[str, Any]:
    """Return what the browser needs of a recorded set."""
    placed = load_placing().runs[task][code]
    return {
        "code": code,
        "label": label_of(code),
        "family": family_of(code),
        "tried": placed.tried,
        "measured": _measured(task, code),
        "seeds": {name: getattr(placed, name) for name in PER_SEED},
    }


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
        named = (head + say(WORDS["and"]) if head else "") + names[-1]
    return fill(WORDS["where"], {"names": named, "blocks": BLOCK_NAMES[digit]})


def label_of(code: str) -> str:
    """Name a recorded set in the few letters that a row of the chart has."""
    names, layers = as_config(code) or ((), ())
    short = ", ".join(name.removesuffix("_proj") for name in names)
    short = {ATTENTION: say("attention"), MLP: "MLP", TARGET_MODULES: say("all six")}.get(names, short)
    digit = str(sum(1 << block for block in layers))
    return short if digit == "7" else f"{short}, {say(SHORT_BLOCKS[digit])}"


def family_of(code: str) -> list[str]:
    """Say in which comparisons a recorded set stands."""
    names, layers = as_config(code) or ((), ())
    found = ["matrices"] if len(layers) == len(BLOCKS) and names in GROUPS else []
    return [*found, "blocks"] if names == TARGET_MODULES else found


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
    some = "" if len(layers) == len(BLOCKS) else fill_code(SOME_BLOCKS, {"layers": f"[{told}]"})
    return {"modules": f"[{quoted}]", "blocks": some}
