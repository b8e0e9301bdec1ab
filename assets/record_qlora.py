"""Finetune the mini-model on a base that is stored in a few bits, and write what comes of it to assets/qlora.json.

Run it from the root of the repository: python assets/record_qlora.py. It measures the unchanged base in each format
with blocks of six sizes, then trains the lab's usual run on two tasks, six formats and three seeds: 36 runs of about
ten seconds each. The same machine gives the same numbers; only date and seconds differ.
"""

import sys
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

from compute.adapters.layer import merge
from compute.adapters.peft_format import AdapterFiles, load_adapter
from compute.experiments.qlora import BLOCKS, FILE, LEARNED_TASKS, SEEDS, QuantisedRun, config_of
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.model.quantised import noisy_model, quantised_model
from compute.numbers.records import recorded_here, write_record
from compute.training.config import BASE_FORMATS, FLOAT32, Result, StepRecord, TrainConfig
from compute.training.loop import evaluate, train

DECIMALS = 4  # of losses


def loss_of(model: GPT, task: str) -> float:
    """Return the loss on texts of a task."""
    return round(evaluate(model, task).validation_loss, DECIMALS)


def finetune(config: TrainConfig, base: GPT, plain: AdapterFiles | None) -> tuple[QuantisedRun, AdapterFiles]:
    """Return a run and its adapter; `plain` is the one that was trained on the base as it is, None in that run."""
    evaluations = []
    for record in train(config, base):
        if isinstance(record, StepRecord | Result) and record.evaluation:
            evaluations.append(record.evaluation)
    assert isinstance(record, Result), f"{config} diverged"
    files = AdapterFiles(record.weights, str(record.adapter_config))
    stored = quantised_model(base, config.base_format)
    merged = merge(load_adapter(stored, files))
    run = QuantisedRun(
        [round(each.validation_loss, DECIMALS) for each in evaluations],
        [round(each.base_loss, DECIMALS) for each in evaluations],
        loss_of(quantised_model(merged, config.base_format), config.task),
        loss_of(load_adapter(stored, plain or files), config.task),
    )
    return run, files


def record(base: GPT, steps: int, seeds: tuple[int, ...]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return all runs by task and format, one for each seed."""
    runs: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for task in LEARNED_TASKS:
        plain: dict[int, AdapterFiles] = {}
        for base_format in BASE_FORMATS:
            for seed in seeds:
                config = config_of(task, base_format, seed)
                config = TrainConfig(**{**vars(config), "steps": steps})
                run, files = finetune(config, base, plain.get(seed))
                if base_format == FLOAT32:
                    plain[seed] = files
                runs.setdefault(task, {}).setdefault(base_format, []).append(run._asdict())
                print(f"{task}, {base_format}, seed {seed}: {run}", flush=True)
    return runs


def own_loss(model: GPT) -> float:
    """Return the loss on texts of the base's own voices."""
    return round(evaluate(model, LEARNED_TASKS[0]).base_loss, DECIMALS)


def untrained(base: GPT) -> dict[str, dict[str, list[float]]]:
    """Return the losses of the base in each format with blocks of each size, and with noise as large instead."""
    return {
        "stored": {
            name: [own_loss(quantised_model(base, name, block)) for block in BLOCKS] for name in BASE_FORMATS
        },
        "noise": {
            name: [own_loss(noisy_model(base, quantised_model(base, name), seed)) for seed in SEEDS]
            for name in BASE_FORMATS
        },
    }


def main() -> None:
    """Measure, train, write, and tell how long it took."""
    torch.set_num_threads(1)  # matrices this small gain nothing from a second thread
    base = load_base()
    losses = untrained(base)
    runs = record(base, TrainConfig.steps, SEEDS)
    seconds = round(time.process_time())
    write_record(FILE, {"recorded": recorded_here(), "seconds": seconds, **losses, "runs": runs})
    print(f"{FILE.stat().st_size:,} bytes, {seconds} s of one core")


if __name__ == "__main__":
    main()
