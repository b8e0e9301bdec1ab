"""Record tasks learned one after the other, and the updates of finetuning taken apart, and write assets/after.json.

Run it from the root of the repository: python assets/record_after.py. For each of two seeds it learns two sequences of
three tasks with one adapter and with full finetuning at two rates, and each task with an adapter of its own; then it
follows ten runs through four checkpoints: 50 finetunes of about eight seconds on one thread. The same machine gives the
same numbers; only the date and the time differ.
"""

import itertools
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

from compute.adapters.layer import merge
from compute.experiments.after import (
    CHECKPOINTS,
    EACH,
    FILE,
    LAYERS,
    ONE,
    SEEDS,
    SENTENCES,
    SEQUENCES,
    SPLIT_RUNS,
    SPLIT_TASKS,
    WAYS,
    Stage,
    after_config,
)
from compute.matrices.row_changes import Split, split_change
from compute.model.checkpoint import load_base
from compute.model.completed import completed_share
from compute.model.gpt import GPT
from compute.numbers.records import recorded_here, write_record
from compute.text.batches import windows
from compute.training.loop import prepare, updates

DECIMALS = 4  # of losses
DIGITS = 4  # significant ones, of both parts of a change
DICE = 0


@torch.no_grad()
def measured(model: GPT, tasks: tuple[str, ...], sentences: int = SENTENCES) -> Stage:
    """Return what a model can do."""
    block_size = model.config.block_size
    return Stage(
        {
            voice: round(model.loss(windows(voice, "validation", block_size)).item(), DECIMALS)
            for voice in (*tasks, "base")
        },
        {task: completed_share(model, task, sentences, DICE) for task in tasks},
    )


def one_after_another(base: GPT, way: str, tasks: tuple[str, ...], seed: int) -> list[Stage]:
    """Return what one model can do before and after each task."""
    stages = [measured(base, tasks)]
    model = prepare(after_config(way, tasks[0], seed), base)
    for task in tasks:
        list(updates(model, after_config(way, task, seed)))
        stages.append(measured(model, tasks))
        print(f"{way}, seed {seed}, after {task}: {stages[-1]}, {time.process_time():.0f} s", flush=True)
    return stages


def alone(base: GPT, task: str, seed: int, asked: tuple[str, ...]) -> Stage:
    """Return what a model with an adapter for one task can do."""
    config = after_config(EACH, task, seed)
    model = prepare(config, base)
    list(updates(model, config))
    return measured(model, asked)


def library(base: Stage, adapters: dict[str, Stage], tasks: tuple[str, ...]) -> list[Stage]:
    """Return what a library of adapters can do as it grows: each voice is asked of its own adapter, if there is one."""
    stages = []
    for number in range(len(tasks) + 1):
        of = {task: adapters[task] if task in tasks[:number] else base for task in tasks}
        losses = {task: of[task].loss[task] for task in tasks}
        shares = {task: of[task].share[task] for task in tasks}
        stages.append(Stage({**losses, "base": base.loss["base"]}, shares))
    return stages


def split(base: GPT, way: int | str, task: str, steps: tuple[int, ...] = CHECKPOINTS) -> list[list[Split]]:
    """Return both parts of the change of each layer at some moments of a run."""
    config = after_config(way, task)
    model, before = prepare(config, base), weights(base)
    return [
        [Split(*map(short, split_change(before[layer], after[layer]))) for layer in LAYERS]
        # the k-th loss, counted from 0, comes after k updates, and the None after all of them
        for after in (
            weights(merge(model))
            for made, _ in enumerate(itertools.chain(updates(model, config), [None]))
            if made in steps
        )
    ]


def weights(model: GPT) -> dict[str, np.ndarray]:
    """Return the weights of the linear layers of the blocks."""
    return {layer: model.get_submodule(layer).weight.detach().double().numpy().copy() for layer in LAYERS}


def short(value: float) -> float:
    """Return a number with as many digits as a figure can show."""
    return float(f"{value:.{DIGITS}g}")


def main() -> None:
    """Train, measure, write, and tell how long it took."""
    torch.set_num_threads(1)
    base = load_base()
    splits = {task: {str(way): split(base, way, task) for way in SPLIT_RUNS} for task in SPLIT_TASKS}
    print(f"updates taken apart, {time.process_time():.0f} s", flush=True)
    every = tuple(dict.fromkeys(task for tasks in SEQUENCES.values() for task in tasks))
    adapters = [{task: alone(base, task, seed, every) for task in every} for seed in SEEDS]
    sequences: dict[str, dict[str, list]] = {}
    for name, tasks in SEQUENCES.items():
        found: dict[str, list] = {
            way: [one_after_another(base, way, tasks, seed) for seed in SEEDS] for way in WAYS if way != EACH
        }
        found[EACH] = [library(found[ONE][0][0], adapters[i], tasks) for i, _ in enumerate(SEEDS)]
        sequences[name] = {way: [[s._asdict() for s in seed] for seed in found[way]] for way in WAYS}
    seconds = round(time.process_time())
    recorded = f"{recorded_here()}, in {seconds} s"
    write_record(FILE, {"recorded": recorded, "sequences": sequences, "splits": splits})
    print(f"{FILE.stat().st_size:,} bytes, {seconds} s of one core")


if __name__ == "__main__":
    main()
