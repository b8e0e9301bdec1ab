"""The recorded comparison of all methods: what was run and timed, and how it is read. Needs no torch."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from compute.experiments.menu_plan import BATCHES, MENU_TASKS, MERGE, SIZES, MenuRun, best_rate
from compute.numbers.records import ASSETS, NotWhole, read_record

FILE = ASSETS / "menu.json"
SCRIPT = "assets/record_menu.py"


class Timing(NamedTuple):
    """Hold how long a forward pass takes, as a multiple of that of the plain base model.

    Attributes
    ----------
    method : str
        A key of SIZES.
    size : int or None
        One of its SIZES.
    merged : bool
        Whether what was learned is merged into the base.
    batch : int
        Texts in the pass, one of BATCHES.
    low : float
        A quarter of the rounds were below.
    median : float
        Half of the rounds were below.
    high : float
        A quarter of the rounds were above.
    """

    method: str
    size: int | None
    merged: bool
    batch: int
    low: float
    median: float
    high: float


class Menu(NamedTuple):
    """Hold the whole recording.

    Attributes
    ----------
    recorded : str
        When and on what.
    seconds : float
        Processor time that training took.
    before : dict of str to list of float
        Losses of the base model, by task: on the task, and on its own voices.
    runs : list of MenuRun
        All that were made.
    timings : list of Timing
        All that were timed.
    milliseconds : dict of str to float
        What the plain base model took for one pass, by the size of the batch.
    """

    recorded: str
    seconds: float
    before: dict[str, list[float]]
    runs: list[MenuRun]
    timings: list[Timing]
    milliseconds: dict[str, float]


class Entry(NamedTuple):
    """Hold what is shown of a method at a size on a task.

    Attributes
    ----------
    rate : float
        The learning rate chosen.
    validation_loss : float
        The middle one of its seeds.
    lowest : float
        The smallest of its seeds; the same where there is one seed.
    highest : float
        The largest of its seeds.
    base_loss : float
        On the base's own voices, the middle one of its seeds.
    trainable : int
        Numbers that learned.
    seeds : int
        How many seeds there are.
    """

    rate: float
    validation_loss: float
    lowest: float
    highest: float
    base_loss: float
    trainable: int
    seeds: int


def entry(menu: Menu, task: str, method: str, size: int | None) -> Entry:
    """Return what is shown of a method at a size on a task.

    Parameters
    ----------
    menu : Menu
        The recording.
    task : str
        One of MENU_TASKS.
    method : str
        A key of SIZES.
    size : int or None
        One of its SIZES.

    Returns
    -------
    Entry
        At the best rate of the method's middle size.

    Raises
    ------
    ValueError
        If there is no such run, or one of them diverged.

    Examples
    --------
    >>> entry(load_menu(), "legal", "ia3", None).trainable
    1152
    """
    rate = best_rate(menu.runs, task, method)
    runs = [
        run for run in menu.runs if (run.task, run.method, run.size, run.rate) == (task, method, size, rate)
    ]
    losses = sorted(run.validation_loss for run in runs if run.validation_loss is not None)
    forgotten = sorted(run.base_loss for run in runs if run.base_loss is not None)
    if not runs or len(losses) < len(runs):
        raise ValueError(
            f"{method} at size {size} on {task} has {len(losses)} runs of {len(runs)} that ended well."
        )
    half = len(losses) // 2
    return Entry(rate, losses[half], losses[0], losses[-1], forgotten[half], runs[0].trainable, len(runs))


def timing(menu: Menu, method: str, size: int | None, merged: bool, batch: int) -> Timing:
    """Return how long a forward pass takes.

    Parameters
    ----------
    menu : Menu
        The recording.
    method : str
        A key of SIZES.
    size : int or None
        One of its SIZES.
    merged : bool
        Whether what was learned is merged; only those of MERGE can be.
    batch : int
        One of BATCHES.

    Returns
    -------
    Timing
        As a multiple of the plain base model.

    Raises
    ------
    ValueError
        If it was not timed.

    Examples
    --------
    >>> timing(load_menu(), "lora", 4, merged=True, batch=1).median > 0
    True
    """
    for each in menu.timings:
        if each[:4] == (method, size, merged, batch):
            return each
    raise ValueError(f"{method} at size {size} was not timed{' merged' if merged else ''} at batch {batch}.")


@cache
def load_menu() -> Menu:
    """Return the recording of assets/record_menu.py.

    Returns
    -------
    Menu
        All of it. It is kept and shared: do not change it.

    Raises
    ------
    ValueError
        If the file is missing, damaged, not whole or of another base model.

    Examples
    --------
    >>> {run.task for run in load_menu().runs} == {*MENU_TASKS}
    True
    """
    return read_menu(FILE)


def read_menu(path: Path) -> Menu:
    """Return a recording.

    Parameters
    ----------
    path : Path
        Name of the file.

    Returns
    -------
    Menu
        All of it.

    Raises
    ------
    ValueError
        If the file is missing, damaged, not whole or of another base model.

    Examples
    --------
    >>> read_menu(Path("nothing.json"))
    Traceback (most recent call last):
    ValueError: The file nothing.json is missing. Run `python assets/record_menu.py`.
    """
    return read_record(path, SCRIPT, _built)


def _built(data: dict[str, Any]) -> Menu:
    runs = [MenuRun(**run) for run in data.pop("runs")]
    timings = [Timing(**each) for each in data.pop("timings")]
    menu = Menu(runs=runs, timings=timings, **data)
    for method, sizes in SIZES.items():
        for size in sizes:
            for task in MENU_TASKS:
                try:
                    entry(menu, task, method, size)
                except ValueError:
                    raise NotWhole(f"has no {method} on {task}") from None
            for merged in (False, True)[: 1 + (method in MERGE)]:
                for batch in BATCHES:
                    try:
                        timing(menu, method, size, merged, batch)
                    except ValueError:
                        raise NotWhole(f"has no time of {method}") from None
    return menu
