"""The recorded menu: all of it is there, its best rates lie inside, a run gives it again, damage is refused."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
import torch

from compute.adapters.rank_budget import start_rank
from compute.experiments import menu
from compute.experiments.making import widened
from compute.experiments.menu import (
    BATCHES,
    BEGIN,
    LADDER,
    MENU_TASKS,
    MERGE,
    PATH,
    SEEDS,
    SIZES,
    STEP,
    TIMED,
    _Asked,
    _run,
    config_of,
    load_menu,
    plan,
    to_time,
)
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.serving.latency import processor_times
from compute.training.config import METHODS, TrainConfig
from compute.training.methods import with_method
from compute.world.tasks import FACTS

torch.set_num_threads(1)  # matrices this small gain nothing from a second thread, which waits for the first

LAYERS = 18


@pytest.fixture(scope="module")
def base() -> GPT:
    return load_base()


def test_every_method_is_on_the_menu():
    assert set(SIZES) == set(BEGIN) == set(METHODS)
    assert set(MERGE) < set(METHODS)
    assert PATH.stat().st_size < 80_000


@pytest.mark.parametrize(("task", "method", "size"), plan())
def test_the_best_rate_is_the_lowest_of_all_that_were_tried_and_lies_inside(task, method, size):
    one = load_menu().of(task, method, size)
    losses = {float(rate): loss for rate, loss in one.tried.items() if loss is not None}
    assert one.rate == min(losses, key=losses.__getitem__)
    tried = [float(rate) for rate in one.tried]
    assert tried == [*LADDER[LADDER.index(tried[0]) : LADDER.index(tried[-1]) + 1]]
    assert tried[0] < one.rate < tried[-1]


def test_the_ladder_is_climbed_one_rate_at_a_time_and_no_further_than_its_ends():
    assert widened(LADDER, LADDER[2:5], LADDER[3]) == LADDER[2:5]
    assert widened(LADDER, LADDER[2:5], LADDER[2]) == LADDER[1:5]
    assert widened(LADDER, LADDER[2:5], LADDER[4]) == LADDER[2:6]
    assert widened(LADDER, LADDER, LADDER[0]) == widened(LADDER, LADDER, LADDER[-1]) == LADDER


@pytest.mark.parametrize(("task", "method", "size"), plan())
def test_as_many_numbers_are_recorded_as_learn(task, method, size, base):
    model = with_method(config_of(task, method, size, 0.01, 0), base)
    one = load_menu().of(task, method, size)
    assert one.numbers == sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert max(one.loss) < load_menu().before[task]["loss"]  # all of them learn something
    assert all(0 <= share <= 1 for shares in (one.task_right, one.facts, one.stories) for share in shares)


def test_the_best_size_is_the_one_with_the_lowest_validation_loss():
    for task in MENU_TASKS:
        for method, sizes in SIZES.items():
            lowest = {size: load_menu().of(task, method, size).lowest for size in sizes}
            assert load_menu().best(task, method).size == min(sizes, key=lowest.__getitem__)


def test_a_difference_is_taken_seed_by_seed():
    one, other = (load_menu().of(FACTS, "lora", size) for size in SIZES["lora"])
    apart = load_menu().apart(one, other)
    gaps = [a - b for a, b in zip(one.loss, other.loss, strict=True)]
    assert apart.low < apart.mean < apart.high
    assert apart.mean == pytest.approx(np.mean(gaps))
    assert load_menu().apart(other, one).mean == pytest.approx(-apart.mean)


def test_adalora_leaves_what_its_budget_says():
    for one in load_menu().learned:
        assert len(one.ranks) == (len(SEEDS) if one.method == "adalora" else 0)
        for ranks in one.ranks:
            assert len(ranks) == LAYERS
            assert sum(ranks.values()) == one.size * LAYERS
            assert max(ranks.values()) <= start_rank(one.size)


def test_times_are_ordered_and_what_merges_is_the_plain_model():
    assert [each[:4] for each in load_menu().timings] == to_time()
    for each in load_menu().timings:
        assert each.low <= each.median <= each.high
        if each.merged and each.method != "bitfit":
            # The same work as the base's: what is left is the noise of the machine.
            assert 0.8 < each.median < 1.25
    assert load_menu().timing("lora", SIZES["lora"][0], STEP).median == 1
    assert set(load_menu().milliseconds) == set(TIMED) == {*map(str, BATCHES), STEP}


def test_a_recorded_run_is_what_training_gives():
    one = load_menu().of(FACTS, "ia3", None)
    again = _run(_Asked(config_of(FACTS, "ia3", None, one.rate, SEEDS[1]), "test"))
    assert again["loss"] == pytest.approx(one.loss[1], rel=0.1)  # another machine adds in another order
    assert again["task"] == pytest.approx(one.task_right[1], abs=0.1)
    assert again["ranks"] == {}


def test_a_run_that_diverges_is_none_and_adalora_says_what_it_left():
    def run(split, **settings):
        return _run(_Asked(TrainConfig(task=FACTS, n_texts=8, **settings), split))

    assert run("test", method="full", learning_rate=10, optimizer="sgd", steps=30) is None
    left = run("test", method="adalora", r=2, steps=3, batch_size=2)
    assert sum(left["ranks"].values()) == 2 * LAYERS
    tried = run("validation", method="adalora", r=2, steps=3, batch_size=2)
    assert list(tried) == ["loss"]
    assert tried["loss"] > 0


def small(monkeypatch, tmp_path) -> None:
    """Make the recipe one of few short runs, in a folder of its own."""
    values = {
        "PATH": tmp_path / "menu.json",
        "KEPT": tmp_path / "kept",
        "SIZES": {"lora": (1, 2), "adalora": (1,), "ia3": (None,)},
        "STEPS": dict.fromkeys(MENU_TASKS, 2),
        "LADDER": (1e-3, 1e-2, 1e-1),
        "BEGIN": dict.fromkeys(BEGIN, 1e-2),
        "SEEDS": (0, 1),
        "MENU_TASKS": (FACTS,),
        "VOICE": FACTS,
        "FACTS_TOLD": 8,
        "ROUNDS": 1,
    }
    for name, value in values.items():
        monkeypatch.setattr(menu, name, value)


def test_its_recipe_makes_all_of_it_and_times_can_be_taken_again(tmp_path, monkeypatch, brief):
    small(monkeypatch, tmp_path)
    menu.RECIPE.make([])
    first = load_menu(tmp_path / "menu.json")
    assert [len(one.loss) for one in first.learned] == [2] * 4
    assert not (tmp_path / "kept").exists()
    menu.load_menu.cache_clear()
    menu.RECIPE.make(["times"])
    menu.load_menu.cache_clear()
    second = load_menu(tmp_path / "menu.json")
    assert second._replace(timings=[], milliseconds={}) == first._replace(timings=[], milliseconds={})
    assert [each[:4] for each in second.timings] == [each[:4] for each in first.timings]
    assert second.timings != first.timings


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
        (lambda data: data["learned"].pop(), "is not whole"),
        (lambda data: data["learned"][0]["loss"].pop(), "is not whole"),
        (lambda data: data["timings"].pop(), "has not all the times"),
        (lambda data: data["learned"][0].pop("rate"), "is damaged"),
        (lambda data: data.update(base="another"), "started from another base model"),
    ],
)
def test_a_recording_that_is_not_whole_is_refused(change, told, tmp_path):
    data = json.loads(PATH.read_text(encoding="utf-8"))
    change(data)
    path = tmp_path / "menu.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(
        ValueError, match=f"The file menu.json {told}. Run `python -m compute.experiments.menu`."
    ):
        load_menu(path)


@pytest.mark.parametrize("method", ["lora", "dora", "adalora"])
def test_alpha_follows_the_rank(method):
    assert all(config_of(FACTS, method, r, 0.01, 0).alpha == 2 * r for r in SIZES[method])
