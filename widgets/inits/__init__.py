"""The inits instrument: the first steps from eight starts, what each factor is told, and what each start comes to."""

from collections.abc import Iterable
from statistics import fmean
from typing import Any

import param

from compute.experiments.inits import (
    BY_GRADIENT,
    IDLE,
    PROBLEMS,
    RATES,
    SEEDS,
    SMALL,
    STARTS,
    STEPS,
    USUAL,
    Asked,
    InitRun,
    config_of,
    load_inits,
)
from compute.training.config import WATCHED
from widgets.inits.words import INIT_WORDS, PROBLEM_WORDS, SNIPPETS, WORDS, slug
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_option
from widgets.kit.instrument import Instrument, Values
from widgets.kit.languages import say
from widgets.kit.runs import OPTIMIZER_LABELS
from widgets.kit.text import fill, fill_code

OTHER = "A=0"  # stands beside the usual start
BY_SLUG = {slug(name): name for name in (*STARTS, *PROBLEMS)}


class Inits(Instrument):
    """Step through the start of a run: gradients of both factors, loss, distance from the base.

    Teal is the chosen start, grey its controls: another start at the same learning rate, and the base unchanged. The
    last chart holds the loss of every start after the whole run against the learning rate; the table below, every
    start at its own best rate, a dot for each seed. Left out: other ranks.
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
        {slug(name): INIT_WORDS[name][0] for name in STARTS},
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
    step = param.Integer(default=0, bounds=(0, WATCHED), label="Step", doc="How far the run is replayed.")
    guess = guess_option(WORDS["guess"]["options"])

    keyed_by = ("problem", "optimizer")
    parts = ("choices", "steps", "guess", "readouts", "sweep", "ends", "table", "code", "share")
    sheets = ("inits/inits",)
    says = ("about", "against", "label", "name", "note", "problem")
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
            "steps": WATCHED,
            "settings": settings_of(problem),
            "frequencies": recorded.frequencies,
            "inits": {
                slug(init): {
                    "label": INIT_WORDS[init][0].partition(" (")[0],
                    "name": INIT_WORDS[init][1],
                    "code": init,
                    "note": INIT_WORDS[init][2],
                    "snippet": snippet_of(problem, init),
                    "truth": flow(recorded.runs[self.optimizer][init][0], 0),
                    "runs": [run._asdict() for run in recorded.runs[self.optimizer][init]],
                    "ends": None if init == IDLE else self._ends(init),
                }
                for init in STARTS
            },
            "usual": slug(USUAL),
            "mirror": slug(OTHER),
            "idle": slug(IDLE),
            "about": say(PROBLEM_WORDS[problem][2])
            + " "
            + fill("Recorded {recorded}.", {"recorded": recorded.recorded}),
            "endsNote": fill(
                WORDS["ends"]["note"],
                {
                    "seeds": len(SEEDS),
                    "steps": STEPS[problem],
                    "frequencies": ""
                    if recorded.frequencies is None
                    else fill(WORDS["ends"]["frequencies"], {"loss": recorded.frequencies}),
                },
            ),
        }

    def _ends(self, init: str) -> dict[str, Any]:
        """Return what a start came to at its best rate, and how it stands to the usual one."""
        problem, words = BY_SLUG[self.problem], WORDS["ends"]
        recorded = load_inits(problem)
        ends = recorded.ends[self.optimizer][init]
        apart = None if init == USUAL else recorded.apart(self.optimizer, init)
        lost = len(ends.loss) - len(ends.known)
        mean = fmean(ends.known)
        right = fill(words["right"], {"right": fmean(ends.right)}) if ends.right else ""
        if apart:
            against = fill(words["apart"], apart._asdict())
        else:
            against = words["itself"] if init == USUAL else words["unknown"]
        return {
            "rate": f"{RATES[problem][self.optimizer][ends.rate]:g}",
            "loss": ends.loss,
            "right": ends.right,
            "mean": mean,
            "gap": apart and list(apart),
            "told": fill(words["lost" if lost else "mean"], {"mean": mean, "lost": lost}) + right,
            "against": against,
        }

    def run(self, init: str | None = None) -> InitRun:
        """Return the run of the present choices, or that of another init beside it."""
        runs = load_inits(BY_SLUG[self.problem]).runs[self.optimizer]
        return runs[init or BY_SLUG[self.init]][self.rate]

    def values(self, step: int) -> dict[str, Any]:
        """Return every number that a sentence about a step may use; inits.js makes the same."""
        problem, init, run = BY_SLUG[self.problem], BY_SLUG[self.init], self.run()
        at = min(step, len(run.loss) - 1)
        ends = None if init == IDLE else self._ends(init)
        gap, low, high = (ends and ends["gap"]) or (None, None, None)
        config = config_of(Asked(problem, self.optimizer, init, self.rate, 0))
        return {
            "step": at,
            "last": len(run.loss) - 1,
            "init": INIT_WORDS[init][1],
            "code": init,
            "settings": settings_of(problem),
            "problem": PROBLEM_WORDS[problem][1],
            "optimizer": OPTIMIZER_LABELS[self.optimizer],
            "rate": f"{config.learning_rate:g}",
            "loss": run.loss[at],
            "grad_A": run.lora_A[at],
            "grad_B": run.lora_B[at],
            "distance": run.distance[at],
            "base": self.run(IDLE).loss[at],
            "moved": run.moved,
            "times": run.moved / self.run(USUAL).moved,
            "final": run.final,
            "best_rate": ends and ends["rate"],
            "mean": ends and ends["mean"],
            "gap": gap,
            "gap_low": low,
            "gap_high": high,
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
        return fill_code(snippet_of(BY_SLUG[self.problem], BY_SLUG[self.init]), self.values(0))


def snippet_of(problem: str, init: str) -> str:
    """Return the code of a start, with gaps."""
    kind = "small" if problem == SMALL else "model"
    return SNIPPETS[f"{kind} by gradient" if init == BY_GRADIENT else kind]


def settings_of(problem: str) -> str:
    """Return what a TrainConfig must be told of a problem, as code."""
    config = config_of(Asked(problem, "adamw", USUAL, 0, 0))
    return f'task="{config.task}", batch_size={config.batch_size}, n_texts={config.n_texts}'


def flow(run: InitRun, step: int) -> str:
    """Say which factors get a gradient at a step: both, lora_A, lora_B or none."""
    alive = [name for name in ("lora_A", "lora_B") if getattr(run, name)[step] > 0]
    return "both" if len(alive) == 2 else alive[0] if alive else "none"
