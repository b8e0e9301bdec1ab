"""The recorded learning rates: they are there, training gives them again, and a file that is not whole is refused."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest
import torch

from compute.experiments import scale
from compute.experiments.making import Bar
from compute.experiments.scale import (
    BLOCK,
    FULL,
    PATH,
    RATES,
    STEPS,
    RateRun,
    best_range,
    best_rate,
    config_of,
    load_scale,
)
from compute.model.checkpoint import load_base
from compute.training import short_runs
from compute.training.config import OPTIMIZERS, SCALING_RULES
from compute.training.short_runs import ShortRun

torch.set_num_threads(1)


def test_what_is_recorded_is_consistent_and_small():
    recorded = load_scale()
    assert PATH.stat().st_size < 100_000
    assert recorded.seconds < 10 * 60
    for optimizer, rule in itertools.product(OPTIMIZERS, SCALING_RULES):
        assert config_of(optimizer, rule, FULL, 0).method == "full"
        for r, over in recorded.runs[optimizer][rule].items():
            ended = sorted(run.final for run in over if run.final is not None)
            tried = [run for run in over if run.again is not None]
            assert {run.final for run in tried} == set(ended[:2]), (optimizer, rule, r)
            assert over[best_rate(over)].final == ended[0] < recorded.start
        both = [recorded.runs[optimizer][each][1] for each in SCALING_RULES]
        assert both[0] == both[1]  # at r = 1 the rules are the same


@pytest.mark.parametrize("rates", RATES.values(), ids=list(RATES))
def test_rates_lie_half_a_decade_apart(rates):
    assert len(rates) == 7
    for low, high in itertools.pairwise(rates):
        assert 3 <= high / low * 1.001 < 3.4


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_recorded_run_is_what_training_gives(optimizer):
    recorded = load_scale().runs[optimizer]["alpha/sqrt(r)"][16][3]
    config = replace(
        config_of(optimizer, "alpha/sqrt(r)", 16, 3), steps=2 * BLOCK
    )  # the first texts are the same
    ours = scale._kept(config, load_base())
    # Rounding of another machine's matrix products, which little has amplified yet.
    assert ours.loss == pytest.approx(recorded.loss[:2], rel=0.002)
    assert len(recorded.loss) * BLOCK == STEPS


def test_recording_keeps_means_and_tries_the_best_two_again(monkeypatch):
    ends = {0.0001: 3.0, 0.001: 2.0, 0.003: 1.0, 0.1: None}

    def short_run_of(config, base):
        final = ends.get(config.learning_rate, 4.0)
        loss = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
        return ShortRun(loss, None if final is None else final + config.seed / 10)

    monkeypatch.setattr(short_runs, "short_run", short_run_of)
    over = scale._over_rates("adamw", "alpha/r", 4, None, Bar(1))
    assert [run.final for run in over] == [3.0, 4.0, 2.0, 1.0, 4.0, 4.0, None]
    assert [run.again for run in over] == [None, None, 2.1, 1.1, None, None, None]
    assert over[0].loss == [3.0, 6.0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (None, "is missing"),
        (lambda data: data.pop("frequencies"), "is damaged"),
        (lambda data: data["runs"]["sgd"].pop("alpha/r"), "is damaged"),
        (lambda data: data["runs"]["sgd"]["alpha/r"].pop("16"), "is not whole"),
        (lambda data: data["runs"]["sgd"]["alpha/r"]["16"].pop(), "is not whole"),
        (lambda data: data["runs"]["adamw"]["alpha/r"]["16"][0]["loss"].pop(), "is not whole"),
        (lambda data: data["gains"]["sgd"]["alpha/r"].pop(), "is not whole"),
        (lambda data: data.update(base="x"), "started from another base model"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(change, told, tmp_path):
    path = tmp_path / "scale.json"
    if change:
        data = json.loads(PATH.read_text(encoding="utf-8"))
        change(data)
        path.write_text(json.dumps(data), encoding="utf-8")
    said = rf"The file scale.json {told}. Run `python -m compute.experiments.scale`."
    with pytest.raises(ValueError, match=said):
        load_scale(path)


def test_the_best_rate_is_that_of_the_lowest_end():
    assert best_range([RateRun([], 2.0, None)]) == (0, 0)  # nothing was tried again
    over = [RateRun([], final, None) for final in (None, 2.0, 1.0, 1.0, None)]
    assert best_rate(over) == 2
    with pytest.raises(ValueError, match=r"empty|arg"):
        best_rate(over[:1])
