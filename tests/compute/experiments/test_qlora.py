"""LoRA on a base in few bits: the record is whole, runs begin at the base as it is stored, adapters can be moved."""

from __future__ import annotations

import json

import pytest
import torch

from compute.experiments import qlora
from compute.experiments.lossy import load_lossy
from compute.experiments.qlora import (
    BLOCKS,
    LEARNED,
    PATH,
    RATES,
    SEEDS,
    _right,
    _run,
    config_of,
    load_qlora,
    plan,
)
from compute.model.checkpoint import load_base
from compute.model.quantised import quantised_model
from compute.numbers.quantising import BLOCK, FLOAT32
from compute.training.config import BASE_FORMATS
from compute.world.tasks import FACTS, SKILL

torch.set_num_threads(1)


@pytest.mark.parametrize(("task", "base_format"), plan())
def test_the_best_rate_lies_inside_its_grid(task, base_format):
    runs = load_qlora().of(task, base_format)
    assert [float(rate) for rate in runs.tried] == list(RATES)
    assert runs.tried[f"{runs.rate:g}"] == min(loss for loss in runs.tried.values() if loss is not None)
    assert RATES[0] < runs.rate < RATES[-1]


def test_what_is_stored_agrees_with_the_other_record():
    recorded, place = load_qlora(), BLOCKS.index(BLOCK)
    for name in BASE_FORMATS:
        # Two machines may have recorded them, and one answer of 768 is 0.0013.
        assert recorded.stored[name][place] == pytest.approx(load_lossy().stored[name].facts, abs=0.005)
    assert set(recorded.stored[FLOAT32]) == {recorded.stored[FLOAT32][0]}


def test_an_adapter_of_the_float32_base_is_at_home_there():
    for task in LEARNED:
        runs = load_qlora().of(task, FLOAT32)
        assert runs.moved == runs.right
        # Merged into float32, the sum is rounded in its last digits.
        assert runs.requantised == pytest.approx(runs.right, abs=0.005)


def test_what_was_before_is_asked_of_the_base_as_it_is_stored():
    base, before = load_base(), load_qlora().before
    for name in (FLOAT32, "int2"):
        assert _right(quantised_model(base, name), SKILL) == pytest.approx(before[SKILL][name], abs=0.01)
    assert before[FACTS]["int3"] != before[FACTS]["nf4"]


def test_a_run_measures_its_adapter_at_home_and_elsewhere(monkeypatch):
    monkeypatch.setitem(qlora.TASKS, FACTS, {"steps": 30, "batch_size": 16, "n_texts": 16})
    plain = _run(config_of(FACTS, FLOAT32, 1e-2, 0))
    assert [*plain["moved"]] == [*BASE_FORMATS]
    assert plain["moved"][FLOAT32] == plain["right"] > 0.9
    rough = _run(config_of(FACTS, "int2", 1e-2, 0))
    assert rough["moved"] == {}
    assert rough["right"] > max(rough["requantised"], plain["moved"]["int2"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data["runs"].pop(),
        lambda data: data["runs"][0]["moved"].pop(),
        lambda data: data["stored"]["nf4"].pop(),
        lambda data: data["before"].popitem(),
    ],
)
def test_a_record_that_is_not_whole_is_refused(tmp_path, damage):
    data = json.loads(PATH.read_text())
    damage(data)
    path = tmp_path / "qlora.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="is not whole. Run `python -m compute.experiments.qlora`"):
        load_qlora(path)


def test_its_recipe_makes_the_record_and_cleans_up(tmp_path, monkeypatch, brief):
    few = {SKILL: {"steps": 2, "batch_size": 2}, FACTS: {"steps": 2, "batch_size": 2, "n_texts": 4}}
    for name, value in {
        "PATH": tmp_path / "qlora.json",
        "KEPT": tmp_path / "qlora.unfinished",
        "TASKS": few,
        "QUESTIONS": 4,
        "SEEDS": (0,),
        "RATES": (1e-3,),
        "BLOCKS": (64,),
        "BASE_FORMATS": (FLOAT32, "int2"),
    }.items():
        monkeypatch.setattr(qlora, name, value)
    qlora.RECIPE.make([])
    recorded = load_qlora(tmp_path / "qlora.json")
    assert [(each.task, each.base_format) for each in recorded.runs] == plan()
    assert len(recorded.of(SKILL, "int2").moved) == len(qlora.SEEDS) < len(SEEDS)
    assert [file.name for file in tmp_path.iterdir()] == ["qlora.json"]
