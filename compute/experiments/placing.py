"""Losses of adapters in different places under one budget.

The mini-model is trained on a voice that the base knows and on the new language with adapters in 47 sets of places,
with two seeds, at one learning rate; eleven of the sets at two more. The rank of each set is what the budget allows.
232 runs of one to three seconds. The same machine gives the same numbers; only the date and the time differ.
"""

import sys
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.adapters.placing import as_config, code_of, rank_within
from compute.experiments.making import Bar, Recipe
from compute.model.layers import BLOCKS, TARGET_MODULES
from compute.numbers.records import RECORDS, NotWhole, read_record, recorded_here, write_record
from compute.training.config import TrainConfig

if TYPE_CHECKING:
    from compute.model.gpt import GPT

PATH = RECORDS / "placing.json"
SEEDS = (0, 1)
ATTENTION, MLP = TARGET_MODULES[:4], TARGET_MODULES[4:]
GROUPS: tuple[tuple[str, ...], ...] = (  # in all blocks: each alone, those of the paper's table 5, the rest
    *((name,) for name in TARGET_MODULES),
    ("q_proj", "k_proj"),
    ("q_proj", "v_proj"),
    ATTENTION,
    MLP,
    TARGET_MODULES,
)
BLOCK_SETS = ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
CODES = (
    *(code_of(names) for names in GROUPS),
    *(code_of(names, blocks) for names in (ATTENTION, MLP, TARGET_MODULES) for blocks in BLOCK_SETS),
    *(code_of((name,), (block,)) for name in TARGET_MODULES for block in BLOCKS),
)
STEPS = {"legal": 50, "new language": 100}  # the known voice is learnt sooner
RATE = 1e-2
OTHER_RATES = (3e-3, 3e-2)  # tried too, with the first seed, for the sets of GROUPS
FULL_RATES = {
    "legal": 3e-4,
    "new language": 3e-3,
}  # the best of rates half a decade apart, after so few steps
DECIMALS = 4  # of losses, in nats


class Placed(NamedTuple):
    """Hold what adapters in one set of places reached. Losses are in nats per token, on unseen texts of the task.

    Attributes
    ----------
    finals : list of float
        For each of SEEDS.
    others : list of float
        At each of OTHER_RATES, with the first seed; empty where they were not tried.
    """

    finals: list[float]
    others: list[float]

    @property
    def final(self) -> float:
        """The mean over the seeds."""
        return sum(self.finals) / len(self.finals)

    @property
    def lowest(self) -> float:
        """The lowest of the first seed, over all rates that were tried."""
        return min([self.finals[0], *self.others])


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    seconds : float
        What the recording took, in time of one processor core.
    start : dict of str to float
        Loss of the base by task.
    full : dict of str to float
        Loss of full finetuning by task, after as many steps.
    runs : dict of str to dict of str to Placed
        By task and code, for each of CODES.
    """

    recorded: str
    seconds: float
    start: dict[str, float]
    full: dict[str, float]
    runs: dict[str, dict[str, Placed]]


def config_of(task: str, code: str, seed: int = 0, learning_rate: float = RATE) -> TrainConfig:
    """Return what a recorded run was asked for.

    Parameters
    ----------
    task : str
        "legal" or "new language".
    code : str
        One of CODES.
    seed : int
        Seed of the factors' start and of the order of the texts.
    learning_rate : float
        RATE, or one of OTHER_RATES.

    Returns
    -------
    TrainConfig
        With the rank that the budget allows.

    Raises
    ------
    ValueError
        If the code is not that of the same matrices in each block.

    Examples
    --------
    >>> config = config_of("legal", "707000")
    >>> config.target_modules, config.r, config.steps
    (('q_proj', 'v_proj'), 10, 50)
    """
    chosen = as_config(code)
    if chosen is None:
        raise ValueError(f"code must name the same matrices in each block, got {code}.")
    target_modules, layers = chosen
    return TrainConfig(
        task=task,
        r=rank_within(code),
        target_modules=target_modules,
        layers=layers,
        learning_rate=learning_rate,
        steps=STEPS[task],
        seed=seed,
    )


@cache
def load_placing(path: Path = PATH) -> Recorded:
    """Return what was recorded.

    Parameters
    ----------
    path : Path
        Name of the file. If left out, the one in assets/recorded.

    Returns
    -------
    Recorded
        All of it. It is kept and shared: do not change it.

    Raises
    ------
    ValueError
        If the file is missing, damaged, incomplete or of another base model.

    Examples
    --------
    >>> runs = load_placing().runs["new language"]
    >>> runs["777777"].final < runs["700000"].final  # everywhere is better than in q_proj alone
    True
    >>> load_placing(Path("nothing.json"))
    Traceback (most recent call last):
    ValueError: The file nothing.json is missing. Run `python -m compute.experiments.placing`.
    """
    return read_record(path, "placing", _built)


def _built(data: dict[str, Any]) -> Recorded:
    runs = {
        task: {code: Placed(**placed) for code, placed in of.items()} for task, of in data.pop("runs").items()
    }
    recorded = Recorded(**data, runs=runs)
    tried = {code_of(names) for names in GROUPS}
    for of in (recorded.start, recorded.full, runs):
        if set(of) != set(STEPS):
            raise NotWhole
    for placed in runs.values():
        if set(placed) != set(CODES):
            raise NotWhole
        for code, each in placed.items():
            others = len(OTHER_RATES) if code in tried else 0
            known = all(isinstance(loss, float) for loss in (*each.finals, *each.others))
            if not known or len(each.finals) != len(SEEDS) or len(each.others) != others:
                raise NotWhole
    return recorded


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _final(config: TrainConfig, base: "GPT") -> float:
    """Return what a run ends at; none of these may diverge."""
    from compute.training.short_runs import short_run

    loss = short_run(config, base).final
    if loss is None:
        sys.exit(f"diverged: {config}")
    return round(loss, DECIMALS)


def _placed(task: str, code: str, base: "GPT") -> Placed:
    """Return what is recorded of a set of places."""
    tried = code in {code_of(names) for names in GROUPS}
    return Placed(
        [_final(config_of(task, code, seed, RATE), base) for seed in SEEDS],
        [_final(config_of(task, code, SEEDS[0], rate), base) for rate in OTHER_RATES if tried],
    )


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base
    from compute.training.loop import evaluate

    begin, base, bar = time.process_time(), load_base(), Bar(len(STEPS) * len(CODES))
    runs: dict[str, dict[str, dict[str, list[float]]]] = {}
    full = {}
    for task, steps in STEPS.items():
        control = TrainConfig(task=task, method="full", learning_rate=FULL_RATES[task], steps=steps)
        full[task] = _final(control, base)
        runs[task] = {}
        for code in CODES:
            placed = _placed(task, code, base)
            runs[task][code] = placed._asdict()
            bar.did(f"{task}, {code}, r = {config_of(task, code).r}: {placed.finals} {placed.others}")
    data = {
        "recorded": recorded_here(),
        "seconds": round(time.process_time() - begin),
        "start": {task: round(evaluate(base, task).validation_loss, DECIMALS) for task in STEPS},
        "full": full,
        "runs": runs,
    }
    write_record(PATH, data)


RECIPE = Recipe("placing", __doc__, 8, (PATH,), _make)
if __name__ == "__main__":
    RECIPE.run()
