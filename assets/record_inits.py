"""Record the first steps of runs from every start, and write them to assets/inits.

Run it from the root of the repository: python assets/record_inits.py. It follows seven inits with two optimisers, six
learning rates and three seeds through fifty steps: 252 runs of the small layer in some seconds, and as many of the
mini-model of about two seconds each. To record only some, name their files: python assets/record_inits.py small-layer.
The same machine gives the same numbers; only the date differs.
"""

import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

from compute.experiments.inits import FOLDER, PROBLEMS, RATES, SEEDS, SMALL, InitRun, config_of, file_of
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.numbers.records import recorded_here, write_record
from compute.training.config import INITS, OPTIMIZERS
from compute.training.first_steps import FirstSteps, model_steps, small_steps

DIGITS = 4  # significant ones
NOTHING = 1e-4  # of the weights: below this a distance is the rounding of float32


def rounded(values: list[float]) -> list[float]:
    """Return values with as many digits as a figure can show."""
    return [float(f"{value:.{DIGITS}g}") for value in values]


def kept(seeds: list[FirstSteps]) -> InitRun:
    """Return what is recorded of the runs of all seeds."""
    first = seeds[0]
    return InitRun(
        rounded(first.loss),
        rounded(first.lora_A),
        rounded(first.lora_B),
        [value if value >= NOTHING else 0.0 for value in rounded(first.distance)],
        *rounded([first.moved]),
        [None if steps.final is None else rounded([steps.final])[0] for steps in seeds],
    )


def record(problem: str, base: GPT) -> dict[str, dict[str, list[InitRun]]]:
    """Return all runs of a problem."""

    def follow(*chosen) -> FirstSteps:
        config = config_of(problem, *chosen)
        return small_steps(config) if problem == SMALL else model_steps(config, base)

    return {
        optimizer: {
            init: [
                kept([follow(optimizer, init, rate, seed) for seed in SEEDS])
                for rate in range(len(RATES[problem][optimizer]))
            ]
            for init in INITS
        }
        for optimizer in OPTIMIZERS
    }


def main() -> None:
    """Follow and write, telling how long each problem takes."""
    torch.set_num_threads(1)
    base, names = load_base(), {file_of(problem).stem: problem for problem in PROBLEMS}
    wanted = sys.argv[1:] or [*names]
    if unknown := [name for name in wanted if name not in names]:
        sys.exit(f"nothing is called {', '.join(unknown)}; there is {', '.join(names)}")
    FOLDER.mkdir(exist_ok=True)
    for name in wanted:
        start = time.perf_counter()
        runs = record(names[name], base)
        data = {
            "recorded": recorded_here(),
            "runs": {
                optimizer: {init: [run._asdict() for run in over] for init, over in inits.items()}
                for optimizer, inits in runs.items()
            },
        }
        path = file_of(names[name])
        write_record(path, data)
        print(f"{name}: {time.perf_counter() - start:.0f} s, {path.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    main()
