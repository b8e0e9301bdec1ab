"""A layer of the mini-model with two adapters, and what merging them does.

An adapter is trained on each of two tasks, about 10 seconds each, and one layer kept; the whole model is merged and
unmerged in each precision at each strength; and a forward pass is timed with the adapter beside the weights and with it
merged. A time is processor time of one thread: what else the machine does does not count. The ratio of two times is
what carries over, and only roughly.
"""

import itertools
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from compute.adapters.merge_state import Layer, weight_numbers
from compute.experiments.making import Bar, Recipe, finished
from compute.experiments.runs import load
from compute.numbers.precision import PRECISIONS
from compute.numbers.records import RECORDS, read_arrays, recorded_here, write_arrays
from compute.training.config import TrainConfig

if TYPE_CHECKING:
    import torch
    from torch import nn

    from compute.model.gpt import GPT

FILE = RECORDS / "merging.safetensors"
TASKS = ("legal", "code")  # each is the second adapter of the other
LAYER = "blocks.1.attention.v_proj"  # square, and small enough to be drawn whole
R = 4
STRENGTHS = (1.0, 0.1, 0.01, 0.001)
DIGITS = 8  # significant ones: float32 has no more, and the gain of a small adapter is a small difference
TEXTS = (1, 32)  # in a timed forward pass
ROUNDS, EACH_SECONDS = 101, 0.01  # measurements, and how long one of them goes on


class Record(NamedTuple):
    """Hold what was recorded.

    Attributes
    ----------
    layers : dict of str to Layer
        By the task, one of TASKS.
    states : dict of str to dict
        Numbers by the key that `state_key` gives.
    times : dict
        Seconds of a forward pass, {"layer" or "model": {texts: {"unmerged" or "merged": seconds}}}.
    recorded : str
        When and on what.
    """

    layers: Mapping[str, Layer]
    states: Mapping[str, Mapping[str, Any]]
    times: Mapping[str, Mapping[str, Mapping[str, float]]]
    recorded: str


def state_key(task: str, precision: str, strength: float) -> str:
    """Return what the numbers of a state are kept under.

    Parameters
    ----------
    task : str
        Of the adapter that is merged first, one of TASKS.
    precision : str
        A key of `compute.numbers.precision.PRECISIONS`.
    strength : float
        One of STRENGTHS.

    Returns
    -------
    str
        The three of them.

    Examples
    --------
    >>> state_key("legal", "bf16", 0.01)
    'legal-bf16-0.01'
    """
    return f"{task}-{precision}-{strength:g}"


def save_record(path: Path, record: Record) -> None:
    """Write a record as a file of arrays and, under the same name with .json, the rest.

    Parameters
    ----------
    path : Path
        Name of the file of arrays, ending in .safetensors.
    record : Record
        What to write.

    Notes
    -----
    The text holds the SHA-256 of the arrays and that of the base model.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_record(Path(folder, "a.safetensors"), load_record())
    ...     load_record(Path(folder, "a.safetensors")).recorded == load_record().recorded
    True
    """
    arrays = {
        f"{task}.{name}": value
        for task, layer in record.layers.items()
        for name, value in layer._asdict().items()
        if isinstance(value, np.ndarray)
    }
    about = {
        "recorded": record.recorded,
        "scaling": {task: layer.scaling for task, layer in record.layers.items()},
        "times": record.times,
        "states": record.states,
    }
    write_arrays(path, arrays, about)


def load_record(path: Path = FILE) -> Record:
    """Return what was recorded.

    Parameters
    ----------
    path : Path
        Name of the file of arrays. If left out, the one of the lessons.

    Returns
    -------
    Record
        All of it.

    Raises
    ------
    ValueError
        If the file is missing, damaged or of another base model.

    Notes
    -----
    The sum of the bytes is compared before anything reads them.

    Examples
    --------
    >>> layer = load_record().layers["legal"]
    >>> layer.W.shape, layer.lora_A.shape, layer.lora_B.shape, layer.x.shape
    ((64, 64), (4, 64), (64, 4), (32, 64))
    """

    def build(arrays: dict[str, np.ndarray], about: dict[str, Any]) -> Record:
        names = [name for name in Layer._fields if name != "scaling"]
        layers = {
            task: Layer(scaling=scaling, **{name: arrays[f"{task}.{name}"] for name in names})
            for task, scaling in about["scaling"].items()
        }
        return Record(layers, about["states"], about["times"], about["recorded"])

    return read_arrays(path, "merging", build)


