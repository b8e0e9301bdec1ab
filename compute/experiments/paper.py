"""What two measurements of the literature give on the mini-model's runs, read from assets. Needs no torch."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from compute.experiments.block import layer_names
from compute.experiments.runs import FULL, FULL_SLOW, RECORDED_RANKS
from compute.matrices.intruders import largest_cosines, random_change
from compute.model.forward import base_weights
from compute.numbers.records import ASSETS, NotWhole, read_record

FILE = ASSETS / "paper.json"
TASKS = ("legal", "new language")  # one voice that the base has read a little of, and one that it has not
FULL_RUNS = (FULL, FULL_SLOW)
NAMES = (*RECORDED_RANKS, *FULL_RUNS)
SEEDS = {4: 3, FULL: 3}  # of training; one for all others
TOP = 16  # strongest singular vectors that are recorded
DECIMALS = 3  # of a cosine
FULL_DIRECTIONS = 4  # of a delta_w whose rank is full


class LayerFound(NamedTuple):
    """Hold what is kept of one layer of a run.

    Attributes
    ----------
    size : float
        Frobenius norm of delta_w.
    kept : float
        Of W within the directions of delta_w: as many as its rank, FULL_DIRECTIONS of full finetuning.
    cosines : list of float
        The first TOP of `compute.matrices.intruders.largest_cosines`.
    """

    size: float
    kept: float
    cosines: list[float]


class RunFound(NamedTuple):
    """Hold what is kept of a run.

    Attributes
    ----------
    validation_loss : float
        On the task, in nats per token, after training.
    base_loss : float
        On the base's own voices.
    layers : dict of str to LayerFound
        By the name of the layer.
    """

    validation_loss: float
    base_loss: float
    layers: dict[str, LayerFound]


class PaperRecord(NamedTuple):
    """Hold everything that assets/record_paper.py measured.

    Attributes
    ----------
    runs : dict of str to dict of (int or str) to list of RunFound
        By task and by one of NAMES; one for each seed, 0 first.
    recorded : str
        When and on what.
    seconds : float
        How long it took.
    """

    runs: dict[str, dict[int | str, list[RunFound]]]
    recorded: str
    seconds: float


def directions(name: int | str) -> int:
    """Return how many directions of delta_w are taken for the amplification.

    Parameters
    ----------
    name : int or str
        One of NAMES.

    Returns
    -------
    int
        The rank, or FULL_DIRECTIONS.

    Examples
    --------
    >>> directions(32), directions("full")
    (32, 4)
    """
    return name if isinstance(name, int) else FULL_DIRECTIONS


@cache
def load_paper(path: Path = FILE) -> PaperRecord:
    """Return what assets/record_paper.py measured.

    Parameters
    ----------
    path : Path
        Name of the file. If left out, the one in assets.

    Returns
    -------
    PaperRecord
        All of it; do not write to it: it is kept and shared.

    Raises
    ------
    ValueError
        If the file is missing, damaged, not whole or of another base model.

    Examples
    --------
    >>> [run.base_loss < 2 for run in load_paper().runs["legal"][4]]
    [True, True, True]
    """
    return read_record(path, "assets/record_paper.py", _built)


def random_cosines(task: str, name: int | str, seed: int) -> dict[str, list[float]]:
    """Return the control of a run: cosines after random changes of the same rank and size.

    Parameters
    ----------
    task : str
        One of TASKS.
    name : int or str
        One of NAMES; the random changes of full finetuning have full rank.
    seed : int
        Of the random changes.

    Returns
    -------
    dict of str to list of float
        By the name of the layer, as in `LayerFound`.

    Examples
    --------
    >>> cosines = random_cosines("legal", 4, seed=0)
    >>> len(cosines), {len(each) for each in cosines.values()}
    (18, {16})
    """
    rng = np.random.default_rng([seed, NAMES.index(name)])
    found = {}
    for layer, of in load_paper().runs[task][name][0].layers.items():
        W = base_weights().tensors[f"{layer}.weight"]
        r = min(W.shape) if name in FULL_RUNS else int(name)
        change = random_change(W.shape, r, of.size, rng)
        found[layer] = largest_cosines(W, change)[:TOP].round(DECIMALS).tolist()
    return found


def _built(data: dict[str, Any]) -> PaperRecord:
    runs = {
        task: {name: [_run(**run) for run in data["runs"][task][str(name)]] for name in NAMES}
        for task in TASKS
    }
    if data["runs"].keys() != set(TASKS) or any(
        len(seeds) != SEEDS.get(name, 1) for of in runs.values() for name, seeds in of.items()
    ):
        raise NotWhole
    return PaperRecord(runs, data["recorded"], data["seconds"])


def _run(layers: dict[str, dict[str, Any]], **losses: float) -> RunFound:
    found = {name: LayerFound(**layer) for name, layer in layers.items()}
    if list(found) != layer_names() or any(
        len(each.cosines) != TOP or not each.size > 0 < each.kept for each in found.values()
    ):
        raise NotWhole
    return RunFound(layers=found, **losses)
