"""The strength instrument: turn an adapter up and down, and watch what it knows and what it forgets."""

from collections.abc import Iterable
from typing import Any, ClassVar, Self

import param

from compute.experiments.runs import FULL, LAB_FACTS
from compute.training.config import STRENGTHS, TrainConfig
from compute.training.gathered import Run
from widgets.kit.guess import guess_number
from widgets.kit.instrument import Instrument, Values
from widgets.kit.languages import say
from widgets.kit.runs import LAB_LABELS, OfRecordedRun, runs_of
from widgets.kit.text import fill, fill_code, slug
from widgets.strength.words import IMPORTS, PRINT_LOSS, READ_FILES, SENTENCES, STAYS, TRAIN_AGAIN

TRAINED = STRENGTHS.index(1)  # places on the dial: the adapter as it was trained, and half of it
HALF = STRENGTHS.index(0.5)
SHOWN = 2  # texts at each strength: a single file holds those of all runs
LEAST = 0.02  # nats, or of all facts: shares of a smaller change would be shares of chance


class Strength(OfRecordedRun, Instrument):
    """Multiply what an adapter adds by 0 to 2, and show what the model then knows, forgets and writes.

    Two curves over the strength: loss on the task in teal, facts of the base that are still right in vermilion. Grey
    is the control: where full finetuning of the task ended. Left out: strengths below 0 and above 2.

    `Strength()` offers the recorded runs; `Strength.of(run)` shows another one, such as the reader's own.
    """

    strength = param.Integer(
        default=TRAINED,
        bounds=(0, len(STRENGTHS) - 1),
        label="Strength",
        doc="What delta_w is multiplied by, in quarters.",
    )
    guess = guess_number(3, "a percentage")
    run = param.ClassSelector(
        class_=Run, allow_refs=False, doc="A finished LoRA run of the reader's, in place of a recorded one."
    )
    full = param.ClassSelector(
        class_=Run, allow_refs=False, doc="Her own full finetuning, in place of the recorded one."
    )
    label = param.String("", doc="What the reader's own run is called.")

    # The browser gets the arrays that are made of it, not the thing itself.
    _rename: ClassVar[dict[str, str | None]] = {"run": None, "full": None}
    parts = ("task", "steps", "guess", "samples", "table", "code", "share")
    pictured = ({"curve kept": 1, "curve control": 3}, {"curve lost": 2, "curve control": 4})

    @classmethod
    def of(cls, run: Run, label: str, **params: Any) -> Self:
        """Return the instrument for another finished LoRA run; its config says the task."""
        return cls(run=run, label=label, hide=["task", *params.pop("hide", [])], **params)

    def enclosed(self) -> list[str]:
        """Return the other recorded runs; a figure of the reader's own run has no others."""
        return [] if self.run else super().enclosed()

    @param.depends("run", "full", "label", watch=True)
    def _show_run(self) -> None:
        self._make()

    def _task(self) -> str:
        """Return the task of the run that is shown, with a hyphen for a space."""
        return slug(self.run.config["task"]) if self.run else self.task

    def _shown(self) -> Run:
        return self.run or runs_of(self.task)[self.r]

    def _control(self) -> Run:
        return self.full or runs_of(self._task())[FULL]

    def make_arrays(self) -> dict[str, Any]:
        """Return the losses and samples at each strength, and the control."""
        run, values = self._shown(), self.values(TRAINED)
        voice, note = LAB_LABELS[self._task()]
        stays = abs(run.strengths["validation_loss"][0] - values["loss_before"]) > LEAST / 10
        if run.recorded:
            origin = fill("Recorded {recorded}.", {"recorded": run.recorded})
        else:
            origin = fill("Task: {task}.", {"task": say(voice).lower()})
        told = [say(note), origin]
        return {
            "key": f"{self._task()}-{'own' if self.run else self.r}",
            "label": values["label"],
            "note": " ".join([*told, *[say(STAYS)] * stays]),
            "strengths": STRENGTHS,
            "trained": TRAINED,
            "half": HALF,
            "least": LEAST,
            "task": run.strengths["validation_loss"],
            "facts": _facts(run),
            "samples": [texts[:SHOWN] for texts in run.strengths["samples"]],
            "base_samples": run.base_samples[:SHOWN],
            "before": {"task": values["loss_before"], "facts": values["facts_before"]},
            "full": {"task": values["full_loss"], "facts": values["full_facts"]},
            "truth": self.truth(),
            "snippet": self._code(),
        }

    def values(self, at: int) -> dict[str, Any]:
        """Return every number that a sentence about a place on the dial may use; strength.js makes the same."""
        run, full = self._shown(), self._control()
        loss, facts = run.strengths["validation_loss"], _facts(run)
        loss_before, facts_before = full.validation_loss[0], full.right[0]["facts"]
        return {
            "strength": STRENGTHS[at],
            "last": STRENGTHS[-1],
            "label": self.label if self.run else f"{say(LAB_LABELS[self.task][0])}, r = {self.r}",
            "loss": loss[at],
            "facts": facts[at],
            "loss_before": loss_before,
            "facts_before": facts_before,
            "full_loss": full.validation_loss[-1],
            "full_facts": full.right[-1]["facts"],
            "kept": _share(loss_before - loss[at], loss_before - loss[TRAINED]),
            "lost": _share(facts_before - facts[at], facts_before - facts[TRAINED]),
        }

    def truth(self) -> int | None:
        """Return how many percent of the fall half the strength keeps, None where there is no fall to speak of."""
        kept = self.values(HALF)["kept"]
        return None if kept is None else int(100 * kept + 0.5)

    def sentence(self) -> str:
        """Say in one sentence what the model does at this strength."""
        values = self.values(self.strength)
        return fill(SENTENCES[case(values)], values)

    def rows(self) -> Iterable[Values]:
        """Return the values of each strength."""
        return map(self.values, range(len(STRENGTHS)))

    def _code(self) -> str:
        """Return the code with a gap for the strength."""
        run = self._shown()
        asked = {"task": repr(run.config["task"]), "n_texts": run.config.get("n_texts", LAB_FACTS)}
        if "steps" not in run.config:
            return IMPORTS + READ_FILES + fill_code(PRINT_LOSS, asked)
        usual = TrainConfig()
        said = {
            name: value
            for name, value in run.config.items()
            if name in ("task", "r") or value != getattr(usual, name)
        }
        config = ", ".join(f"{name}={value!r}" for name, value in said.items())
        return IMPORTS + fill_code(TRAIN_AGAIN, {"config": config}) + fill_code(PRINT_LOSS, asked)

    def snippet(self) -> str:
        """Return code that merges the adapter at this strength and prints its loss."""
        return fill_code(self._code(), {"strength": STRENGTHS[self.strength]})


def _facts(run: Run) -> list[float]:
    """Return which share of the old facts is right at each strength."""
    return [round(each["facts"], 3) for each in run.strengths["right"]]


def _share(part: float, whole: float) -> float | None:
    """Return a part of a change, None where the change is too small to have parts or the part goes the other way."""
    return part / whole if whole >= LEAST and part >= 0 else None


def case(values: dict[str, Any]) -> str:
    """Say which sentence fits: shares of the change, or losses alone."""
    return "losses" if values["kept"] is None or values["lost"] is None else "shares"
