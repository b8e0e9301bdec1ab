"""Tasks learned one after the other, and the updates of finetuning taken apart.

For each of two seeds two sequences of three tasks are learned with one adapter and with full finetuning at two rates,
and each task with an adapter of its own; then ten runs are followed through four checkpoints: 50 finetunes of about
eight seconds. The same machine gives the same numbers; only the date and the time differ.
"""

import itertools
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from compute.experiments.making import Bar, Recipe
from compute.experiments.runs import FULL, FULL_LEARNING_RATES, FULL_SLOW
from compute.matrices.row_changes import Split, split_change
from compute.model.layers import LAYERS
from compute.numbers.records import RECORDS, NotWhole, read_record, recorded_here, write_record
from compute.training.config import TrainConfig

if TYPE_CHECKING:
    from compute.model.gpt import GPT

FILE = RECORDS / "after.json"
SEQUENCES = {
    "known": ("legal", "medical", "code"),  # voices that the base knows
    "new first": ("new language", "legal", "medical"),
}
ONE, EACH = "one adapter", "an adapter each"
WAYS = (ONE, EACH, FULL, FULL_SLOW)
SEEDS = (0, 1)
SENTENCES = 200  # begun for each voice; the standard error of a share is then below 0.036
SPLIT_TASKS = ("legal", "new language")
SPLIT_RANKS = (1, 4, 16)
SPLIT_RUNS = (FULL, FULL_SLOW, *SPLIT_RANKS)
CHECKPOINTS = (75, 150, 225, 300)  # updates
DICE = 0  # their seed
DECIMALS = 4  # of losses
DIGITS = 4  # significant ones, of both parts of a change


class Stage(NamedTuple):
    """Hold what a model can do after some of the tasks.

    Attributes
    ----------
    loss : dict of str to float
        On unseen sentences of each task of the sequence and of "base", in nats per token.
    share : dict of str to float
        By task: how many of the sentences that are begun in its voice end in it, 0..1.
    """

    loss: dict[str, float]
    share: dict[str, float]


class After(NamedTuple):
    """Hold everything that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    sequences : dict of str to dict of str to list of list of Stage
        By sequence and way: for each of SEEDS the base, then the model after each task.
    splits : dict of str to dict of str to list of list of Split
        By task and run, one of SPLIT_RUNS as text: for each of CHECKPOINTS one for each of LAYERS.
    """

    recorded: str
    sequences: dict[str, dict[str, list[list[Stage]]]]
    splits: dict[str, dict[str, list[list[Split]]]]


def after_config(way: int | str, task: str, seed: int = 0) -> TrainConfig:
    """Return how a task is learned, whatever the model has learned before.

    Parameters
    ----------
    way : int or str
        One of WAYS or of SPLIT_RUNS.
    task : str
        One of `compute.text.voices.TASKS`.
    seed : int
        Seed of the factors' start and of the order of the texts.

    Returns
    -------
    TrainConfig
        With the usual rates, and the usual r for an adapter unless the way is a rank.

    Examples
    --------
    >>> after_config("full-slow", "code").learning_rate, after_config("one adapter", "code").r
    (0.0003, 4)
    """
    if way in FULL_LEARNING_RATES:
        return TrainConfig(task=task, method="full", learning_rate=FULL_LEARNING_RATES[str(way)], seed=seed)
    return TrainConfig(task=task, r=way if isinstance(way, int) else TrainConfig.r, seed=seed)


@cache
def load_after(path: Path = FILE) -> After:
    """Return what was recorded.

    Parameters
    ----------
    path : Path
        Name of the file. If left out, the one in assets/recorded.

    Returns
    -------
    After
        All of it, kept and shared: do not change it.

    Raises
    ------
    ValueError
        If the file is missing, damaged, not whole or of another base model.

    Examples
    --------
    >>> base, first, *_ = load_after().sequences["new first"]["one adapter"][0]
    >>> base.share["new language"], first.share["new language"] > 0.2
    (0.0, True)
    >>> load_after(Path("nothing.json"))
    Traceback (most recent call last):
    ValueError: The file nothing.json is missing. Run `python -m compute.experiments.after`.
    """

    def build(data: dict[str, Any]) -> After:
        sequences = {
            name: {way: [[Stage(**stage) for stage in seed] for seed in seeds] for way, seeds in ways.items()}
            for name, ways in data["sequences"].items()
        }
        splits = {
            task: {run: [[Split(*each) for each in layers] for layers in over] for run, over in runs.items()}
            for task, runs in data["splits"].items()
        }
        if not _whole(sequences, splits):
            raise NotWhole
        return After(data["recorded"], sequences, splits)

    return read_record(path, "after", build)


