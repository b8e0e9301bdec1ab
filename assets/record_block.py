"""Measure what each adapter of the legal voice does by itself, and write it to assets/block.json.

Run it from the root of the repository, after assets/record_mixing.py: python assets/record_block.py. It takes the
adapter in assets/mixing/legal and trains it twice more from other seeds, then switches each of its layers on alone
and off alone, and puts random matrices of the same size in its place: 330 losses in about two minutes on one thread.
"""

import copy
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

from compute.adapters.layer import delta_w, lora_layers
from compute.adapters.peft_format import AdapterFiles, load_adapter
from compute.experiments.block import DRAWS, FILE, SEEDS, VOICE, R
from compute.experiments.mixing import FOLDER, adapter_sums
from compute.experiments.runs import config_of
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.numbers.records import recorded_here, write_record
from compute.text.batches import windows
from compute.training.config import Result
from compute.training.loop import train

DECIMALS = 4  # of losses, in nats

Changes = Mapping[str, torch.Tensor]


def shipped_adapter() -> AdapterFiles:
    """Return the adapter in assets, which was trained from the first seed."""
    folder = FOLDER / VOICE
    config = (folder / "adapter_config.json").read_text(encoding="utf-8")
    return AdapterFiles((folder / "adapter_model.safetensors").read_bytes(), config)


def trained_adapter(seed: int, base: GPT) -> AdapterFiles:
    """Return the adapter of the same run from another seed."""
    *_, end = train(replace(config_of(VOICE, R), seed=seed), base)
    if not isinstance(end, Result):
        sys.exit(f"seed {seed} diverged: {end}")
    return AdapterFiles(end.weights, str(end.adapter_config))


def changes(files: AdapterFiles, base: GPT) -> Changes:
    """Return delta_w of each layer of an adapter."""
    return {name: delta_w(layer) for name, layer in lora_layers(load_adapter(base, files))}


@torch.no_grad()
def loss(base: GPT, texts: torch.Tensor, added: Changes) -> float:
    """Return the loss of the base with something added to some of its weights."""
    model = copy.deepcopy(base)
    for name, change in added.items():
        model.get_submodule(name).weight += change
    return round(model.loss(texts).item(), DECIMALS)


@torch.no_grad()
def loss_in_rows(base: GPT, texts: torch.Tensor, name: str, change: torch.Tensor, rows: slice) -> float:
    """Return the loss where a layer's adapter is on for some tokens of each text only."""
    model = copy.deepcopy(base)

    def add(layer, given, written):
        written[:, rows] += given[0][:, rows] @ change.T
        return written

    model.get_submodule(name).register_forward_hook(add)
    return round(model.loss(texts).item(), DECIMALS)


def measured(base: GPT, texts: torch.Tensor, adapters: list[Changes], draws: int) -> dict:
    """Return the losses of base, adapters, and each layer by itself; random matrices are as large as the first's."""
    layers = {}
    for name, own in adapters[0].items():
        generator = torch.Generator().manual_seed(0)
        random = [torch.randn(own.shape, generator=generator) for _ in range(draws)]
        others = [{each: a[each] for each in a if each != name} for a in adapters]
        layers[name] = {
            "alone": [loss(base, texts, {name: adapter[name]}) for adapter in adapters],
            "without": [loss(base, texts, rest) for rest in others],
            "first": loss_in_rows(base, texts, name, own, slice(0, 1)),
            "later": loss_in_rows(base, texts, name, own, slice(1, None)),
            "random": [loss(base, texts, {name: noise * (own.norm() / noise.norm())}) for noise in random],
        }
        print(name, layers[name], flush=True)
    every = [loss(base, texts, adapter) for adapter in adapters]
    return {"none": loss(base, texts, {}), "every": every, "layers": layers}


def main() -> None:
    """Train, measure, write, and tell how long it took."""
    torch.set_num_threads(1)  # matrices this small gain nothing from a second thread
    start, base = time.perf_counter(), load_base()
    files = [shipped_adapter(), *(trained_adapter(seed, base) for seed in SEEDS[1:])]
    texts = windows(VOICE, "validation", base.config.block_size)
    found = measured(base, texts, [changes(each, base) for each in files], DRAWS)
    seconds = round(time.perf_counter() - start, 1)
    about = {"recorded": recorded_here(), "seconds": seconds, "adapter": adapter_sums()[VOICE]}
    write_record(FILE, {**about, **found})
    print(f"{FILE.stat().st_size:,} bytes, {seconds:.0f} s")


if __name__ == "__main__":
    main()
