"""Record losses over the learning rate for ranks, scaling rules and optimisers, and write them to assets/scale.json.

Run it from the root of the repository: python assets/record_scale.py. It trains the mini-model for a hundred steps at
four ranks with two scaling rules and two optimisers, and with full finetuning, at seven learning rates each; then once
more with another seed at the best two rates of each: 144 runs of about three seconds. The same machine gives the
same numbers; only the date and the time differ. A time is processor time.
"""

import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

from compute.experiments.scale import (
    BLOCK,
    FULL,
    GAIN_RANKS,
    GAIN_SEEDS,
    PATH,
    RANKS,
    RATES,
    SEEDS,
    TASK,
    RateRun,
    config_of,
)
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.numbers.records import recorded_here, write_record
from compute.training.config import OPTIMIZERS, SCALING_RULES, TrainConfig
from compute.training.loop import evaluate
from compute.training.short_runs import first_gain, frequency_loss, short_run

DECIMALS = 3  # of losses, in nats
DIGITS = 4  # significant ones


def kept(config: TrainConfig, base: GPT) -> RateRun:
    """Return what is recorded of a run of the first seed."""
    loss, final = short_run(config, base)
    blocks = [loss[start : start + BLOCK] for start in range(0, len(loss), BLOCK)]
    means = [round(sum(block) / len(block), DECIMALS) for block in blocks]
    return RateRun(means, None if final is None else round(final, DECIMALS), None)


def over_rates(optimizer: str, scaling_rule: str, r: int, base: GPT) -> list[RateRun]:
    """Return the runs at all rates, the best two of them with the loss of another seed."""
    over = [kept(config_of(optimizer, scaling_rule, r, rate), base) for rate in range(len(RATES[optimizer]))]
    ended = [rate for rate, run in enumerate(over) if run.final is not None]
    for rate in sorted(ended, key=lambda rate: over[rate].final or 0)[:2]:
        final = short_run(config_of(optimizer, scaling_rule, r, rate, SEEDS[1]), base).final
        over[rate] = over[rate]._replace(again=None if final is None else round(final, DECIMALS))
    return over


def gains(optimizer: str, scaling_rule: str, base: GPT) -> list[float]:
    """Return how fast the first step lowers the loss, for each rank, mean over seeds."""
    means = []
    for r in GAIN_RANKS:
        of = [
            first_gain(
                TrainConfig(task=TASK, r=r, scaling_rule=scaling_rule, optimizer=optimizer, seed=seed), base
            )
            for seed in GAIN_SEEDS
        ]
        means.append(float(f"{sum(of) / len(of):.{DIGITS}g}"))
    return means


def main() -> None:
    """Train and write, telling what each curve gives and how long all takes."""
    torch.set_num_threads(1)
    begin, base = time.process_time(), load_base()
    runs: dict[str, dict[str, dict[int, list[RateRun]]]] = {}
    for optimizer in OPTIMIZERS:
        full = over_rates(optimizer, SCALING_RULES[0], FULL, base)
        first = over_rates(optimizer, SCALING_RULES[0], 1, base)  # with r = 1 both rules are the same
        runs[optimizer] = {}
        for rule in SCALING_RULES:
            rest = {r: over_rates(optimizer, rule, r, base) for r in RANKS if r > 1}
            runs[optimizer][rule] = {FULL: full, 1: first} | rest
            for r, over in runs[optimizer][rule].items():
                print(optimizer, rule, r, [run.final for run in over], flush=True)
    seconds = time.process_time() - begin
    data = {
        "recorded": recorded_here(),
        "seconds": round(seconds),
        "start": round(evaluate(base, TASK).validation_loss, DECIMALS),
        "frequencies": round(frequency_loss(TASK, base.config.block_size), DECIMALS),
        "gains": {
            optimizer: {rule: gains(optimizer, rule, base) for rule in SCALING_RULES}
            for optimizer in OPTIMIZERS
        },
        "runs": {
            optimizer: {
                rule: {str(r): [run._asdict() for run in over] for r, over in ranks.items()}
                for rule, ranks in rules.items()
            }
            for optimizer, rules in runs.items()
        },
    }
    write_record(PATH, data)
    print(f"{seconds:.0f} s, {PATH.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