def _whole(sequences: dict[str, Any], splits: dict[str, Any]) -> bool:
    return (
        set(sequences) == set(SEQUENCES)
        and all(set(ways) == set(WAYS) for ways in sequences.values())
        and all(
            len(seeds) == len(SEEDS)
            and all(len(seed) == 1 + len(SEQUENCES[name]) for seed in seeds)
            and all(set(s.loss) == {*SEQUENCES[name], "base"} for seed in seeds for s in seed)
            and all(set(s.share) == {*SEQUENCES[name]} for seed in seeds for s in seed)
            for name, ways in sequences.items()
            for seeds in ways.values()
        )
        and set(splits) == set(SPLIT_TASKS)
        and all(set(runs) == set(map(str, SPLIT_RUNS)) for runs in splits.values())
        and all(
            len(over) == len(CHECKPOINTS) and all(len(layers) == len(LAYERS) for layers in over)
            for runs in splits.values()
            for over in runs.values()
        )
    )


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _measured(model: "GPT", tasks: tuple[str, ...], sentences: int = SENTENCES) -> Stage:
    """Return what a model can do."""
    import torch

    from compute.model.completed import completed_share
    from compute.text.batches import windows

    with torch.no_grad():
        losses = {
            voice: round(model.loss(windows(voice, "validation", model.config.block_size)).item(), DECIMALS)
            for voice in (*tasks, "base")
        }
    return Stage(losses, {task: completed_share(model, task, sentences, DICE) for task in tasks})


def _one_after_another(base: "GPT", way: str, tasks: tuple[str, ...], seed: int, bar: Bar) -> list[Stage]:
    """Return what one model can do before and after each task."""
    from compute.training.loop import prepare, updates

    stages = [_measured(base, tasks)]
    model = prepare(after_config(way, tasks[0], seed), base)
    for task in tasks:
        list(updates(model, after_config(way, task, seed)))
        stages.append(_measured(model, tasks))
        bar.did(f"{way}, seed {seed}, after {task}: {stages[-1].loss}")
    return stages


def _alone(base: "GPT", task: str, seed: int, asked: tuple[str, ...], bar: Bar) -> Stage:
    """Return what a model with an adapter for one task can do."""
    from compute.training.loop import prepare, updates

    config = after_config(EACH, task, seed)
    model = prepare(config, base)
    list(updates(model, config))
    stage = _measured(model, asked)
    bar.did(f"{EACH}, seed {seed}, {task}: {stage.loss}")
    return stage


def _library(base: Stage, adapters: dict[str, Stage], tasks: tuple[str, ...]) -> list[Stage]:
    """Return what a library of adapters can do as it grows: each voice is asked of its own adapter, if there is one."""
    stages = []
    for number in range(len(tasks) + 1):
        of = {task: adapters[task] if task in tasks[:number] else base for task in tasks}
        losses = {task: of[task].loss[task] for task in tasks}
        shares = {task: of[task].share[task] for task in tasks}
        stages.append(Stage({**losses, "base": base.loss["base"]}, shares))
    return stages


def _split(base: "GPT", way: int | str, task: str, steps: tuple[int, ...] = CHECKPOINTS) -> list[list[Split]]:
    """Return both parts of the change of each layer at some moments of a run."""
    from compute.adapters.layer import merge
    from compute.training.loop import prepare, updates

    config = after_config(way, task)
    model, before = prepare(config, base), _weights(base)
    return [
        [Split(*map(_short, split_change(before[layer], after[layer]))) for layer in LAYERS]
        # the k-th loss, counted from 0, comes after k updates, and the None after all of them
        for after in (
            _weights(merge(model))
            for made, _ in enumerate(itertools.chain(updates(model, config), [None]))
            if made in steps
        )
    ]


def _weights(model: "GPT") -> dict[str, np.ndarray]:
    """Return the weights of the linear layers of the blocks."""
    return {layer: model.get_submodule(layer).weight.detach().double().numpy().copy() for layer in LAYERS}


def _short(value: float) -> float:
    """Return a number with as many digits as a figure can show."""
    return float(f"{value:.{DIGITS}g}")


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base

    base, every = load_base(), tuple(dict.fromkeys(task for tasks in SEQUENCES.values() for task in tasks))
    alone, ways = len(every) * len(SEEDS), [way for way in WAYS if way != EACH]
    learned = sum(map(len, SEQUENCES.values())) * len(ways) * len(SEEDS)
    bar = Bar(len(SPLIT_TASKS) * len(SPLIT_RUNS) + alone + learned)
    splits: dict[str, dict[str, list[list[Split]]]] = {task: {} for task in SPLIT_TASKS}
    for task in SPLIT_TASKS:
        for way in SPLIT_RUNS:
            splits[task][str(way)] = _split(base, way, task)
            bar.did(f"{task}, {way}: taken apart")
    adapters = [{task: _alone(base, task, seed, every, bar) for task in every} for seed in SEEDS]
    sequences: dict[str, dict[str, list]] = {}
    for name, tasks in SEQUENCES.items():
        found: dict[str, list] = {
            way: [_one_after_another(base, way, tasks, seed, bar) for seed in SEEDS] for way in ways
        }
        found[EACH] = [_library(found[ONE][0][0], adapters[i], tasks) for i, _ in enumerate(SEEDS)]
        sequences[name] = {way: [[s._asdict() for s in seed] for seed in found[way]] for way in WAYS}
    recorded = f"{recorded_here()}, in {round(time.process_time())} s"
    write_record(FILE, {"recorded": recorded, "sequences": sequences, "splits": splits})


RECIPE = Recipe("after", __doc__, 10, (FILE,), _make)
if __name__ == "__main__":
    RECIPE.run()
