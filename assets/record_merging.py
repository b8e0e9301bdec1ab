"""Record what merging does to the mini-model, and write assets/merging.safetensors and assets/merging.json.

Run it from the root of the repository: python assets/record_merging.py. It trains an adapter on each of two tasks,
about 10 seconds each, keeps one layer, merges and unmerges the whole model in each precision at each strength, and
measures how long a forward pass takes with the adapter beside the weights and with it merged. A time is processor time
of one thread: what else the machine does does not count. The ratio of two times is what carries over, and only roughly.
"""

import itertools
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

from compute.adapters.layer import lora_layers, merge
from compute.adapters.merge_state import weight_numbers
from compute.adapters.merged_model import layer_input, merged_losses
from compute.adapters.peft_format import AdapterFiles, load_adapter
from compute.experiments.merging import FILE, LAYER, STRENGTHS, TASKS, Layer, Record, save_record, state_key
from compute.experiments.runs import load
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.numbers.precision import PRECISIONS
from compute.numbers.records import recorded_here
from compute.text.batches import windows
from compute.training.config import Result, TrainConfig
from compute.training.loop import train

DIGITS = 8  # significant ones: float32 has no more, and the gain of a small adapter is a small difference
TEXTS = (1, 32)  # in a forward pass
ROUNDS, EACH_SECONDS = 101, 0.01  # measurements, and how long one of them goes on


def trained(task: str, base: GPT) -> GPT:
    """Return the base with the adapter of the recorded run, trained again."""
    *_, end = train(TrainConfig(**load(task, 4).config), base)
    if not isinstance(end, Result):
        sys.exit(f"{task} diverged: {end}")
    return load_adapter(base, AdapterFiles(end.weights, end.adapter_config))


def kept(task: str, base: GPT, adapted: GPT) -> Layer:
    """Return the layer that the figure shows, and what it is given for one text."""
    layer = dict(lora_layers(adapted))[LAYER]
    x = layer_input(base, LAYER, windows(task, "validation", base.config.block_size)[:1, :-1])
    tensors = (layer.base.weight, layer.lora_A, layer.lora_B, x)
    W, lora_A, lora_B, given = (tensor.detach().numpy() for tensor in tensors)
    return Layer(W, lora_A, lora_B, layer.scaling, given)


@torch.no_grad()
def medians(models: dict[str, nn.Module], given: torch.Tensor) -> dict[str, float]:
    """Return the median processor time of a forward pass of each model in seconds, measured by turns."""
    seconds: dict[str, list[float]] = {name: [] for name in models}
    number = {}
    for name, model in models.items():
        start = time.thread_time()
        for _ in range(20):  # also warms up
            model(given)
        number[name] = max(1, round(EACH_SECONDS / ((time.thread_time() - start) / 20)))
    for _ in range(ROUNDS):
        for name, model in models.items():
            start = time.thread_time()
            for _ in range(number[name]):
                model(given)
            seconds[name].append((time.thread_time() - start) / number[name])
    return {name: float(f"{statistics.median(values):.3g}") for name, values in seconds.items()}


def times(adapted: GPT) -> dict[str, dict[str, dict[str, float]]]:
    """Return how long layer and model take for TEXTS texts, with the adapter beside and merged."""
    models: dict[str, nn.Module] = {"unmerged": adapted, "merged": merge(adapted)}
    layers = {name: model.get_submodule(LAYER) for name, model in models.items()}
    found: dict[str, dict[str, dict[str, float]]] = {"layer": {}, "model": {}}
    for number in TEXTS:
        tokens = windows(TASKS[0], "validation", adapted.config.block_size)[:number, :-1]
        found["layer"][str(number)] = medians(layers, layer_input(merge(adapted), LAYER, tokens))
        found["model"][str(number)] = medians(models, tokens)
    return found


def rounded(value: float | list[float]) -> float | list[float]:
    """Return numbers with as many digits as a figure can show."""
    if isinstance(value, list):
        return [float(f"{each:.{DIGITS}g}") for each in value]
    return float(f"{value:.{DIGITS}g}")


def main() -> None:
    """Train, merge in every way, measure, and write."""
    torch.set_num_threads(1)  # the order in which threads add up would change the last digits
    start, base = time.perf_counter(), load_base()
    adapted = {task: trained(task, base) for task in TASKS}
    layers = {task: kept(task, base, adapted[task]) for task in TASKS}
    states = {}
    for task, precision, strength in itertools.product(TASKS, PRECISIONS, STRENGTHS):
        second = next(other for other in TASKS if other != task)
        numbers = weight_numbers(layers[task], layers[second], precision, strength)
        losses = merged_losses(base, adapted, (task, second), precision, strength)
        key = state_key(task, precision, strength)
        states[key] = {name: rounded(value) for name, value in {**numbers, **losses}.items()}
        print(f"{key}: {losses['unmerged']:.4f} beside, {losses['merged']:.4f} merged", flush=True)
    measured = times(adapted[TASKS[0]])
    print(measured)
    save_record(FILE, Record(layers, states, measured, recorded_here()))
    size = sum(path.stat().st_size for path in (FILE, FILE.with_suffix(".json")))
    print(f"{size:,} bytes in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
