"""A layer of the mini-model with two adapters, and what merging them does.

Two of the adapters that the recording of mixing trained are put on the base of the world, and one layer kept; the whole
model is merged and unmerged in each precision at each strength, and a hundred times in and out in both ways in which an
adapter can be added; and a forward pass is timed with the adapter beside the weights and with it merged. A time is
processor time of one thread: what else the machine does does not count. The ratio of two times is what carries over,
and only roughly.
"""

import itertools
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from compute.adapters.merge_state import CYCLES, Layer, weight_numbers
from compute.experiments.making import Bar, Recipe
from compute.experiments.mixing import ADAPTERS, FOLDER, NEW_FACTS
from compute.numbers.precision import PRECISIONS
from compute.numbers.records import RECORDS, NotWhole, read_arrays, recorded_here, write_arrays

if TYPE_CHECKING:
    import torch
    from torch import nn

    from compute.model.gpt import GPT
    from compute.world.batches import Texts

FILE = RECORDS / "merging.safetensors"
TASKS = ("formal", "facts")  # of mixing's ADAPTERS; each is the second adapter of the other
LAYER = "blocks.1.attention.v_proj"  # square, and small enough to be drawn whole
ROUNDING = ("rounded", "unrounded")  # how delta_w is added before it is taken out again
LOSS_TEXTS = 64  # of a task that tells, whose losses are measured; of new facts all that were to be learned
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
    worn : dict of str to dict
        What the base still knows after the last of CYCLES in and out, all layers, by the key that `worn_key` gives:
        "loss" on its own texts in nats per word, "facts" and "stories", the shares of right answers.
    times : dict
        Seconds of a forward pass, {"layer" or "model": {texts: {"unmerged" or "merged": seconds}}}.
    recorded : str
        When and on what.
    """

    layers: Mapping[str, Layer]
    states: Mapping[str, Mapping[str, Any]]
    worn: Mapping[str, Mapping[str, float]]
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
    >>> state_key("formal", "bf16", 0.01)
    'formal-bf16-0.01'
    """
    return f"{task}-{precision}-{strength:g}"


def worn_key(task: str, precision: str, way: str) -> str:
    """Return what is kept of a base that an adapter was merged into and taken out of, again and again.

    Parameters
    ----------
    task : str
        Of the adapter, one of TASKS.
    precision : str
        A key of `compute.numbers.precision.PRECISIONS`.
    way : str
        One of ROUNDING, or "none": the base as the precision stores it, never touched.

    Returns
    -------
    str
        The three of them.

    Examples
    --------
    >>> worn_key("formal", "bf16", "unrounded")
    'formal-bf16-unrounded'
    """
    return f"{task}-{precision}-{way}"


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
        "worn": record.worn,
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
    >>> layer = load_record().layers["formal"]
    >>> layer.W.shape, layer.lora_A.shape, layer.lora_B.shape, layer.x.shape
    ((64, 64), (4, 64), (64, 4), (64, 64))
    """

    def build(arrays: dict[str, np.ndarray], about: dict[str, Any]) -> Record:
        names = [name for name in Layer._fields if name != "scaling"]
        layers = {
            task: Layer(scaling=scaling, **{name: arrays[f"{task}.{name}"] for name in names})
            for task, scaling in about["scaling"].items()
        }
        keys = {worn_key(task, p, way) for task in TASKS for p in PRECISIONS for way in ("none", *ROUNDING)}
        if set(layers) != set(TASKS) or set(about["worn"]) != keys:
            raise NotWhole
        return Record(layers, about["states"], about["worn"], about["times"], about["recorded"])

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
    >>> load_layer("facts").scaling
    2.0
    """
    if task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, got {task!r}.")
    return load_record().layers[task]


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _adapted(task: str, base: "GPT") -> "GPT":
    """Return the base with one of the adapters of mixing."""
    from compute.adapters.peft_format import AdapterFiles, load_adapter

    folder = FOLDER / task
    config = (folder / "adapter_config.json").read_text(encoding="utf-8")
    return load_adapter(base, AdapterFiles((folder / "adapter_model.safetensors").read_bytes(), config))


