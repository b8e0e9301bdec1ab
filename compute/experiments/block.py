"""What each adapter of the legal voice does by itself.

The adapter in assets/recorded/mixing/legal is taken, and trained twice more from other seeds. Then each of its layers
is switched on alone and off alone, and random matrices of the same size stand in its place: 330 losses.
"""

import copy
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.making import Bar, Recipe, finished
from compute.experiments.mixing import FOLDER, adapter_sums
from compute.experiments.runs import config_of
from compute.model.layers import LAYERS
from compute.numbers.records import RECORDS, NotWhole, read_record, recorded_here, write_record

if TYPE_CHECKING:
    import torch

    from compute.adapters.peft_format import AdapterFiles
    from compute.model.gpt import GPT

FILE = RECORDS / "block.json"
VOICE = "legal"  # whose adapter is taken apart: assets/recorded/mixing/legal
R = 4
SEEDS = (0, 1, 2)  # of training; the adapter in assets has the first
DRAWS = 10  # random matrices as large as delta_w
DECIMALS = 4  # of losses, in nats


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
    """Hold everything that was measured.

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


@cache
def load_effects(path: Path = FILE) -> Effects:
    """Return what was measured.

    Parameters
    ----------
    path : Path
        Name of the file. If left out, the one in assets/recorded.

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
    return read_record(path, "block", _built)


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
    whole = tuple(layers) == LAYERS and all(len(values) == number for values, number in lists)
    if not whole or not all(isinstance(loss, float) and loss > 0 for loss in losses):
        raise NotWhole
    return effects


# Reading needs no torch: whatever loads it is imported where something is recorded.

Changes = Mapping[str, "torch.Tensor"]


def _shipped_adapter() -> "AdapterFiles":
    """Return the adapter in assets, which was trained from the first seed."""
    from compute.adapters.peft_format import AdapterFiles

    folder = FOLDER / VOICE
    config = (folder / "adapter_config.json").read_text(encoding="utf-8")
    return AdapterFiles((folder / "adapter_model.safetensors").read_bytes(), config)


def _trained_adapter(seed: int, base: "GPT", bar: Bar) -> "AdapterFiles":
    """Return the adapter of the same run from another seed."""
    from compute.adapters.peft_format import AdapterFiles

    end = finished(replace(config_of(VOICE, R), seed=seed), base)
    bar.did(f"seed {seed}")
    return AdapterFiles(end.weights, str(end.adapter_config))


def _changes(files: "AdapterFiles", base: "GPT") -> Changes:
    """Return delta_w of each layer of an adapter."""
    from compute.adapters.layer import delta_w, lora_layers
    from compute.adapters.peft_format import load_adapter

    return {name: delta_w(layer).detach() for name, layer in lora_layers(load_adapter(base, files))}


def _loss(base: "GPT", texts: "torch.Tensor", added: Changes) -> float:
    """Return the loss of the base with something added to some of its weights."""
    model = copy.deepcopy(base).requires_grad_(False)
    for name, change in added.items():
        model.get_submodule(name).weight += change
    return round(model.loss(texts).item(), DECIMALS)


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


def _measured(
    base: "GPT", texts: "torch.Tensor", adapters: list[Changes], draws: int, bar: Bar
) -> dict[str, Any]:
    """Return the losses of base, adapters, and each layer by itself; random matrices are as large as the first's."""
    import torch

    layers = {}
    for name, own in adapters[0].items():
        generator = torch.Generator().manual_seed(0)
        random = [torch.randn(own.shape, generator=generator) for _ in range(draws)]
        others = [{each: a[each] for each in a if each != name} for a in adapters]
        layers[name] = {
            "alone": [_loss(base, texts, {name: adapter[name]}) for adapter in adapters],
            "without": [_loss(base, texts, rest) for rest in others],
            "first": _loss_in_rows(base, texts, name, own, slice(0, 1)),
            "later": _loss_in_rows(base, texts, name, own, slice(1, None)),
            "random": [_loss(base, texts, {name: noise * (own.norm() / noise.norm())}) for noise in random],
        }
        bar.did(f"{name}: {layers[name]}")
    every = [_loss(base, texts, adapter) for adapter in adapters]
    return {"none": _loss(base, texts, {}), "every": every, "layers": layers}


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base
    from compute.text.batches import windows

    start, base = time.perf_counter(), load_base()
    bar = Bar(len(SEEDS) - 1 + len(LAYERS))
    files = [_shipped_adapter(), *(_trained_adapter(seed, base, bar) for seed in SEEDS[1:])]
    texts = windows(VOICE, "validation", base.config.block_size)
    found = _measured(base, texts, [_changes(each, base) for each in files], DRAWS, bar)
    seconds = round(time.perf_counter() - start, 1)
    about = {"recorded": recorded_here(), "seconds": seconds, "adapter": adapter_sums()[VOICE]}
    write_record(FILE, {**about, **found})


RECIPE = Recipe("block", __doc__, 2, (FILE,), _make, after=("mixing",))
if __name__ == "__main__":
    RECIPE.run()
