"""What three measurements of the literature give on the world: amplification, subspace similarity, intruder dimensions.

A voice and new facts, each learned by LoRA at three ranks and by full finetuning. Each at the learning rate that is
best on validation for the first seed, from a grid in whose middle it lies, or that the recording of tasks found best
for the same run; all seeds at that rate are reported. All cores are used, and a recording that is stopped goes on where
it was when the command is given again.
"""

from typing import Any, NamedTuple

import numpy as np

from compute.experiments.making import Recipe, at_best_rate, processes
from compute.matrices.amplification import amplified
from compute.matrices.controls import random_change
from compute.matrices.intruders import count_intruders, largest_cosines
from compute.matrices.similarity import subspace_similarity
from compute.matrices.svd import factorize
from compute.model.forward import base_weights
from compute.model.layers import LAYERS
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.training.config import TrainConfig
from compute.world.tasks import FACTS

PATH = RECORDS / "paper.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
VOICE = "formal voice"
TASKS: dict[str, dict[str, Any]] = {FACTS: {"n_texts": 512, "steps": 200, "batch_size": 64}, VOICE: {}}
FULL = "full"
SMALL, LARGE = 8, 64  # the two ranks whose directions the paper compares
RANKS = (4, SMALL, LARGE)
NAMES: tuple[int | str, ...] = (*RANKS, FULL)
SEEDS = (0, 1, 2, 3, 4)
LORA_RATES, FULL_RATES = (1e-3, 3e-3, 1e-2), (3e-4, 1e-3, 3e-3)
# Where one rate stands, the recording of tasks found it best for the same run, inside a grid of four.
RATES: dict[str, dict[int | str, tuple[float, ...]]] = {
    VOICE: {4: (3e-3,), SMALL: LORA_RATES, LARGE: (1e-3,), FULL: (1e-3,)},
    FACTS: {4: LORA_RATES, SMALL: LORA_RATES, LARGE: (3e-4, *LORA_RATES), FULL: FULL_RATES},
}
# Whose directions are compared: two runs, each by name and seed.
PAIRS: dict[str, tuple[tuple[int | str, int], tuple[int | str, int]]] = {
    "ranks": ((SMALL, 0), (LARGE, 0)),
    "seeds small": ((SMALL, 0), (SMALL, 1)),
    "seeds large": ((LARGE, 0), (LARGE, 1)),
    "full": ((SMALL, 0), (FULL, 0)),
}
TOP = 12  # strongest singular vectors that are recorded
COMPARED = 8  # directions
FULL_DIRECTIONS = 4  # of a delta_w whose rank is full
TEXTS, BASE_TEXTS = 256, 128  # of the task, of the base's own, on which losses are measured
DECIMALS = 3  # of a cosine
LOSS_DECIMALS = 4  # of losses, in nats, of shares and of norms


class LayerFound(NamedTuple):
    """Hold what is kept of one layer of a run.

    Attributes
    ----------
    size : float
        Frobenius norm of delta_w.
    kept : float
        Of W within the strongest directions of delta_w, as many as `directions` says.
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
    loss : float
        On test texts of the task, in nats per word that is learned; of new facts on all of them.
    facts : float
        Share of right answers to questions on facts that the base knew.
    base_loss : float
        On texts of the base's own, in nats per word.
    random : int
        Intruders, by peft's defaults, after the random changes of `random_cosines`.
    layers : dict of str to LayerFound
        By the name of the layer.
    """

    loss: float
    facts: float
    base_loss: float
    random: int
    layers: dict[str, LayerFound]


class PaperRecord(NamedTuple):
    """Hold everything that was measured.

    Attributes
    ----------
    runs : dict of str to dict of (int or str) to list of RunFound
        By task and by one of NAMES; one for each of SEEDS.
    rates : dict of str to dict of (int or str) to float
        The learning rate of each, the best of those in `tried`.
    tried : dict of str to dict of (int or str) to dict of str to (float or None)
        Loss of the first seed on validation texts by rate; None where the run diverged.
    similar : dict of str to dict of str to dict of str to list of float
        By task, pair and layer: similarity of the first i directions of the two, for i from 1 to COMPARED.
    before : dict of str to float
        "facts" and "base_loss" of the base.
    recorded : str
        When and on what.
    """

    runs: dict[str, dict[int | str, list[RunFound]]]
    rates: dict[str, dict[int | str, float]]
    tried: dict[str, dict[int | str, dict[str, float | None]]]
    similar: dict[str, dict[str, dict[str, list[float]]]]
    before: dict[str, float]
    recorded: str