def _texts(task: str, base: "GPT") -> "Texts":
    """Return the texts that a task's losses are measured on, which no training has seen unless they are its facts."""
    from compute.world.batches import texts_of

    count = NEW_FACTS if task == "facts" else LOSS_TEXTS
    return texts_of(ADAPTERS[task], "test", count, base.config.block_size)


def _kept(task: str, base: "GPT", adapted: "GPT") -> Layer:
    """Return the layer that the figure shows, and what it is given for some texts of the task."""
    from compute.adapters.layer import lora_layers
    from compute.adapters.merged_model import layer_input

    layer = dict(lora_layers(adapted))[LAYER]
    tokens = _texts(task, base).tokens
    some = -(-base.config.block_size // (tokens.shape[1] - 1))  # texts that fill a page of the figure
    x = layer_input(base, LAYER, tokens[:some, :-1])[: base.config.block_size]
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

    models: dict[str, nn.Module] = {"unmerged": adapted, "merged": merge(adapted)}
    layers = {name: model.get_submodule(LAYER) for name, model in models.items()}
    found: dict[str, dict[str, dict[str, float]]] = {"layer": {}, "model": {}}
    for number in TEXTS:
        tokens = _texts(TASKS[0], adapted).tokens[:number, :-1]
        found["layer"][str(number)] = _medians(layers, layer_input(merge(adapted), LAYER, tokens))
        found["model"][str(number)] = _medians(models, tokens)
    return found


def _knows(model: "GPT") -> dict[str, float]:
    """Return what a model knows of what the base knew."""
    from compute.training.answers import base_loss, known
    from compute.world.batches import right

    asked = known("test", 128, 256, model.config.block_size)
    shares = {name: float(np.mean(right(model, some))) for name, some in asked.items()}
    return {"loss": base_loss(model, "test", 128), **shares}


def _rounded(value: float | list[float]) -> float | list[float]:
    """Return numbers with as many digits as a figure can show."""
    if isinstance(value, list):
        return [float(f"{each:.{DIGITS}g}") for each in value]
    return float(f"{value:.{DIGITS}g}")


def _make(_: list[str]) -> None:
    from compute.adapters.merged_model import merged_losses, worn
    from compute.model.checkpoint import load_base

    ways = [*itertools.product(TASKS, PRECISIONS, STRENGTHS)]
    wearing = [*itertools.product(TASKS, PRECISIONS, ("none", *ROUNDING))]
    base, bar = load_base(), Bar(len(ways) + len(wearing))
    adapted = {task: _adapted(task, base) for task in TASKS}
    layers = {task: _kept(task, base, model) for task, model in adapted.items()}
    texts = {task: _texts(task, base) for task in TASKS}
    states: dict[str, dict[str, Any]] = {}
    known: dict[str, dict[str, Any]] = {}
    for task, precision, strength in ways:
        second = next(other for other in TASKS if other != task)
        numbers = weight_numbers(layers[task], layers[second], precision, strength)
        models, some = [adapted[task], adapted[second]], [texts[task], texts[second]]
        losses = merged_losses(base, models, some, precision, strength)
        key = state_key(task, precision, strength)
        states[key] = {name: _rounded(value) for name, value in {**numbers, **losses}.items()}
        bar.did(f"{key}: {losses['unmerged']:.4f} beside, {losses['merged']:.4f} merged")
    for task, precision, way in wearing:
        cycles, how = (0, ROUNDING[0]) if way == "none" else (CYCLES[-1], way)
        found = _knows(worn(base, adapted[task], precision, cycles, how))
        key = worn_key(task, precision, way)
        known[key] = {name: _rounded(value) for name, value in found.items()}
        bar.did(f"{key}: {found}")
    save_record(FILE, Record(layers, states, known, _times(adapted[TASKS[0]]), recorded_here()))


RECIPE = Recipe("merging", __doc__, 2, (FILE, FILE.with_suffix(".json")), _make, after=("mixing",))
if __name__ == "__main__":
    RECIPE.run()
