"""Runs in random subspaces of D dimensions, read from assets. Needs no torch."""

from pathlib import Path
from typing import Any, NamedTuple

from compute.numbers.records import ASSETS, NotWhole, read_record
from compute.training.config import TrainConfig

FILE = ASSETS / "subspace.json"
SUBSPACE_TASKS = ("legal", "new language")  # one voice that the base knows, and one that it has never read
DIMENSIONS = (10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)
SEEDS = (0, 1, 2)  # of the subspaces; spectra are kept of the first

# One rate for every D. Final loss on 64 texts of the task, in nats per token, one run each:
#           D = 100                D = 10,000
#           legal  new language    legal  new language
#   1e-3    0.578  4.394           0.532  1.324
#   3e-3    0.582  4.045           0.528  1.236
#   1e-2    0.581  3.925           0.537  1.235
# A dense P of Gaussian numbers over sqrt(D), at D = 100 and 1e-2, gives 0.576 and 3.781, and the same r90 in each layer
# up to one: what the updates look like does not hang on the kind of subspace.
LEARNING_RATE = 3e-3


def subspace_config(task: str) -> TrainConfig:
    """Return the run that is recorded for a task, the same for every D.

    Parameters
    ----------
    task : str
        One of SUBSPACE_TASKS.

    Returns
    -------
    TrainConfig
        That of full finetuning, but for the learning rate.

    Examples
    --------
    >>> subspace_config("legal").learning_rate
    0.003
    """
    return TrainConfig(task=task, method="full", learning_rate=LEARNING_RATE)


class SubspaceRuns(NamedTuple):
    """Hold what finetuning with D numbers reached on one task, for each D of DIMENSIONS.

    Attributes
    ----------
    before : float
        Loss of the base on texts of the task that are not trained on, in nats per token.
    loss : list of list of float
        The same after the run, a row for each D with one number for each of SEEDS.
    spectra : dict of str to list of list of float
        By layer of the middle block, a row for each D: singular values of delta_w, descending, over their norm.
    r90 : dict of str to list of int
        By layer of every block, one for each D.
    rank : dict of str to list of int
        Rank of delta_w in float32, likewise.
    weights : int
        Numbers of the model, the largest D there could be.
    recorded : str
        When and on what it was computed.
    """

    before: float
    loss: list[list[float]]
    spectra: dict[str, list[list[float]]]
    r90: dict[str, list[int]]
    rank: dict[str, list[int]]
    weights: int
    recorded: str


def load_subspace(task: str, path: Path = FILE) -> SubspaceRuns:
    """Return the runs in subspaces that assets/record_subspace.py recorded.

    Parameters
    ----------
    task : str
        One of SUBSPACE_TASKS.
    path : Path
        Name of the file. If left out, the one in assets.

    Returns
    -------
    SubspaceRuns
        Numbers rounded as the file has them.

    Raises
    ------
    ValueError
        If there is no such task, or the file is missing, damaged, not whole or of another base model.

    Examples
    --------
    >>> runs = load_subspace("legal")
    >>> len(runs.loss) == len(DIMENSIONS), {len(row) for row in runs.loss} == {len(SEEDS)}
    (True, True)
    """
    if task not in SUBSPACE_TASKS:
        raise ValueError(f"task must be one of {', '.join(SUBSPACE_TASKS)}, got {task!r}.")

    def build(data: dict[str, Any]) -> SubspaceRuns:
        runs = SubspaceRuns(**data["tasks"][task])
        columns: list[list] = [runs.loss, *runs.spectra.values(), *runs.r90.values(), *runs.rank.values()]
        if {len(column) for column in columns} != {len(DIMENSIONS)}:
            raise NotWhole
        return runs

    return read_record(path, "assets/record_subspace.py", build)
