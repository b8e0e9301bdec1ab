"""A run as a reader sees it, gathered while it comes. Needs no torch."""

import copy
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, NamedTuple

from compute.training.config import Diverged, Evaluation, Result, StepRecord, TrainConfig


class Run(NamedTuple):
    """Hold what a run has shown so far: everything, if it is finished. Plain values that JSON can hold.

    Lists with one number a step have the losses before each update. Lists with one entry an evaluation belong to
    `steps`.

    Attributes
    ----------
    config : dict
        Fields of the `compute.training.config.TrainConfig`.
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
    right : list of dict of str to float
        What it answers rightly, at each evaluation, as `compute.training.config.Evaluation` has it.
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
        Singular values of each delta_w, descending, by the name of its layer; r of an adapter, 2 r of PiSSA's,
        since what follows is rounding. Empty until the run is finished.
    strengths : dict of str to list
        What the adapter does at each of `compute.training.config.STRENGTHS`: "validation_loss", "base_loss",
        "samples" and "right", as above. Empty until the run is finished, and after full finetuning.
    device : str
        "cuda", "mps" or "cpu". Empty until the run is finished.
    diverged : dict or None
        Fields of the `compute.training.config.Diverged` that ended the run, None if none did.
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
    right: list[dict[str, float]]
    base_samples: tuple[str, ...] = ()
    trainable: int = 0
    total: int = 0
    bytes: int = 0
    seconds: float = 0.0
    tokens_per_second: float = 0.0
    spectra: dict[str, list[float]] = {}
    strengths: dict[str, list] = {}
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
    >>> from compute.training.loop import train
    >>> config = TrainConfig(steps=2, batch_size=4, n_texts=64)
    >>> collector = Collector(config)
    >>> for record in train(config):
    ...     collector.add(record)
    ...     print(len(collector.run.loss), collector.run.steps, collector.run.finished)
    1 [0] False
    2 [0] False
    2 [0, 2] True
    """

    def __init__(self, config: TrainConfig):
        self._run = Run(asdict(config), [], {}, [], [], [], [], [])

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
        kept = None
        if run.config["method"] == "lora":  # PiSSA's change has its start in it too
            kept = run.config["r"] * (2 if run.config["init"] == "PiSSA" else 1)
        self._run = run._replace(
            base_samples=record.base_evaluation.samples,
            trainable=record.trainable,
            total=record.total,
            bytes=len(record.weights),
            seconds=record.seconds,
            spectra={name: s[:kept] for name, s in record.spectra.items()},
            strengths=_columns(record.strengths),
            device=record.device,
        )

    def _evaluated(self, step: int, evaluation: Evaluation) -> None:
        self._run.steps.append(step)
        self._run.validation_loss.append(evaluation.validation_loss)
        self._run.base_loss.append(evaluation.base_loss)
        self._run.samples.append(evaluation.samples)
        self._run.right.append(evaluation.right)


def collect(config: TrainConfig, records: Iterable[StepRecord | Result | Diverged]) -> Run:
    """Return a run from its records.

    Parameters
    ----------
    config : TrainConfig
        The run.
    records : iterable of StepRecord, Result or Diverged
        What `compute.training.loop.train` yields, to the end or a part of it.

    Returns
    -------
    Run
        All of it, or what there is so far.

    Examples
    --------
    >>> from compute.training.loop import train
    >>> config = TrainConfig(steps=2, batch_size=4, n_texts=64)
    >>> run = collect(config, train(config))
    >>> len(run.loss), run.steps, run.finished
    (2, [0, 2], True)
    """
    collector = Collector(config)
    for record in records:
        collector.add(record)
    return collector.run


def opened(task: str, result: Result) -> Run:
    """Return an adapter that a reader brought as a run of which only the end is known.

    Parameters
    ----------
    task : str
        What it was evaluated on, one of TASKS.
    result : Result
        What `compute.training.opened.open_adapter` yields.

    Returns
    -------
    Run
        Finished, with one evaluation and no steps. Its config says the task, the method and the largest r.

    Examples
    --------
    >>> from compute.training.opened import open_adapter
    >>> from compute.training.loop import train
    >>> *_, trained = train(TrainConfig(steps=2, batch_size=4, n_texts=64))
    >>> files = (trained.weights, trained.adapter_config)
    >>> run = opened("new facts", *open_adapter("new facts", *files, n_texts=64))
    >>> run.config, run.loss, len(run.validation_loss), run.finished
    ({'task': 'new facts', 'method': 'lora', 'r': 4}, [], 1, True)
    """
    r = max(map(len, result.spectra.values()))
    collector = Collector(TrainConfig(task=task))
    collector.add(result)
    config = {"task": task, "method": "lora", "r": r}
    return collector.run._replace(config=config, spectra=result.spectra)


def _columns(evaluations: tuple[Evaluation, ...]) -> dict[str, list]:
    """Return evaluations as one list for each of their fields, none where there is nothing in it."""
    if not evaluations:
        return {}
    columns = zip(Evaluation._fields, zip(*evaluations, strict=True), strict=True)
    return {name: list(values) for name, values in columns}
