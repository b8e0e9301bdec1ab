"""Measure amplification and intruder dimensions on runs of the mini-model, and write them to assets/paper.json.

Run it from the root of the repository: python assets/record_paper.py. It trains the recorded runs of two tasks again,
two of them from two more seeds, 24 runs of about ten seconds each, and keeps a few numbers of each layer.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

from compute.experiments.paper import DECIMALS as COSINE_DECIMALS
from compute.experiments.paper import FILE, NAMES, SEEDS, TASKS, TOP, directions
from compute.experiments.runs import config_of
from compute.matrices.amplification import amplified
from compute.matrices.intruders import largest_cosines
from compute.model.checkpoint import load_base
from compute.model.forward import base_weights
from compute.model.gpt import GPT
from compute.numbers.records import recorded_here, write_record
from compute.training.changes import changes
from compute.training.config import Result, TrainConfig
from compute.training.loop import train

DECIMALS = 4  # of losses, in nats, and of norms


def trained(config: TrainConfig, base: GPT) -> Result:
    """Return the end of a run."""
    *_, end = train(config, base)
    if not isinstance(end, Result):
        sys.exit(f"{config.task}, {config.method}, r = {config.r} diverged: {end}")
    return end


def found(end: Result, config: TrainConfig, r: int) -> dict:
    """Return what is kept of a run."""
    layers = {}
    for name, delta_w in changes(end.weights, config).items():
        W = base_weights().tensors[f"{name}.weight"]
        measured = amplified(W, delta_w, r)
        layers[name] = {
            "size": round(measured.size, DECIMALS),
            "kept": round(measured.kept, DECIMALS),
            "cosines": largest_cosines(W, delta_w)[:TOP].round(COSINE_DECIMALS).tolist(),
        }
    losses = {
        name: round(getattr(end.evaluation, name), DECIMALS) for name in ("validation_loss", "base_loss")
    }
    return {**losses, "layers": layers}


def main() -> None:
    """Train, measure, write, and tell how long it took."""
    torch.set_num_threads(1)  # matrices this small gain nothing from a second thread
    start, base, runs = time.perf_counter(), load_base(), {}
    for task in TASKS:
        runs[task] = {}
        for name in NAMES:
            configs = [replace(config_of(task, name), seed=seed) for seed in range(SEEDS.get(name, 1))]
            runs[task][name] = [found(trained(config, base), config, directions(name)) for config in configs]
            print(task, name, [run["validation_loss"] for run in runs[task][name]], flush=True)
    seconds = round(time.perf_counter() - start, 1)
    write_record(FILE, {"recorded": recorded_here(), "seconds": seconds, "runs": runs})
    print(f"{FILE.stat().st_size:,} bytes, {seconds:.0f} s")


if __name__ == "__main__":
    main()