def load_layer(task: str) -> Layer:
    """Return the recorded layer with its adapter for a task.

    Parameters
    ----------
    task : str
        One of TASKS.

    Returns
    -------
    Layer
        Its arrays.

    Raises
    ------
    ValueError
        If the task is unknown, or the file is missing, damaged or of another base model.

    Examples
    --------
    >>> load_layer("code").scaling
    2.0
    """
    if task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, got {task!r}.")
    return load_record().layers[task]


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _trained(task: str, base: "GPT") -> "GPT":
    """Return the base with the adapter of the recorded run, trained again."""
    from compute.adapters.peft_format import AdapterFiles, load_adapter

    end = finished(TrainConfig(**load(task, R).config), base)
    return load_adapter(base, AdapterFiles(end.weights, str(end.adapter_config)))


def _kept(task: str, base: "GPT", adapted: "GPT") -> Layer:
    """Return the layer that the figure shows, and what it is given for one text."""
    from compute.adapters.layer import lora_layers
    from compute.adapters.merged_model import layer_input
    from compute.text.batches import windows

    layer = dict(lora_layers(adapted))[LAYER]
    x = layer_input(base, LAYER, windows(task, "validation", base.config.block_size)[:1, :-1])
    tensors = (layer.base.weight, layer.lora_A, layer.lora_B, x)
    W, lora_A, lora_B, given = (tensor.detach().numpy() for tensor in tensors)
    return Layer(W, lora_A, lora_B, layer.scaling, given)


def _medians(models: "dict[str, nn.Module]", given: "torch.Tensor") -> dict[str, float]:
    """Return the median processor time of a forward pass of each model in seconds, measured by turns."""
    from compute.serving.latency import processor_times

    calls = {name: partial(model, given) for name, model in models.items()}
    times = processor_times(calls, ROUNDS, np.random.default_rng(0), EACH_SECONDS)
    return {name: float(f"{np.median(each):.3g}") for name, each in times.items()}


def _times(adapted: "GPT") -> dict[str, dict[str, dict[str, float]]]:
    """Return how long layer and model take for TEXTS texts, with the adapter beside and merged."""
    from compute.adapters.layer import merge
    from compute.adapters.merged_model import layer_input
    from compute.text.batches import windows

    models: dict[str, nn.Module] = {"unmerged": adapted, "merged": merge(adapted)}
    layers = {name: model.get_submodule(LAYER) for name, model in models.items()}
    found: dict[str, dict[str, dict[str, float]]] = {"layer": {}, "model": {}}
    for number in TEXTS:
        tokens = windows(TASKS[0], "validation", adapted.config.block_size)[:number, :-1]
        found["layer"][str(number)] = _medians(layers, layer_input(merge(adapted), LAYER, tokens))
        found["model"][str(number)] = _medians(models, tokens)
    return found


def _rounded(value: float | list[float]) -> float | list[float]:
    """Return numbers with as many digits as a figure can show."""
    if isinstance(value, list):
        return [float(f"{each:.{DIGITS}g}") for each in value]
    return float(f"{value:.{DIGITS}g}")


def _make(_: list[str]) -> None:
    from compute.adapters.merged_model import merged_losses
    from compute.model.checkpoint import load_base

    ways = [*itertools.product(TASKS, PRECISIONS, STRENGTHS)]
    base, bar = load_base(), Bar(len(TASKS) + len(ways))
    adapted, layers, states = {}, {}, {}
    for task in TASKS:
        adapted[task] = _trained(task, base)
        layers[task] = _kept(task, base, adapted[task])
        bar.did(task)
    for task, precision, strength in ways:
        second = next(other for other in TASKS if other != task)
        numbers = weight_numbers(layers[task], layers[second], precision, strength)
        losses = merged_losses(base, adapted, (task, second), precision, strength)
        key = state_key(task, precision, strength)
        states[key] = {name: _rounded(value) for name, value in {**numbers, **losses}.items()}
        bar.did(f"{key}: {losses['unmerged']:.4f} beside, {losses['merged']:.4f} merged")
    save_record(FILE, Record(layers, states, _times(adapted[TASKS[0]]), recorded_here()))


RECIPE = Recipe("merging", __doc__, 2, (FILE, FILE.with_suffix(".json")), _make, after=("runs",))
if __name__ == "__main__":
    RECIPE.run()
