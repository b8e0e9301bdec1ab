"""Record training runs for readers who cannot train, and write them to assets/runs.

Run it from the root of the repository: python assets/record_runs.py. It trains each task with LoRA at six ranks and
with full finetuning at two learning rates, and with LoRA whose embeddings learn too where the voice is new: 42 runs
of about 10 seconds. To record only some, name their files: python assets/record_runs.py legal-r4 legal-full. The same
machine gives the same numbers; only the date and the times differ. A time is processor time: what a run takes on a
core of its own.
"""

import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

from compute.experiments.runs import RUNS, config_of, file_of, recorded_of
from compute.model.checkpoint import load_base
from compute.numbers.records import recorded_here, write_record
from compute.text.voices import TASKS
from compute.training.gathered import Run, collect
from compute.training.loop import train

DECIMALS = 4  # of losses, in nats
DIGITS = 4  # significant ones, of norms and singular values


def rounded(run: Run) -> Run:
    """Return a run with as many digits as a figure can show."""
    losses = {name: _losses(getattr(run, name)) for name in ("loss", "validation_loss", "base_loss")}
    strengths = {
        name: values if name == "samples" else _losses(values) for name, values in run.strengths.items()
    }
    digits = {
        name: {key: [float(f"{x:.{DIGITS}g}") for x in values] for key, values in getattr(run, name).items()}
        for name in ("gradient_norms", "spectra")
    }
    speed = float(round(run.tokens_per_second))
    told = {**losses, **digits, "strengths": strengths}
    return run._replace(**told, seconds=round(run.seconds, 2), tokens_per_second=speed)


def _losses(values: list[float]) -> list[float]:
    return [round(loss, DECIMALS) for loss in values]


def main() -> None:
    """Train and write, telling how long each run takes."""
    torch.set_num_threads(1)
    start, base = time.perf_counter(), load_base()
    runs = {file_of(task, r): config_of(task, r) for task in TASKS for r in recorded_of(task)}
    wanted = set(sys.argv[1:]) or {path.stem for path in runs}
    if unknown := wanted - {path.stem for path in runs}:
        sys.exit(f"no run is called {', '.join(sorted(unknown))}; one is called {next(iter(runs)).stem}")
    RUNS.mkdir(exist_ok=True)
    for path, config in runs.items():
        if path.stem not in wanted:
            continue
        # Whatever else the machine does must not count: the clock of a run is that of this process's one thread.
        run = rounded(collect(config, train(config, base, clock=time.process_time)))
        if not run.finished:
            sys.exit(f"{path.stem} diverged: {run.diverged}")
        write_record(path, run._replace(recorded=recorded_here(run.device))._asdict())
        told = f"validation loss {run.validation_loss[-1]:.3f}, base loss {run.base_loss[-1]:.3f}"
        print(f"{path.stem}: {told}, {run.seconds:.1f} s, {path.stat().st_size:,} bytes", flush=True)
    size = sum(path.stat().st_size for path in RUNS.glob("*.json"))
    print(f"{time.perf_counter() - start:.0f} s, {size:,} bytes in assets/runs")


if __name__ == "__main__":
    main()
