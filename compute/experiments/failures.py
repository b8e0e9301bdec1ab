"""Five ways to fail, each with one knob: what was asked for, and what came of it.

One of them is the recorded runs over the rank. For the others 42 runs of about ten seconds are trained, and for the
wrong base another base (20 seconds) and three that were finetuned further. A run that is among the recorded ones is
taken from there. The same machine gives the same numbers; only the date and the time differ.
"""

import copy
import math
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.making import Bar, Recipe, finished
from compute.experiments.runs import (
    FULL,
    FULL_LEARNING_RATES,
    FULL_SLOW,
    LORA_LEARNING_RATE,
    RECORDED_RANKS,
    WITH_EMBEDDINGS,
    config_of,
    load,
)
from compute.numbers.records import RECORDS, NotWhole, read_record, recorded_here, write_record
from compute.text.voices import TRAINING_TEXTS
from compute.training.config import TrainConfig
from compute.training.gathered import Run, collect

if TYPE_CHECKING:
    from compute.model.gpt import GPT

FILE = RECORDS / "failures.json"
OTHER_SEED = "another seed"
MORE_STEPS = (20, 100, 300)  # of full finetuning that the base got on top
OTHER_STEPS = 600  # of another base: fewer than ours had, and enough to write whole sentences
# Where the knob of each can stand.
KNOBS: dict[str, tuple[int | float | str, ...]] = {
    "rank": RECORDED_RANKS,
    "forgetting": (0.0, 1 / 32, 1 / 16, 1 / 4, 1 / 2),
    "data": (16, 64, 256, 1024, TRAINING_TEXTS),
    "alpha": (2.0, 8.0, 32.0, 128.0, 512.0),
    "base": (0, *MORE_STEPS, OTHER_SEED),
}
FAILURES = tuple(KNOBS)
# The lines of each, the first being the failure itself and the others its controls.
LINES = {
    "rank": ("frozen", "embeddings", FULL),
    "forgetting": ("mixed",),
    "data": ("large", "small"),
    "alpha": ("fixed", "matched"),
    "base": ("moved", "alone", "own"),
}
RECORDED = ("forgetting", "data", "alpha", "base")  # those of "rank" are the runs of compute.experiments.runs
SEEDS = {
    "mixed": (0, 1),
    "large": (0, 1),
    "fixed": (0, 1),
    "moved": (0, 1),
}  # of the other lines the first only
LARGE, SMALL = 32, 1  # ranks that learn from few texts
LAST = 30  # steps whose losses make the loss on what is trained on
DECIMALS = 4  # of losses


class Outcome(NamedTuple):
    """Hold where a run ended, in nats per token.

    Attributes
    ----------
    train : float or None
        Mean loss of the last LAST steps, on what was trained on. None where nothing was trained, and where a step
        also trains on the base's own texts.
    validation : float
        On texts of the task that are not trained on.
    base : float
        On texts of the base's own voices.
    best : float
        The lowest validation loss of all evaluations after the start, 50 steps apart.
    """

    train: float | None
    validation: float
    base: float
    best: float


class Failures(NamedTuple):
    """Hold what all runs came to.

    Attributes
    ----------
    recorded : str
        When and on what they were computed.
    before : dict of str to Outcome
        By failure: the base without any adapter.
    lines : dict of str to dict of str to list of list of (Outcome or None)
        By failure and line: for each place of the knob one outcome a seed, None for a run that diverged. A place
        without any was not recorded.
    """

    recorded: str
    before: dict[str, Outcome]
    lines: dict[str, dict[str, list[list[Outcome | None]]]]


