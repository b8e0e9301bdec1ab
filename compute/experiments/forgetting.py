"""What a finetune forgets, against the size of its change: LoRA and full finetuning, each at five learning rates.

Two tasks, a skill and new facts. Of every run is kept how large the change of the matrices is, how much of the task and
of what the base knew is right, and how many of the strongest directions are intruders, beside random changes of the
same rank and size. A way's own best rate is that of the lowest loss on validation texts for the first seed, which runs
at each rate; the other four run at the best one and its two neighbours. As a control the matrices that LoRA adapts
learn alone, whole, with the first seed: what else full finetuning moves stays frozen. All cores are used, and a
recording that is stopped goes on where it was when the command is given again.
"""

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from compute.experiments.making import Bar, Recipe, kept_runs, processes
from compute.matrices.controls import random_change
from compute.matrices.intruders import count_intruders, largest_cosines
from compute.model.layers import LAYERS
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.training.config import TrainConfig
from compute.world.tasks import FACTS, SKILL

if TYPE_CHECKING:
    from compute.model.gpt import GPT

PATH = RECORDS / "forgetting.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
TASKS = {
    SKILL: {"steps": 100, "batch_size": 32},
    FACTS: {"steps": 200, "batch_size": 64, "n_texts": 512},
}
RANKS = (1, 4, 16)
FULL, MATRICES = "full", "matrices"
WAYS = (*(f"r = {r}" for r in RANKS), MATRICES, FULL)
RATES = {"lora": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2), FULL: (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)}
SEEDS = (0, 1, 2, 3, 4)
QUESTIONS, PEOPLE, KIND, TEXTS = (
    512,
    128,
    64,
    64,
)  # of the task, known to the base, of a kind on stories, texts
DECIMALS = 4


@dataclass(frozen=True)
class Run:
    """Hold what came of a run, on test questions and texts.

    Attributes
    ----------
    task : str
        SKILL or FACTS.
    way : str
        One of WAYS.
    rate : float
        One of `rates_of`.
    seed : int
        One of SEEDS.
    size : float
        Frobenius norm of delta_w over that of W, on average over the layers.
    validation : float
        Loss on validation texts of the task, in nats per answer.
    loss : float
        The same on test texts.
    right : float
        Share of right answers on the task.
    facts : float
        On facts that the base knew.
    stories : float
        On questions about stories.
    base_loss : float
        On texts of the base's own, in nats per word.
    intruders : int
        Of the strongest ten left singular vectors of each W + delta_w, those that resemble none of W.
    random : int
        The same after random changes of the same rank and size.
    """

    task: str
    way: str
    rate: float
    seed: int
    size: float
    validation: float
    loss: float
    right: float
    facts: float
    stories: float
    base_loss: float
    intruders: int
    random: int


