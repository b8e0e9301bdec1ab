"""The mini-model finetuned by every method of the menu, and the time of its forward pass.

On each of two tasks every method is trained at its middle size with three learning rates, and its other sizes at the
best of these; on the new language the middle size with two more seeds as well: 84 runs of about seven seconds. Then a
forward pass of the plain base and of every method, merged and not, is timed in rounds. The same machine gives the same
losses; times differ. To take only the times again, on a machine that does nothing else:
`python -m compute.experiments.menu times`.
"""

import time
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from compute.experiments.making import Bar, Recipe
from compute.numbers.records import RECORDS, NotWhole, read_record, recorded_here, write_record
from compute.training.config import Result, TrainConfig

if TYPE_CHECKING:
    from compute.model.gpt import GPT

FILE = RECORDS / "menu.json"
MENU_TASKS = ("legal", "new language")
# Ranks, widths of bottlenecks, numbers of vectors; None where there is no size to choose. The middle one is tuned.
SIZES: dict[str, tuple[int | None, ...]] = {
    "full": (None,),
    "lora": (1, 4, 16),
    "dora": (1, 4, 16),
    "adalora": (1, 4, 16),
    "bottleneck": (4, 16, 64),
    "soft prompt": (4, 16, 64),
    "ia3": (None,),
    "bitfit": (None,),
}
# Learning rates tried, about a factor of three apart; shorter runs said where the middle one should be. In the legal
# voice the smallest is within CLOSE of the best for every method. In the new language three methods take one at the
# end, and one further out none of them does better: AdaLoRA 1.91 at 0.003 and 1.72 at 0.01, (IA)3 2.35 at 1 and 2.34
# at 0.3, the soft prompt 5.22 at 0.03 and 5.20 at 0.1.
RATES: dict[str, tuple[float, float, float]] = {
    "full": (3e-4, 1e-3, 3e-3),
    "lora": (3e-3, 1e-2, 3e-2),
    "dora": (3e-3, 1e-2, 3e-2),
    "adalora": (1e-2, 3e-2, 1e-1),
    "bottleneck": (1e-2, 3e-2, 1e-1),
    "soft prompt": (1e-1, 3e-1, 1.0),
    "ia3": (3e-2, 1e-1, 3e-1),
    "bitfit": (1e-2, 3e-2, 1e-1),
}
# The first seed for every run, all of them for the middle size at its best rate.
SEEDS: dict[str, tuple[int, ...]] = {"legal": (0,), "new language": (0, 1, 2)}
CLOSE = 0.01  # nats: a difference that no figure shows
MERGE = ("lora", "dora", "adalora", "ia3", "bitfit")  # into weights, and BitFit into biases that stay
BATCHES = (1, 32)  # texts in a timed forward pass
DECIMALS = 4  # of losses, in nats
RATIO_DECIMALS = 3
ROUNDS = 200


class MenuRun(NamedTuple):
    """Hold how one run ended.

    Attributes
    ----------
    task : str
        One of MENU_TASKS.
    method : str
        A key of SIZES.
    size : int or None
        One of its SIZES.
    rate : float
        Learning rate.
    seed : int
        One of SEEDS of the task.
    validation_loss : float or None
        On unseen texts of the task, in nats per token; None if the run diverged.
    base_loss : float or None
        On the base's own voices.
    trainable : int
        Numbers that learned.
    ranks : dict of str to int
        Of AdaLoRA, how many directions each layer kept; empty for other methods.
    """

    task: str
    method: str
    size: int | None
    rate: float
    seed: int
    validation_loss: float | None
    base_loss: float | None
    trainable: int
    ranks: dict[str, int]


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


