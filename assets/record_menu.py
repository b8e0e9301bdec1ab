"""Train the mini-model by every method of the menu, time its forward pass, and write both to assets/menu.json.

Run it from the root of the repository: python assets/record_menu.py. On each of two tasks it trains every method at
its middle size with three learning rates, and its other sizes at the best of these; on the new language the middle size
with two more seeds as well: 84 runs of about seven seconds. Then it times a forward pass of the plain base and of every
method, merged and not, in rounds. The same machine gives the same losses; times differ. To take only the times again,
on a machine that does nothing else: python assets/record_menu.py times.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

from compute.adapters.layer import merge
from compute.adapters.methods import with_method
from compute.experiments.menu import FILE, Menu, Timing, read_menu
from compute.experiments.menu_plan import (
    BATCHES,
    MENU_TASKS,
    MERGE,
    RATES,
    SEEDS,
    SIZES,
    MenuRun,
    best_rate,
    config_of,
    middle_of,
)
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.numbers.records import recorded_here, write_record
from compute.serving.latency import relative_times
from compute.text.batches import windows
from compute.training.config import Result, TrainConfig
from compute.training.loop import evaluate, train

DECIMALS = 4  # of losses, in nats
RATIO_DECIMALS = 3
ROUNDS = 200


def trained(config: TrainConfig, size: int | None, base: GPT) -> MenuRun:
    """Return how a run ends."""
    about = (config.task, config.method, size, config.learning_rate, config.seed)
    *_, end = train(config, base, evaluate_every=config.steps, strengths=())  # only how a run ends is kept
    if not isinstance(end, Result):
        learning = with_method(config, base).parameters()
        return MenuRun(*about, None, None, sum(p.numel() for p in learning if p.requires_grad), {})
    losses = (round(loss, DECIMALS) for loss in end.evaluation[:2])
    learned = load(end.weights)
    ranks = {
        name.removesuffix(".lora_E"): int(lora_E.count_nonzero())
        for name, lora_E in sorted(learned.items())
        if name.endswith(".lora_E")
    }
    return MenuRun(*about, *losses, end.trainable, ranks)


def record_runs(task: str, method: str, base: GPT) -> list[MenuRun]:
    """Return the runs of a method on a task: all rates at the middle size, then the best one for all that is left."""
    middle, (first, *more) = middle_of(method), SEEDS[task]

    def run(size: int | None, rate: float, seed: int) -> MenuRun:
        ended = trained(config_of(task, method, size, rate, seed), size, base)
        print(*ended[:7], flush=True)
        return ended

    runs = [run(middle, rate, first) for rate in RATES[method]]
    rate = best_rate(runs, task, method)
    runs += [run(size, rate, first) for size in SIZES[method] if size != middle]
    return runs + [run(middle, rate, seed) for seed in more]


def timed(base: GPT, rounds: int) -> tuple[list[Timing], dict[str, float]]:
    """Return the times of all methods, merged and not, and those of the plain base in milliseconds."""
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
        ratios, seconds = relative_times(models, base, texts, rounds, rng)
        milliseconds[str(batch)] = round(1000 * seconds, RATIO_DECIMALS)
        for about, values in ratios.items():
            spread = np.percentile(values, [25, 50, 75]).round(RATIO_DECIMALS).tolist()
            found.append(Timing(*about, batch, *spread))
    return found, milliseconds


def main() -> None:
    """Train, time, write, and tell how long it took."""
    torch.set_num_threads(1)  # matrices this small gain nothing from a second thread
    base = load_base()
    if sys.argv[1:] == ["times"]:
        menu = read_menu(FILE)
    else:
        runs = [run for task in MENU_TASKS for method in SIZES for run in record_runs(task, method, base)]
        before = {task: [round(loss, DECIMALS) for loss in evaluate(base, task)[:2]] for task in MENU_TASKS}
        menu = Menu(recorded_here(), round(time.process_time()), before, runs, [], {})
    timings, milliseconds = timed(base, ROUNDS)
    menu = menu._replace(timings=timings, milliseconds=milliseconds)
    rows = {name: [each._asdict() for each in getattr(menu, name)] for name in ("runs", "timings")}
    write_record(FILE, {**menu._asdict(), **rows})
    print(f"{FILE.stat().st_size:,} bytes, {round(time.process_time())} s of one core")


if __name__ == "__main__":
    main()
