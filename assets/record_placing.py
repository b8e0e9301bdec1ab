"""Record what adapters in different places reach under one budget, and write it to assets/placing.json.

Run it from the root of the repository: python assets/record_placing.py. It trains the mini-model on a voice that the
base knows and on the new language with adapters in 47 sets of places, with two seeds, at one learning rate; eleven of
the sets at two more. The rank of each set is what the budget allows. 232 runs of one to three seconds. The same
machine gives the same numbers; only the date and the time differ. A time is processor time.
"""

import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

from compute.adapters.placing import code_of
from compute.experiments.placing import (
    CODES,
    GROUPS,
    OTHER_RATES,
    PATH,
    RATE,
    SEEDS,
    STEPS,
    Placed,
    config_of,
)
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.numbers.records import recorded_here, write_record
from compute.training.config import TrainConfig
from compute.training.loop import evaluate
from compute.training.short_runs import short_run

FULL_RATES = {
    "legal": 3e-4,
    "new language": 3e-3,
}  # the best of rates half a decade apart, after so few steps
DECIMALS = 4


def final(config: TrainConfig, base: GPT) -> float:
    """Return what a run ends at; none of these may diverge."""
    loss = short_run(config, base).final
    if loss is None:
        sys.exit(f"diverged: {config}")
    return round(loss, DECIMALS)


def placed(task: str, code: str, base: GPT) -> Placed:
    """Return what is recorded of a set of places."""
    tried = code in {code_of(names) for names in GROUPS}
    return Placed(
        [final(config_of(task, code, seed, RATE), base) for seed in SEEDS],
        [final(config_of(task, code, SEEDS[0], rate), base) for rate in OTHER_RATES if tried],
    )


def main() -> None:
    """Train and write, telling what each set gives and how long all takes."""
    torch.set_num_threads(1)
    begin, base = time.process_time(), load_base()
    runs: dict[str, dict[str, Placed]] = {}
    full = {}
    for task, steps in STEPS.items():
        control = TrainConfig(task=task, method="full", learning_rate=FULL_RATES[task], steps=steps)
        full[task] = final(control, base)
        runs[task] = {}
        for code in CODES:
            runs[task][code] = placed(task, code, base)
            print(task, code, config_of(task, code).r, *runs[task][code], flush=True)
    seconds = time.process_time() - begin
    data = {
        "recorded": recorded_here(),
        "seconds": round(seconds),
        "start": {task: round(evaluate(base, task).validation_loss, DECIMALS) for task in STEPS},
        "full": full,
        "runs": {task: {code: each._asdict() for code, each in of.items()} for task, of in runs.items()},
    }
    write_record(PATH, data)
    print(f"{seconds:.0f} s, {PATH.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
