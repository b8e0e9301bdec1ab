"""The inits instrument: the first fifty steps from seven starts, with what each factor is told to change."""

import math
from collections.abc import Iterable
from typing import Any

import param

from compute.experiments.inits import PROBLEMS, RATES, STEPS, InitRun, config_of, load_inits
from compute.training.config import INITS
from widgets.inits.words import INIT_WORDS, PROBLEM_WORDS, SNIPPETS, WORDS, slug
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_option
from widgets.kit.instrument import Instrument, Values
from widgets.kit.runs import OPTIMIZER_LABELS
from widgets.kit.text import fill

USUAL, MIRROR, IDLE = "B=0", "A=0", "both zero"
BY_SLUG = {slug(name): name for name in (*INITS, *PROBLEMS)}


class Inits(Instrument):
    """Step through the start of a run: gradients of both factors, loss, distance from the base.

    Teal is the chosen start, grey its controls: another start at the same learning rate, and the base unchanged. The
    last chart holds the final loss of every start against the learning rate. Left out: what comes after fifty steps.
    """

    problem = one_of(
        {slug(name): PROBLEM_WORDS[name][0] for name in PROBLEMS},
        default="small-layer",
        label="What learns",
        doc="A single layer, or the mini-model on a task.",
    )
    optimizer = one_of(
        {name: OPTIMIZER_LABELS[name] for name in ("sgd", "adamw")},
        default="sgd",
        label="Optimiser",
        doc="What makes a step from a gradient.",
    )
    init = one_of(
        {slug(name): INIT_WORDS[name][0] for name in INITS},
        default="b-zero",
        label="The factors start with",
        doc="Where both factors start.",
    )
    rate = param.Integer(
        default=2,
        bounds=(0, len(RATES[PROBLEMS[0]]["sgd"]) - 1),
        label="Learning rate",
        doc="Which of the recorded learning rates, the smallest being 0.",
    )
    step = param.Integer(default=0, bounds=(0, STEPS), label="Step", doc="How far the run is replayed.")
    guess = guess_option(WORDS["guess"]["options"])

    keyed_by = ("problem", "optimizer")
    parts = ("choices", "steps", "guess", "readouts", "sweep", "table", "code", "share")
    pictured = ({"curve kept": 2, "curve cost": 3}, {"curve lost": 1})

    def make_arrays(self) -> dict[str, Any]:
        """Return all runs of the problem with the optimiser."""
        problem = BY_SLUG[self.problem]
        recorded = load_inits(problem)
        return {
            "key": self.key(),
            "problem": PROBLEM_WORDS[problem][1],
            "optimizer": OPTIMIZER_LABELS[self.optimizer],
            "rates": [f"{rate:g}" for rate in RATES[problem][self.optimizer]],
            "steps": STEPS,
            "task": config_of(problem, self.optimizer, USUAL, 0, 0).task,
            "inits": {
                slug(init): {
                    "label": INIT_WORDS[init][0].partition(" (")[0],
                    "name": INIT_WORDS[init][1],
                    "code": init,
                    "note": INIT_WORDS[init][2],
                    "truth": flow(recorded.runs[self.optimizer][init][0], 0),
                    "runs": [_shipped(run) for run in recorded.runs[self.optimizer][init]],
                }
                for init in INITS
            },
            "usual": slug(USUAL),
            "mirror": slug(MIRROR),
            "idle": slug(IDLE),
            "about": f"{PROBLEM_WORDS[problem][2]} Recorded {recorded.recorded}.",
            "snippet": SNIPPETS["model" if problem != PROBLEMS[0] else "small"],
        }

    def run(self, init: str | None = None) -> InitRun:
        """Return the run of the present choices, or that of another init beside it."""
        runs = load_inits(BY_SLUG[self.problem]).runs[self.optimizer]
        return runs[init or BY_SLUG[self.init]][self.rate]

    def values(self, step: int) -> dict[str, Any]:
        """Return every number that a sentence about a step may use; inits.js makes the same."""
        problem, init, run = BY_SLUG[self.problem], BY_SLUG[self.init], self.run()
        at = min(step, len(run.loss) - 1)
        over = load_inits(problem).runs[self.optimizer][init]
        finals = [math.inf if each.final is None else each.final for each in over]
        best = finals.index(min(finals))
        rates = RATES[problem][self.optimizer]
        config = config_of(problem, self.optimizer, init, self.rate, 0)
        return {
            "step": at,
            "last": len(run.loss) - 1,
            "init": INIT_WORDS[init][1],
            "code": init,
            "task": config.task,
            "problem": PROBLEM_WORDS[problem][1],
            "optimizer": OPTIMIZER_LABELS[self.optimizer],
            "rate": f"{rates[self.rate]:g}",
            "loss": run.loss[at],
            "grad_A": run.lora_A[at],
            "grad_B": run.lora_B[at],
            "distance": run.distance[at],
            "base": self.run(IDLE).loss[at],
            "moved": run.moved,
            "times": run.moved / self.run(USUAL).moved,
            "final": run.final,
            "best": finals[best],
            "best_rate": f"{rates[best]:g}",
        }

    def sentence(self) -> str:
        """Say in one sentence which factors get a gradient at the present step, and where the run is."""
        values, run = self.values(self.step), self.run()
        told = fill(WORDS["flows"]["veiled" if self.asks() else flow(run, values["step"])], values)
        parts = [fill(WORDS["sentence"], values | {"flow": told})]
        if not run.whole and self.step >= values["last"]:
            parts.append(fill(WORDS["givenUp"], values))
        return " ".join(parts)

    def rows(self) -> Iterable[Values]:
        """Return the values of each step."""
        return map(self.values, range(len(self.run().loss)))

    def snippet(self) -> str:
        """Return code that prints both gradient norms at step 0, from torch."""
        kind = "model" if self.problem != slug(PROBLEMS[0]) else "small"
        return fill(SNIPPETS[kind], self.values(0))


def flow(run: InitRun, step: int) -> str:
    """Say which factors get a gradient at a step: both, lora_A, lora_B or none."""
    alive = [name for name in ("lora_A", "lora_B") if getattr(run, name)[step] > 0]
    return "both" if len(alive) == 2 else alive[0] if alive else "none"


def _shipped(run: InitRun) -> dict[str, Any]:
    return run._asdict() | {"final": run.final}
