"""What each adapter of a voice does by itself.

The formal voice is learned from every seed, at the learning rate that the recording of tasks found best. Then each
layer's adapter is switched on alone and off alone, and random matrices of the same size stand in its place: 420 losses
on test texts, and what some of the models write. All cores are used, and a recording that is stopped goes on where it
was when the command is given again.
"""

import copy
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from compute.adapters.mixing import Factors, Layers
from compute.experiments.making import Bar, Recipe, kept_runs, processes
from compute.experiments.tasks import config_of, load_tasks, way_of
from compute.model.layers import LAYERS
from compute.numbers.records import RECORDS, NotWhole, read_arrays, recorded_here, write_arrays
from compute.training.config import TrainConfig
from compute.world.tasks import VOICE_OF

if TYPE_CHECKING:
    import torch

    from compute.model.gpt import GPT

PATH = RECORDS / "block.safetensors"  # the adapter of the first seed; the losses stand beside it
KEPT = PATH.with_suffix(".unfinished")  # a line a seed
TASK = "formal voice"
R = 4
SEEDS = (0, 1, 2, 3, 4)  # of training
DRAWS = 10  # random matrices as large as delta_w
TEXTS, WRITTEN = 128, 64  # test texts that a loss is measured on, texts that a model writes
DECIMALS = 4  # of losses, in nats, and of shares


class Effect(NamedTuple):
    """Hold what came of one layer's adapter treated by itself: losses on test texts, in nats per word.

    Attributes
    ----------
    alone : list of float
        With this adapter on and all others off, for each of SEEDS.
    without : list of float
        With all on but this one, for each of SEEDS.
    first : float
        With this adapter on for the token that begins a text, off for all words and in all other layers; first seed.
    later : float
        With it on for all words and off for that token; first seed.
    random : list of float
        With a random matrix in the place of delta_w, of the same Frobenius norm, and all else off; DRAWS of them.
    told : float
        Share of the statements that the model with this adapter alone writes which are in the voice; first seed.
    """

    alone: list[float]
    without: list[float]
    first: float
    later: float
    random: list[float]
    told: float


class Effects(NamedTuple):
    """Hold everything that was measured.

    Attributes
    ----------
    none : float
        Loss of the base.
    every : list of float
        Loss with all adapters on, for each of SEEDS.
    told_none : float
        Share of the statements that the base writes which are in the voice.
    told_every : float
        The same with all adapters on; first seed.
    layers : dict of str to Effect
        By the name of the layer.
    recorded : str
        When and on what.
    """

    none: float
    every: list[float]
    told_none: float
    told_every: float
    layers: dict[str, Effect]
    recorded: str


def config(seed: int) -> TrainConfig:
    """Return the run whose adapters are taken apart.

    Parameters
    ----------
    seed : int
        One of SEEDS.

    Returns
    -------
    TrainConfig
        At the best learning rate that was found for its rank.

    Examples
    --------
    >>> config(0).task, config(0).r, config(0).alpha
    ('formal voice', 4, 8)
    """
    return config_of(TASK, way_of(R), load_tasks().of(TASK, way_of(R)).rate, seed)


@cache
def load_effects(path: Path = PATH) -> Effects:
    """Return what was measured.

    Parameters
    ----------
    path : Path
        Name of the file of the adapter. If left out, the one in assets/recorded.

    Returns
    -------
    Effects
        All of it; do not write to it: it is kept and shared.

    Raises
    ------
    ValueError
        If a file is missing, damaged, not whole, or measured with another base model or another adapter.

    Examples
    --------
    >>> effects = load_effects()
    >>> all(loss < effects.none for loss in effects.every)
    True
    """
    return read_arrays(path, "block", lambda _, about: _effects(about))


@cache
def load_factors(path: Path = PATH) -> Layers:
    """Return the adapter of the first seed.

    Parameters
    ----------
    path : Path
        Name of its file. If left out, the one in assets/recorded.

    Returns
    -------
    dict of str to Factors
        By the name of the layer; do not write to it: it is kept and shared.

    Raises
    ------
    ValueError
        As `load_effects` does.

    Examples
    --------
    >>> factors = load_factors()
    >>> len(factors), factors["blocks.0.attention.q_proj"].r
    (18, 4)
    """
    return read_arrays(path, "block", lambda arrays, _: _factors(arrays))


def _effects(data: dict[str, Any]) -> Effects:
    layers = {name: Effect(**effect) for name, effect in data.pop("layers").items()}
    del data["sha256"]
    effects = Effects(layers=layers, **data)
    lists = [(effects.every, len(SEEDS))]
    for effect in layers.values():
        lists += [(effect.alone, len(SEEDS)), (effect.without, len(SEEDS)), (effect.random, DRAWS)]
    rows = [loss for effect in layers.values() for loss in (effect.first, effect.later)]
    losses = [effects.none, *rows, *(loss for values, _ in lists for loss in values)]
    whole = tuple(layers) == LAYERS and all(len(values) == number for values, number in lists)
    if not whole or not all(isinstance(loss, float) and loss > 0 for loss in losses):
        raise NotWhole
    return effects


