"""A run as a reader sees it, whether it was recorded long ago or is being trained now. Needs no torch."""

import copy
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from compute.run import Diverged, Evaluation, Result, StepRecord, TrainConfig
from compute.voices import TASKS

RECORDED_RANKS = (1, 2, 4, 8, 16, 32)
FULL = "full"  # stands where a rank would
ASSETS = Path(__file__).resolve().parent.parent / "assets"
RUNS = ASSETS / "runs"


class Run(NamedTuple):
    """Hold what a run has shown so far: everything, if it is finished. Plain values that JSON can hold.

    Lists with one number a step have the losses before each update. Lists with one entry an evaluation belong to
    `steps`.

    Attributes
    ----------
    config : dict
        Fields of the `compute.run.TrainConfig`.
    loss : list of float
        Of each step, in nats per token.
    gradient_norms : dict of str to list of float
        Of each step, by the kind of what learns: "lora_A" and "lora_B", or "other" in full finetuning.
    steps : list of int
        Updates that had been made at each evaluation; the last is the finished model.
    validation_loss : list of float
        On texts of the task, in nats per token, at each evaluation.
    base_loss : list of float
        On texts of the base's own voices, in nats per token, at each evaluation.
    samples : list of tuple of str
        What the model writes, at each evaluation.
    base_samples : tuple of str
        What the base model writes with the same throws of the dice. Empty until the run is finished.
    trainable : int
        Numbers that learn. 0 until the run is finished, as are total and bytes.
    total : int
        Numbers of the model with its adapter.
    bytes : int
        Size of the file of weights that a reader can take away.
    seconds : float
        Spent in the run; in a recorded one, time of one processor core.
    tokens_per_second : float
        Trained on, without the time for evaluations.
    spectra : dict of str to list of float
        Singular values of each delta_w, descending, by the name of its layer; r of an adapter, since what follows
        is rounding. Empty until the run is finished.
    device : str
        "cuda", "mps" or "cpu". Empty until the run is finished.
    diverged : dict or None
        Fields of the `compute.run.Diverged` that ended the run, None if none did.
    recorded : str
        When and on what a recorded run was computed. Empty for any other.
    """

    config: dict[str, Any]
    loss: list[float]
    gradient_norms: dict[str, list[float]]
    steps: list[int]
    validation_loss: list[float]
    base_loss: list[float]
    samples: list[tuple[str, ...]]
    base_samples: tuple[str, ...] = ()
    trainable: int = 0
    total: int = 0
    bytes: int = 0
    seconds: float = 0.0
    tokens_per_second: float = 0.0
    spectra: dict[str, list[float]] = {}
    device: str = ""
    diverged: dict[str, Any] | None = None
    recorded: str = ""

    @property
    def finished(self) -> bool:
        """Whether the run went well to its end."""
        return self.trainable > 0


class Collector:
    """Gather the records of a run as they come.

    Parameters
    ----------
    config : TrainConfig
        The run.

    Examples
    --------
    >>> from compute.train import train
    >>> config = TrainConfig(steps=2, batch_size=4)
    >>> collector = Collector(config)
    >>> for record in train(config):
    ...     collector.add(record)
    ...     print(len(collector.run.loss), collector.run.steps, collector.run.finished)
    1 [0] False
    2 [0] False
    2 [0, 2] True
    """

    def __init__(self, config: TrainConfig):
        self._run = Run(asdict(config), [], {}, [], [], [], [])

    @property
    def run(self) -> Run:
        """What has come so far, as copies that later records do not change."""
        return copy.deepcopy(self._run)

    def add(self, record: StepRecord | Result | Diverged) -> None:
        """Take the next record."""
        run = self._run
        if isinstance(record, Diverged):
            self._run = run._replace(diverged=record._asdict())
            return
        if record.evaluation:
            self._evaluated(record.step, record.evaluation)
        if isinstance(record, StepRecord):
            run.loss.append(record.loss)
            for kind, norm in record.gradient_norms.items():
                run.gradient_norms.setdefault(kind, []).append(norm)
            self._run = run._replace(seconds=record.seconds, tokens_per_second=record.tokens_per_second)
            return
        kept = run.config["r"] if run.config["method"] == "lora" else None
        self._run = run._replace(
            base_samples=record.base_evaluation.samples,
            trainable=record.trainable,
            total=record.total,
            bytes=len(record.weights),
            seconds=record.seconds,
            spectra={name: s[:kept] for name, s in record.spectra.items()},
            device=record.device,
        )

    def _evaluated(self, step: int, evaluation: Evaluation) -> None:
        self._run.steps.append(step)
        self._run.validation_loss.append(evaluation.validation_loss)
        self._run.base_loss.append(evaluation.base_loss)
        self._run.samples.append(evaluation.samples)


