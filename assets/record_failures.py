"""Record four ways to make a finetune fail, each over one knob, and write them to assets/failures.json.

Run it from the root of the repository, after assets/record_runs.py: python assets/record_failures.py. It trains 42 runs
of about 10 seconds, and for the wrong base another base (20 seconds) and three that were finetuned further: about
eight minutes on one thread. A run that is among the recorded ones is taken from there. The same machine gives the same
numbers; only the date and the time differ.
"""

import copy
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load as load_weights

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

from compute.adapters.peft_format import AdapterFiles, load_adapter
from compute.experiments.failures import (
    FILE,
    KNOBS,
    LINES,
    MORE_STEPS,
    RECORDED,
    SEEDS,
    Outcome,
    failure_config,
    outcome,
)
from compute.experiments.runs import FULL_LEARNING_RATES, FULL_SLOW, RECORDED_RANKS, config_of, load
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.model.pretraining import pretrain
from compute.numbers.records import recorded_here, write_record
from compute.training.config import Result, TrainConfig
from compute.training.gathered import Run, collect
from compute.training.loop import evaluate, train

OTHER_STEPS = 600  # of another base: fewer than ours had, and enough to write whole sentences
DECIMALS = 4


def known() -> dict[TrainConfig, Outcome]:
    """Return what the recorded runs came to."""
    runs = [(task, r) for task in ("legal", "new language") for r in RECORDED_RANKS]
    return {config_of(task, r): told(config_of(task, r), load(task, r)) for task, r in runs}


def told(config: TrainConfig, run: Run) -> Outcome:
    """Return where a run ended."""
    return outcome(run.loss, run.validation_loss, run.base_loss, trains_on_base=config.base_share > 0)


def follow(config: TrainConfig, base: GPT, done: dict[TrainConfig, Outcome | None]) -> Outcome | None:
    """Return where a run ends, None if it diverges, and remember it."""
    if config not in done:
        run = collect(config, train(config, base))
        done[config] = told(config, run) if run.finished else None
    return done[config]


def finished(config: TrainConfig, base: GPT) -> Result:
    """Return the end of a run that must not diverge."""
    *_, end = train(config, base)
    if not isinstance(end, Result):
        sys.exit(f"{config} diverged: {end}")
    return end


def other_bases(base: GPT, other_steps: int = OTHER_STEPS) -> Iterator[GPT]:
    """Yield the bases that adapters are put on, in the order of the knob."""
    yield base
    for steps in MORE_STEPS:
        rate = FULL_LEARNING_RATES[FULL_SLOW]
        further = TrainConfig(task="medical", method="full", learning_rate=rate, steps=steps)
        changed = copy.deepcopy(base)
        changed.load_state_dict(load_weights(finished(further, base).weights))
        yield changed
    yield pretrain(seed=1, steps=other_steps)


def measured(model: GPT) -> Outcome:
    """Return what a model does, without a run."""
    there = evaluate(model, TrainConfig().task)
    return Outcome(None, there.validation_loss, there.base_loss, there.validation_loss)


def on_other_bases(base: GPT, bases: Iterator[GPT]) -> dict[str, list[list[Outcome | None]]]:
    """Return what adapters of one base do on others, what the others do alone, and with an adapter of their own."""
    ends = [finished(failure_config("base", "moved", 0, seed), base) for seed in SEEDS["moved"]]
    adapters = [AdapterFiles(end.weights, str(end.adapter_config)) for end in ends]
    lines: dict[str, list[list[Outcome | None]]] = {line: [] for line in LINES["base"]}
    for knob, below in zip(KNOBS["base"], bases, strict=True):
        lines["moved"].append([measured(load_adapter(below, adapter)) for adapter in adapters])
        lines["alone"].append([measured(below)])
        lines["own"].append([follow(failure_config("base", "own", 0), below, {})])
        print(
            f"base {knob}: {lines['moved'][-1]}, alone {lines['alone'][-1]}, own {lines['own'][-1]}",
            flush=True,
        )
    return lines


def rounded(lines: dict[str, list[list[Outcome | None]]]) -> dict[str, list]:
    """Return outcomes as the file has them."""
    return {line: [[run and short(run) for run in runs] for runs in places] for line, places in lines.items()}


def short(run: Outcome) -> list[float | None]:
    """Return an outcome with as many digits as a figure can show."""
    return [None if loss is None else round(loss, DECIMALS) for loss in run]


def main() -> None:
    """Train, measure, write, and tell how long it took."""
    torch.set_num_threads(1)
    base, done = load_base(), dict[TrainConfig, Outcome | None](known())
    lines, before = {}, {}
    for failure in RECORDED:
        alone = evaluate(base, failure_config(failure, LINES[failure][0], 0).task)
        before[failure] = short(Outcome(None, alone.validation_loss, alone.base_loss, alone.validation_loss))
        if failure == "base":
            lines[failure] = rounded(on_other_bases(base, other_bases(base)))
            continue
        found: dict[str, list[list[Outcome | None]]] = {line: [] for line in LINES[failure]}
        for line in found:
            for place, knob in enumerate(KNOBS[failure]):
                configs = [failure_config(failure, line, place, seed) for seed in SEEDS.get(line, (0,))]
                found[line].append([follow(config, base, done) for config in configs])
                print(f"{failure} {line} {knob}: {found[line][-1]}, {time.process_time():.0f} s", flush=True)
        lines[failure] = rounded(found)
    seconds = round(time.process_time())
    recorded = f"{recorded_here()}, in {seconds} s"
    write_record(FILE, {"recorded": recorded, "before": before, "lines": lines})
    print(f"{FILE.stat().st_size:,} bytes, {seconds} s of one core")


if __name__ == "__main__":
    main()
