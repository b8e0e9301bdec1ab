"""The quantised-base instrument: the mini-model stored in few bits, before and after LoRA learns on it."""

from collections.abc import Iterable
from typing import Any

import param

from compute.experiments.qlora import BLOCKS, LEARNED_TASKS, STEPS, QuantisedRun, final_losses, load_qlora
from compute.experiments.qlora import stored_loss as stored_in
from compute.experiments.runs import FULL, load
from compute.numbers.quantising import FLOAT32, bits_per_number
from compute.training.config import BASE_FORMATS
from widgets.kit.choices import one_of
from widgets.kit.formats import BASE_NAMES
from widgets.kit.guess import guess_number
from widgets.kit.instrument import Instrument, Values
from widgets.kit.runs import TASKS
from widgets.kit.text import fill, name_of, slug
from widgets.quantised.words import SNIPPET, WORDS

MOST_GUESSED = 100  # hundredths of a nat
ASKED = "nf4"


class Quantised(Instrument):
    """Replay LoRA on a base in each format: the damage by storing alone, learning, and what is left at the end.

    Vermilion is what storing costs, teal what LoRA learns on it, grey the control: the same on the float32 base, and
    full finetuning. Left out: formats and block sizes that no run was recorded with.
    """

    task = one_of(
        {slug(task): TASKS[slug(task)][0] for task in LEARNED_TASKS},
        default="legal",
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
    parts = ("task", "steps", "guess", "readouts", "stored", "table", "code", "share")

    def runs(self, base_format: str) -> list[QuantisedRun]:
        """Return the runs of the task on a format, one for each seed."""
        return load_qlora().runs[name_of(self.task)][base_format]

    def make_arrays(self) -> dict[str, Any]:
        """Return the losses of all formats on the task, and those of the base as stored."""
        label, note = TASKS[self.task]
        recorded = load_qlora()
        return {
            "key": self.task,
            "label": label,
            "note": f"{note} Recorded {recorded.recorded}.",
            "task": name_of(self.task),
            "formats": BASE_FORMATS,
            "blocks": BLOCKS,
            "steps": STEPS,
            "stored": recorded.stored,
            "curves": {name: _curves(self.runs(name)) for name in BASE_FORMATS},
            "values": [self.at(name) for name in BASE_FORMATS],
            "full": load(name_of(self.task), FULL).validation_loss[-1],
            "truth": round(100 * (stored_in(ASKED) - stored_in(FLOAT32))),
            "most": MOST_GUESSED,
            "snippet": SNIPPET,
        }

    def at(self, base_format: str) -> dict[str, Any]:
        """Return every number about a format."""
        runs, plain = self.runs(base_format), self.runs(FLOAT32)
        finals, plain_finals = final_losses(runs), final_losses(plain)
        bits = 32.0 if base_format == FLOAT32 else bits_per_number(base_format)
        return {
            "name": BASE_NAMES[base_format][1],
            "base_format": base_format,
            "bits": f"{bits:g}",
            "label": TASKS[self.task][0],
            "task": name_of(self.task),
            "stored": stored_in(base_format),
            "plain_stored": stored_in(FLOAT32),
            "noise": _middle(load_qlora().noise[base_format]),
            "before": runs[0].validation_loss[0],
            "final": _middle(finals),
            "low": min(finals),
            "high": max(finals),
            "plain_final": _middle(plain_finals),
            "plain_low": min(plain_finals),
            "plain_high": max(plain_finals),
            "requantised": _middle([run.requantised for run in runs]),
            "moved": _middle([run.moved for run in runs]),
        }

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use."""
        return self.at(BASE_FORMATS[self.format])

    def sentence(self) -> str:
        """Say in one sentence what storing costs, and where LoRA ends on it."""
        return fill(WORDS["sentence"], self.values())

    def rows(self) -> Iterable[Values]:
        """Return the values of all formats."""
        return map(self.at, BASE_FORMATS)

    def snippet(self) -> str:
        """Return code that stores the base and measures it."""
        return fill(SNIPPET, self.values())


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _curves(runs: list[QuantisedRun]) -> dict[str, list[float]]:
    at_step = list(zip(*(run.validation_loss for run in runs), strict=True))
    return {
        "low": [min(losses) for losses in at_step],
        "middle": [_middle([*losses]) for losses in at_step],
        "high": [max(losses) for losses in at_step],
    }