def failure_config(failure: str, line: str, place: int, seed: int = 0) -> TrainConfig:
    """Return the run behind an outcome.

    Parameters
    ----------
    failure : str
        One of FAILURES.
    line : str
        One of its LINES.
    place : int
        Place of the knob, from 0.
    seed : int
        Seed of the run.

    Returns
    -------
    TrainConfig
        For "base" the run that made the adapter; the base that it is put on is another matter.

    Raises
    ------
    ValueError
        If there is no such line.

    Examples
    --------
    >>> failure_config("alpha", "matched", 3).learning_rate, failure_config("data", "large", 0).n_texts
    (0.0003125, 16)
    """
    if line not in LINES.get(failure, ()):
        raise ValueError(f"There is no line {line!r} of {failure!r}.")
    knob: Any = KNOBS[failure][place]
    if failure == "rank":
        if line == FULL:
            return TrainConfig(task="new language", method="full", learning_rate=1e-3, seed=seed)
        return TrainConfig(task="new language", r=knob, train_embeddings=line == "embeddings", seed=seed)
    if failure == "forgetting":
        return TrainConfig(task="new language", base_share=knob, seed=seed)
    if failure == "data":
        return TrainConfig(r=LARGE if line == "large" else SMALL, n_texts=knob, seed=seed)
    if failure == "alpha":
        share = TrainConfig().alpha / knob if line == "matched" else 1.0
        return TrainConfig(alpha=knob, learning_rate=LORA_LEARNING_RATE * share, seed=seed)
    return TrainConfig(seed=seed)


@cache
def load_failures(path: Path = FILE) -> Failures:
    """Return what was recorded, and the recorded runs over the rank beside it.

    Parameters
    ----------
    path : Path
        Name of the file. If left out, the one in assets/recorded.

    Returns
    -------
    Failures
        All of it, kept and shared: do not change it.

    Raises
    ------
    ValueError
        If a file is missing, damaged, not whole or of another base model.

    Examples
    --------
    >>> runs = load_failures().lines["alpha"]["fixed"]
    >>> runs[0][0].base < runs[3][0].base, runs[-1][0]  # an alpha too large, and one that breaks the run
    (True, None)
    >>> load_failures(Path("nothing.json"))
    Traceback (most recent call last):
    ValueError: The file nothing.json is missing. Run `python -m compute.experiments.failures`.
    """

    def build(data: dict[str, Any]) -> Failures:
        before, lines = data["before"], data["lines"]
        if set(lines) != set(RECORDED) or any(set(lines[name]) != set(LINES[name]) for name in RECORDED):
            raise NotWhole
        for name, of in lines.items():
            for line, places in of.items():
                seeds = len(SEEDS.get(line, (0,)))
                if len(places) != len(KNOBS[name]) or any(len(runs) not in (0, seeds) for runs in places):
                    raise NotWhole
        read = {
            name: {
                line: [[run and Outcome(*run) for run in runs] for runs in places]
                for line, places in of.items()
            }
            for name, of in lines.items()
        }
        first = load("new language", RECORDED_RANKS[0])
        start = Outcome(None, first.validation_loss[0], first.base_loss[0], first.validation_loss[0])
        began = {"rank": start, **{name: Outcome(*outcome) for name, outcome in before.items()}}
        return Failures(data["recorded"], began, {"rank": _over_rank(), **read})

    return read_record(path, "failures", build)


def outcome(loss: list[float], validation: list[float], base: list[float], trains_on_base: bool) -> Outcome:
    """Return where a run ended, from its losses.

    Parameters
    ----------
    loss : list of float
        Of each step, in nats per token.
    validation : list of float
        On texts of the task that are not trained on, at each evaluation, the first before any step.
    base : list of float
        On the base's own voices, likewise.
    trains_on_base : bool
        Whether the steps also train on the base's own texts.

    Returns
    -------
    Outcome
        Unrounded.

    Examples
    --------
    >>> outcome([2.0, 1.0], [2.0, 1.2, 1.4], [1.0, 1.1, 1.3], trains_on_base=False)
    Outcome(train=1.5, validation=1.4, base=1.3, best=1.2)
    """
    last = loss[-LAST:]
    train = None if trains_on_base else math.fsum(last) / len(last)
    return Outcome(train, validation[-1], base[-1], min(validation[1:]))


def _over_rank() -> dict[str, list[list[Outcome | None]]]:
    """Return the recorded runs on the new language, which have one seed."""

    def of(r: int | str) -> list[Outcome | None]:
        run = load("new language", r)
        return [outcome(run.loss, run.validation_loss, run.base_loss, trains_on_base=False)]

    trained = int(WITH_EMBEDDINGS[1])  # the only rank at which the embeddings learned too
    return {
        "frozen": [of(r) for r in RECORDED_RANKS],
        "embeddings": [of(WITH_EMBEDDINGS) if r == trained else [] for r in RECORDED_RANKS],
        FULL: [of(FULL) for _ in RECORDED_RANKS],
    }


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _known() -> dict[TrainConfig, Outcome | None]:
    """Return what the recorded runs came to."""
    runs = [(task, r) for task in ("legal", "new language") for r in RECORDED_RANKS]
    return {config_of(task, r): _told(config_of(task, r), load(task, r)) for task, r in runs}