def middle_of(method: str) -> int | None:
    """Return the size of a method whose learning rate is tuned.

    Parameters
    ----------
    method : str
        A key of SIZES.

    Returns
    -------
    int or None
        The middle one of its SIZES.

    Examples
    --------
    >>> middle_of("lora"), middle_of("ia3")
    (4, None)
    """
    return SIZES[method][len(SIZES[method]) // 2]


def config_of(task: str, method: str, size: int | None, rate: float, seed: int) -> TrainConfig:
    """Return a recorded run.

    Parameters
    ----------
    task : str
        One of MENU_TASKS.
    method : str
        A key of SIZES.
    size : int or None
        One of its SIZES.
    rate : float
        Learning rate.
    seed : int
        Seed of the start and of the order of the texts.

    Returns
    -------
    TrainConfig
        All that decides the run.

    Examples
    --------
    >>> config_of("legal", "bottleneck", 16, 0.03, 0).r
    16
    """
    r = TrainConfig.r if size is None else size
    return TrainConfig(task=task, method=method, r=r, learning_rate=rate, seed=seed)


def best_rate(runs: Sequence[MenuRun], task: str, method: str) -> float:
    """Return the learning rate that a method is shown with: the smallest that learns as well as any.

    Parameters
    ----------
    runs : sequence of MenuRun
        Those of all rates among them.
    task : str
        One of MENU_TASKS.
    method : str
        A key of SIZES.

    Returns
    -------
    float
        Of its RATES the smallest whose loss on the task is within CLOSE of the lowest: at the middle size, with the
        first seed.

    Raises
    ------
    ValueError
        If there is no such run, or each of them diverged.

    Notes
    -----
    Forgetting grows with the rate. To take the lowest loss whatever it is would trade much of what the base knew for
    a thousandth of a nat.

    Examples
    --------
    >>> losses = zip(RATES["ia3"], (0.56, 0.531, 0.53), strict=True)
    >>> runs = [MenuRun("legal", "ia3", None, rate, 0, loss, 2.0, 1152, {}) for rate, loss in losses]
    >>> best_rate(runs, "legal", "ia3")
    0.1
    """
    found = {
        run.rate: run.validation_loss
        for run in runs
        if (run.task, run.method, run.size, run.seed) == (task, method, middle_of(method), SEEDS[task][0])
        and run.validation_loss is not None
    }
    lowest = min(found.values())
    return min(rate for rate, loss in found.items() if loss <= lowest + CLOSE)


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
    """Return the recording in assets.

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
    ValueError: The file nothing.json is missing. Run `python -m compute.experiments.menu`.
    """
    return read_record(path, "menu", _built)


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


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _trained(config: TrainConfig, size: int | None, base: "GPT") -> MenuRun:
    """Return how a run ends."""
    from safetensors.torch import load

    from compute.training.loop import train
    from compute.training.methods import with_method

    about = (config.task, config.method, size, config.learning_rate, config.seed)
    *_, end = train(config, base, evaluate_every=config.steps, strengths=())  # only how a run ends is kept
    if not isinstance(end, Result):
        learning = with_method(config, base).parameters()
        return MenuRun(*about, None, None, sum(p.numel() for p in learning if p.requires_grad), {})
    there = end.evaluation
    losses = round(there.validation_loss, DECIMALS), round(there.base_loss, DECIMALS)
    learned = load(end.weights)
    ranks = {
        name.removesuffix(".lora_E"): int(lora_E.count_nonzero())
        for name, lora_E in sorted(learned.items())
        if name.endswith(".lora_E")
    }
    return MenuRun(*about, *losses, end.trainable, ranks)


def _runs(task: str, method: str, base: "GPT", bar: Bar) -> list[MenuRun]:
    """Return the runs of a method on a task: all rates at the middle size, then the best one for all that is left."""
    middle, (first, *more) = middle_of(method), SEEDS[task]

    def run(size: int | None, rate: float, seed: int) -> MenuRun:
        ended = _trained(config_of(task, method, size, rate, seed), size, base)
        bar.did(", ".join(map(str, ended[:7])))
        return ended

    runs = [run(middle, rate, first) for rate in RATES[method]]
    rate = best_rate(runs, task, method)
    runs += [run(size, rate, first) for size in SIZES[method] if size != middle]
    return runs + [run(middle, rate, seed) for seed in more]


def _timed(base: "GPT", rounds: int) -> tuple[list[Timing], dict[str, float]]:
    """Return the times of all methods, merged and not, and those of the plain base in milliseconds."""
    from compute.adapters.layer import merge
    from compute.serving.latency import processor_times
    from compute.text.batches import windows
    from compute.training.methods import with_method

    rng, found, milliseconds = np.random.default_rng(0), [], {}
    models = {}
    for method, sizes in SIZES.items():
        for size in sizes:
            model = with_method(config_of(MENU_TASKS[0], method, size, RATES[method][0], seed=0), base)
            models[method, size, False] = model
            if method in MERGE:
                models[method, size, True] = merge(model)
    for batch in BATCHES:
        texts = windows("base", "validation", base.config.block_size)[:batch, :-1]
        calls = {about: partial(model.forward, texts) for about, model in models.items()}
        times = processor_times({None: partial(base.forward, texts), **calls}, rounds, rng)
        plain = times.pop(None)
        milliseconds[str(batch)] = round(1000 * float(np.median(plain)), RATIO_DECIMALS)
        for (method, size, merged), values in times.items():
            low, median, high = np.percentile(values / plain, [25, 50, 75]).round(RATIO_DECIMALS).tolist()
            found.append(Timing(method, size, merged, batch, low, median, high))
    return found, milliseconds


def _make(parts: list[str]) -> None:
    from compute.model.checkpoint import load_base
    from compute.training.loop import evaluate

    base = load_base()
    if parts:
        menu = read_menu(FILE)
    else:
        each = [len(RATES[method]) + len(SIZES[method]) - 1 for method in SIZES]
        bar = Bar(sum(sum(each) + len(SIZES) * (len(SEEDS[task]) - 1) for task in MENU_TASKS))
        runs = [run for task in MENU_TASKS for method in SIZES for run in _runs(task, method, base, bar)]
        before = {task: [round(loss, DECIMALS) for loss in evaluate(base, task)[:2]] for task in MENU_TASKS}
        menu = Menu(recorded_here(), round(time.process_time()), before, runs, [], {})
    timings, milliseconds = _timed(base, ROUNDS)
    menu = menu._replace(timings=timings, milliseconds=milliseconds)
    rows = {name: [each._asdict() for each in getattr(menu, name)] for name in ("runs", "timings")}
    write_record(FILE, {**menu._asdict(), **rows})


RECIPE = Recipe("menu", __doc__, 18, (FILE,), _make, "PART", ("times",))
if __name__ == "__main__":
    RECIPE.run()
