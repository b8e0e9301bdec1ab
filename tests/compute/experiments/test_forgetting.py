"""Forgetting against the size of the change: the record is whole, a run gives it again, its best rates are inside."""

from __future__ import annotations

import json

import pytest
import torch

from compute.experiments import forgetting
from compute.experiments.forgetting import (
    FULL,
    MATRICES,
    MEASURES,
    PATH,
    SEEDS,
    TASKS,
    WAYS,
    _Asked,
    _run,
    load_forgetting,
    rates_of,
)
from compute.model.layers import LAYERS
from compute.world.tasks import FACTS, SKILL

torch.set_num_threads(1)


def test_the_best_rates_lie_inside_their_grids():
    recorded = load_forgetting()
    assert PATH.stat().st_size < 40_000
    for task in TASKS:
        for way in WAYS:
            assert rates_of(way)[0] < recorded.best(task, way) < rates_of(way)[-1], (task, way)
            assert len(recorded.of(task, way, recorded.best(task, way))) == (
                1 if way == MATRICES else len(SEEDS)
            )


def test_a_larger_rate_makes_a_larger_change():
    recorded = load_forgetting()
    for task in TASKS:
        for way in WAYS:
            sizes = [recorded.mean(task, way, rate, "size") for rate in rates_of(way)]
            assert sizes == sorted(sizes), (task, way)


def test_the_base_knows_the_facts_and_not_the_task():
    for before in load_forgetting().before.values():
        assert before["facts"] > 0.95
        assert before["right"] < 0.2


@pytest.mark.parametrize("way", ["r = 4", MATRICES])
def test_a_recorded_run_is_what_training_gives(way):
    recorded = load_forgetting()
    rate = recorded.best(FACTS, way)
    [run, *_] = recorded.of(FACTS, way, rate)
    again = dict(
        zip(("size", "validation", *MEASURES[1:]), _run(_Asked(FACTS, way, rate, SEEDS[0])), strict=True)
    )
    # Two hundred steps on another machine, which adds in another order.
    assert again["size"] == pytest.approx(run.size, rel=0.05)
    assert again["right"] == pytest.approx(run.right, abs=0.1)
    assert again["facts"] == pytest.approx(run.facts, abs=0.1)


def test_only_the_matrices_learn_where_they_learn_alone(monkeypatch):
    from compute.training import loop

    learning = []

    def seen(model, config):
        learning.extend(
            name.removesuffix(".weight") for name, p in model.named_parameters() if p.requires_grad
        )
        return loop_updates(model, config)

    loop_updates = loop.updates
    monkeypatch.setattr(loop, "updates", seen)
    monkeypatch.setattr(forgetting, "TASKS", {FACTS: {"steps": 1, "batch_size": 4, "n_texts": 8}})
    _run(_Asked(FACTS, MATRICES, 1e-3, 0))
    assert sorted(learning) == sorted(LAYERS)


def test_a_record_that_is_not_whole_is_refused(tmp_path):
    data = json.loads(PATH.read_text())
    data["runs"].pop()
    path = tmp_path / "forgetting.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="is not whole. Run `python -m compute.experiments.forgetting`"):
        load_forgetting(path)


def test_its_recipe_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    small = {
        "TASKS": {FACTS: {"steps": 1, "batch_size": 4, "n_texts": 8}},
        "WAYS": ("r = 1", FULL),
        "SEEDS": (0,),
        "RATES": {"lora": (1e-3,), FULL: (1e-3,)},
        "KIND": 4,
        "PEOPLE": 4,
        "TEXTS": 4,
    }
    for name, value in {"PATH": tmp_path / "forgetting.json", "KEPT": tmp_path / "kept", **small}.items():
        monkeypatch.setattr(forgetting, name, value)
    kept = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 8, 9]
    (tmp_path / "kept").write_text(json.dumps([repr(_Asked(FACTS, "r = 1", 1e-3, 0)), kept]) + "\n")
    forgetting.RECIPE.make([])
    data = json.loads((tmp_path / "forgetting.json").read_text())
    data.pop("base")
    recorded = forgetting._built(data)
    [run] = recorded.of(FACTS, "r = 1")
    assert (run.size, run.right, run.random) == (0.1, 0.4, 9)  # as kept, not made again
    assert recorded.best(FACTS, FULL) == 1e-3
    assert SKILL not in recorded.before
    assert not (tmp_path / "kept").exists()
