"""Finetuning in random subspaces of D dimensions.

New facts of two counts and a voice are learned with seven values of D and by full finetuning. Each at the learning rate
that is best on validation for the first seed, from a grid in whose middle it lies; all seeds at that rate are reported,
each with a subspace of its own. All cores are used, and a recording that is stopped goes on where it was when the
command is given again.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from compute.experiments.making import Recipe, at_best_rate, processes
from compute.matrices.spectrum import r90
from compute.matrices.svd import factorize
from compute.model.layers import LAYERS
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.training.config import TrainConfig
from compute.world.tasks import FACTS

if TYPE_CHECKING:
    from compute.model.gpt import GPT

PATH = RECORDS / "subspace.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
VOICE = "formal voice"
FACT_RUNS: dict[str, Any] = {"steps": 200, "batch_size": 64}
TASKS: dict[str, TrainConfig] = {
    "new-facts-64": TrainConfig(FACTS, "full", n_texts=64, **FACT_RUNS),
    "new-facts-512": TrainConfig(FACTS, "full", n_texts=512, **FACT_RUNS),
    "formal-voice": TrainConfig(VOICE, "full", steps=100),
}
DIMENSIONS = (100, 300, 1000, 3000, 10_000, 30_000, 100_000)
FULL = 0  # stands for full finetuning where a D would stand
SEEDS = (0, 1, 2, 3, 4)  # of the texts' order and of the subspaces; spectra are kept of the first
# Up to which D a grid serves, and that of full finetuning. The fewer the numbers, the faster each must go.
RATES = {
    1000: (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    10_000: (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    100_000: (3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
}
FULL_RATES = (3e-4, 1e-3, 3e-3, 1e-2)
MIDDLE = [name for name in LAYERS if name.startswith("blocks.1.")]  # whose spectra are kept
TEXTS, WRITTEN = 256, 32  # test texts of the voice that the loss is measured on, texts that a model writes
DECIMALS = 4  # of losses, in nats, and of shares
PER_SEED = ("loss", "right")


class SubspaceRuns(NamedTuple):
    """Hold what finetuning with D numbers reached on one task, for each D of DIMENSIONS, and full finetuning.

    Attributes
    ----------
    before : dict of str to float
        "loss" and "right" of the base.
    loss : list of list of float
        On test texts, in nats per word that is learned, a row for each D with one number for each of SEEDS; of new
        facts on all of them.
    right : list of list of float
        Share of right answers, likewise; of the voice, of sentences written that are as it wants them.
    rate : list of float
        The learning rate of each D: the best of `tried`.
    tried : list of dict of str to (float or None)
        Loss of the first seed on validation texts by rate; None where the run diverged.
    spectra : dict of str to list of list of float
        By layer of the middle block, a row for each D: singular values of delta_w, descending, over their norm.
    r90 : dict of str to list of int
        By layer of every block, one for each D.
    rank : dict of str to list of int
        Rank of delta_w in float32, likewise.
    full : dict of str to (list of float, dict of str to list, or float)
        "loss" and "right" for each of SEEDS, "rate", "tried", "spectra" and "r90" of full finetuning.
    """

    before: dict[str, float]
    loss: list[list[float]]
    right: list[list[float]]
    rate: list[float]
    tried: list[dict[str, float | None]]
    spectra: dict[str, list[list[float]]]
    r90: dict[str, list[int]]
    rank: dict[str, list[int]]
    full: dict[str, Any]


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    weights : int
        Numbers of the model, the largest D there could be.
    tasks : dict of str to SubspaceRuns
        By the names of TASKS.
    """

    recorded: str
    weights: int
    tasks: dict[str, SubspaceRuns]


class Asked(NamedTuple):
    """Say which run.

    Attributes
    ----------
    task : str
        One of TASKS.
    D : int
        One of DIMENSIONS, or FULL.
    rate : float
        One of `rates_of`.
    seed : int
        One of SEEDS.
    """

    task: str
    D: int
    rate: float
    seed: int


def rates_of(D: int) -> tuple[float, ...]:
    """Return the learning rates that a run with D numbers is tried with.

    Parameters
    ----------
    D : int
        One of DIMENSIONS, or FULL.

    Returns
    -------
    tuple of float
        Ascending.

    Examples
    --------
    >>> rates_of(300) == RATES[1000], rates_of(FULL) == FULL_RATES
    (True, True)
    """
    return RATES[min(most for most in RATES if most >= D)] if D else FULL_RATES


def _built(data: dict[str, Any]) -> Recorded:
    tasks = {name: SubspaceRuns(**data["tasks"][name]) for name in TASKS}
    for runs in tasks.values():
        columns: list[list] = [runs.loss, runs.right, runs.rate, runs.tried]
        columns += [*runs.spectra.values(), *runs.r90.values(), *runs.rank.values()]
        rows = [*runs.loss, *runs.right, *(runs.full[name] for name in PER_SEED)]
        if {*map(len, columns)} != {len(DIMENSIONS)} or {*map(len, rows)} != {len(SEEDS)}:
            raise NotWhole
    return Recorded(data["recorded"], data["weights"], tasks)


