"""Measure how fast one base with many adapters answers, and what the wrong adapter costs; write assets/serving.json.

Run it from the root of the repository: python assets/record_serving.py. It answers batches of 32 requests in three
ways, in turn within each round, and counts the seconds of one core, so that what else the machine does matters little.
That takes about two minutes of a core. Paces differ from one recording to the next, by up to a fifth for one word each;
losses do not.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the script is run by its path

from compute.adapters.mixed_model import mixed_model
from compute.experiments.mixing import load_factors
from compute.experiments.serving import (
    ADAPTERS,
    FILE,
    LENGTHS,
    NO_ADAPTER,
    RANKS,
    REQUESTS,
    ROUTES,
    WAYS,
    Model,
    Pace,
)
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.numbers.records import recorded_here, write_record
from compute.serving.batched import SERVERS, random_adapters
from compute.text.batches import windows
from compute.text.tokenizer import vocab_size
from compute.text.voices import BASE_VOICES

ROUNDS = 20
TRIES = 3  # in a round, of which the fastest counts: the others waited for something that is not theirs
SEED = 0
DIGITS = 4  # significant ones, of shares and losses
LAYERS = tuple(load_factors(ROUTES[-1]))


def seconds(work: Callable[[], torch.Tensor]) -> float:
    """Return the seconds of one core that a piece of work takes."""

    def once() -> float:
        start = time.thread_time()
        work()
        return time.thread_time() - start

    return min(once() for _ in range(TRIES))


def measure(base: GPT, words: int, r: int, rounds: int) -> tuple[list[float], np.ndarray]:
    """Return the base's seconds for a batch in each round, and the pace (way, adapters, round) of each way."""
    adapters = random_adapters(base, LAYERS, r, max(ADAPTERS), SEED)
    servers = {way: SERVERS[way](base, adapters) for way in WAYS}
    tokens = torch.randint(
        vocab_size(), (REQUESTS, words), generator=torch.Generator().manual_seed(SEED)
    )  # (REQUESTS, words)
    times, paces = [], np.empty((len(WAYS), len(ADAPTERS), rounds))
    for round_ in range(-1, rounds):  # round -1 warms up
        for i, number in enumerate(ADAPTERS):
            which = torch.arange(REQUESTS) % number
            alone = seconds(partial(base, tokens))
            times.append(alone)
            for j, way in enumerate(WAYS):
                paces[j, i, round_] = alone / seconds(partial(servers[way], tokens, which))
    return times[len(ADAPTERS) :], paces


def losses(base: GPT) -> dict[str, dict[str, float]]:
    """Return the loss on unseen sentences of each voice with each adapter, and with none."""
    models = {
        route: base if route == NO_ADAPTER else mixed_model(base, [load_factors(route)], [1.0], "products")
        for route in ROUTES
    }
    block_size = base.config.block_size
    return {
        voice: {
            route: _rounded(model.loss(windows(voice, "validation", block_size)).item())
            for route, model in models.items()
        }
        for voice in BASE_VOICES
    }


def size_of(base: GPT) -> Model:
    """Return how many numbers the model has."""
    shapes = [base.get_submodule(name).weight.shape for name in LAYERS]
    adapted = sum(out * into for out, into in shapes)
    return Model(
        total=sum(parameter.numel() for parameter in base.parameters()),
        adapted=adapted,
        per_rank=sum(out + into for out, into in shapes),
        macs=adapted + base.lm_head.weight.numel(),
    )


def record(rounds: int) -> dict:
    """Return all that is recorded."""
    base = load_base().requires_grad_(False)
    rates: dict[int, list[float]] = {words: [] for words in LENGTHS}
    rows = []
    for words in LENGTHS:
        for r in RANKS:
            times, paces = measure(base, words, r, rounds)
            rates[words] += [REQUESTS * words / each for each in times]
            ends = np.quantile(paces, [0.05, 0.5, 0.95], axis=2)  # (3, way, adapters)
            ways = {
                way: [Pace(*map(_rounded, ends[:, j, i])) for i in range(len(ADAPTERS))]
                for j, way in enumerate(WAYS)
            }
            rows.append({"words": words, "r": r, **ways})
            print(words, r, {way: [pace.middle for pace in each] for way, each in ways.items()}, flush=True)
    return {
        "recorded": recorded_here(),
        "rounds": rounds,
        "model": size_of(base)._asdict(),
        "base_rate": {words: _rounded(float(np.median(each))) for words, each in rates.items()},
        "paces": rows,
        "losses": losses(base),
    }


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def main() -> None:
    """Measure, write, and tell how long it took."""
    torch.set_num_threads(1)  # matrices this small gain nothing from a second thread
    start = time.perf_counter()
    data = record(ROUNDS)
    took = round(time.perf_counter() - start)
    write_record(FILE, {**data, "seconds": took})
    print(f"{FILE.stat().st_size:,} bytes, {took} s, {time.process_time():.0f} s of one core")


if __name__ == "__main__":
    main()
