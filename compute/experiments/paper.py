"""What two measurements of the literature give on the mini-model's runs: amplification and intruder dimensions.

The recorded runs of two tasks are trained again, two of them from two more seeds, 24 runs of about ten seconds each,
and a few numbers of each layer are kept.
"""

import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from compute.experiments.making import Bar, Recipe, finished
from compute.experiments.runs import FULL, FULL_SLOW, RECORDED_RANKS, config_of
from compute.matrices.amplification import amplified
from compute.matrices.controls import random_change
from compute.matrices.intruders import largest_cosines
from compute.model.forward import base_weights
from compute.model.layers import LAYERS
from compute.numbers.records import RECORDS, NotWhole, read_record, recorded_here, write_record
from compute.training.config import Result, TrainConfig

FILE = RECORDS / "paper.json"
TASKS = ("legal", "new language")  # one voice that the base has read a little of, and one that it has not
FULL_RUNS = (FULL, FULL_SLOW)
NAMES = (*RECORDED_RANKS, *FULL_RUNS)
SEEDS = {4: 3, FULL: 3}  # of training; one for all others
TOP = 16  # strongest singular vectors that are recorded
DECIMALS = 3  # of a cosine
LOSS_DECIMALS = 4  # of losses, in nats, and of norms
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
    """Hold everything that was measured.

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
    """Return what was measured.

    Parameters
    ----------
    path : Path
        Name of the file. If left out, the one in assets/recorded.

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
    return read_record(path, "paper", _built)


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
    if tuple(found) != LAYERS or any(
        len(each.cosines) != TOP or not each.size > 0 < each.kept for each in found.values()
    ):
        raise NotWhole
    return RunFound(layers=found, **losses)


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _found(end: Result, config: TrainConfig, r: int) -> dict[str, Any]:
    """Return what is kept of a run."""
    from compute.training.changes import changes

    layers = {}
    for name, delta_w in changes(end.weights, config).items():
        W = base_weights().tensors[f"{name}.weight"]
        measured = amplified(W, delta_w, r)
        layers[name] = {
            "size": round(measured.size, LOSS_DECIMALS),
            "kept": round(measured.kept, LOSS_DECIMALS),
            "cosines": largest_cosines(W, delta_w)[:TOP].round(DECIMALS).tolist(),
        }
    losses = {
        name: round(getattr(end.evaluation, name), LOSS_DECIMALS) for name in ("validation_loss", "base_loss")
    }
    return {**losses, "layers": layers}


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base

    bar = Bar(len(TASKS) * sum(SEEDS.get(name, 1) for name in NAMES))
    start, base = time.perf_counter(), load_base()
    runs: dict[str, dict[int | str, list[dict[str, Any]]]] = {task: {} for task in TASKS}
    for task in TASKS:
        for name in NAMES:
            runs[task][name] = []
            for seed in range(SEEDS.get(name, 1)):
                config = replace(config_of(task, name), seed=seed)
                run = _found(finished(config, base), config, directions(name))
                runs[task][name].append(run)
                bar.did(f"{task}, {name}, seed {seed}: {run['validation_loss']}")
    seconds = round(time.perf_counter() - start, 1)
    write_record(FILE, {"recorded": recorded_here(), "seconds": seconds, "runs": runs})


RECIPE = Recipe("paper", __doc__, 5, (FILE,), _make)
if __name__ == "__main__":
    RECIPE.run()
