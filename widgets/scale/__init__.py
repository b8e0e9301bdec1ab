"""The scale instrument: losses over the learning rate for each rank, and what the scaling does to the best rate."""

from typing import Any

import param

from compute.adapters.scaling import first_gain_ratio, scaling_of
from compute.experiments.scale import (
    BLOCK,
    FULL,
    GAIN_RANKS,
    RANKS,
    RATES,
    STEPS,
    TASK,
    RateRun,
    best_range,
    best_rate,
    config_of,
    load_scale,
)
from compute.training.config import TrainConfig
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_option
from widgets.kit.instrument import Instrument
from widgets.kit.text import fill
from widgets.scale.words import BY_SLUG, OPTIMIZERS, RULES, SNIPPET, WORDS

FROM, TO = 4, 64  # the ranks of the guess


class Scale(Instrument):
    """Slide the learning rate at a rank, a scaling rule and an optimiser, and see which rate is too low or too high.

    Teal is the chosen run and its rank, thin grey the other ranks and rates, dashed grey the control: full
    finetuning. Dotted grey is a writer who knows word frequencies only. Left out: other alphas, ranks and tasks.
    """

    optimizer = one_of(
        OPTIMIZERS, default="adamw", label="Optimiser", doc="What makes a step from a gradient."
    )
    rule = one_of(
        {slug: label for slug, label in RULES.values()},
        default="alpha-r",
        label="Scaling",
        doc="What lora_B @ lora_A is multiplied by.",
    )
    rank = one_of(
        {str(r): f"r = {r}" for r in RANKS}, default="16", label="Rank", doc="Rank of each adapter."
    )
    rate = param.Integer(
        default=2,
        bounds=(0, len(RATES["adamw"]) - 1),
        label="Learning rate",
        doc="Which of the recorded learning rates, the smallest being 0.",
    )
    guess = guess_option(WORDS["guess"]["options"])

    keyed_by = ("optimizer",)
    parts = ("choices", "steps", "guess", "gain", "readouts", "table", "code", "share")
    pictured = ({"curve kept": 3, "curve control": 5},)

    def make_arrays(self) -> dict[str, Any]:
        """Return all runs with the optimiser."""
        recorded, rates = load_scale(), RATES[self.optimizer]
        return {
            "key": self.optimizer,
            "optimizer": OPTIMIZERS[self.optimizer],
            "name": self.optimizer,
            "task": TASK,
            "rates": [f"{rate:g}" for rate in rates],
            "ranks": RANKS,
            "gainRanks": GAIN_RANKS,
            "steps": STEPS,
            "block": BLOCK,
            "start": recorded.start,
            "frequencies": recorded.frequencies,
            "rules": {slug: self._rule(rule) for rule, (slug, _) in RULES.items()},
            "full": _shipped(self._over(next(iter(RULES)), FULL)),
            "fullSpan": self._span(next(iter(RULES)), FULL),
            "about": f"Recorded {recorded.recorded}; {recorded.seconds / 60:.0f} minutes in all.",
            "snippet": SNIPPET,
        }

    def _rule(self, rule: str) -> dict[str, Any]:
        gains = load_scale().gains[self.optimizer][rule]
        ranges = {r: best_range(self._over(rule, r)) for r in RANKS}
        rates = RATES[self.optimizer]
        return {
            "label": RULES[rule][1],
            "code": rule,
            "gains": [first_gain_ratio(rule, self.optimizer, r) for r in GAIN_RANKS],
            "measured": [round(gain / gains[0], 5) for gain in gains],
            "truth": moved(ranges[FROM], ranges[TO]),
            "fromRate": self._span(rule, FROM),
            "toRate": self._span(rule, TO),
            "runs": {
                str(r): _shipped(self._over(rule, r))
                | {
                    "scaling": f"{scaling_of(rule, TrainConfig.alpha, r):.3g}",
                    "span": self._span(rule, r),
                }
                for r in RANKS
            },
            "rows": [
                [f"{rate:g}", *(_told(self._over(rule, r)[i]) for r in (*RANKS, FULL))]
                for i, rate in enumerate(rates)
            ],
        }

    def _over(self, rule: str, r: int) -> list[RateRun]:
        return load_scale().runs[self.optimizer][rule][r]

    def _span(self, rule: str, r: int) -> str:
        """Say which rates are the best, for all that two seeds can tell."""
        low, high = (f"{RATES[self.optimizer][i]:g}" for i in best_range(self._over(rule, r)))
        return low if low == high else fill(WORDS["span"], {"low": low, "high": high})

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use; scale.js makes the same."""
        rule, r, rates = BY_SLUG[self.rule], int(self.rank), RATES[self.optimizer]
        over, full = self._over(rule, r), self._over(rule, FULL)
        best, best_full = best_rate(over), best_rate(full)
        config = config_of(self.optimizer, rule, r, self.rate)
        return {
            "optimizer": OPTIMIZERS[self.optimizer],
            "rule": RULES[rule][1],
            "r": r,
            "rate": f"{rates[self.rate]:g}",
            "steps": STEPS,
            "final": over[self.rate].final,
            "best": over[best].final,
            "best_rate": f"{rates[best]:g}",
            "full": full[best_full].final,
            "full_rate": f"{rates[best_full]:g}",
            "scaling": f"{scaling_of(rule, config.alpha, r):.3g}",
            "span": self._span(rule, r),
            "full_span": self._span(rule, FULL),
        }

    def verdict(self) -> str:
        """Say how the chosen rate compares with the best one: best, near, low, high or diverged."""
        over = self._over(BY_SLUG[self.rule], int(self.rank))
        if over[self.rate].final is None:
            return "diverged"
        low, high = best_range(over)
        if self.rate == best_rate(over):
            return "best"
        return "low" if self.rate < low else "high" if self.rate > high else "near"

    def sentence(self) -> str:
        """Say in one sentence where the chosen run ends, and whether its rate was too low or too high."""
        veiled = self.asks() and self.verdict() != "diverged"
        return fill(WORDS["sentences"]["veiled" if veiled else self.verdict()], self.values())

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of the losses at each rate, under the chosen rule."""
        return WORDS["tableHead"], self._rule(BY_SLUG[self.rule])["rows"]

    def snippet(self) -> str:
        """Return code that trains the chosen run again and prints its loss."""
        code = {"task": TASK, "optimizer": self.optimizer, "rule": BY_SLUG[self.rule]}
        return fill(SNIPPET, self.values() | code)


def moved(before: tuple[int, int], after: tuple[int, int]) -> str:
    """Say whether the best rates fall or rise; where the spans have a rate in common they stay."""
    return "falls" if after[1] < before[0] else "rises" if after[0] > before[1] else "stays"


def _told(run: RateRun) -> str:
    return WORDS["diverged"] if run.final is None else f"{run.final:.3f}"


def _shipped(over: list[RateRun]) -> dict[str, Any]:
    return {
        "loss": [run.loss for run in over],
        "finals": [run.final for run in over],
        "again": [run.again for run in over],
        "best": best_rate(over),
        "range": best_range(over),
    }
