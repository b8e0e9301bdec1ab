"""Finetuning in random subspaces of D dimensions.

Two tasks are trained with nine values of D, each in three subspaces: 54 runs of about nine seconds.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from compute.experiments.making import Bar, Recipe
from compute.matrices.spectrum import r90
from compute.matrices.svd import factorize
from compute.numbers.records import RECORDS, NotWhole, read_record, recorded_here, write_record
from compute.training.config import TrainConfig

if TYPE_CHECKING:
    from compute.model.gpt import GPT

FILE = RECORDS / "subspace.json"
SUBSPACE_TASKS = ("legal", "new language")  # one voice that the base knows, and one that it has never read
DIMENSIONS = (10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)
SEEDS = (0, 1, 2)  # of the subspaces; spectra are kept of the first
MIDDLE = "blocks.1."  # of this block
DECIMALS = 4  # of losses, in nats, and of shares

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
    """Return the recorded runs in subspaces.

    Parameters
    ----------
    task : str
        One of SUBSPACE_TASKS.
    path : Path
        Name of the file. If left out, the one in assets/recorded.

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

    return read_record(path, "subspace", build)


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _spectra_of(model: "GPT", base: "GPT") -> dict[str, np.ndarray]:
    """Return the singular values of each delta_w, over their norm."""
    from compute.training.loop import learned

    found = {name: factorize(m.double().numpy()).s for name, m in learned(model, base).items()}
    return {name: s / np.linalg.norm(s) for name, s in found.items()}


def _float32_rank(s: np.ndarray) -> int:
    """Return how many singular values are above what rounding of float32 weights leaves."""
    return int((s > s[0] * len(s) * np.finfo(np.float32).eps).sum())


def _recorded(task: str, base: "GPT", bar: Bar) -> SubspaceRuns:
    """Return a task trained with every D, in every subspace."""
    from compute.training.loop import evaluate
    from compute.training.subspace import train_in_subspace

    config = subspace_config(task)
    loss, spectra = [], []
    for D in DIMENSIONS:
        models = [train_in_subspace(config, D, seed, base) for seed in SEEDS]
        loss.append([round(evaluate(model, task).validation_loss, DECIMALS) for model in models])
        spectra.append(_spectra_of(models[0], base))
        bar.did(f"{task}, D = {D:,}: {loss[-1]} nats; r90 {sorted(map(r90, spectra[-1].values()))}")
    layers = list(spectra[0])
    kept = [layer for layer in layers if layer.startswith(MIDDLE)]
    return SubspaceRuns(
        before=round(evaluate(base, task).validation_loss, DECIMALS),
        loss=loss,
        spectra={layer: [np.round(each[layer], DECIMALS).tolist() for each in spectra] for layer in kept},
        r90={layer: [r90(each[layer]) for each in spectra] for layer in layers},
        rank={layer: [_float32_rank(each[layer]) for each in spectra] for layer in layers},
        weights=sum(p.numel() for p in base.parameters()),
        recorded=recorded_here(),
    )


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base

    base, bar = load_base(), Bar(len(SUBSPACE_TASKS) * len(DIMENSIONS))
    write_record(FILE, {"tasks": {task: _recorded(task, base, bar)._asdict() for task in SUBSPACE_TASKS}})


RECIPE = Recipe("subspace", __doc__, 8, (FILE,), _make)
if __name__ == "__main__":
    RECIPE.run()
