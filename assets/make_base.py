"""Train the base model from nothing and write assets/base.safetensors and assets/base.json.

Run it from the root of the repository: python assets/make_base.py. It takes about a minute on two processor cores.
"""

import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

from compute.model.checkpoint import BASE, save_base
from compute.model.pretraining import BATCH_SIZE, LEARNING_RATE, pretrain
from compute.text.batches import windows
from compute.text.voices import BASE_VOICES

SEED = 0
STEPS = 1500
MEASURED_ON = 512  # texts of each voice, for the losses that base.json tells


def main() -> None:
    """Train, telling how it goes, and save."""
    torch.set_num_threads(1)  # the order in which threads add up would change the last digits
    start = time.perf_counter()

    def tell(step: int, loss: float) -> None:
        if step % 100 == 0:
            print(f"step {step}  loss {loss:.3f}  {time.perf_counter() - start:.0f} s", flush=True)

    model = pretrain(SEED, STEPS, tell)
    block_size, losses = model.config.block_size, {}
    with torch.no_grad():
        for voice in ("base", *BASE_VOICES):
            texts = windows(voice, "validation", block_size, count=MEASURED_ON)
            losses[voice] = round(model.loss(texts).item(), 4)
    recipe = {"seed": SEED, "steps": STEPS, "batch_size": BATCH_SIZE, "learning_rate": LEARNING_RATE}
    save_base(BASE, model, {**recipe, "validation_loss": losses, "torch": torch.__version__})
    print(*(f"{voice}: {loss:.3f}" for voice, loss in losses.items()), sep="\n")
    print(f"{BASE.stat().st_size:,} bytes, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
