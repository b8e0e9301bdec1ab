"""Record finetuning in random subspaces of D dimensions, and write assets/subspace.json.

Run it from the root of the repository: python assets/record_subspace.py. It trains two tasks with nine values of D,
each in three subspaces: 54 runs of about 9 seconds on one thread. It tells each loss, and how long all of them took.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

from compute.experiments.subspace import (
    DIMENSIONS,
    FILE,
    SEEDS,
    SUBSPACE_TASKS,
    SubspaceRuns,
    subspace_config,
)
from compute.matrices.spectrum import r90
from compute.matrices.svd import factorize
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.numbers.records import recorded_here, write_record
from compute.training.loop import evaluate, learned
from compute.training.subspace import train_in_subspace

MIDDLE = "blocks.1."
DECIMALS = 4  # of losses, in nats, and of shares


def spectra_of(model: GPT, base: GPT) -> dict[str, np.ndarray]:
    """Return the singular values of each delta_w, over their norm."""
    found = {name: factorize(m.double().numpy()).s for name, m in learned(model, base).items()}
    return {name: s / np.linalg.norm(s) for name, s in found.items()}


def float32_rank(s: np.ndarray) -> int:
    """Return how many singular values are above what rounding of float32 weights leaves."""
    return int((s > s[0] * len(s) * np.finfo(np.float32).eps).sum())


def record(task: str, base: GPT, where: str) -> SubspaceRuns:
    """Train a task with every D, in every subspace."""
    config = subspace_config(task)
    loss, spectra = [], []
    for D in DIMENSIONS:
        models = [train_in_subspace(config, D, seed, base) for seed in SEEDS]
        loss.append([round(evaluate(model, task).validation_loss, DECIMALS) for model in models])
        spectra.append(spectra_of(models[0], base))
        told = ", ".join(f"{value:.3f}" for value in loss[-1])
        print(f"{task}, D = {D:,}: {told} nats; r90 {sorted(map(r90, spectra[-1].values()))}", flush=True)
    layers = list(spectra[0])
    kept = [layer for layer in layers if layer.startswith(MIDDLE)]
    return SubspaceRuns(
        before=round(evaluate(base, task).validation_loss, DECIMALS),
        loss=loss,
        spectra={layer: [np.round(each[layer], DECIMALS).tolist() for each in spectra] for layer in kept},
        r90={layer: [r90(each[layer]) for each in spectra] for layer in layers},
        rank={layer: [float32_rank(each[layer]) for each in spectra] for layer in layers},
        weights=sum(p.numel() for p in base.parameters()),
        recorded=where,
    )


def main() -> None:
    """Train and write, telling how long it takes."""
    torch.set_num_threads(1)
    start, base = time.process_time(), load_base()
    tasks = {task: record(task, base, recorded_here())._asdict() for task in SUBSPACE_TASKS}
    write_record(FILE, {"tasks": tasks})
    print(f"{time.process_time() - start:.0f} s of processor time, {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
