"""What was measured for the reading: whole, small, the same when measured again, refused where it is not whole."""

from __future__ import annotations

import json

import pytest
import torch

from compute.experiments import paper
from compute.experiments.mixing import FOLDER
from compute.experiments.paper import (
    FILE,
    NAMES,
    TASKS,
    directions,
    load_paper,
    random_cosines,
)
from compute.experiments.runs import config_of, load
from compute.training.config import Evaluation, Result

# Each number is rounded to three or four digits, and the adapter in assets was trained on another day.
AGAIN = 2e-3

torch.set_num_threads(1)


def test_it_is_whole_and_small():
    assert FILE.stat().st_size < 100_000
    record = load_paper()
    assert record.recorded
    assert record.seconds > 0
    for task in TASKS:
        for name in NAMES:
            run = load(task, name)
            first = record.runs[task][name][0]
            assert first.validation_loss == pytest.approx(run.validation_loss[-1], abs=AGAIN)
            assert first.base_loss == pytest.approx(run.base_loss[-1], rel=0.01)


def test_measured_again_it_is_the_same():
    # The adapter of assets/recorded/mixing is that of the recorded run.
    weights = (FOLDER / "legal" / "adapter_model.safetensors").read_bytes()
    recorded = load_paper().runs["legal"][4][0]
    evaluation = Evaluation(recorded.validation_loss, recorded.base_loss, ())
    end = Result(**{name: None for name in Result._fields} | {"weights": weights, "evaluation": evaluation})
    found = paper._found(end, config_of("legal", 4), directions(4))
    for name, of in recorded.layers.items():
        again = found["layers"][name]
        assert again["size"] == pytest.approx(of.size, rel=AGAIN)
        assert again["kept"] == pytest.approx(of.kept, rel=5 * AGAIN)
        assert again["cosines"] == pytest.approx(of.cosines, abs=5 * AGAIN)


def test_the_control_has_the_runs_rank():
    few, full = random_cosines("legal", 1, seed=0), random_cosines("legal", "full", seed=0)
    assert few.keys() == full.keys() == load_paper().runs["legal"][1][0].layers.keys()
    assert few != random_cosines("legal", 1, seed=1)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda data: data.update(base="0"), "started from another base model"),
        (lambda data: data["runs"]["legal"]["4"].pop(), "is not whole"),
        (lambda data: data["runs"]["legal"].pop("4"), "is damaged"),
        (lambda data: data["runs"]["legal"]["1"][0]["layers"].popitem(), "is not whole"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(tmp_path, fault, said):
    data = json.loads(FILE.read_text(encoding="utf-8"))
    fault(data)
    path = tmp_path / "paper.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"paper\.json {said}\. Run `python -m compute.experiments.paper`"):
        load_paper(path)
