"""Scaling times rate: the record is whole, its best rates lie inside, and a run gives it again."""

from __future__ import annotations

import json
import math

import pytest
import torch

from compute.experiments import grid
from compute.experiments.grid import (
    AT,
    COUNT,
    FULL,
    FULL_RATES,
    PATH,
    RANKS,
    RATES,
    RATIOS,
    SCALINGS,
    SEEDS,
    Setting,
    _frequencies,
    _run,
    load_grid,
)

torch.set_num_threads(1)
# Name, rates of the grid, what was found.
ROWS = [
    *(
        (f"{o} {r} {SCALINGS[i]:g}", RATES[o], o, r, i)
        for o in RATES
        for r in RANKS
        for i in range(len(SCALINGS))
    ),
    *((f"{o} full", FULL_RATES[o], o, FULL, 0) for o in RATES),
    *(
        (f"{r} ratio {ratio:g}", [rate / math.sqrt(ratio) for rate in RATES["adamw"]], "two", r, ratio)
        for r in RANKS
        for ratio in RATIOS
    ),
]


def found_at(which, r, place):
    """Return what was found in a row."""
    recorded = load_grid()
    if which == "two":
        return recorded.two[r][place]
    return recorded.full[which] if r == FULL else recorded.lora[which][r][place]


@pytest.mark.parametrize(
    ("rates", "which", "r", "place"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_the_best_rate_is_the_best_of_all_that_were_tried_and_lies_inside(rates, which, r, place):
    found = found_at(which, r, place)
    assert len(found.tried) == len(found.shares) == len(rates)
    assert len(found.loss) == len(found.right) == len(SEEDS)
    known = [float(f"{rate:.2g}") for rate in rates]
    tried = dict(zip(known, found.tried, strict=True)) | {float(k): v for k, v in found.between.items()}
    losses = {
        rate: loss for rate, loss in tried.items() if loss is not None and f"{rate:g}" not in found.left
    }
    assert all(1 <= diverged < len(SEEDS) for diverged in found.left.values())
    assert found.rate == min(losses, key=losses.__getitem__)
    assert found.loss[0] == losses[found.rate]
    assert min(losses) < found.rate < max(losses)


def test_one_rate_is_the_grids_own_and_the_file_is_small():
    assert PATH.stat().st_size < 60_000
    for r in RANKS:
        assert load_grid().two[r][1] is load_grid().lora["adamw"][r][SCALINGS.index(AT)]


@pytest.mark.parametrize("optimizer", RATES)
def test_a_recorded_run_is_what_training_gives(optimizer):
    found = load_grid().lora[optimizer][16][2]
    [again] = _run((Setting(optimizer, 16, SCALINGS[2], found.rate, SEEDS[0]),))
    assert again["loss"] == pytest.approx(found.loss[0], rel=0.3, abs=0.02)  # machines add in other orders
    assert again["right"] == pytest.approx(found.right[0], abs=0.05)


def test_full_finetuning_moves_the_matrices_that_lora_changes_and_nothing_else():
    from compute.model.checkpoint import load_base

    base = load_base()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "STEPS", 1)
        model = grid._all_learn(Setting("adamw", FULL, 1, 1e-3, 0), base)
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, base.get_parameter(name))}
    assert len(moved) == 18
    assert all(name.endswith("_proj.weight") for name in moved)


def test_whoever_knows_only_how_often_an_answer_comes_does_better_than_blind():
    assert 0 < _frequencies() < math.log(COUNT)
    assert _frequencies() == load_grid().frequencies


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data["full"].popitem(),
        lambda data: data["lora"]["adamw"].clear(),
        lambda data: data["lora"]["sgd"]["4"].pop(),
        lambda data: data["two"]["4"].popitem(),
        lambda data: data["two"].popitem(),
        lambda data: data["lora"]["sgd"]["4"][0]["loss"].pop(),
    ],
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
        "RANKS": (1,),
        "SCALINGS": (1, 2),
        "SEEDS": (0, 1),
        "FULL_RATES": {"adamw": (1e-3, 3e-3), "sgd": (1e-3, 3e-3)},
        "RATIOS": (1, 4),
        "STEPS": 2,
    }
    names = {
        "PATH": tmp_path / "grid.json",
        "KEPT": tmp_path / "kept",
        "RATES": {"adamw": (1e-3, 1e-2), "sgd": (1e-3, 1e-2)},
    }
    for name, value in {**names, **small}.items():
        monkeypatch.setattr(grid, name, value)
    grid.RECIPE.make([])
    data = json.loads((tmp_path / "grid.json").read_text())
    del data["base"]
    recorded = grid._built(data)
    assert [len(found.loss) for found in recorded.lora["sgd"][1]] == [2, 2]
    assert [*recorded.two[1]] == [1, 4]
    assert not (tmp_path / "kept").exists()