load_subspace = reader(PATH, "subspace", _built)


# Reading needs no torch: whatever loads it is imported where something is recorded.


def config_of(asked: Asked) -> TrainConfig:
    """Return what a run is asked for, but for D.

    Parameters
    ----------
    asked : Asked
        The run.

    Returns
    -------
    TrainConfig
        That of full finetuning.

    Examples
    --------
    >>> config_of(Asked("new-facts-64", 100, 1e-2, 1)).n_texts
    64
    """
    return replace(TASKS[asked.task], learning_rate=asked.rate, seed=asked.seed)


def _measured(model: "GPT", config: TrainConfig) -> dict[str, float]:
    """Return the losses of a model, and how much it does rightly."""
    import torch

    from compute.training.answers import share_told, write_texts
    from compute.world.batches import right, texts_of
    from compute.world.tasks import asked

    size, facts = model.config.block_size, config.task == FACTS
    count = config.n_texts if facts else TEXTS
    with torch.no_grad():
        found = {
            name: model.loss(*texts_of(config.task, split, count, size)).item()
            for name, split in (("validation", "validation"), ("loss", "test"))
        }
    if facts:
        rights = right(model, asked(FACTS, "test", count, size))
        found["right"] = sum(rights) / len(rights)
    else:
        found["right"] = share_told(config.task, write_texts(model, WRITTEN, seed=0))
    return {name: round(value, DECIMALS) for name, value in found.items()}


def _float32_rank(s: np.ndarray) -> int:
    """Return how many singular values are above what rounding of float32 weights leaves."""
    return int((s > s[0] * len(s) * np.finfo(np.float32).eps).sum())


def _run(asked: Asked) -> dict[str, Any] | None:
    """Return what came of a run, and of the first seed's the spectra; None if it diverged."""
    from compute.model.checkpoint import load_base
    from compute.training.loop import learned, prepare, updates
    from compute.training.subspace import train_in_subspace

    config, base = config_of(asked), load_base()
    if asked.D:
        model = train_in_subspace(config, asked.D, asked.seed, base)
    else:
        model = prepare(config, base)
        for _ in updates(model, config):
            pass
    found: dict[str, Any] = _measured(model, config)
    if not np.isfinite(found["validation"] + found["loss"]):
        return None
    if asked.seed == SEEDS[0]:
        spectra = {name: factorize(m.detach().double().numpy()).s for name, m in learned(model, base).items()}
        shares = {name: s / np.linalg.norm(s) for name, s in spectra.items()}
        found["spectra"] = {name: shares[name].round(DECIMALS).tolist() for name in MIDDLE}
        found["r90"] = {name: r90(s) for name, s in shares.items()}
        found["rank"] = {name: _float32_rank(s) for name, s in shares.items()}
    return found


def _told(asked: Asked, found: dict[str, Any] | None) -> str:
    end = f"loss {found['validation']}, right {found['right']}" if found else "diverged"
    return f"{asked.task}, D = {asked.D:,}, {asked.rate:g}, seed {asked.seed}: {end}"


def _validation(found: dict[str, Any] | None) -> float | None:
    return found["validation"] if found else None


def _setting(each: tuple[str, int], rate: float, seed: int) -> Asked:
    return Asked(*each, rate, seed)


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base

    rates = {(task, D): rates_of(D) for task in TASKS for D in (*DIMENSIONS, FULL)}
    with processes() as pool:
        best = at_best_rate(KEPT, rates, SEEDS, _setting, _run, _validation, min, pool, _told)
    base, tasks = load_base(), {}
    for task, config in TASKS.items():
        ends = [best[task, D] for D in DIMENSIONS]
        full, first = best[task, FULL], [end.runs[0] for end in ends]
        before = _measured(base, config)
        tasks[task] = SubspaceRuns(
            before={name: before[name] for name in PER_SEED},
            loss=[[run["loss"] for run in end.runs] for end in ends],
            right=[[run["right"] for run in end.runs] for end in ends],
            rate=[end.rate for end in ends],
            tried=[end.tried for end in ends],
            spectra={name: [run["spectra"][name] for run in first] for name in MIDDLE},
            r90={name: [run["r90"][name] for run in first] for name in LAYERS},
            rank={name: [run["rank"][name] for run in first] for name in LAYERS},
            full={
                **{name: [run[name] for run in full.runs] for name in PER_SEED},
                "rate": full.rate,
                "tried": full.tried,
                **{name: full.runs[0][name] for name in ("spectra", "r90")},
            },
        )._asdict()
    weights = sum(p.numel() for p in base.parameters())
    write_record(PATH, {"recorded": recorded_here(), "weights": weights, "tasks": tasks})
    KEPT.unlink()


RECIPE = Recipe("subspace", __doc__, 15, (PATH,), _make, after=("world",))
if __name__ == "__main__":
    RECIPE.run()
