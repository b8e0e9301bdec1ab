"""LoRA on a quantised base: what the few bits cost before, and what is learned on them.

The unchanged base is measured in each format with blocks of six sizes. Then the lab's usual run is trained on two
tasks, six formats and three seeds: 36 runs of about ten seconds. The same machine gives the same numbers; only date
and seconds differ.
"""

import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.making import Bar, Recipe
from compute.numbers.quantising import BLOCK, FLOAT32
from compute.numbers.records import RECORDS, NotWhole, read_record, recorded_here, write_record
from compute.training.config import BASE_FORMATS, Result, StepRecord, TrainConfig

if TYPE_CHECKING:
    from compute.adapters.peft_format import AdapterFiles
    from compute.model.gpt import GPT

FILE = RECORDS / "qlora.json"
LEARNED_TASKS = ("legal", "new language")  # one that the base has read a little of, one that it has not
BLOCKS = (16, 32, 64, 128, 256, 4096)  # the last is a whole square matrix
SEEDS = (0, 1, 2)
DECIMALS = 4  # of losses, in nats
STEPS = tuple(range(0, TrainConfig.steps + 1, 50))


class QuantisedRun(NamedTuple):
    """Hold one finetuning on a base in some format. Losses in nats per token.

    Attributes
    ----------
    validation_loss : list of float
        On texts of the task, after each of STEPS; the first is that of the base as it is stored.
    base_loss : list of float
        The same on texts of the base's own voices.
    requantised : float
        On the task, when delta_w was added to the base at the end and the sum stored in the format again.
    moved : float
        On the task, with the adapter that was trained with the same seed on the float32 base.
    """

    validation_loss: list[float]
    base_loss: list[float]
    requantised: float
    moved: float


class Recorded(NamedTuple):
    """Hold everything that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    seconds : float
        It took.
    stored : dict of str to list of float
        Loss of the unchanged base on its own voices, by format, one for each of BLOCKS.
    noise : dict of str to list of float
        The same with Gaussian noise as large as the rounding to the format in blocks of 64, one for each of SEEDS.
    runs : dict of str to dict of str to list of QuantisedRun
        By task and format, one for each of SEEDS.
    """

    recorded: str
    seconds: float
    stored: dict[str, list[float]]
    noise: dict[str, list[float]]
    runs: dict[str, dict[str, list[QuantisedRun]]]


def config_of(task: str, base_format: str, seed: int) -> TrainConfig:
    """Return what a recorded run was asked for.

    Parameters
    ----------
    task : str
        One of LEARNED_TASKS.
    base_format : str
        One of `compute.training.config.BASE_FORMATS`.
    seed : int
        One of SEEDS.

    Returns
    -------
    TrainConfig
        The usual run, with r = 4, but for these three.

    Examples
    --------
    >>> config_of("legal", "nf4", 0).base_format
    'nf4'
    """
    return TrainConfig(task=task, base_format=base_format, seed=seed)


def final_losses(runs: list[QuantisedRun]) -> list[float]:
    """Return the loss on the task at the end of each run.

    Parameters
    ----------
    runs : list of QuantisedRun
        Of all seeds.

    Returns
    -------
    list of float
        In nats per token, in their order.

    Examples
    --------
    >>> len(final_losses(load_qlora().runs["legal"]["nf4"]))
    3
    """
    return [run.validation_loss[-1] for run in runs]


def stored_loss(base_format: str, block: int = BLOCK) -> float:
    """Return the loss of the unchanged base on its own voices, stored in a format.

    Parameters
    ----------
    base_format : str
        One of `compute.training.config.BASE_FORMATS`.
    block : int
        One of BLOCKS.

    Returns
    -------
    float
        In nats per token.

    Examples
    --------
    >>> stored_loss("int2") > stored_loss("float32")
    True
    """
    return load_qlora().stored[base_format][BLOCKS.index(block)]


@cache
def load_qlora(path: Path = FILE) -> Recorded:
    """Return what was recorded.

    Parameters
    ----------
    path : Path
        Name of the file.

    Returns
    -------
    Recorded
        All of it. It is kept and shared: do not change it.

    Raises
    ------
    ValueError
        If the file is missing, damaged, not whole or of another base model.

    Examples
    --------
    >>> load_qlora(Path("nothing.json"))
    Traceback (most recent call last):
    ValueError: The file nothing.json is missing. Run `python -m compute.experiments.qlora`.
    """
    return read_record(path, "qlora", _built)


