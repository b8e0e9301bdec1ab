"""LoRA on a quantised base, recorded: what the few bits cost before, what is learned on them. Needs no torch."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from compute.numbers.quantising import BLOCK
from compute.numbers.records import ASSETS, NotWhole, read_record
from compute.training.config import BASE_FORMATS, EVALUATE_EVERY, TrainConfig

FILE = ASSETS / "qlora.json"
LEARNED_TASKS = ("legal", "new language")  # one that the base has read a little of, one that it has not
BLOCKS = (16, 32, 64, 128, 256, 4096)  # the last is a whole square matrix
SEEDS = (0, 1, 2)
STEPS = tuple(range(0, TrainConfig.steps + 1, EVALUATE_EVERY))


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
    """Return what assets/record_qlora.py recorded.

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
    ValueError: The file nothing.json is missing. Run `python assets/record_qlora.py`.
    """
    return read_record(path, "assets/record_qlora.py", _built)


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
