"""What was measured for the reading: whole, small, the same when measured again, refused where it is not whole."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from compute.experiments import paper
from compute.experiments.paper import (
    COMPARED,
    FULL,
    NAMES,
    PAIRS,
    PATH,
    RATES,
    SEEDS,
    TASKS,
    VOICE,
    config_of,
    load_paper,
    random_cosines,
)
from compute.experiments.tasks import config_of as config_of_tasks
from compute.experiments.tasks import load_tasks, way_of
from compute.matrices.intruders import count_intruders
from compute.model.forward import base_weights
from compute.world.tasks import FACTS

AGAIN = 0.05  # of a size or a loss: the rounding of another machine's matrix products, amplified by the steps

torch.set_num_threads(1)


def test_it_is_whole_and_small():
    assert PATH.stat().st_size < 100_000
    record = load_paper()
    assert record.recorded
    for task in TASKS:
        assert tuple(record.runs[task]) == NAMES
        for some in record.runs[task].values():
            assert len(some) == len(SEEDS)
            assert all(0 <= run.facts <= 1 and run.loss > 0 for run in some)
            assert len({run.loss for run in some}) > 1, "seeds differ"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", NAMES)
def test_each_rate_is_the_best_inside_its_grid(task, name):
    record, rates = load_paper(), RATES[task][name]
    rate, tried = record.rates[task][name], record.tried[task][name]
    assert [*tried] == [f"{each:g}" for each in rates]
    if len(rates) == 1:
        known = load_tasks().of(task, FULL if name == FULL else way_of(name))
        assert known.rate == rate
        assert config_of_tasks(task, known.way, rate, 0) == config_of(task, name, rate, 0)
        return
    assert tried[f"{rate:g}"] == min(loss for loss in tried.values() if loss is not None)
    assert min(rates) < rate < max(rates)


def test_trained_again_it_is_the_same():
    rate, recorded = load_paper().rates[FACTS][4], load_paper().runs[FACTS][4][0]
    found = paper._run(config_of(FACTS, 4, rate, 0))
    assert found["loss"] == pytest.approx(recorded.loss, rel=4 * AGAIN)
    # On average over the layers: which of them carries more of a change is left to rounding.
    sizes, kept, cosines = zip(*found["layers"], strict=True)
    layers = recorded.layers.values()
    assert np.mean(sizes) == pytest.approx(np.mean([of.size for of in layers]), rel=4 * AGAIN)
    assert np.mean(kept) == pytest.approx(np.mean([of.kept for of in layers]), rel=4 * AGAIN)
    assert np.mean(cosines) == pytest.approx(np.mean([of.cosines for of in layers]), abs=AGAIN)


def test_directions_are_compared_for_every_pair():
    for task in TASKS:
        for pair in PAIRS:
            for layer, found in load_paper().similar[task][pair].items():
                n = base_weights().tensors[f"{layer}.weight"].shape[1]
                assert all(0 <= similarity <= 1 for similarity in found)
                assert found[-1] > COMPARED / n / 2, "not far below chance"


def test_the_control_has_the_runs_rank():
    few, full = random_cosines(VOICE, 4, seed=0), random_cosines(VOICE, FULL, seed=0)
    assert few.keys() == full.keys() == load_paper().runs[VOICE][4][0].layers.keys()
    assert few != random_cosines(VOICE, 4, seed=1)
    assert sum(map(count_intruders, few.values())) == load_paper().runs[VOICE][4][0].random


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda data: data.update(base="0"), "started from another base model"),
        (lambda data: data["runs"][VOICE]["4"].pop(), "is not whole"),
        (lambda data: data["runs"][VOICE].pop("4"), "is damaged"),
        (lambda data: data["runs"][VOICE]["8"][0]["layers"].pop(), "is not whole"),
        (lambda data: data["similar"][FACTS]["full"].popitem(), "is not whole"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(tmp_path, fault, said):
    data = json.loads(PATH.read_text(encoding="utf-8"))
    fault(data)
    path = tmp_path / "paper.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"paper\.json {said}\. Run `python -m compute.experiments.paper`"):
        load_paper(path)