def _built(data: dict[str, Any]) -> Recorded:
    runs = {
        task: {form: [QuantisedRun(**run) for run in seeds] for form, seeds in formats.items()}
        for task, formats in data.pop("runs").items()
    }
    recorded = Recorded(runs=runs, **data)
    tables: list[dict] = [recorded.stored, recorded.noise, *runs.values()]
    whole = (
        tuple(runs) == LEARNED_TASKS
        and all(tuple(table) == BASE_FORMATS for table in tables)
        and all(len(losses) == len(BLOCKS) for losses in recorded.stored.values())
        and all(len(losses) == len(SEEDS) for losses in recorded.noise.values())
        and all(len(seeds) == len(SEEDS) for formats in runs.values() for seeds in formats.values())
        and all(
            len(run.validation_loss) == len(run.base_loss) == len(STEPS)
            for formats in runs.values()
            for seeds in formats.values()
            for run in seeds
        )
    )
    if not whole:
        raise NotWhole
    return recorded


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _loss_of(model: "GPT", task: str) -> float:
    """Return the loss on texts of a task."""
    from compute.training.loop import evaluate

    return round(evaluate(model, task).validation_loss, DECIMALS)


def _finetuned(
    config: TrainConfig, base: "GPT", plain: "AdapterFiles | None"
) -> tuple[QuantisedRun, "AdapterFiles"]:
    """Return a run and its adapter; `plain` is the one that was trained on the base as it is, None in that run."""
    from compute.adapters.layer import merge
    from compute.adapters.peft_format import AdapterFiles, load_adapter
    from compute.model.quantised import quantised_model
    from compute.training.loop import train

    evaluations = []
    for record in train(config, base):
        if isinstance(record, StepRecord | Result) and record.evaluation:
            evaluations.append(record.evaluation)
    assert isinstance(record, Result), f"{config} diverged"
    files = AdapterFiles(record.weights, str(record.adapter_config))
    stored = quantised_model(base, config.base_format)
    merged = merge(load_adapter(stored, files))
    run = QuantisedRun(
        [round(each.validation_loss, DECIMALS) for each in evaluations],
        [round(each.base_loss, DECIMALS) for each in evaluations],
        _loss_of(quantised_model(merged, config.base_format), config.task),
        _loss_of(load_adapter(stored, plain or files), config.task),
    )
    return run, files


def _runs(base: "GPT") -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return all runs by task and format, one for each seed."""
    bar = Bar(len(LEARNED_TASKS) * len(BASE_FORMATS) * len(SEEDS))
    runs: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for task in LEARNED_TASKS:
        plain: dict[int, AdapterFiles] = {}
        for base_format in BASE_FORMATS:
            for seed in SEEDS:
                run, files = _finetuned(config_of(task, base_format, seed), base, plain.get(seed))
                if base_format == FLOAT32:
                    plain[seed] = files
                runs.setdefault(task, {}).setdefault(base_format, []).append(run._asdict())
                bar.did(f"{task}, {base_format}, seed {seed}: {run.validation_loss[-1]}")
    return runs


def _untrained(base: "GPT") -> dict[str, dict[str, list[float]]]:
    """Return the losses of the base in each format with blocks of each size, and with noise as large instead."""
    from compute.model.quantised import noisy_model, quantised_model
    from compute.training.loop import evaluate

    def own_loss(model: "GPT") -> float:
        return round(evaluate(model, LEARNED_TASKS[0]).base_loss, DECIMALS)

    return {
        "stored": {
            name: [own_loss(quantised_model(base, name, block)) for block in BLOCKS] for name in BASE_FORMATS
        },
        "noise": {
            name: [own_loss(noisy_model(base, quantised_model(base, name), seed)) for seed in SEEDS]
            for name in BASE_FORMATS
        },
    }


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base

    base = load_base()
    losses, runs = _untrained(base), _runs(base)
    about = {"recorded": recorded_here(), "seconds": round(time.process_time())}
    write_record(FILE, {**about, **losses, "runs": runs})


RECIPE = Recipe("qlora", __doc__, 8, (FILE,), _make)
if __name__ == "__main__":
    RECIPE.run()
