"""The recorded menu: all of it is there, it is what the methods are, and a file that is not whole is refused."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
import torch

from compute.adapters.rank_budget import start_rank
from compute.experiments import menu
from compute.experiments.menu import (
    BATCHES,
    FILE,
    MENU_TASKS,
    MERGE,
    RATES,
    SEEDS,
    SIZES,
    best_rate,
    config_of,
    entry,
    load_menu,
    middle_of,
    read_menu,
    timing,
)
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.serving.latency import processor_times
from compute.training.config import METHODS, TrainConfig
from compute.training.methods import with_method

torch.set_num_threads(1)  # matrices this small gain nothing from a second thread, which waits for the first

LAYERS = 18
POINTS = [(method, size) for method, sizes in SIZES.items() for size in sizes]


@pytest.fixture(scope="module")
def base() -> GPT:
    return load_base()


def test_every_method_is_on_the_menu():
    assert set(SIZES) == set(RATES) == set(METHODS)
    assert set(MERGE) < set(METHODS)
    assert FILE.stat().st_size < 60_000


def test_every_run_that_was_planned_was_made_once():
    made = [run[:5] for run in load_menu().runs]
    assert len(set(made)) == len(made)
    planned = set()
    for task in MENU_TASKS:
        for method, sizes in SIZES.items():
            rate, middle = best_rate(load_menu().runs, task, method), middle_of(method)
            planned |= {(task, method, middle, each, SEEDS[task][0]) for each in RATES[method]}
            planned |= {(task, method, size, rate, SEEDS[task][0]) for size in sizes}
            planned |= {(task, method, middle, rate, seed) for seed in SEEDS[task]}
    assert set(made) == planned


@pytest.mark.parametrize(("method", "size"), POINTS)
def test_as_many_numbers_are_recorded_as_learn(method, size, base):
    model = with_method(config_of("legal", method, size, 0.01, 0), base)
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    for task in MENU_TASKS:
        one = entry(load_menu(), task, method, size)
        assert one.trainable == learning
        assert one.lowest <= one.validation_loss <= one.highest
        assert one.validation_loss < load_menu().before[task][0]  # all of them learn something
        assert one.seeds == (len(SEEDS[task]) if size == middle_of(method) else 1)


def test_adalora_leaves_what_its_budget_says():
    for run in load_menu().runs:
        assert bool(run.ranks) == (run.method == "adalora" and run.validation_loss is not None)
        if run.ranks:
            assert len(run.ranks) == LAYERS
            assert sum(run.ranks.values()) == run.size * LAYERS
            assert max(run.ranks.values()) <= start_rank(run.size)


def test_rates_at_the_end_of_the_grid_are_those_that_the_plan_names():
    chosen = {
        (task, method): best_rate(load_menu().runs, task, method) for task in MENU_TASKS for method in SIZES
    }
    assert all(chosen["legal", method] == RATES[method][0] for method in SIZES)
    new = {method: chosen["new language", method] for method in SIZES}
    at_the_end = {method: rate for method, rate in new.items() if rate != RATES[method][1]}
    assert at_the_end == {"adalora": 0.01, "ia3": 0.3, "soft prompt": 0.1}


def test_times_are_ordered_and_what_merges_is_the_plain_model():
    for method, size in POINTS:
        for batch in BATCHES:
            plain = timing(load_menu(), method, size, False, batch)
            assert plain.low <= plain.median <= plain.high
            if method in MERGE and method != "bitfit":
                merged = timing(load_menu(), method, size, True, batch)
                # The same work as the base's: what is left is the noise of the machine.
                assert 0.8 < merged.median < 1.25
    with pytest.raises(ValueError, match="bottleneck at size 4 was not timed merged at batch 1."):
        timing(load_menu(), "bottleneck", 4, True, 1)


def test_a_run_that_diverged_is_told_as_one(base):
    config = TrainConfig(method="full", learning_rate=10, optimizer="sgd", steps=30, batch_size=2)
    run = menu._trained(config, None, base)
    assert (run.validation_loss, run.base_loss, run.trainable, run.ranks) == (None, None, 184_320, {})


def test_a_short_run_is_recorded_with_what_adalora_left(base):
    run = menu._trained(TrainConfig(method="adalora", r=2, steps=3, batch_size=2), 2, base)
    assert sum(run.ranks.values()) == 2 * LAYERS
    assert 0 < run.validation_loss < 2


def test_times_can_be_taken_again_and_leave_the_runs_alone(tmp_path, monkeypatch):
    path = tmp_path / "menu.json"
    path.write_bytes(FILE.read_bytes())
    for name, value in {"FILE": path, "ROUNDS": 1}.items():
        monkeypatch.setattr(menu, name, value)
    menu.RECIPE.run(["times"])
    before, after = load_menu(), read_menu(path)
    assert after._replace(timings=[], milliseconds={}) == before._replace(timings=[], milliseconds={})
    assert [each[:4] for each in after.timings] == [each[:4] for each in before.timings]
    assert after.timings != before.timings


def test_a_model_that_does_everything_twice_takes_about_twice_as_long(base):
    class Twice(GPT):
        """Answers a second time."""

        def forward(self, tokens):
            super().forward(tokens)
            return super().forward(tokens)

    twice = Twice(base.config)
    twice.load_state_dict(base.state_dict())
    tokens = torch.zeros(32, 32, dtype=torch.int64)
    calls = {"once": partial(base, tokens), "twice": partial(twice, tokens)}
    times = processor_times(calls, 9, np.random.default_rng(0))
    assert 1.4 < np.median(times["twice"] / times["once"]) < 3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data["runs"].__delitem__(slice(-5, None)), "has no bitfit on new language"),
        (lambda data: data["timings"].clear(), "has no time of full"),
        (lambda data: data["runs"][0].pop("rate"), "is damaged"),
        (lambda data: data.update(base="another"), "started from another base model"),
    ],
)
def test_a_recording_that_is_not_whole_is_refused(change, told, tmp_path):
    data = json.loads(FILE.read_text(encoding="utf-8"))
    change(data)
    path = tmp_path / "menu.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(
        ValueError, match=f"The file menu.json {told}. Run `python -m compute.experiments.menu`."
    ):
        read_menu(path)
