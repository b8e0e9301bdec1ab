"""Files in assets/recorded that were recorded with the base model: written in one way, read and refused in one way."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from compute.numbers.refusal import FileRefused

RECORDS = Path(__file__).resolve().parents[2] / "assets" / "recorded"
WORLD = RECORDS / "world.safetensors"  # the base model of the lessons
T = TypeVar("T")


class NotWhole(ValueError):
    """Say of a file that can be read what it lacks.

    Parameters
    ----------
    fault : str
        The end of a sentence that begins with the file.

    Examples
    --------
    >>> f"The file {NotWhole('has no legal')}."
    'The file has no legal.'
    """

    def __init__(self, fault: str = "is not whole"):
        super().__init__(fault)


def base_sum() -> str:
    """Return which base model is recorded.

    Returns
    -------
    str
        SHA-256 of its weights, as the text beside them states it; it is not computed again.

    Examples
    --------
    >>> len(base_sum())
    64
    """
    about = json.loads(WORLD.with_suffix(".json").read_text(encoding="utf-8"))
    return about["sha256"]


def described(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Return a file and what the text beside it says of it.

    Parameters
    ----------
    path : Path
        Name of the file; the text has the same name with .json, and holds the file's SHA-256 as "sha256".

    Returns
    -------
    data : bytes
        The file.
    about : dict
        The text.

    Raises
    ------
    FileRefused
        If the bytes are not those that the text describes. Nothing has read them by then.

    Examples
    --------
    >>> data, about = described(WORLD)
    >>> about["sha256"] == base_sum()
    True
    """
    data = path.read_bytes()
    about = _parsed(path.with_suffix(".json").read_text(encoding="utf-8"))
    if _sum(data) != about["sha256"]:
        raise FileRefused(
            f"{path.name} is damaged: its SHA-256 is not the one in {path.stem}.json. Fetch it again."
        )
    return data, about


def recorded_here(device: str = "cpu") -> str:
    """Return when and on what a recording is made, for its reader to see.

    Parameters
    ----------
    device : str
        "cpu", where recordings are made on one thread, or the name of another device.

    Returns
    -------
    str
        The date, the device, the version of torch.

    Examples
    --------
    >>> recorded_here().endswith(f"torch {version('torch').partition('+')[0]}")
    True
    """
    where = f"one thread of a CPU with {os.cpu_count()} cores" if device == "cpu" else device
    return f"{date.today()}, on {where}, torch {version('torch').partition('+')[0]}"


def write_record(path: Path, data: Mapping[str, Any]) -> None:
    """Write what was recorded, and which base model it was recorded with.

    Parameters
    ----------
    path : Path
        Name of the file, ending in .json.
    data : dict
        Anything that JSON can hold, without a key "base".

    Raises
    ------
    ValueError
        If a number is not finite.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.json")
    ...     write_record(path, {"loss": [1.5]})
    ...     read_record(path, "a", lambda data: data["loss"])
    [1.5]
    """
    whole = {**data, "base": base_sum()}
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_record(path: Path, experiment: str, build: Callable[[dict[str, Any]], T]) -> T:
    """Return what was recorded.

    Parameters
    ----------
    path : Path
        Name of the file, ending in .json.
    experiment : str
        What makes the file again: the name of a module of compute.experiments, and perhaps what it is to be given.
    build : function of dict
        Makes the result of what `write_record` was given. It raises NotWhole for what is missing; any other
        ValueError, TypeError, KeyError, IndexError or AttributeError means that the file holds something else.

    Returns
    -------
    object
        What `build` returned.

    Raises
    ------
    ValueError
        If the file is missing, damaged, not whole or of another base model: one sentence that ends with what to run.

    Examples
    --------
    >>> read_record(Path("a.json"), "a", dict)
    Traceback (most recent call last):
    ValueError: The file a.json is missing. Run `python -m compute.experiments.a`.
    """
    return read_file(
        path, experiment, lambda: build(_of_this_base(_parsed(path.read_text(encoding="utf-8"))))
    )


