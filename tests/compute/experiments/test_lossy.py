"""What few bits lose: the record is whole, its best rates lie inside, what it says of the base is measured again."""

from __future__ import annotations

import json

import pytest
import torch

from compute.experiments import lossy
from compute.experiments.lossy import (
    FORMATS,
    PATH,
    RANKS,
    RATES,
    REPAIRED,
    SEEDS,
    STARTS,
    _corrected,
    _known,
    _Setting,
    load_lossy,
    plan,
)
from compute.model.checkpoint import load_base
from compute.model.quantised import quantised_model
from compute.training.config import BASE_FORMATS

torch.set_num_threads(1)
ANSWERS = 0.01  # of 768 answers: those that stand between two tip over on another machine


def test_what_is_recorded_is_whole_and_the_best_rates_lie_inside_their_grid():
    recorded = load_lossy()
    assert PATH.stat().st_size < 30_000
    assert [*recorded.stored] == [*BASE_FORMATS]
    assert [*recorded.corrected] == [*recorded.noise] == [*FORMATS]
    for each in recorded.repaired:
        assert [float(rate) for rate in each.tried] == list(RATES)
        assert each.tried[f"{each.rate:g}"] == max(each.tried.values())
        assert RATES[0] < each.rate < RATES[-1], each
        assert len(each.known) == len(SEEDS)


@pytest.mark.parametrize("base_format", ["nf4", "int3"])
def test_the_stored_base_knows_what_is_recorded(base_format):
    found = _known(quantised_model(load_base(), base_format), "test")
    assert found == pytest.approx(load_lossy().stored[base_format], abs=ANSWERS)


def test_loftq_s_factors_do_what_is_recorded():
    found = _known(_corrected(load_base(), "int3", RANKS[-1], SEEDS[0]), "test")
    assert found == pytest.approx(load_lossy().corrected["int3"][str(RANKS[-1])], abs=ANSWERS)


@pytest.mark.parametrize(
    "damage", [lambda data: data["repaired"].pop(), lambda data: data["repaired"][0]["known"].pop()]
)
def test_a_record_that_is_not_whole_is_refused(tmp_path, damage):
    data = json.loads(PATH.read_text())
    damage(data)
    path = tmp_path / "lossy.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="is not whole. Run `python -m compute.experiments.lossy`"):
        load_lossy(path)


def test_its_recipe_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    small = {"FORMATS": ("int2",), "REPAIRED": ("int2",), "RANKS": (1,), "SEEDS": (0,), "RATES": (1e-3,)}
    small["STEPS"] = 2
    for name, value in {"PATH": tmp_path / "lossy.json", "KEPT": tmp_path / "kept", **small}.items():
        monkeypatch.setattr(lossy, name, value)
    kept = {"validation": [0.25, 0.5, 1.0], "test": [0.125, 0.5, 1.0]}
    (tmp_path / "kept").write_text(json.dumps([repr(_Setting("int2", 1, STARTS[0], 1e-3, 0)), kept]) + "\n")
    lossy.RECIPE.make([])
    data = json.loads((tmp_path / "lossy.json").read_text())
    data.pop("base")
    recorded = lossy._built(data)
    assert [(each.base_format, each.r, each.start) for each in recorded.repaired] == plan()
    assert recorded.facts("int2", 1, STARTS[0]) == 0.125  # as kept, not made again
    assert not (tmp_path / "kept").exists()
    assert set(REPAIRED) <= set(FORMATS)