def directions(name: int | str) -> int:
    """Return how many directions of delta_w are taken for the amplification.

    Parameters
    ----------
    name : int or str
        One of NAMES.

    Returns
    -------
    int
        The rank, or FULL_DIRECTIONS where a square delta_w can have full rank.

    Examples
    --------
    >>> directions(8), directions(64), directions("full")
    (8, 4, 4)
    """
    return int(name) if name not in (LARGE, FULL) else FULL_DIRECTIONS


def config_of(task: str, name: int | str, rate: float, seed: int) -> TrainConfig:
    """Return a run.

    Parameters
    ----------
    task : str
        One of TASKS.
    name : int or str
        One of NAMES.
    rate : float
        Learning rate.
    seed : int
        One of SEEDS.

    Returns
    -------
    TrainConfig
        With alpha = 2 r, so that the scaling is the same at every rank.

    Examples
    --------
    >>> config_of("new facts", 8, 3e-3, 0).alpha, config_of("formal voice", "full", 1e-3, 0).method
    (16, 'full')
    """
    size: dict[str, Any] = {"method": FULL} if name == FULL else {"r": int(name), "alpha": 2 * int(name)}
    return TrainConfig(task=task, learning_rate=rate, seed=seed, **size, **TASKS[task])


def random_cosines(task: str, name: int | str, seed: int) -> dict[str, list[float]]:
    """Return the control of a run: cosines after random changes of the same rank and size.

    Parameters
    ----------
    task : str
        One of TASKS.
    name : int or str
        One of NAMES; the random changes of full finetuning have full rank.
    seed : int
        One of SEEDS: of the run, and of the random changes.

    Returns
    -------
    dict of str to list of float
        By the name of the layer, as in `LayerFound`.

    Examples
    --------
    >>> cosines = random_cosines("formal voice", 4, seed=0)
    >>> len(cosines), {len(each) for each in cosines.values()}
    (18, {12})
    """
    sizes = {layer: of.size for layer, of in load_paper().runs[task][name][seed].layers.items()}
    return _after_random(sizes, name, seed)


def _after_random(sizes: dict[str, float], name: int | str, seed: int) -> dict[str, list[float]]:
    """Return the cosines after random changes of these sizes, by layer."""
    rng = np.random.default_rng([seed, NAMES.index(name)])
    found = {}
    for layer, size in sizes.items():
        W = base_weights().tensors[f"{layer}.weight"]
        change = random_change(W.shape, min(W.shape) if name == FULL else int(name), size, rng)
        found[layer] = largest_cosines(W, change)[:TOP].round(DECIMALS).tolist()
    return found


def _by_name(of: dict[str, dict[str, Any]]) -> dict[str, dict[int | str, Any]]:
    """Return what is recorded by task and name, its names no longer all strings."""
    return {task: {name: of[task][str(name)] for name in NAMES} for task in TASKS}


def _built(data: dict[str, Any]) -> PaperRecord:
    runs = {
        task: {name: [_run_of(**run) for run in some] for name, some in of.items()}
        for task, of in _by_name(data.pop("runs")).items()
    }
    rates, tried = _by_name(data.pop("rates")), _by_name(data.pop("tried"))
    similar = data["similar"]
    if any(len(some) != len(SEEDS) for of in runs.values() for some in of.values()) or any(
        tuple(similar[task][pair]) != LAYERS or {*map(len, similar[task][pair].values())} != {COMPARED}
        for task in TASKS
        for pair in PAIRS
    ):
        raise NotWhole
    return PaperRecord(runs=runs, rates=rates, tried=tried, **data)


load_paper = reader(PATH, "paper", _built)


def _run_of(layers: list[list[Any]], **measured: Any) -> RunFound:
    if len(layers) != len(LAYERS):
        raise NotWhole
    found = {name: LayerFound(*layer) for name, layer in zip(LAYERS, layers, strict=True)}
    if any(len(each.cosines) != TOP or not each.size > 0 < each.kept for each in found.values()):
        raise NotWhole
    return RunFound(layers=found, **measured)


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _config(each: tuple[str, int | str], rate: float, seed: int) -> TrainConfig:
    return config_of(*each, rate, seed)


