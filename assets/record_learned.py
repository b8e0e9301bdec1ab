"""Record what full finetuning really learned, and write assets/learned.safetensors and assets/learned.json.

Run it from the root of the repository, after assets/record_runs.py: python assets/record_learned.py. It trains the
recorded runs of full finetuning again, about 10 seconds each, and keeps delta_w of the layers that the rank lesson
takes apart. A matrix whose spectrum is not the recorded one is refused.
"""

import sys
from datetime import date
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load as load_weights

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

from compute.experiments.learned import FILE, LEARNED, save_learned
from compute.experiments.runs import FULL, load
from compute.matrices.svd import factorize
from compute.model.checkpoint import load_base
from compute.training.config import Result, TrainConfig
from compute.training.loop import train

SAME_SPECTRUM = 1e-3  # of the largest singular value: the record has four digits


def finetuned(task: str) -> dict[str, torch.Tensor]:
    """Return the weights at the end of the recorded run of full finetuning, trained again."""
    *_, end = train(TrainConfig(**load(task, FULL).config), load_base())
    if not isinstance(end, Result):
        sys.exit(f"{task} diverged: {end}")
    return load_weights(end.weights)


def main() -> None:
    """Train, compare with the record, and write."""
    torch.set_num_threads(1)  # the order in which threads add up would change the last digits
    before = load_base().state_dict()
    after = {task: finetuned(task) for task in dict.fromkeys(origin.task for origin in LEARNED.values())}
    matrices = {}
    for name, (task, layer) in LEARNED.items():
        delta_w = after[task][f"{layer}.weight"] - before[f"{layer}.weight"]
        s, recorded = factorize(delta_w.double().numpy()).s, load(task, FULL).spectra[layer]
        off = np.abs(s - recorded).max() / recorded[0]
        if off > SAME_SPECTRUM:
            sys.exit(f"{name} is not what was recorded (off by {off:.1e}): run assets/record_runs.py first.")
        matrices[name] = delta_w.numpy()
        print(f"{name}: {tuple(delta_w.shape)}, off by {off:.1e} of the largest singular value")
    version = torch.__version__.partition("+")[0]
    save_learned(FILE, matrices, {"torch": version, "recorded": str(date.today())})
    print(f"{FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
