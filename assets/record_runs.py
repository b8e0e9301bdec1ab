"""Record training runs for readers who cannot train, and write them to assets/runs.

Run it from the root of the repository: python assets/record_runs.py. It trains each task with LoRA at six ranks and
with full finetuning, 35 runs of about 10 seconds. To record only some,
name their files: python assets/record_runs.py legal-r4 legal-full. The same machine gives the same numbers; only the
date and the times differ. A time is processor time: what a run takes on a core of its own.
"""

import json
import os
import sys
import time
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

import compute.train
from compute.checkpoint import load_base
from compute.recorded import FULL, RECORDED_RANKS, RUNS, Run, base_sum, collect, file_of
from compute.run import TrainConfig
from compute.voices import TASKS

# Final loss on 128 texts of the task, in nats per token, one run each; in brackets that on the base's own voices:
#         full finetuning                              LoRA, r = 1           r = 32
#         legal         dialect       new language     legal   new language  legal   new language
#   3e-4  0.521 (1.37)  1.245 (3.23)  1.292 (3.54)
#   1e-3  0.523 (2.05)  1.224 (5.17)  1.218 (6.27)
#   2e-3                                                       2.336         0.523   1.824
#   3e-3  0.522 (3.54)  1.229 (7.21)  1.214 (9.41)
#   5e-3                1.232 (7.74)  1.215 (10.4)     0.524   2.022         0.524   1.705
#   1e-2                                               0.524   1.967         0.523   1.675
#   2e-2                                                                             1.689
# Full finetuning: the smallest rate within 0.01 of the best loss for each task. Forgetting grows with the rate: at
# 3e-4 full finetuning forgets no more than LoRA with r = 4 in these tasks. LoRA: the lab's default. Twice that gains
# 0.06 at most, where 0.3 lie between r = 1 and r = 32 in the new language, and 0.45 more to full finetuning.
LORA_LEARNING_RATE = 5e-3
FULL_LEARNING_RATE = 1e-3

DECIMALS = 4  # of losses, in nats
DIGITS = 4  # significant ones, of norms and singular values


def config_of(task: str, r: int | str) -> TrainConfig:
    """Return the run that is recorded under a task and a rank."""
    if r == FULL:
        return TrainConfig(task=task, method="full", learning_rate=FULL_LEARNING_RATE)
    return TrainConfig(task=task, r=int(r), learning_rate=LORA_LEARNING_RATE)


def rounded(run: Run) -> Run:
    """Return a run with as many digits as a figure can show."""
    losses = {
        name: [round(loss, DECIMALS) for loss in getattr(run, name)]
        for name in ("loss", "validation_loss", "base_loss")
    }
    digits = {
        name: {key: [float(f"{x:.{DIGITS}g}") for x in values] for key, values in getattr(run, name).items()}
        for name in ("gradient_norms", "spectra")
    }
    speed = float(round(run.tokens_per_second))
    return run._replace(**losses, **digits, seconds=round(run.seconds, 2), tokens_per_second=speed)


def main() -> None:
    """Train and write, telling how long each run takes."""
    torch.set_num_threads(1)
    # Whatever else the machine does must not count: the clock of a run is that of this process's one thread.
    compute.train.time = SimpleNamespace(perf_counter=time.process_time)
    start, base = time.perf_counter(), load_base()
    runs = {file_of(task, r): config_of(task, r) for task in TASKS for r in (*RECORDED_RANKS, FULL)}
    wanted = set(sys.argv[1:]) or {path.stem for path in runs}
    if unknown := wanted - {path.stem for path in runs}:
        sys.exit(f"no run is called {', '.join(sorted(unknown))}; one is called {next(iter(runs)).stem}")
    RUNS.mkdir(exist_ok=True)
    for path, config in runs.items():
        if path.stem not in wanted:
            continue
        run = rounded(collect(config, compute.train.train(config, base)))
        if not run.finished:
            sys.exit(f"{path.stem} diverged: {run.diverged}")
        where = f"one thread of a CPU with {os.cpu_count()} cores" if run.device == "cpu" else run.device
        recorded = f"{date.today()}, on {where}, torch {torch.__version__.partition('+')[0]}"
        data = {**run._replace(recorded=recorded)._asdict(), "base": base_sum()}
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        path.write_text(text + "\n", encoding="utf-8")
        told = f"validation loss {run.validation_loss[-1]:.3f}, base loss {run.base_loss[-1]:.3f}"
        print(f"{path.stem}: {told}, {run.seconds:.1f} s, {path.stat().st_size:,} bytes", flush=True)
    size = sum(path.stat().st_size for path in RUNS.glob("*.json"))
    print(f"{time.perf_counter() - start:.0f} s, {size:,} bytes in assets/runs")


if __name__ == "__main__":
    main()