def _measured(model: Any, config: TrainConfig) -> dict[str, float]:
    """Return the losses of a model, and what is left of the old facts."""
    from compute.training.answers import base_loss, known
    from compute.world.batches import right, texts_of
    from compute.world.people import OLD

    size, facts = model.config.block_size, config.task == FACTS
    losses = {
        split: model.loss(*texts_of(config.task, split, config.n_texts if facts else TEXTS, size)).item()
        for split in ("validation", "test")
    }
    old = right(model, known("test", 1, OLD, size)["facts"])
    found = {"validation": losses["validation"], "loss": losses["test"], "facts": sum(old) / len(old)}
    found["base_loss"] = base_loss(model, "test", BASE_TEXTS)
    return {name: round(value, LOSS_DECIMALS) for name, value in found.items()}


def _run(config: TrainConfig) -> dict[str, Any] | None:
    """Return what is kept of a run, None if it diverged."""
    import torch

    from compute.adapters.layer import lora_layers
    from compute.model.checkpoint import load_base
    from compute.training.loop import learned, out_of_bounds, prepare, updates

    base = load_base()
    model, worst = prepare(config, base), float("inf")
    for step, loss in enumerate(updates(model, config)):
        worst = worst if step else out_of_bounds(loss, base.config.vocab_size, config.task == FACTS)
        if not loss <= worst:
            return None
    adapters = dict(lora_layers(model))
    way: int | str = config.r if adapters else FULL
    r = directions(way)
    layers, rows = {}, {}
    for name, change in learned(model, base).items():
        W, delta_w = (
            matrix.detach().double().numpy() for matrix in (base.get_submodule(name).weight, change)
        )
        of = amplified(W, delta_w, r)
        cosines = largest_cosines(W, delta_w)[:TOP].round(DECIMALS).tolist()
        layers[name] = LayerFound(round(of.size, LOSS_DECIMALS), round(of.kept, LOSS_DECIMALS), cosines)
        # As in the paper those of lora_A; full finetuning has none, and its change stands for it.
        reading = adapters[name].lora_A.detach().double().numpy() if adapters else delta_w
        rows[name] = factorize(reading).Vh[:COMPARED].round(5).tolist()
    with torch.no_grad():
        found: dict[str, Any] = _measured(model, config)
    random = _after_random({name: layers[name].size for name in LAYERS}, way, config.seed)
    found["random"] = sum(map(count_intruders, random.values()))
    return {**found, "layers": [layers[name] for name in LAYERS], "rows": rows}


def _told(config: TrainConfig, found: dict[str, Any] | None) -> str:
    size = f"r = {config.r}" if config.method == "lora" else config.method
    end = f"loss {found['validation']}, old facts {found['facts']}" if found else "diverged"
    return f"{config.task}, {size}, {config.learning_rate:g}, seed {config.seed}: {end}"


def _validation(found: dict[str, Any] | None) -> float | None:
    return found["validation"] if found else None


def _alike(one: dict[str, Any], other: dict[str, Any]) -> dict[str, list[float]]:
    """Return the similarity of the first directions of two runs, by layer."""
    found = {}
    for name in LAYERS:
        first, second = (np.array(run["rows"][name]) for run in (one, other))
        each = [subspace_similarity(first, second, i, i) for i in range(1, COMPARED + 1)]
        found[name] = np.round(each, DECIMALS).tolist()
    return found


def _make(_: list[str]) -> None:
    import torch

    from compute.model.checkpoint import load_base

    rates = {(task, name): RATES[task][name] for task in TASKS for name in NAMES}
    with processes() as pool:
        best = at_best_rate(KEPT, rates, SEEDS, _config, _run, _validation, min, pool, _told)
    with torch.no_grad():
        before = _measured(load_base(), config_of(VOICE, SMALL, LORA_RATES[0], SEEDS[0]))
    names = ("loss", "facts", "base_loss", "random", "layers")
    data = {
        "recorded": recorded_here(),
        "before": {name: before[name] for name in ("facts", "base_loss")},
        "rates": {task: {str(name): best[task, name].rate for name in NAMES} for task in TASKS},
        "tried": {task: {str(name): best[task, name].tried for name in NAMES} for task in TASKS},
        "similar": {
            task: {
                pair: _alike(*(best[task, name].runs[seed] for name, seed in two))
                for pair, two in PAIRS.items()
            }
            for task in TASKS
        },
        "runs": {
            task: {
                str(name): [{each: run[each] for each in names} for run in best[task, name].runs]
                for name in NAMES
            }
            for task in TASKS
        },
    }
    write_record(PATH, data)
    KEPT.unlink()


RECIPE = Recipe("paper", __doc__, 9, (PATH,), _make, after=("tasks",))
if __name__ == "__main__":
    RECIPE.run()
