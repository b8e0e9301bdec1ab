"""What adapters come to in different places under one budget of trained numbers.

The base of the world learns three tasks with adapters in several sets of places, and whole. The rank of a set is what
the budget allows. Each set has the learning rate that is best on the validation texts of the first seed, from a grid
that is widened until the best lies inside; all five seeds at that rate are reported on test texts. All cores are used,
and a recording that is stopped goes on where it was when the command is given again.
"""

import math
import sys
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.adapters.placing import as_config, code_of, rank_within
from compute.experiments.making import Bar, Recipe, at_best_rate, kept_runs, processes
from compute.model.layers import TARGET_MODULES
from compute.numbers.interval import Apart, apart
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.training.config import TrainConfig
from compute.world.tasks import FACTS, SKILL, TELLING

if TYPE_CHECKING:
    from compute.model.gpt import GPT

PATH = RECORDS / "placing.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
STYLE = "formal voice"
TASKS = {  # a style, a computation, a memory
    STYLE: {"steps": 50},
    SKILL: {"steps": 50},
    FACTS: {"steps": 300, "n_texts": 512},
}
ATTENTION, MLP = TARGET_MODULES[:4], TARGET_MODULES[4:]
GROUPS: tuple[tuple[str, ...], ...] = (  # in all blocks: each alone, those of the paper's table 5, the rest
    *((name,) for name in TARGET_MODULES),
    ("q_proj", "k_proj"),
    ("q_proj", "v_proj"),
    ATTENTION,
    MLP,
    TARGET_MODULES,
)
BLOCK_SETS = ((0,), (1,), (2,))  # of all matrices
CODES = (*(code_of(names) for names in GROUPS), *(code_of(TARGET_MODULES, blocks) for blocks in BLOCK_SETS))
ALL = code_of(TARGET_MODULES)
FULL = "full"  # full finetuning, where a code would stand
WAYS = (*CODES, FULL)
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
FIRST = {"lora": (3e-3, 1e-2), FULL: (3e-4, 1e-3)}  # those of RATES that are tried before any other
SEEDS = (0, 1, 2, 3, 4)
PER_SEED = ("loss", "right", "facts", "stories")  # the lists of `Placed`
TEXTS, WRITTEN = 256, 32  # texts of a task that its loss is measured on, and that a model writes
QUESTIONS, KIND, PEOPLE = 512, 64, 128  # of the task, of a kind about stories, of people known to the base
DECIMALS = 4