def reader(path: Path, experiment: str, build: Callable[[dict[str, Any]], T]) -> Callable[..., T]:
    """Return a function that reads a recording, once however often it is asked.

    Parameters
    ----------
    path : Path
        Name of the file, ending in .json.
    experiment : str
        As for `read_record`.
    build : function of dict
        As for `read_record`.

    Returns
    -------
    callable
        It takes the name of a file, `path` if it is left out, and returns what `build` did; it raises what
        `read_record` does. What it returns is kept and shared: do not change it.

    Examples
    --------
    >>> load_nothing = reader(Path("nothing.json"), "nothing", dict)
    >>> load_nothing()
    Traceback (most recent call last):
    ValueError: The file nothing.json is missing. Run `python -m compute.experiments.nothing`.
    """

    @cache
    def load(path: Path = path) -> T:
        """Return what was recorded, kept and shared: do not change it."""
        return read_record(path, experiment, build)

    return load


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
    """Write recorded arrays and, under the same name with .json, the rest.

    Parameters
    ----------
    path : Path
        Name of the file of arrays, ending in .safetensors.
    arrays : dict of str to ndarray
        By name.
    about : dict
        As for `write_record`, without a key "sha256".

    Notes
    -----
    The text also holds the SHA-256 of the file of arrays, so that one is never read with the other's text.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.safetensors")
    ...     write_arrays(path, {"W": np.eye(2)}, {"scaling": 2.0})
    ...     W, scaling = read_arrays(path, "a", lambda arrays, about: (arrays["W"], about["scaling"]))
    >>> (scaling * W).tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """
    data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    path.write_bytes(data)
    write_record(path.with_suffix(".json"), {**about, "sha256": _sum(data)})


def read_arrays(
    path: Path,
    experiment: str,
    build: Callable[[dict[str, np.ndarray], dict[str, Any]], T],
) -> T:
    """Return arrays that were recorded.

    Parameters
    ----------
    path : Path
        Name of the file of arrays, ending in .safetensors.
    experiment : str
        As for `read_record`.
    build : function of dict and dict
        Makes the result of what `write_arrays` was given; it refuses as that of `read_record` does.

    Returns
    -------
    object
        What `build` returned.

    Raises
    ------
    ValueError
        As `read_record` does.

    Notes
    -----
    The sum of the bytes is compared before anything reads them.

    Examples
    --------
    >>> read_arrays(Path("a.safetensors"), "a", lambda arrays, about: arrays)
    Traceback (most recent call last):
    ValueError: The file a.safetensors is missing. Run `python -m compute.experiments.a`.
    """

    def both() -> T:
        data, about = described(path)
        return build(load(data), _of_this_base(about))

    return read_file(path, experiment, both)


def read_file(path: Path, experiment: str, read: Callable[[], T]) -> T:
    """Return what is read of a recorded file, or say in one sentence why that cannot be.

    Parameters
    ----------
    path : Path
        Name of the file.
    experiment : str
        As for `read_record`.
    read : callable
        Reads it; what it may raise is what `build` of `read_record` may.

    Returns
    -------
    object
        What `read` returned.

    Raises
    ------
    ValueError
        As `read_record` does.

    Examples
    --------
    >>> read_file(Path("a.json"), "a FOLDER", Path("a.json").read_text)
    Traceback (most recent call last):
    ValueError: The file a.json is missing. Run `python -m compute.experiments.a FOLDER`.
    """
    try:
        return read()
    except FileNotFoundError:
        fault = "is missing"
    except NotWhole as error:
        fault = str(error)
    except (ValueError, TypeError, LookupError, AttributeError, SafetensorError):  # not what was written
        fault = "is damaged"
    raise ValueError(f"The file {path.name} {fault}. Run `python -m compute.experiments.{experiment}`.")


def _parsed(text: str) -> dict[str, Any]:
    return json.loads(text, parse_constant=_no_number)


def _of_this_base(data: dict[str, Any]) -> dict[str, Any]:
    if data.pop("base") != base_sum():
        raise NotWhole("started from another base model")
    return data


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number.")


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
