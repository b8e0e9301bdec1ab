"""What all recordings share in the making: the command line, a bar with the time left, the time taken. No torch."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from compute.model.layers import TARGET_MODULES
from compute.training.config import Result, TrainConfig

if TYPE_CHECKING:
    import torch

    from compute.model.gpt import GPT

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 30  # characters of a bar
K = TypeVar("K")
W = TypeVar("W")


class Bar:
    """Tell on stderr what is done, how much that is of the whole, and how long the rest will take at this pace.

    On a terminal a bar stands below the lines; anywhere else each line says it.

    Parameters
    ----------
    total : int
        Items that there will be.

    Examples
    --------
    >>> import contextlib
    >>> with contextlib.redirect_stderr(sys.stdout):
    ...     bar = Bar(2)
    ...     bar.did("legal: 0.523 nats")
    ...     bar.did("code: 0.401 nats")
    1 of 2, 0 s left: legal: 0.523 nats
    2 of 2, 0 s left: code: 0.401 nats
    """

    def __init__(self, total: int):
        self._total, self._done, self._start, self._shown = total, 0, time.perf_counter(), 0

    def did(self, item: str) -> None:
        """Take note that one more item is done, and what it gave."""
        self._done += 1
        left = (time.perf_counter() - self._start) / self._done * (self._total - self._done)
        time_left = f"{left:.0f} s" if left < 90 else f"{left / 60:.0f} min"
        count = f"{self._done} of {self._total}, {time_left} left"
        if not sys.stderr.isatty():
            print(f"{count}: {item}", file=sys.stderr, flush=True)
            return
        bar = f"[{'#' * (WIDTH * self._done // self._total):{WIDTH}}] {count}"
        end = "\n" if self._done == self._total else ""
        print(f"\r{item.ljust(self._shown)}\n{bar}", end=end, file=sys.stderr, flush=True)
        self._shown = len(bar)  # the next line is to cover all of it


@dataclass(frozen=True)
class Recipe:
    """Say how a recording is made, and make it.

    Parameters
    ----------
    name : str
        Of the module of compute.experiments whose recording it is.
    about : str or None
        What is recorded, for --help: the docstring of the module.
    minutes : int
        About how long it takes on one core.
    writes : tuple of Path
        Files and folders, in assets/recorded.
    make : function of list of str
        Does it. It is given what stands on the command line.
    argument : str
        What can stand there, any number of times, in one word. Empty: nothing.
    choices : tuple of str
        What each of them may be. Empty: anything.
    after : tuple of str
        Names of the recordings that it starts from; all start from the base model.

    Examples
    --------
    >>> from compute.numbers.records import RECORDS
    >>> recipe = Recipe("grid", "Losses.", 8, (RECORDS / "grid.json",), print)
    >>> print(recipe.parser().description)
    Losses. About 8 minutes of one core; writes assets/recorded/grid.json.
    """

    name: str
    about: str | None
    minutes: int
    writes: tuple[Path, ...]
    make: Callable[[list[str]], None]
    argument: str = ""
    choices: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    def parser(self) -> argparse.ArgumentParser:
        """Return what reads the command line."""
        minutes = f"{self.minutes} minute{'s' if self.minutes > 1 else ''}"
        files = " and ".join(path.relative_to(ROOT).as_posix() for path in self.writes)
        after = f", after {' and '.join(self.after)}" if self.after else ""
        parser = argparse.ArgumentParser(
            prog=f"python -m compute.experiments.{self.name}",
            description=f"{self.about} About {minutes} of one core{after}; writes {files}.",
        )
        if self.argument:
            some = f"only some: {', '.join(self.choices)}" if self.choices else None
            parser.add_argument("given", metavar=self.argument, nargs="*", help=some)
        return parser

    def run(self, arguments: list[str] | None = None) -> None:
        """Do what the command line asks for, that of the process if none is given, and print how long it took."""
        parser = self.parser()
        given = getattr(parser.parse_args(arguments), "given", [])
        if self.choices and (unknown := [each for each in given if each not in self.choices]):
            parser.error(f"there is no {', '.join(unknown)}; there is {', '.join(self.choices)}")
        import torch  # here: those who read a recording do without

        # Matrices this small gain nothing from a second thread, and threads add up in another order every time.
        torch.set_num_threads(1)
        start = time.perf_counter()
        self.make(given)
        inside = [each for path in self.writes for each in (path, *path.rglob("*")) if each.is_file()]
        size = sum(path.stat().st_size for path in inside)
        took, core = time.perf_counter() - start, time.process_time()
        print(f"{size:,} bytes, {took:.0f} s, {core:.0f} s of one core")


def kept_runs(
    kept: Path,
    wanted: Sequence[K],
    run: Callable[[K], Any],
    bar: Bar,
    pool: Executor,
    tell: Callable[[K, Any], str] = lambda each, found: f"{each}: {found}",
) -> dict[K, Any]:
    """Return what runs came to, those that are kept and those that are still to be made, on all cores.

    Parameters
    ----------
    kept : Path
        A line a run: a recording that is stopped goes on where it was when the command is given again.
    wanted : sequence
        Which runs, each said by something that has a `repr` of its own, such as a TrainConfig.
    run : function of one of them
        Makes it, in another process: its name must be one of a module. It returns what JSON can hold.
    bar : Bar
        Is told of each.
    pool : Executor
        Of processes.
    tell : function of one of them and what it came to
        Says for the bar what is done.

    Returns
    -------
    dict
        By run. Those that only the file has are left out.

    Examples
    --------
    >>> import contextlib, io, tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
    ...     with ThreadPoolExecutor() as pool:
    ...         first = kept_runs(Path(folder, "a"), [1, 2], float, Bar(2), pool)
    ...         kept_runs(Path(folder, "a"), [1, 2, 3], str, Bar(3), pool)  # str is asked for the third only
    {1: 1.0, 2: 2.0, 3: '3'}
    """
    known = {}
    for line in kept.read_text(encoding="utf-8").splitlines() if kept.exists() else ():
        said, found = json.loads(line)
        known[said] = found
    done = {each: known[repr(each)] for each in wanted if repr(each) in known}
    for each, found in done.items():
        bar.did(tell(each, found))
    with kept.open("a", encoding="utf-8") as file:
        going = {pool.submit(run, each): each for each in wanted if each not in done}
        for one in as_completed(going):
            each, found = going[one], one.result()
            done[each] = found
            file.write(json.dumps([repr(each), found]) + "\n")
            file.flush()
            bar.did(tell(each, found))
    return done


class AtBest(NamedTuple):
    """Hold the runs of one way at its best learning rate.

    Attributes
    ----------
    rate : float
        The best of those that were tried.
    tried : dict of str to (float or None)
        What the first seed came to by rate; None where the run diverged.
    runs : list
        What each seed came to at that rate.
    """

    rate: float
    tried: dict[str, float | None]
    runs: list[Any]


def at_best_rate(
    kept: Path,
    rates: Mapping[W, Sequence[float]],
    seeds: Sequence[int],
    setting: Callable[[W, float, int], K],
    run: Callable[[K], Any],
    came_to: Callable[[Any], float | None],
    best: Callable[..., float],
    pool: Executor,
    tell: Callable[[K, Any], str],
    ladder: Sequence[float] = (),
) -> dict[W, AtBest]:
    """Try ways with every learning rate and the first seed, and make the runs of the other seeds at each way's best.

    Parameters
    ----------
    kept : Path
        As for `kept_runs`.
    rates : dict of way to sequence of float
        Learning rates that each way is tried with.
    seeds : sequence of int
        Seeds.
    setting : function of way, rate and seed
        Says which run, as `kept_runs` wants it.
    run : function of a setting
        As for `kept_runs`.
    came_to : function of what a run returned
        What the rate is chosen by, on validation; None if the run diverged.
    best : function
        `min` or `max`. Of equals, the first.
    pool : Executor
        As for `kept_runs`.
    tell : function of a setting and what it came to
        As for `kept_runs`.
    ladder : sequence of float, optional
        All rates that may be tried, ascending: those of a way are `widened` until its best lies inside.

    Returns
    -------
    dict of way to AtBest
        In the order of `rates`.

    Examples
    --------
    >>> import contextlib, io, tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
    ...     with ThreadPoolExecutor() as pool:
    ...         at_best_rate(
    ...             Path(folder, "a"),
    ...             {"a": (1, 2, 3)},
    ...             (0, 1),
    ...             lambda *asked: asked,
    ...             lambda asked: abs(asked[1] - 2) + asked[2] / 10,
    ...             lambda loss: loss,
    ...             min,
    ...             pool,
    ...             lambda asked, loss: f"{asked}: {loss}",
    ...         )
    {'a': AtBest(rate=2, tried={'1': 1.0, '2': 0.0, '3': 1.0}, runs=[0.0, 0.1])}
    """
    while True:
        first = {way: [setting(way, rate, seeds[0]) for rate in some] for way, some in rates.items()}
        bar = Bar(sum(map(len, first.values())) + len(first) * (len(seeds) - 1))
        found = kept_runs(kept, [one for some in first.values() for one in some], run, bar, pool, tell)
        tried = {
            way: {rate: came_to(found[one]) for rate, one in zip(some, first[way], strict=True)}
            for way, some in rates.items()
        }
        ends = {
            way: {rate: end for rate, end in some.items() if end is not None} for way, some in tried.items()
        }
        chosen = {way: best(some, key=some.__getitem__) for way, some in ends.items()}
        wider = {way: widened(ladder, some, chosen[way]) if ladder else some for way, some in rates.items()}
        if wider == rates:
            break
        rates = wider
    wanted = {way: [setting(way, rate, seed) for seed in seeds] for way, rate in chosen.items()}
    found |= kept_runs(kept, [one for some in wanted.values() for one in some[1:]], run, bar, pool, tell)
    return {
        way: AtBest(
            rate, {f"{each:g}": end for each, end in tried[way].items()}, [found[one] for one in wanted[way]]
        )
        for way, rate in chosen.items()
    }


def telling(steps: int, every: int = 100) -> Callable[[int, float], None]:
    """Return what tells every so many steps how far a long training is.

    Parameters
    ----------
    steps : int
        Number of steps.
    every : int
        Steps between two lines.

    Returns
    -------
    function of int and float
        Is told the number of each step, from 1, and its loss.

    Examples
    --------
    >>> import contextlib
    >>> with contextlib.redirect_stderr(sys.stdout):
    ...     tell = telling(4, every=4)
    ...     for step in range(1, 5):
    ...         tell(step, 1 / step)
    1 of 1, 0 s left: step 4: loss 0.250
    """
    bar = Bar(steps // every)

    def tell(step: int, loss: float) -> None:
        if step % every == 0:
            bar.did(f"step {step}: loss {loss:.3f}")

    return tell


def widened(ladder: Sequence[float], tried: Sequence[float], best: float) -> tuple[float, ...]:
    """Return the learning rates to try next, so that the best of them lies inside.

    Parameters
    ----------
    ladder : sequence of float
        All that may be tried, ascending.
    tried : sequence of float
        Those that were, ascending, side by side in the ladder.
    best : float
        The one of them that was best.

    Returns
    -------
    tuple of float
        These, and the one beside them where the best is at an end and the ladder goes on.

    Examples
    --------
    >>> widened((0.1, 0.2, 0.4, 0.8), (0.2, 0.4), 0.4), widened((0.1, 0.2, 0.4, 0.8), (0.1, 0.2), 0.1)
    ((0.2, 0.4, 0.8), (0.1, 0.2))
    """
    first, last = ladder.index(tried[0]), ladder.index(tried[-1])
    return tuple(ladder[max(0, first - (best == tried[0])) : last + 1 + (best == tried[-1])])


def learner(base: "GPT", r: int, generator: "torch.Generator") -> "GPT":
    """Return a copy of a model that can learn, by an adapter on every linear layer or whole.

    Parameters
    ----------
    base : GPT
        A plain model on the CPU.
    r : int
        Rank of the adapters, whose alpha is 2 r, so that the scaling is the same at every rank; 0 for full finetuning.
    generator : torch.Generator
        Where lora_A is drawn from.

    Returns
    -------
    GPT
        What is to learn asks for gradients.

    Examples
    --------
    >>> import torch
    >>> from compute.model.checkpoint import load_base
    >>> for r in (1, 0):
    ...     model = learner(load_base(), r, torch.Generator())
    ...     print(sum(p.numel() for p in model.parameters() if p.requires_grad))
    3456
    193408
    """
    import copy

    from compute.adapters.layer import inject

    return inject(base, TARGET_MODULES, r, 2 * r, "alpha/r", "B=0", generator) if r else copy.deepcopy(base)


def kept_model(kept: Path, make: Callable[[], "GPT"]) -> "GPT":
    """Return a model from which several runs start: made once, kept in a file, read from there.

    Parameters
    ----------
    kept : Path
        The file, safetensors whatever its name.
    make : function
        Makes the model, a plain one on the CPU of the base's sizes, if there is no file.

    Returns
    -------
    GPT
        The same numbers whether it was made or read.

    Examples
    --------
    >>> import tempfile
    >>> from compute.model.checkpoint import load_base
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = kept_model(Path(folder, "a"), load_base)
    ...     again = kept_model(Path(folder, "a"), lambda: None)
    >>> bool((made.lm_head.weight == again.lm_head.weight).all())
    True
    """
    from safetensors.torch import load_file, save_file

    from compute.model.checkpoint import load_base

    if not kept.exists():
        beside = kept.with_name(f"{kept.name}.{os.getpid()}")  # whoever stops it here leaves no half file
        save_file(make().state_dict(), beside)
        beside.replace(kept)
    model = load_base()
    model.load_state_dict(load_file(kept))
    return model


def processes() -> Executor:
    """Return a pool of as many processes as there are cores, each of which computes on one thread.

    Returns
    -------
    Executor
        To be closed by a `with`.

    Examples
    --------
    >>> with processes() as pool:
    ...     pool.submit(max, 1, 2).result()
    2
    """
    import torch

    return ProcessPoolExecutor(
        mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    )


def finished(config: TrainConfig, base: "GPT") -> Result:
    """Return the end of a run that must not diverge.

    Parameters
    ----------
    config : TrainConfig
        The run.
    base : GPT
        What is finetuned; it is not touched.

    Returns
    -------
    Result
        Weights, losses and all else.

    Raises
    ------
    SystemExit
        If the run diverges.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> finished(TrainConfig(steps=1, n_texts=64), load_base()).step
    1
    """
    from compute.training.loop import train

    *_, end = train(config, base)
    if not isinstance(end, Result):
        sys.exit(f"{config} diverged: {end}")
    return end
