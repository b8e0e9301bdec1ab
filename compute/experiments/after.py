"""Tasks learned one after the other, and updates taken apart, read from assets. Needs no torch."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from compute.experiments.runs import FULL, FULL_LEARNING_RATES, FULL_SLOW
from compute.matrices.row_changes import Split
from compute.numbers.records import ASSETS, NotWhole, read_record
from compute.training.config import TARGET_MODULES, TrainConfig

FILE = ASSETS / "after.json"
SEQUENCES = {
    "known": ("legal", "medical", "code"),  # voices that the base knows
    "new first": ("new language", "legal", "medical"),
}
ONE, EACH = "one adapter", "an adapter each"
WAYS = (ONE, EACH, FULL, FULL_SLOW)
SEEDS = (0, 1)
SENTENCES = 200  # begun for each voice; a share is then known to within 0.035 or better
SPLIT_TASKS = ("legal", "new language")
SPLIT_RANKS = (1, 4, 16)
SPLIT_RUNS = (FULL, FULL_SLOW, *SPLIT_RANKS)
CHECKPOINTS = (75, 150, 225, 300)  # updates
N_LAYER = 3
LAYERS = tuple(
    f"blocks.{block}.{'attention' if name in TARGET_MODULES[:4] else 'mlp'}.{name}"
    for block in range(N_LAYER)
    for name in TARGET_MODULES
)


class Stage(NamedTuple):
    """Hold what a model can do after some of the tasks.

    Attributes
    ----------
    loss : dict of str to float
        On unseen sentences of each task of the sequence and of "base", in nats per token.
    share : dict of str to float
        By task: how many of the sentences that are begun in its voice end in it, 0..1.
    """

    loss: dict[str, float]
    share: dict[str, float]


class After(NamedTuple):
    """Hold everything that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    sequences : dict of str to dict of str to list of list of Stage
        By sequence and way: for each of SEEDS the base, then the model after each task.
    splits : dict of str to dict of str to list of list of Split
        By task and run, one of SPLIT_RUNS as text: for each of CHECKPOINTS one for each of LAYERS.
    """

    recorded: str
    sequences: dict[str, dict[str, list[list[Stage]]]]
    splits: dict[str, dict[str, list[list[Split]]]]


def after_config(way: int | str, task: str, seed: int = 0) -> TrainConfig:
    """Return how a task is learned, whatever the model has learned before.

    Parameters
    ----------
    way : int or str
        One of WAYS or of SPLIT_RUNS.
    task : str
        One of `compute.text.voices.TASKS`.
    seed : int
        Seed of the factors' start and of the order of the texts.

    Returns
    -------
    TrainConfig
        With the usual rates, and the usual r for an adapter unless the way is a rank.

    Examples
    --------
    >>> after_config("full-slow", "code").learning_rate, after_config("one adapter", "code").r
    (0.0003, 4)
    """
    if way in FULL_LEARNING_RATES:
        return TrainConfig(task=task, method="full", learning_rate=FULL_LEARNING_RATES[str(way)], seed=seed)
    return TrainConfig(task=task, r=way if isinstance(way, int) else TrainConfig.r, seed=seed)


@cache
def load_after(path: Path = FILE) -> After:
    """Return what assets/record_after.py recorded.

    Parameters
    ----------
    path : Path
        Name of the file. If left out, the one in assets.

    Returns
    -------
    After
        All of it, kept and shared: do not change it.

    Raises
    ------
    ValueError
        If the file is missing, damaged, not whole or of another base model.

    Examples
    --------
    >>> base, first, *_ = load_after().sequences["new first"]["one adapter"][0]
    >>> base.share["new language"], first.share["new language"] > 0.2
    (0.0, True)
    >>> load_after(Path("nothing.json"))
    Traceback (most recent call last):
    ValueError: The file nothing.json is missing. Run `python assets/record_after.py`.
    """

    def build(data: dict[str, Any]) -> After:
        sequences = {
            name: {way: [[Stage(**stage) for stage in seed] for seed in seeds] for way, seeds in ways.items()}
            for name, ways in data["sequences"].items()
        }
        splits = {
            task: {run: [[Split(*each) for each in layers] for layers in over] for run, over in runs.items()}
            for task, runs in data["splits"].items()
        }
        if not _whole(sequences, splits):
            raise NotWhole
        return After(data["recorded"], sequences, splits)

    return read_record(path, "assets/record_after.py", build)


def _whole(sequences: dict[str, Any], splits: dict[str, Any]) -> bool:
    return (
        set(sequences) == set(SEQUENCES)
        and all(set(ways) == set(WAYS) for ways in sequences.values())
        and all(
            len(seeds) == len(SEEDS)
            and all(len(seed) == 1 + len(SEQUENCES[name]) for seed in seeds)
            and all(set(s.loss) == {*SEQUENCES[name], "base"} for seed in seeds for s in seed)
            and all(set(s.share) == {*SEQUENCES[name]} for seed in seeds for s in seed)
            for name, ways in sequences.items()
            for seeds in ways.values()
        )
        and set(splits) == set(SPLIT_TASKS)
        and all(set(runs) == set(map(str, SPLIT_RUNS)) for runs in splits.values())
        and all(
            len(over) == len(CHECKPOINTS) and all(len(layers) == len(LAYERS) for layers in over)
            for runs in splits.values()
            for over in runs.values()
        )
    )
