"""The quantised-base instrument: the mini-model stored in few bits, and what LoRA learns on it."""

from collections.abc import Iterable
from functools import cache
from statistics import fmean
from typing import Any

import param

from compute.experiments.qlora import BLOCKS, LEARNED, SEEDS, load_qlora
from compute.numbers.quantising import BLOCK, FLOAT32, bits_per_number
from compute.training.config import BASE_FORMATS
from compute.world.tasks import SKILL
from widgets.kit.choices import one_of
from widgets.kit.formats import BASE_NAMES
from widgets.kit.guess import guess_number
from widgets.kit.instrument import Instrument, Values
from widgets.kit.runs import LAB
from widgets.kit.text import fill, fill_code, name_of, slug
from widgets.quantised.words import NOTE, NOTES, SNIPPET, WORDS

ASKED = "nf4"


class Quantised(Instrument):
    """Store the base in a format: what that costs it, what LoRA learns on it, and what is left when that is merged.

    Vermilion is what storing costs, teal what LoRA learns beside it, grey the control: float32. Left out: formats and
    block sizes that were not recorded.
    """

    task = one_of(
        {slug(task): LAB[task][0] for task in LEARNED},
        default=slug(SKILL),
        label="Task",
        doc="What LoRA learns.",
    )
    format = param.Integer(
        default=BASE_FORMATS.index(ASKED),
        bounds=(0, len(BASE_FORMATS) - 1),
        label="Format",
        doc=f"Which of {', '.join(BASE_FORMATS)} the frozen layers are stored in, the first being 0.",
    )
    guess = guess_number(3)

    keyed_by = ("task",)
    sheets = ("quantised/quantised",)
    parts = ("task", "steps", "guess", "readouts", "stored", "table", "code", "share")
    says = ("label", "name", "note")
    pictured = ({"curve lost": 2, "curve kept": 4},)

    def make_arrays(self) -> dict[str, Any]:
        """Return what is right in all formats."""
        recorded, task = load_qlora(), name_of(self.task)
        return {
            "key": self.task,
            "note": fill(NOTE, {"note": NOTES[task], "seeds": len(SEEDS), "recorded": recorded.recorded}),
            "formats": BASE_FORMATS,
            "blocks": BLOCKS,
            "block": BLOCKS.index(BLOCK),
            "stored": recorded.stored,
            "values": [_at(task, name) for name in BASE_FORMATS],
            "truth": round(100 * recorded.stored[ASKED][BLOCKS.index(BLOCK)]),
            "snippet": SNIPPET,
        }

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use."""
        return _at(name_of(self.task), BASE_FORMATS[self.format])

    def sentence(self) -> str:
        """Say in one sentence what storing costs, and what LoRA has right on it."""
        return fill(WORDS["sentence"], self.values())

    def rows(self) -> Iterable[Values]:
        """Return the values of all formats."""
        return (_at(name_of(self.task), name) for name in BASE_FORMATS)

    def snippet(self) -> str:
        """Return code that prints what is right."""
        return fill_code(SNIPPET, self.values())


@cache
def _at(task: str, base_format: str) -> dict[str, Any]:
    """Return every number about a format."""
    recorded = load_qlora()
    of, plain = recorded.of(task, base_format), recorded.of(task, FLOAT32)
    bits = 32.0 if base_format == FLOAT32 else bits_per_number(base_format)
    return {
        "name": BASE_NAMES[base_format][1],
        "base_format": base_format,
        "bits": f"{bits:g}",
        "label": LAB[task][0],
        "task": task,
        "rate": f"{of.rate:g}",
        "stored": recorded.stored[base_format][BLOCKS.index(BLOCK)],
        "plain_stored": recorded.stored[FLOAT32][BLOCKS.index(BLOCK)],
        "before": recorded.before[task][base_format],
        "right": fmean(of.right),
        "low": min(of.right),
        "high": max(of.right),
        "plain": fmean(plain.right),
        "plain_low": min(plain.right),
        "plain_high": max(plain.right),
        "requantised": fmean(of.requantised),
        "moved": fmean(of.moved),
        "facts": fmean(of.facts),
    }
