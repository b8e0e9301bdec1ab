"""The lab instrument: watch LoRA and full finetuning learn the same task from the same base, side by side."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import param

from compute.model.layers import LAYERS
from compute.training.config import EVALUATE_EVERY, TrainConfig
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_number
from widgets.kit.instrument import Instrument, Values
from widgets.kit.languages import Language, say
from widgets.kit.layers import SHAPES, noise_by_shape
from widgets.kit.runs import LAB_LABELS, OfRecordedRun
from widgets.kit.text import fill, fill_code, name_of, slug
from widgets.lab.pair import DIGITS, MOST_STEPS, Pair, recorded_pair, shipped
from widgets.lab.words import SNIPPET, WORDS

# The arrays of each pair, for all who look at it in a language.
_drawn: WeakKeyDictionary[Pair, dict[Language, str]] = WeakKeyDictionary()
CLOSE = 0.02  # nats: the guess is about coming this close to the largest r


class Lab(OfRecordedRun, Instrument):
    """Replay a LoRA run beside a full finetuning of the same task.

    Three curves over the steps: what is right on the task, what is left of the facts that the base knew, the loss on
    what is trained on. Grey is the control: full finetuning. Below: the final loss against r, and the singular values
    of what was learned beside those of noise. Left out: other learning rates, which the live part has.
    """

    step = param.Integer(
        default=TrainConfig().steps, bounds=(0, MOST_STEPS), label="Step", doc="How far the run is replayed."
    )
    layer = one_of(
        {name: name for name in LAYERS},
        default="blocks.1.mlp.up_proj",
        label="Layer",
        doc="The layer whose delta_w is taken apart.",
    )
    guess = guess_number(2, "a rank")
    pair = param.ClassSelector(
        class_=Pair, allow_refs=False, doc="Two runs that are being trained, in place of the recorded ones."
    )

    # The browser gets the arrays that are made of it, not the thing itself.
    _rename: ClassVar[dict[str, str | None]] = {"pair": None}
    parts = ("task", "steps", "guess", "samples", "sweep", "spectrum", "table", "code", "share")
    says = (*Instrument.says, "sized")
    pictured = ({"curve kept": 1, "curve control": 2}, {"curve lost": 3, "curve control": 4})

    @param.depends("pair", watch=True)
    def _show_pair(self) -> None:
        drawn = _drawn.setdefault(self.pair, {})
        if self._language not in drawn:
            self._make()
            drawn[self._language] = self.arrays
        self.arrays = drawn[self._language]

    def _shown(self) -> Pair:
        return self.pair or recorded_pair(name_of(self.task), int(self.r))

    def make_arrays(self) -> dict[str, Any]:
        """Return the two runs, the losses against r, and the noise beside the spectra."""
        pair = self._shown()
        runs, full = pair.sweep.runs.values(), pair.sweep.full
        return {
            "key": slug(f"{pair.task}-{pair.lora.config['r']}"),
            "label": _words(pair)[0],
            "note": _note(pair),
            "r": pair.lora.config["r"],
            "names": pair.names,
            "sized": pair.sized,
            "last": pair.last,
            "reached": pair.reached,
            "every": EVALUATE_EVERY,
            "lora": shipped(pair.lora, pair.whole),
            "full": shipped(pair.full, pair.whole),
            "ranks": [*pair.sweep.runs],
            "sweep": {
                "names": pair.sweep.names,
                "validation": [run.validation_loss[-1] for run in runs],
                "right": [run.right[-1]["task"] for run in runs],
                "facts": [run.right[-1]["facts"] for run in runs],
                "trainable": [run.trainable for run in runs],
                "floor": full.validation_loss[-1],
            },
            "knee": self.knee(),
            "tolerance": CLOSE,
            "noise": noise_by_shape() if pair.whole else {},
            "shapes": SHAPES,
            "snippet": self.snippet(),
        }

    def knee(self) -> int:
        """Return the smallest r of the sweep whose final loss is within CLOSE nats of that of the largest."""
        losses = {r: run.validation_loss[-1] for r, run in self._shown().sweep.runs.items()}
        largest = losses[max(losses)]
        return next(r for r in sorted(losses) if losses[r] <= largest + CLOSE)

    def values(self, step: int) -> dict[str, Any]:
        """Return every number that a sentence about a step may use; lab.js makes the same."""
        pair = self._shown()
        lora, full = pair.lora, pair.full
        at, full_at = (max(i for i, known in enumerate(run.steps) if known <= step) for run in (lora, full))
        return {
            "step": min(step, pair.reached) // EVALUATE_EVERY * EVALUATE_EVERY,
            "label": _words(pair)[0],
            "r": lora.config["r"],
            "sized": pair.sized,
            "lora_name": pair.names["lora"],
            "full_name": pair.names["full"],
            "lora_loss": lora.validation_loss[at],
            "full_loss": full.validation_loss[full_at],
            "lora_train": lora.loss[min(step, len(lora.loss) - 1)],
            "full_train": full.loss[min(step, len(full.loss) - 1)],
            "facts_before": round(lora.right[0]["facts"], DIGITS),
            **{f"lora_{name}": round(share, DIGITS) for name, share in lora.right[at].items()},
            **{f"full_{name}": round(share, DIGITS) for name, share in full.right[full_at].items()},
            "trainable": lora.trainable,
            "full_trainable": full.trainable,
            "kilobytes": lora.bytes / 1000,
            "seconds": lora.seconds,
        }

    def sentence(self) -> str:
        """Say in one sentence how far both runs have come."""
        return fill(WORDS["sentence"], self.values(min(self.step, self._shown().reached)))

    def rows(self) -> Iterable[Values]:
        """Return the losses at each evaluation."""
        return map(self.values, range(0, self._shown().reached + 1, EVALUATE_EVERY))

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows; the head names what stands in LoRA's place."""
        head, rows = super().table()
        return [fill(name, {"lora_name": self._shown().names["lora"]}) for name in head], rows

    def snippet(self) -> str:
        """Return code that trains the LoRA run again and prints its loss."""
        config = self._shown().lora.config
        usual = asdict(TrainConfig())
        given = [
            f"{name}={config[name]!r}"
            for name in usual
            if name in self.keyed_by or config[name] != usual[name]
        ]
        return fill_code(SNIPPET, {"settings": ", ".join(given)})


def _words(pair: Pair) -> tuple[str, str]:
    return LAB_LABELS[slug(pair.task)]


def _note(pair: Pair) -> str:
    when = pair.lora.recorded and pair.full.recorded
    told = " " + fill("Recorded {recorded}.", {"recorded": when}) if when else ""
    return say(_words(pair)[1]) + told
