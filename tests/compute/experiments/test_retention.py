"""Task after task: the record is whole, the sets are of different people, a routed adapter keeps its own."""

from __future__ import annotations

import json

import pytest
import torch

from compute.experiments import retention
from compute.experiments.retention import (
    EACH,
    FULL,
    OLD,
    ONE,
    PATH,
    RATES,
    REPLAY,
    SEEDS,
    SETS,
    SIZE,
    WAYS,
    _facts,
    _run,
    _Setting,
    load_retention,
)

torch.set_num_threads(1)


def test_what_is_recorded_is_whole_and_the_best_rates_lie_inside_their_grids():
    recorded = load_retention()
    assert PATH.stat().st_size < 30_000
    for way in WAYS:
        retained, rates = recorded.of(way), RATES["full" if way.startswith("full") else "lora"]
        assert [float(rate) for rate in retained.tried] == list(rates)
        assert retained.tried[f"{retained.rate:g}"] == max(retained.tried.values())
        assert len(retained.stages) == len(SEEDS)
        # Where several rates learn all, each is best.
        assert rates[0] < retained.rate < rates[-1], way


def test_the_sets_are_as_large_as_each_other_and_of_different_people():
    *sets, old = _facts()
    assert [len(some) for some in sets] == [SIZE] * SETS
    names = [{each.words[2:4] for each in some} for some in (*sets, old)]
    assert sum(map(len, names)) == len(set.union(*names))


def test_an_adapter_each_keeps_its_own_and_the_old_facts():
    each = load_retention().of(EACH)
    for seed in each.stages:
        for learned in range(SETS):
            assert seed[learned + 1][:learned] == seed[learned][:learned]
            assert seed[learned + 1][learned + 1 :] == seed[0][learned + 1 :]
    assert each.mean(SETS, OLD) == each.mean(0, OLD)


def test_a_run_starts_at_the_base_and_learns(monkeypatch):
    monkeypatch.setattr(retention, "STEPS", 30)
    monkeypatch.setattr(retention, "SIZE", 12)
    for way in (ONE, EACH, REPLAY, FULL):
        stages = _run(_Setting(way, 1e-3 if way == FULL else 1e-2, 0))
        assert len(stages) == SETS + 1
        assert stages[0][SETS] > 0.95
        assert all(stages[learned + 1][learned] > 0.9 for learned in range(SETS)), way


@pytest.mark.parametrize(
    "damage",
    [lambda data: data["retained"].pop(), lambda data: data["retained"][0]["stages"][0].pop()],
)
def test_a_record_that_is_not_whole_is_refused(tmp_path, damage):
    data = json.loads(PATH.read_text())
    damage(data)
    path = tmp_path / "retention.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="is not whole. Run `python -m compute.experiments.retention`"):
        load_retention(path)


def test_its_recipe_makes_the_record_and_cleans_up(tmp_path, monkeypatch):
    for name, value in {
        "PATH": tmp_path / "retention.json",
        "KEPT": tmp_path / "retention.unfinished",
        "SEEDS": (0,),
        "STEPS": 2,
    }.items():
        monkeypatch.setattr(retention, name, value)
    monkeypatch.setattr(retention, "RATES", {name: rates[:1] for name, rates in RATES.items()})
    retention.RECIPE.make([])
    assert [each.way for each in load_retention(tmp_path / "retention.json").retained] == list(WAYS)
    assert [file.name for file in tmp_path.iterdir()] == ["retention.json"]
