"""Train the three adapters that a lesson mixes, measure their mixes, and write both to assets/mixing.

Run it from the root of the repository, after assets/record_runs.py: python assets/record_mixing.py. It trains the
recorded runs with r = 4 again, about 10 seconds each, and refuses an adapter whose losses are not the recorded ones.
Then it measures 157 models, each on 400 sentences of its own, which takes about two minutes on one thread.
"""

import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

from compute.adapters.mixed_model import measure, mixed_model
from compute.experiments.mixing import FOLDER, VOICES_MIXED, adapter_sums, every_mix, load_factors
from compute.experiments.runs import load
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.numbers.records import recorded_here, write_record
from compute.training.config import Result, TrainConfig
from compute.training.loop import train

R = 4
SENTENCES, SEED = 400, 0  # a share of one half is then known to within 5 in 100
SAME_LOSS = 5e-4  # nats: the record has four decimals, and another machine rounds otherwise on the way
DECIMALS = 4  # of losses


def train_adapter(voice: str, base: GPT) -> None:
    """Train a recorded run again and write its adapter."""
    run = load(voice, R)
    config = TrainConfig(**{**run.config, "target_modules": tuple(run.config["target_modules"])})
    *_, end = train(config, base)
    if not isinstance(end, Result):
        sys.exit(f"{voice} diverged: {end}")
    loss, recorded = end.evaluation.validation_loss, run.validation_loss[-1]
    if abs(loss - recorded) > SAME_LOSS:
        sys.exit(f"{voice}: loss {loss:.4f}, recorded {recorded:.4f}: run assets/record_runs.py first.")
    folder = FOLDER / voice
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_model.safetensors").write_bytes(end.weights)
    (folder / "adapter_config.json").write_text(str(end.adapter_config), encoding="utf-8")
    print(f"{voice}: loss {loss:.4f}, {len(end.weights):,} bytes", flush=True)


def main() -> None:
    """Train, measure, write, and tell how long it took."""
    torch.set_num_threads(1)  # matrices this small gain nothing from a second thread
    start, base = time.perf_counter(), load_base()
    for voice in VOICES_MIXED:
        train_adapter(voice, base)
    adapters = {voice: load_factors(voice) for voice in VOICES_MIXED}
    rows = []
    for mix in every_mix():
        model = mixed_model(base, [adapters[voice] for voice in mix.voices], mix.weights, mix.method)
        measured = measure(model, SENTENCES, SEED)
        losses = {voice: round(loss, DECIMALS) for voice, loss in measured.losses.items()}
        rows.append({**mix._asdict(), **measured._replace(losses=losses)._asdict()})
        used = {voice: count for voice, count in measured.counts.items() if count}
        print(f"{mix.method} {mix.voices} {mix.weights}: {used}", flush=True)
    about = {
        "sentences": SENTENCES,
        "seed": SEED,
        "recorded": recorded_here(),
        "adapters": adapter_sums(),
        "mixes": rows,
    }
    path = FOLDER / "measured.json"
    write_record(path, about)
    took, processor = time.perf_counter() - start, time.process_time()
    print(f"{path.stat().st_size:,} bytes, {took:.0f} s, {processor:.0f} s of one core")


if __name__ == "__main__":
    main()