def _factors(arrays: dict[str, np.ndarray]) -> Layers:
    scaling = config(SEEDS[0]).alpha / R

    def part(name: str) -> np.ndarray:
        return arrays[name].astype(np.float64)

    factors = {name: Factors(part(f"{name}.lora_B"), part(f"{name}.lora_A"), scaling) for name in LAYERS}
    if any(factor.r != R for factor in factors.values()):
        raise NotWhole
    return factors


# Reading needs no torch: whatever loads it is imported where something is recorded.

Changes = Mapping[str, "torch.Tensor"]


def _texts(base: "GPT") -> "torch.Tensor":
    from compute.world.batches import texts_of

    return texts_of(TASK, "test", TEXTS, base.config.block_size).tokens


def _plus(base: "GPT", added: Changes) -> "GPT":
    """Return the base with something added to some of its weights."""
    model = copy.deepcopy(base).requires_grad_(False)
    for name, change in added.items():
        model.get_submodule(name).weight += change
    return model


def _loss(base: "GPT", texts: "torch.Tensor", added: Changes) -> float:
    return round(_plus(base, added).loss(texts).item(), DECIMALS)


def _loss_in_rows(
    base: "GPT", texts: "torch.Tensor", name: str, change: "torch.Tensor", rows: slice
) -> float:
    """Return the loss where a layer's adapter is on for some tokens of each text only."""
    model = copy.deepcopy(base).requires_grad_(False)

    def add(layer, given, written):
        written[:, rows] += given[0][:, rows] @ change.T
        return written

    model.get_submodule(name).register_forward_hook(add)
    return round(model.loss(texts).item(), DECIMALS)


def _told(model: "GPT") -> float:
    """Return how many of the statements that a model writes are in the voice, and can be said where they stand."""
    from compute.training.answers import told, write_texts

    said = [each for text in write_texts(model, WRITTEN, seed=0) for each in told(TASK, text)]
    statements = [each for each in said if each.voice != "question"]
    of_voice = sum(each.voice == VOICE_OF[TASK] and each.true for each in statements)
    return round(of_voice / max(1, len(statements)), DECIMALS)


def _by_itself(
    base: "GPT", texts: "torch.Tensor", name: str, change: "torch.Tensor", draws: int
) -> dict[str, Any]:
    """Return what is measured of one layer's adapter with the first seed only."""
    import torch

    generator = torch.Generator().manual_seed(0)
    random = [torch.randn(change.shape, generator=generator) for _ in range(draws)]
    return {
        "first": _loss_in_rows(base, texts, name, change, slice(0, 1)),
        "later": _loss_in_rows(base, texts, name, change, slice(1, None)),
        "random": [_loss(base, texts, {name: noise * (change.norm() / noise.norm())}) for noise in random],
        "told": _told(_plus(base, {name: change})),
    }


def _run(seed: int) -> dict[str, Any]:
    """Return what came of one seed's adapters; of the first seed, they themselves too."""
    from compute.adapters.layer import delta_w, lora_layers
    from compute.model.checkpoint import load_base
    from compute.training.loop import prepare, updates

    base = load_base()
    model = prepare(config(seed), base)
    for _ in updates(model, config(seed)):
        pass
    layers = dict(lora_layers(model))
    changes = {name: delta_w(layer).detach() for name, layer in layers.items()}
    texts = _texts(base)
    found: dict[str, Any] = {
        "every": _loss(base, texts, changes),
        "alone": {name: _loss(base, texts, {name: change}) for name, change in changes.items()},
        "without": {
            name: _loss(base, texts, {each: changes[each] for each in changes if each != name})
            for name in changes
        },
    }
    if seed == SEEDS[0]:
        found["itself"] = {
            name: _by_itself(base, texts, name, change, DRAWS) for name, change in changes.items()
        }
        found["told"] = _told(_plus(base, changes))
        found["factors"] = {
            f"{name}.{part}": getattr(layer, part).tolist()
            for name, layer in layers.items()
            for part in ("lora_B", "lora_A")
        }
    return found


def _said(seed: int, found: dict[str, Any]) -> str:
    return f"seed {seed}: all on {found['every']}, best alone {min(found['alone'].values())}"


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base

    with processes() as pool:
        found = kept_runs(KEPT, SEEDS, _run, Bar(len(SEEDS)), pool, _said)
    base, first = load_base(), found[SEEDS[0]]
    layers = {
        name: {what: [found[seed][what][name] for seed in SEEDS] for what in ("alone", "without")}
        | first["itself"][name]
        for name in LAYERS
    }
    about = {
        "recorded": recorded_here(),
        "none": _loss(base, _texts(base), {}),
        "every": [found[seed]["every"] for seed in SEEDS],
        "told_none": _told(base),
        "told_every": first["told"],
        "layers": layers,
    }
    factors = {name: np.array(values, dtype=np.float32) for name, values in first["factors"].items()}
    write_arrays(PATH, factors, about)
    KEPT.unlink()


RECIPE = Recipe("block", __doc__, 4, (PATH, PATH.with_suffix(".json")), _make, after=("tasks",))
if __name__ == "__main__":
    RECIPE.run()