@dataclass(frozen=True)
class Placed:
    """Hold the runs of one set of places on one task, each list in the order of SEEDS.

    Attributes
    ----------
    rate : float
        The learning rate: the best of `tried`.
    tried : dict of str to (float or None)
        Loss of the first seed on validation texts by rate; None where the run diverged.
    loss : list of float
        On test texts of the task, in nats per word that is learned; of new facts on all of them.
    right : list of float
        Share of right answers on the task; of a voice, of sentences that are as it wants them.
    facts : list of float
        Share of right answers to questions on facts that the base knew.
    stories : list of float
        The same of questions about stories.
    """

    rate: float
    tried: dict[str, float | None]
    loss: list[float]
    right: list[float]
    facts: list[float]
    stories: list[float]

    def mean(self, what: str = "loss") -> float:
        """Return the mean over the seeds of one of PER_SEED."""
        return fmean(getattr(self, what))


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    before : dict of str to dict of str to float
        The base, by task: one number for each of PER_SEED.
    runs : dict of str to dict of str to Placed
        By task, then for each of WAYS.
    """

    recorded: str
    before: dict[str, dict[str, float]]
    runs: dict[str, dict[str, Placed]]

    def apart(self, task: str, way: str, other: str = ALL, what: str = "loss") -> Apart:
        """Return how much higher one of WAYS ends than another, in one of PER_SEED."""
        return apart(*(getattr(self.runs[task][each], what) for each in (way, other)))


def config_of(task: str, way: str, rate: float, seed: int) -> TrainConfig:
    """Return a run.

    Parameters
    ----------
    task : str
        One of TASKS.
    way : str
        FULL, or the code of the same matrices in each of some blocks.
    rate : float
        Learning rate.
    seed : int
        Seed of the factors' start and of the order of the texts.

    Returns
    -------
    TrainConfig
        With the rank that the budget allows, and alpha = 2 r, so that the scaling is the same at every rank.

    Raises
    ------
    ValueError
        If the code is not that of the same matrices in each block.

    Examples
    --------
    >>> config = config_of("new facts", "707000", 1e-2, 0)
    >>> config.target_modules, config.r, config.steps
    (('q_proj', 'v_proj'), 18, 300)
    """
    common: dict[str, Any] = {"task": task, "learning_rate": rate, "seed": seed, **TASKS[task]}
    if way == FULL:
        return TrainConfig(method=FULL, **common)
    chosen = as_config(way)
    if chosen is None:
        raise ValueError(f"code must name the same matrices in each block, got {way}.")
    target_modules, layers = chosen
    r = rank_within(way)
    return TrainConfig(r=r, alpha=2 * r, target_modules=target_modules, layers=layers, **common)


def _built(data: dict[str, Any]) -> Recorded:
    runs = {
        task: {way: Placed(**placed) for way, placed in of.items()} for task, of in data.pop("runs").items()
    }
    recorded = Recorded(**data, runs=runs)
    if not (set(runs) == set(recorded.before) == set(TASKS)):
        raise NotWhole
    for placed in runs.values():
        if set(placed) != set(WAYS):
            raise NotWhole
        for each in placed.values():
            lists = [getattr(each, name) for name in PER_SEED]
            if any(len(some) != len(SEEDS) for some in lists) or f"{each.rate:g}" not in each.tried:
                raise NotWhole
    return recorded


load_placing = reader(PATH, "placing", _built)


# Reading needs no torch: whatever loads it is imported where something is recorded.


class _Asked(NamedTuple):
    """Say which run, and on what it is measured: "validation" for its loss only, "test" for everything."""

    task: str
    way: str
    rate: float
    seed: int
    split: str


def _loss(model: "GPT", task: str, split: str) -> float:
    import torch

    from compute.world.batches import texts_of

    count = TEXTS if task in TELLING else TASKS[task].get("n_texts", QUESTIONS)
    with torch.no_grad():
        return model.loss(*texts_of(task, split, count, model.config.block_size)).item()


def _measured(model: "GPT", task: str) -> dict[str, float]:
    """Return PER_SEED of a model, on test texts."""
    from compute.training.answers import known, share_told, write_texts
    from compute.world.batches import right
    from compute.world.tasks import asked

    length = model.config.block_size
    if task in TELLING:
        share = share_told(task, write_texts(model, WRITTEN, seed=0))
    else:
        share = fmean(right(model, asked(task, "test", TASKS[task].get("n_texts", QUESTIONS), length)))
    others = {name: fmean(right(model, some)) for name, some in known("test", KIND, PEOPLE, length).items()}
    found = {"loss": _loss(model, task, "test"), "right": share, **others}
    return {name: round(value, DECIMALS) for name, value in found.items()}


def _run(asked: _Asked) -> float | dict[str, float] | None:
    """Return what a run comes to; None if it diverged."""
    from compute.model.checkpoint import load_base
    from compute.training.short_runs import finetuned

    config = config_of(asked.task, asked.way, asked.rate, asked.seed)
    model = finetuned(config, load_base())
    if model is None:
        return None
    if asked.split == "test":
        return _measured(model, asked.task)
    loss = _loss(model, asked.task, asked.split)
    return round(loss, DECIMALS) if math.isfinite(loss) else None


def _told(asked: _Asked, found: Any) -> str:
    return f"{asked.task}, {asked.way}, {asked.rate:g}, seed {asked.seed}: {found}"


def _trying(each: tuple[str, str], rate: float, seed: int) -> _Asked:
    return _Asked(*each, rate, seed, "validation")


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base

    rates: dict[tuple[str, str], tuple[float, ...]] = {
        (task, way): FIRST[FULL if way == FULL else "lora"] for task in TASKS for way in WAYS
    }
    with processes() as pool:
        best = at_best_rate(KEPT, rates, SEEDS[:1], _trying, _run, lambda loss: loss, min, pool, _told, RATES)
        wanted = [_Asked(*each, best[each].rate, seed, "test") for seed in SEEDS for each in best]
        found = kept_runs(KEPT, wanted, _run, Bar(len(wanted)), pool, _told)
    runs: dict[str, dict[str, Any]] = {task: {} for task in TASKS}
    for (task, way), (rate, tried, _) in best.items():
        ends = [found[_Asked(task, way, rate, seed, "test")] for seed in SEEDS]
        if None in ends:
            sys.exit(f"diverged: {task}, {way}, {rate:g}")
        lists = {name: [end[name] for end in ends] for name in PER_SEED}
        runs[task][way] = {"rate": rate, "tried": tried, **lists}
    base = load_base()
    before = {task: _measured(base, task) for task in TASKS}
    write_record(PATH, {"recorded": recorded_here(), "before": before, "runs": runs})
    KEPT.unlink()


RECIPE = Recipe("placing", __doc__, 15, (PATH,), _make, after=("world",))
if __name__ == "__main__":
    RECIPE.run()
