"""What each adapter of the legal voice does by itself, read from assets. Needs no torch."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from compute.experiments.mixing import adapter_sums
from compute.model.forward import PROJECTIONS, base_weights, layer_name
from compute.numbers.records import ASSETS, NotWhole, read_record

FILE = ASSETS / "block.json"
VOICE = "legal"  # whose adapter is taken apart: assets/mixing/legal
R = 4
SEEDS = (0, 1, 2)  # of training; the adapter in assets has the first
DRAWS = 10  # random matrices as large as delta_w


class Effect(NamedTuple):
    """Hold losses on unseen legal texts, in nats per token, with one layer's adapter treated by itself.

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
    """

    alone: list[float]
    without: list[float]
    first: float
    later: float
    random: list[float]


class Effects(NamedTuple):
    """Hold everything that assets/record_block.py measured.

    Attributes
    ----------
    none : float
        Loss of the base.
    every : list of float
        Loss with all adapters on, for each of SEEDS.
    layers : dict of str to Effect
        By the name of the layer.
    recorded : str
        When and on what.
    seconds : float
        How long it took.
    """

    none: float
    every: list[float]
    layers: dict[str, Effect]
    recorded: str
    seconds: float


def layer_names() -> list[str]:
    """Return the names of all projections of the base model, block by block.

    Returns
    -------
    list of str
        As in adapter files.

    Examples
    --------
    >>> len(layer_names()), layer_names()[-1]
    (18, 'blocks.2.mlp.down_proj')
    """
    return [layer_name(block, name) for block in range(base_weights().n_layer) for name in PROJECTIONS]


@cache
def load_effects(path: Path = FILE) -> Effects:
    """Return what assets/record_block.py measured.

    Parameters
    ----------
    path : Path
        Name of the file. If left out, the one in assets.

    Returns
    -------
    Effects
        All of it; do not write to it: it is kept and shared.

    Raises
    ------
    ValueError
        If the file is missing, damaged, not whole, or measured with another base model or another adapter.

    Examples
    --------
    >>> effects = load_effects()
    >>> all(loss < effects.none for loss in effects.every)
    True
    """
    return read_record(path, "assets/record_block.py", _built)


def _built(data: dict[str, Any]) -> Effects:
    if data.pop("adapter") != adapter_sums()[VOICE]:
        raise NotWhole("was measured with another adapter")
    layers = {name: Effect(**effect) for name, effect in data.pop("layers").items()}
    effects = Effects(layers=layers, **data)
    lists = [(effects.every, len(SEEDS))]
    for effect in layers.values():
        lists += [(effect.alone, len(SEEDS)), (effect.without, len(SEEDS)), (effect.random, DRAWS)]
    rows = [loss for effect in layers.values() for loss in (effect.first, effect.later)]
    losses = [effects.none, *rows, *(loss for values, _ in lists for loss in values)]
    whole = list(layers) == layer_names() and all(len(values) == number for values, number in lists)
    if not whole or not all(isinstance(loss, float) and loss > 0 for loss in losses):
        raise NotWhole
    return effects
