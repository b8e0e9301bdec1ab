"""What an adapter holds: the record is whole, a run gives it again, its bits are counted right."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from statistics import fmean

import pytest
import torch

from compute.experiments import capacity
from compute.experiments.capacity import (
    COUNTS,
    FULL,
    MIXED,
    PATH,
    RANKS,
    RATES,
    SEEDS,
    STEPS,
    _run,
    _Setting,
    load_capacity,
    plan,
)
from compute.model.layers import LAYERS

torch.set_num_threads(1)


def test_what_is_recorded_is_whole_and_the_best_rates_lie_inside_their_grids():
    recorded = load_capacity()
    assert PATH.stat().st_size < 100_000
    for r in (*RANKS, FULL):
        rates = RATES["lora" if r else "full"]
        assert [float(rate) for rate in recorded.tried[str(r)]] == list(rates)
        best = recorded.of(COUNTS[-1], r).rate
        assert rates[0] < best < rates[-1], r
        assert recorded.of(COUNTS[-1], r).right[0] == max(recorded.tried[str(r)].values())
    for held in recorded.held:
        assert all(len(column) == len(SEEDS) for column in (held.right, held.nats, held.old, held.stories))
        for steps, right in zip(held.steps, held.right, strict=True):
            assert steps == STEPS or right == 1


def test_more_facts_need_a_higher_rank():
    """The sentence of the lesson: the fewest ranks that hold all facts grow with their number."""
    recorded = load_capacity()
    least = [min(r for r in RANKS if fmean(recorded.of(count, r).right) > 0.99) for count in COUNTS]
    assert least == sorted(least)
    assert least[0] < least[-1]


def test_bits_are_those_of_all_facts_less_what_is_open():
    held = load_capacity().of(COUNTS[-1], 1)
    assert replace(held, nats=[0.0] * len(SEEDS)).bits == COUNTS[-1] * 4 / held.numbers
    assert replace(held, nats=[math.log(16)] * len(SEEDS)).bits == pytest.approx(0, abs=1e-12)
    assert (
        held.numbers
        == 3 * (4 * (64 + 64) + 2 * (64 + 256))
        == sum(128 + 192 * ("mlp" in name) for name in LAYERS)
    )


@pytest.mark.parametrize("r", [RANKS[2], FULL])
def test_a_recorded_run_is_what_training_gives(r):
    recorded = load_capacity().of(COUNTS[0], r)
    again = _run(_Setting(COUNTS[0], r, False, recorded.rate, SEEDS[0]))
    assert (again["right"], again["steps"], again["numbers"]) == (
        recorded.right[0],
        recorded.steps[0],
        recorded.numbers,
    )
    # Some fifty steps on another machine, which adds in another order.
    assert again["nats"] == pytest.approx(recorded.nats[0], rel=0.2, abs=0.01)
    assert again["old"] == pytest.approx(recorded.old[0], abs=0.03)


def test_base_text_keeps_the_stories_and_few_of_the_facts():
    recorded = load_capacity()
    for r in (*RANKS, FULL):
        mixed, alone = recorded.of(MIXED, r, mixed=True), recorded.of(MIXED, r)
        assert min(mixed.stories) > max(alone.stories), r
        assert min(mixed.old) > max(alone.old), r
        assert max(mixed.old) < recorded.before["old"] / 2


@pytest.mark.parametrize(
    "damage", [lambda data: data["held"].pop(), lambda data: data["held"][0]["right"].pop()]
)
def test_a_record_that_is_not_whole_is_refused(tmp_path, damage):
    data = json.loads(PATH.read_text())
    damage(data)
    path = tmp_path / "capacity.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="is not whole. Run `python -m compute.experiments.capacity`"):
        load_capacity(path)


def test_its_recipe_goes_on_where_it_was_stopped(tmp_path, monkeypatch, capsys):
    small = {"COUNTS": (4,), "RANKS": (1,), "SEEDS": (0,), "MIXED": 4, "STEPS": 3}
    for name, value in {"PATH": tmp_path / "capacity.json", "KEPT": tmp_path / "kept", **small}.items():
        monkeypatch.setattr(capacity, name, value)
    monkeypatch.setattr(capacity, "RATES", {"lora": (1e-3,), "full": (1e-3,)})
    kept = dict.fromkeys(("right", "nats", "old", "stories"), 0.5) | {"steps": 3, "numbers": 2304}
    (tmp_path / "kept").write_text(json.dumps([repr(_Setting(4, 1, False, 1e-3, 0)), kept]) + "\n")
    capacity.RECIPE.make([])
    recorded = capacity._built(
        {
            name: value
            for name, value in json.loads((tmp_path / "capacity.json").read_text()).items()
            if name != "base"
        }
    )
    assert [(each.count, each.r, each.mixed) for each in recorded.held] == plan()
    assert recorded.of(4, 1).right == [0.5]  # as kept, not made again
    assert recorded.of(4, FULL).right != [0.5]
    assert not (tmp_path / "kept").exists()
