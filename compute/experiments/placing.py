"""Losses of adapters in different places under one budget, read from assets. Needs no torch."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from compute.adapters.placing import as_config, code_of, rank_within
from compute.numbers.records import ASSETS, NotWhole, read_record
from compute.training.config import LAYERS, TARGET_MODULES, TrainConfig

PATH = ASSETS / "placing.json"
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
BLOCKS = ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
CODES = (
    *(code_of(names) for names in GROUPS),
    *(code_of(names, blocks) for names in (ATTENTION, MLP, TARGET_MODULES) for blocks in BLOCKS),
    *(code_of((name,), (block,)) for name in TARGET_MODULES for block in LAYERS),
)
STEPS = {"legal": 50, "new language": 100}  # the known voice is learnt sooner
RATE = 1e-2
OTHER_RATES = (3e-3, 3e-2)  # tried too, with the first seed, for the sets of GROUPS


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
    """Return what assets/record_placing.py recorded.

    Parameters
    ----------
    path : Path
        Name of the file. If left out, the one in assets.

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
    ValueError: The file nothing.json is missing. Run `python assets/record_placing.py`.
    """
    return read_record(path, "assets/record_placing.py", _built)


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
