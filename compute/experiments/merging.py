"""A layer of the mini-model with two adapters, and what merging them does, as assets/record_merging.py recorded it.

Needs no torch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from compute.numbers.records import ASSETS, read_arrays, write_arrays

FILE = ASSETS / "merging.safetensors"
TASKS = ("legal", "code")  # each is the second adapter of the other
LAYER = "blocks.1.attention.v_proj"  # square, and small enough to be drawn whole
R = 4
STRENGTHS = (1.0, 0.1, 0.01, 0.001)
CYCLES = (1, 2, 5, 10, 20, 50, 100)  # at which the drift is kept
DRIFT_SEED = 0  # of the hundred different adapters


class Layer(NamedTuple):
    """Hold one layer with its adapter, in float32.

    Attributes
    ----------
    W : (out, in) ndarray
        The frozen weight, as the base has it.
    lora_A : (r, in) ndarray
        First factor.
    lora_B : (out, r) ndarray
        Second factor.
    scaling : float
        What the product is multiplied by.
    x : (n, in) ndarray
        What the layer is given for each token of one text of the task.
    """

    W: np.ndarray
    lora_A: np.ndarray
    lora_B: np.ndarray
    scaling: float
    x: np.ndarray

    @property
    def delta_w(self) -> np.ndarray:
        """(out, in), scaling * lora_B @ lora_A in float32: pattern by pattern in float64, as the browser adds them."""
        lora_A, lora_B = (factor.astype(np.float64) for factor in (self.lora_A, self.lora_B))
        patterns = [np.outer(column, row) for column, row in zip(lora_B.T, lora_A, strict=True)]
        return (self.scaling * sum(patterns, np.zeros(self.W.shape))).astype(np.float32)


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
    """Return what assets/record_merging.py recorded.

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

    return read_arrays(path, "assets/record_merging.py", build)


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