def _told(config: TrainConfig, run: Run) -> Outcome:
    """Return where a run ended."""
    return outcome(run.loss, run.validation_loss, run.base_loss, trains_on_base=config.base_share > 0)


def _follow(config: TrainConfig, base: "GPT", done: dict[TrainConfig, Outcome | None]) -> Outcome | None:
    """Return where a run ends, None if it diverges, and remember it."""
    from compute.training.loop import train

    if config not in done:
        run = collect(config, train(config, base))
        done[config] = _told(config, run) if run.finished else None
    return done[config]


def _other_bases(base: "GPT") -> Iterator["GPT"]:
    """Yield the bases that adapters are put on, in the order of the knob."""
    from safetensors.torch import load as load_weights

    from compute.training.pretraining import pretrain

    yield base
    for steps in MORE_STEPS:
        rate = FULL_LEARNING_RATES[FULL_SLOW]
        further = TrainConfig(task="medical", method="full", learning_rate=rate, steps=steps)
        changed = copy.deepcopy(base)
        changed.load_state_dict(load_weights(finished(further, base).weights))
        yield changed
    yield pretrain(seed=1, steps=OTHER_STEPS)


def _measured(model: "GPT", task: str = TrainConfig.task) -> Outcome:
    """Return what a model does, without a run."""
    from compute.training.loop import evaluate

    there = evaluate(model, task)
    return Outcome(None, there.validation_loss, there.base_loss, there.validation_loss)


def _on_other_bases(base: "GPT", bases: Iterator["GPT"], bar: Bar) -> dict[str, list[list[Outcome | None]]]:
    """Return what adapters of one base do on others, what the others do alone, and with an adapter of their own."""
    from compute.adapters.peft_format import AdapterFiles, load_adapter

    ends = [finished(failure_config("base", "moved", 0, seed), base) for seed in SEEDS["moved"]]
    adapters = [AdapterFiles(end.weights, str(end.adapter_config)) for end in ends]
    lines: dict[str, list[list[Outcome | None]]] = {line: [] for line in LINES["base"]}
    for knob, below in zip(KNOBS["base"], bases, strict=True):
        lines["moved"].append([_measured(load_adapter(below, adapter)) for adapter in adapters])
        lines["alone"].append([_measured(below)])
        lines["own"].append([_follow(failure_config("base", "own", 0), below, {})])
        bar.did(f"base {knob}: {', '.join(f'{line} {places[-1]}' for line, places in lines.items())}")
    return lines


def _rounded(lines: dict[str, list[list[Outcome | None]]]) -> dict[str, list]:
    """Return outcomes as the file has them."""
    return {
        line: [[run and _short(run) for run in runs] for runs in places] for line, places in lines.items()
    }


def _short(run: Outcome) -> list[float | None]:
    """Return an outcome with as many digits as a figure can show."""
    return [None if loss is None else round(loss, DECIMALS) for loss in run]


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base

    base, done = load_base(), _known()
    lines, before = {}, {}
    bar = Bar(sum(len(KNOBS[name]) * (1 if name == "base" else len(LINES[name])) for name in RECORDED))
    for failure in RECORDED:
        task = failure_config(failure, LINES[failure][0], 0).task
        before[failure] = _short(_measured(base, task))
        if failure == "base":
            lines[failure] = _rounded(_on_other_bases(base, _other_bases(base), bar))
            continue
        found: dict[str, list[list[Outcome | None]]] = {line: [] for line in LINES[failure]}
        for line in found:
            for place, knob in enumerate(KNOBS[failure]):
                configs = [failure_config(failure, line, place, seed) for seed in SEEDS.get(line, (0,))]
                found[line].append([_follow(config, base, done) for config in configs])
                bar.did(f"{failure}, {line}, {knob}: {found[line][-1]}")
        lines[failure] = _rounded(found)
    recorded = f"{recorded_here()}, in {round(time.process_time())} s"
    write_record(FILE, {"recorded": recorded, "before": before, "lines": lines})


RECIPE = Recipe("failures", __doc__, 10, (FILE,), _make, after=("runs",))
if __name__ == "__main__":
    RECIPE.run()