MEASURES = ("size", "loss", "right", "facts", "stories", "base_loss", "intruders", "random")


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    before : dict of str to dict of str to float
        The base, by task: "loss", "right", "facts", "stories" and "base_loss".
    runs : list of Run
        By task, way, rate and seed: the first seed at each rate, all of SEEDS at those of `around` the best.
    """

    recorded: str
    before: dict[str, dict[str, float]]
    runs: list[Run]

    def of(self, task: str, way: str, rate: float | None = None) -> list[Run]:
        """Return the runs of a way on a task, of all its rates or of one."""
        return [run for run in self.runs if (run.task, run.way) == (task, way) and rate in (None, run.rate)]

    def best(self, task: str, way: str) -> float:
        """Return the learning rate whose validation loss is the lowest for the first seed."""
        first = [run for run in self.of(task, way) if run.seed == SEEDS[0]]
        return min(first, key=lambda run: run.validation).rate

    def mean(self, task: str, way: str, rate: float, measure: str) -> float:
        """Return the mean over the seeds of one of MEASURES."""
        return fmean(getattr(run, measure) for run in self.of(task, way, rate))


def rates_of(way: str) -> tuple[float, ...]:
    """Return the learning rates that a way is run at.

    Parameters
    ----------
    way : str
        One of WAYS.

    Returns
    -------
    tuple of float
        Ascending. Those of LoRA are three times as large.

    Examples
    --------
    >>> len(rates_of("r = 4")), rates_of("matrices") == rates_of("full")
    (5, True)
    """
    return RATES["lora" if way.startswith("r = ") else FULL]


def config_of(task: str, way: str, rate: float, seed: int) -> TrainConfig:
    """Return the run of a way.

    Parameters
    ----------
    task : str
        SKILL or FACTS.
    way : str
        One of WAYS. A config does not say that of MATRICES all else stays frozen.
    rate : float
        Learning rate.
    seed : int
        One of SEEDS.

    Returns
    -------
    TrainConfig
        LoRA's has alpha = 2 r.

    Examples
    --------
    >>> config_of("new facts", "r = 4", 1e-3, 0).alpha
    8
    """
    common: dict[str, Any] = {"task": task, "learning_rate": rate, "seed": seed, **TASKS[task]}
    if not way.startswith("r = "):
        return TrainConfig(method=FULL, **common)
    r = int(way.split()[2])
    return TrainConfig(r=r, alpha=2 * r, **common)


def around(way: str, best: float) -> tuple[float, ...]:
    """Return the learning rates at which all seeds are run.

    Parameters
    ----------
    way : str
        One of WAYS.
    best : float
        Its own best rate, one of `rates_of`.

    Returns
    -------
    tuple of float
        That and its neighbours; none for MATRICES.

    Examples
    --------
    >>> around("full", 1e-3)
    (0.0003, 0.001, 0.003)
    """
    rates = rates_of(way)
    at = rates.index(best)
    return () if way == MATRICES else rates[max(0, at - 1) : at + 2]


def _built(data: dict[str, Any]) -> Recorded:
    recorded = Recorded(runs=[Run(*each) for each in data.pop("runs")], **data)
    for task in TASKS:
        for way in WAYS:
            wide = around(way, recorded.best(task, way))
            for rate in rates_of(way):
                seeds = [run.seed for run in recorded.of(task, way, rate)]
                if seeds != list(SEEDS if rate in wide else SEEDS[:1]):
                    raise NotWhole
    return recorded


load_forgetting = reader(PATH, "forgetting", _built)


# Reading needs no torch: whatever loads it is imported where something is recorded.


class _Asked(NamedTuple):
    """Say which run: its task, its way, its rate, its seed."""

    task: str
    way: str
    rate: float
    seed: int


def _measured(model: "GPT", task: str) -> dict[str, float]:
    """Return what a model can do, on test questions and texts, and its loss on those of validation."""
    import torch

    from compute.training.answers import base_loss, known
    from compute.world.batches import right, texts_of
    from compute.world.tasks import asked

    length = model.config.block_size
    count = TASKS[task].get("n_texts", QUESTIONS)
    found = {}
    with torch.no_grad():
        for name, split in (("validation", "validation"), ("loss", "test")):
            found[name] = model.loss(*texts_of(task, split, count, length)).item()
    found["right"] = fmean(right(model, asked(task, "test", count, length)))
    found |= {name: fmean(right(model, some)) for name, some in known("test", KIND, PEOPLE, length).items()}
    return found | {"base_loss": base_loss(model, "test", TEXTS)}


def _run(asked: _Asked) -> list[float]:
    """Return the last fields of a Run."""
    from compute.model.checkpoint import load_base
    from compute.training.loop import learned, prepare, updates

    config, base = config_of(*asked), load_base()
    model = prepare(config, base)
    if asked.way == MATRICES:
        model.requires_grad_(False)
        for name in LAYERS:
            model.get_submodule(name).requires_grad_()
    for _ in updates(model, config):
        pass
    rng = np.random.default_rng([asked.seed, WAYS.index(asked.way)])
    sizes, intruders, random = [], 0, 0
    for name, change in learned(model, base).items():
        W, delta_w = (
            matrix.detach().double().numpy() for matrix in (base.get_submodule(name).weight, change)
        )
        size = float(np.linalg.norm(delta_w))
        r = config.r if config.method == "lora" else min(W.shape)
        sizes.append(size / float(np.linalg.norm(W)))
        intruders += count_intruders(largest_cosines(W, delta_w))
        random += count_intruders(largest_cosines(W, random_change(W.shape, r, size, rng)))
    found = _measured(model, asked.task)
    names = ("validation", "loss", "right", "facts", "stories", "base_loss")
    return [round(value, DECIMALS) for value in (fmean(sizes), *(found[name] for name in names))] + [
        intruders,
        random,
    ]


def _told(asked: _Asked, found: list[float]) -> str:
    size, _, _, right, facts, *_ = found
    run = f"{asked.task}, {asked.way}, {asked.rate:g}, seed {asked.seed}"
    return f"{run}: size {size}, right {right}, old facts {facts}"


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base

    trials = [_Asked(task, way, rate, SEEDS[0]) for task in TASKS for way in WAYS for rate in rates_of(way)]
    each = len(SEEDS) - 1
    bar = Bar(len(trials) + len(TASKS) * (len(WAYS) - 1) * 3 * each)
    with processes() as pool:
        found = kept_runs(KEPT, trials, _run, bar, pool, _told)
        rest = []
        for task in TASKS:
            for way in WAYS:
                losses = {run.rate: found[run][1] for run in trials if (run.task, run.way) == (task, way)}
                best = min(losses, key=lambda rate: losses[rate])
                rest += [_Asked(task, way, rate, seed) for rate in around(way, best) for seed in SEEDS[1:]]
        rest.sort(key=lambda run: run.seed)  # one seed of everything before the next
        found |= kept_runs(KEPT, rest, _run, bar, pool, _told)
    base = load_base()
    before = {}
    for task in TASKS:
        told = _measured(base, task)
        before[task] = {name: round(value, DECIMALS) for name, value in told.items() if name != "validation"}
    order = sorted(found, key=lambda run: ([*TASKS].index(run.task), WAYS.index(run.way), run.rate, run.seed))
    runs = [[*run, *found[run]] for run in order]
    write_record(PATH, {"recorded": recorded_here(), "before": before, "runs": runs})
    KEPT.unlink()


RECIPE = Recipe("forgetting", __doc__, 15, (PATH,), _make, after=("world",))
if __name__ == "__main__":
    RECIPE.run()
