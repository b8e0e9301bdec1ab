"""Scaling times rate: the record is whole, its best rates lie inside, and a run gives it again."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from compute.experiments import grid
from compute.experiments.grid import (
    FULL,
    FULL_RATES,
    PATH,
    RANKS,
    RATES,
    SCALINGS,
    SEEDS,
    Setting,
    _run,
    load_grid,
)

torch.set_num_threads(1)
ROWS = [(o, r, i) for o, ranks in RANKS.items() for r in ranks for i in range(len(SCALINGS))]


def test_what_is_recorded_is_whole_and_small():
    assert PATH.stat().st_size < 60_000
    for optimizer, r, place in ROWS:
        found = load_grid().lora[optimizer][r][place]
        assert len(found.tried) == len(found.shares) == len(RATES[optimizer])
        assert len(found.loss) == len(found.right) == len(SEEDS)


@pytest.mark.parametrize(("optimizer", "r", "place"), ROWS)
def test_the_best_rate_is_the_best_of_all_that_were_tried_and_lies_inside(optimizer, r, place):
    found, rates = load_grid().lora[optimizer][r][place], RATES[optimizer]
    tried = dict(zip(rates, found.tried, strict=True)) | {float(k): v for k, v in found.between.items()}
    losses = {rate: loss for rate, loss in tried.items() if loss is not None}
    assert found.rate == min(losses, key=losses.__getitem__)
    assert found.loss[0] == losses[found.rate]
    assert min(losses) < found.rate < max(losses)


@pytest.mark.parametrize("what", FULL)
def test_full_finetuning_has_its_best_rate_inside_as_well(what):
    found = load_grid().full[what]
    assert FULL_RATES[0] < found.rate < FULL_RATES[-1]


def test_a_recorded_run_is_what_training_gives():
    found = load_grid().lora["adamw"][16][2]
    [again] = _run((Setting("adamw", 16, SCALINGS[2], found.rate, SEEDS[0]),))
    assert again["loss"] == pytest.approx(
        found.loss[0], rel=0.3, abs=0.02
    )  # another machine adds in another order
    assert again["right"] == pytest.approx(found.right[0], abs=0.05)


@pytest.mark.parametrize(
    "damage", [lambda data: data["full"].popitem(), lambda data: data["lora"]["adamw"].clear()]
)
def test_a_record_that_is_not_whole_is_refused(tmp_path, damage):
    data = json.loads(PATH.read_text())
    damage(data)
    path = tmp_path / "grid.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="is not whole. Run `python -m compute.experiments.grid`"):
        load_grid(path)


def test_its_recipe_makes_all_of_it(tmp_path, monkeypatch):
    small = {
        "RANKS": {"adamw": (1,)},
        "SCALINGS": (1, 2),
        "SEEDS": (0, 1),
        "FULL": FULL[:1],
        "FULL_RATES": (1e-3, 3e-3),
        "STEPS": 2,
    }
    names = {"PATH": tmp_path / "grid.json", "KEPT": tmp_path / "kept", "RATES": {"adamw": (1e-3, 1e-2)}}
    for name, value in {**names, **small}.items():
        monkeypatch.setattr(grid, name, value)
    monkeypatch.setattr(grid, "processes", lambda: ThreadPoolExecutor(1))  # others would know of no patch
    grid.RECIPE.make([])
    data = json.loads((tmp_path / "grid.json").read_text())
    del data["base"]
    recorded = grid._built(data)
    assert [len(found.loss) for found in recorded.lora["adamw"][1]] == [2, 2]
    assert not (tmp_path / "kept").exists()
