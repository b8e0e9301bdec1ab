"""Updates taken apart: the record is whole, a run gives it again, and the figure says what is recorded."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from compute.experiments import magnitude
from compute.experiments.forgetting import load_forgetting
from compute.experiments.magnitude import (
    FULL,
    MOMENTS,
    PATH,
    SEEDS,
    TASKS,
    WAYS,
    _Setting,
    _taken_apart,
    load_magnitude,
    moments,
)
from compute.matrices.row_changes import Split
from compute.model.layers import LAYERS
from helpers.instruments import gaps, is_shown, numbers, printed_by
from widgets.magnitude import Magnitude
from widgets.magnitude.words import LAYER_KINDS, TASK_NAMES

torch.set_num_threads(1)


def test_what_is_recorded_is_whole_and_small_and_only_grows_at_first():
    assert PATH.stat().st_size < 90_000
    for ways in load_magnitude().splits.values():
        for seeds in ways.values():
            assert len(seeds) == len(SEEDS)
            for first, *_ in seeds:
                assert all(split.direction > 0 and split.magnitude > 0 for split in first)


def test_a_recorded_run_is_what_training_gives():
    task, way = "new facts", "r = 1"
    [*found] = _taken_apart(_Setting(task, way, load_forgetting().best(task, way), SEEDS[0]))
    recorded = load_magnitude().splits[task][way][0]
    assert len(found) == MOMENTS
    # On average over the layers, and at the first moment: each by itself, and later, they drift apart by rounding.
    lengths, turns = np.mean(found[0], axis=0)
    assert np.mean([split.magnitude for split in recorded[0]]) == pytest.approx(lengths, rel=0.2)
    assert np.mean([split.direction for split in recorded[0]]) == pytest.approx(turns, rel=0.2)


@pytest.mark.parametrize(
    "damage",
    [
        lambda splits: splits.popitem(),
        lambda splits: splits["new facts"].popitem(),
        lambda splits: splits["new facts"][FULL].pop(),
        lambda splits: splits["new facts"][FULL][0].pop(),
        lambda splits: splits["new facts"][FULL][0][0].pop(),
    ],
)
def test_a_record_that_is_not_whole_is_refused(tmp_path, damage):
    data = json.loads(PATH.read_text())
    damage(data["splits"])
    path = tmp_path / "magnitude.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="is not whole. Run `python -m compute.experiments.magnitude`"):
        load_magnitude(path)


def test_its_recipe_makes_all_of_it(tmp_path, monkeypatch):
    short = {task: {**sizes, "steps": MOMENTS, "batch_size": 2} for task, sizes in TASKS.items()}
    for task, sizes in short.items():
        monkeypatch.setitem(magnitude.TASKS, task, sizes)  # config_of reads the same
    for name, value in {"PATH": tmp_path / "magnitude.json", "KEPT": tmp_path / "kept"}.items():
        monkeypatch.setattr(magnitude, name, value)
    monkeypatch.setattr(magnitude, "SEEDS", SEEDS[:1])
    monkeypatch.setattr(magnitude, "WAYS", ("r = 1", FULL))
    monkeypatch.setattr(magnitude, "_SHAPE", [[len(LAYERS)] * MOMENTS])
    magnitude.RECIPE.make([])
    data = json.loads((tmp_path / "magnitude.json").read_text())
    recorded = magnitude._built(data)
    assert isinstance(recorded.splits["new facts"][FULL][0][0][0], Split)
    assert moments("new facts") == (1, 2, 3, 4)
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("task", TASK_NAMES)
@pytest.mark.parametrize("layers", LAYER_KINDS)
def test_the_correlations_are_numpys_and_what_the_code_prints(task, layers):
    figure = Magnitude(task=task, layers=layers, rank="16", checkpoint=1, guess="skip")
    said, values = figure.sentence(), figure.values(1)
    assert not gaps(said)
    head, rows = figure.table()
    assert len(head) == len(rows[0])
    assert len(WAYS) == 4
    for name, key, start in (("LoRA, r = 16", "correlation", 0), ("full finetuning", "control", 1)):
        points = np.array([[float(row[3]), float(row[4])] for row in rows if row[0] == name])
        assert len(points) == MOMENTS * (len(LAYERS) if layers == "all" else 3)
        # The table has five decimals.
        assert np.corrcoef(points.T)[0, 1] == pytest.approx(values[key], abs=0.02)
        line = printed_by(figure.snippet()).splitlines()[start]
        assert is_shown(numbers(line.split("correlation ")[1])[0], f"{abs(values[key]):.2f}")
        assert f"{values[key]:.2f}".replace("-", "−") in said
    assert values["low"] <= values["correlation"] <= values["high"]
    assert "do rows that turn more" in Magnitude(task=task).sentence()