def collect(config: TrainConfig, records: Iterable[StepRecord | Result | Diverged]) -> Run:
    """Return a run from its records.

    Parameters
    ----------
    config : TrainConfig
        The run.
    records : iterable of StepRecord, Result or Diverged
        What `compute.train.train` yields, to the end or a part of it.

    Returns
    -------
    Run
        All of it, or what there is so far.

    Examples
    --------
    >>> from compute.train import train
    >>> config = TrainConfig(steps=2, batch_size=4)
    >>> run = collect(config, train(config))
    >>> len(run.loss), run.steps, run.finished
    (2, [0, 2], True)
    """
    collector = Collector(config)
    for record in records:
        collector.add(record)
    return collector.run


def file_of(task: str, r: int | str) -> Path:
    """Return where a recorded run is kept.

    Parameters
    ----------
    task : str
        One of TASKS.
    r : int or str
        One of RECORDED_RANKS, or "full" for full finetuning.

    Returns
    -------
    Path
        A file in assets/runs, which may be missing.

    Raises
    ------
    ValueError
        If no such run is recorded.

    Examples
    --------
    >>> file_of("new language", 4).name, file_of("legal", "full").name
    ('new-language-r4.json', 'legal-full.json')
    """
    if task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, got {task!r}.")
    if r not in (*RECORDED_RANKS, FULL):
        raise ValueError(f"r must be one of {', '.join(map(str, RECORDED_RANKS))}, full, got {r!r}.")
    return RUNS / f"{task.replace(' ', '-')}-{r if r == FULL else f'r{r}'}.json"


def load(task: str, r: int | str) -> Run:
    """Return a run that assets/record_runs.py recorded.

    Parameters
    ----------
    task : str
        One of TASKS.
    r : int or str
        One of RECORDED_RANKS, or "full" for full finetuning.

    Returns
    -------
    Run
        The finished run, its numbers rounded as the file has them.

    Raises
    ------
    ValueError
        If no such run is recorded, or its file is missing, damaged, of another run or of another base model.

    Examples
    --------
    >>> run = load("legal", 4)
    >>> run.config["task"], run.config["r"], len(run.loss) == run.config["steps"]
    ('legal', 4, True)
    """
    path = file_of(task, r)
    asked = {"task": task, "method": "full"} if r == FULL else {"task": task, "method": "lora", "r": r}
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
        base = data.pop("base")
        run = _with_tuples(Run(**data))
        fault = ""
        if not asked.items() <= run.config.items() or not _is_whole(run):
            fault = "is not the whole of the run that its name says"
        elif base != base_sum():
            fault = "started from another base model"
    except FileNotFoundError:
        fault = "is missing"
    except (ValueError, TypeError, KeyError, AttributeError):  # no JSON, or JSON of something else
        fault = "is damaged"
    if fault:
        raise ValueError(
            f"The recorded run {path.name} {fault}. Run `python assets/record_runs.py {path.stem}`."
        )
    return run


def base_sum() -> str:
    """Return which base model is in assets.

    Returns
    -------
    str
        SHA-256 of its weights, as base.json states it; it is not computed again.

    Examples
    --------
    >>> len(base_sum())
    64
    """
    about = json.loads((ASSETS / "base.json").read_text(encoding="utf-8"))
    return about["sha256"]


def _with_tuples(run: Run) -> Run:
    """Return a run as it was before JSON made lists of its tuples, its config checked."""
    config = TrainConfig(**{**run.config, "target_modules": tuple(run.config["target_modules"])})
    samples = [tuple(texts) for texts in run.samples]
    return run._replace(config=asdict(config), samples=samples, base_samples=tuple(run.base_samples))


def _is_whole(run: Run) -> bool:
    evaluated = (run.steps, run.validation_loss, run.base_loss, run.samples)
    per_step = (run.loss, *run.gradient_norms.values())
    return (
        run.finished
        and all(len(values) == run.config["steps"] for values in per_step)
        and len({len(values) for values in evaluated}) == 1
        and run.steps[-1:] == [run.config["steps"]]
    )


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number.")
