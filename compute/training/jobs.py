"""What another process is asked to do, by name: here nothing loads torch, which only the work itself needs."""

from collections.abc import Iterator
from typing import Any

from compute.training.config import Diverged, Result, StepRecord, TrainConfig, config_from
from compute.training.swept import SweepEnd, SweepSteps
from compute.world.tasks import TRAINING_TEXTS


def train_run(config: dict[str, Any]) -> Iterator[StepRecord | Result | Diverged]:
    """Run a finetuning and yield what happens.

    Parameters
    ----------
    config : dict
        Fields of a `compute.training.config.TrainConfig`, as `dataclasses.asdict` or JSON gives them: a tuple may
        be a list.

    Yields
    ------
    StepRecord or Result or Diverged
        What `compute.training.loop.train` yields.

    Raises
    ------
    ValueError
        If a field is not one of its choices, or out of its range.

    Examples
    --------
    >>> [
    ...     type(record).__name__
    ...     for record in train_run({"steps": 1, "n_texts": 64, "target_modules": ["q_proj"]})
    ... ]
    ['StepRecord', 'Result']
    """
    from compute.training.loop import train

    yield from train(config_from(config))


def sweep_runs(configs: list[dict[str, Any]]) -> Iterator[SweepSteps | SweepEnd]:
    """Run a sweep and yield what happens.

    Parameters
    ----------
    configs : list of dict
        Of each run, as for `train_run`.

    Yields
    ------
    SweepSteps or SweepEnd
        What `compute.training.sweep.sweep` yields.

    Raises
    ------
    ValueError
        If a field is not one of its choices, or out of its range, or the runs make no sweep.

    Examples
    --------
    >>> run = {"task": "new facts", "n_texts": 8, "steps": 1, "batch_size": 2}
    >>> [type(record).__name__ for record in sweep_runs([run])]
    ['SweepSteps', 'SweepEnd']
    """
    from compute.training.sweep import sweep

    yield from sweep([config_from(config) for config in configs])


def sweep_time(configs: list[dict[str, Any]]) -> Iterator[float]:
    """Say about how long a sweep will take.

    Parameters
    ----------
    configs : list of dict
        As for `sweep_runs`.

    Yields
    ------
    float
        Seconds, as `compute.training.sweep.seconds_of` has them.

    Raises
    ------
    ValueError
        As `sweep_runs` does.

    Examples
    --------
    >>> [seconds] = sweep_time([{"task": "new facts", "n_texts": 8, "steps": 100, "batch_size": 2}])
    >>> seconds > 0
    True
    """
    from compute.training.sweep import seconds_of

    yield seconds_of([config_from(config) for config in configs])


def open_run(task: str, weights: bytes, config: str, n_texts: int = TRAINING_TEXTS) -> Iterator[Result]:
    """Yield what an adapter that a reader brings does.

    Parameters
    ----------
    task : str
        What it is evaluated on, one of a TrainConfig's.
    weights : bytes
        Bytes of adapter_model.safetensors.
    config : str
        Text of adapter_config.json.
    n_texts : int
        Of new facts, how many are asked.

    Yields
    ------
    Result
        The one that `compute.training.opened.open_adapter` yields.

    Raises
    ------
    compute.numbers.refusal.FileRefused
        If a file is damaged or does not fit the model.

    Examples
    --------
    >>> next(open_run("legal voice", b"", "{}"))
    Traceback (most recent call last):
    compute.numbers.refusal.FileRefused: peft_type is 'None' in adapter_config.json, not 'LORA'.
    """
    from compute.training.opened import open_adapter

    yield from open_adapter(task, weights, config, n_texts=n_texts)


def warm() -> Iterator[str]:
    """Load all that a run needs, so that the first one begins at once.

    Yields
    ------
    str
        What runs are computed on: "cuda", "mps" or "cpu".

    Examples
    --------
    >>> [device] = warm()
    >>> device in ("cuda", "mps", "cpu")
    True
    """
    from compute.training.loop import device, train

    for _ in train(TrainConfig(steps=1, n_texts=64)):
        pass
    yield device().type
