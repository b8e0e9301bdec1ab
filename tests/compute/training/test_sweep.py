"""A sweep gives what single runs give, one after the other or in one batch; and the map that it fills."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.training import sweep as module
from compute.training.config import Diverged, TrainConfig
from compute.training.loop import train
from compute.training.sweep import sweep
from compute.training.swept import Map, SweepEnd, SweepSteps
from compute.training.together import Together
from helpers.cuda import on_cuda

torch.set_num_threads(1)
pytestmark = pytest.mark.usefixtures("brief_evaluations")
CLOSE = 1e-8  # relative, of float64: sums in another order
USUAL = {"task": "new facts", "n_texts": 16, "steps": 30, "batch_size": 4}


def grid() -> list[TrainConfig]:
    apart = [(1, 8.0, "alpha/r", 5e-3, 0), (4, 8.0, "alpha/r", 1e-3, 1), (16, 4.0, "alpha/sqrt(r)", 2e-3, 2)]
    return [
        TrainConfig(**USUAL, r=r, alpha=alpha, scaling_rule=rule, learning_rate=rate, seed=seed)
        for r, alpha, rule, rate, seed in apart
    ]


def told(records) -> tuple[dict[int, list[float]], dict[int, SweepEnd]]:
    """Return the losses and the end of each run."""
    losses: dict[int, list[float]] = {}
    ends = {}
    for record in records:
        if isinstance(record, SweepSteps):
            own = losses.setdefault(record.run, [])
            assert record.step == len(own)
            own += record.loss
        else:
            assert record.run not in ends
            ends[record.run] = record
    return losses, ends


@pytest.fixture(autouse=True)
def exactly():
    """Compute in float64: Adam divides gradients by their own size, so that rounding is as large as a step."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def world() -> GPT:
    """Return the base."""
    return load_base().double()


@pytest.mark.parametrize("batch", [False, True], ids=["one by one", "at once"])
def test_each_run_is_what_it_is_alone(batch, monkeypatch):
    single = [[*train(config, world(), strengths=())] for config in grid()]
    if batch:
        on_cuda(monkeypatch)
    losses, ends = told(sweep(grid(), world()))
    for run, (*steps, result) in enumerate(single):
        assert losses[run] == pytest.approx([record.loss for record in steps], rel=CLOSE)
        assert ends[run].step == 30
        assert ends[run].validation_loss == pytest.approx(result.evaluation.validation_loss, rel=CLOSE)


def test_rounding_of_float32_is_all_that_the_batch_adds(monkeypatch):
    torch.set_default_dtype(torch.float32)
    calm = [
        replace(
            config, alpha=2.0 * config.r, scaling_rule="alpha/r", learning_rate=1e-3, batch_size=16, steps=10
        )
        for config in grid()
    ]
    alone, _ = told(sweep(calm))
    on_cuda(monkeypatch)
    at_once, _ = told(sweep(calm))
    for run, losses in alone.items():
        assert at_once[run] == pytest.approx(losses, rel=1e-5)


@pytest.mark.parametrize("batch", [False, True], ids=["one by one", "at once"])
def test_a_run_that_diverges_ends_where_it_ends_alone_and_the_others_go_on(batch, monkeypatch):
    calm, *_ = [replace(config, task="formal voice", steps=8) for config in grid()]
    wild = replace(calm, r=2, alpha=1024, learning_rate=1.0, seed=3)
    (*steps, end), (*others, _) = (train(config, world(), strengths=()) for config in (wild, calm))
    assert isinstance(end, Diverged)
    if batch:
        on_cuda(monkeypatch)
    losses, ends = told(sweep([wild, calm], world()))
    assert ends[0] == SweepEnd(0, end.step, None)
    assert losses[0] == pytest.approx([record.loss for record in steps], rel=CLOSE)
    assert losses[1] == pytest.approx([record.loss for record in others], rel=CLOSE)
    assert ends[1].step == 8


def test_what_does_not_fit_at_once_goes_in_parts(monkeypatch):
    on_cuda(monkeypatch)
    parts = []
    monkeypatch.setattr(
        module, "Together", lambda configs, *more: parts.append(len(configs)) or Together(configs, *more)
    )
    monkeypatch.setattr(module, "TOKENS", 2 * 4 * 64)
    _, ends = told(sweep(grid(), world()))
    assert parts == [2, 1]
    assert [*ends] == [0, 1, 2]


def test_runs_that_make_no_sweep_are_refused_wherever_they_would_train():
    one, other, _ = grid()
    with pytest.raises(ValueError, match="differ in r, alpha"):
        next(sweep([one, TrainConfig(**{**vars(other), "steps": 2})], world()))
    with pytest.raises(ValueError, match="are LoRA runs"):
        next(sweep([], world()))


def test_the_map_has_a_cell_for_each_rank_and_rate():
    runs = [
        TrainConfig(**USUAL, r=r, learning_rate=rate, seed=seed)
        for rate in (1e-2, 1e-3)
        for r in (1, 4)
        for seed in (0, 1)
    ]
    grid = Map(runs)
    assert [(cell.r, cell.learning_rate, cell.seeds) for cell in grid.cells()] == [
        (1, 1e-3, 2),
        (1, 1e-2, 2),
        (4, 1e-3, 2),
        (4, 1e-2, 2),
    ]
    assert {(cell.loss, cell.done, cell.ended) for cell in grid.cells()} == {(None, 0, False)}
    for record in (
        SweepSteps(0, 0, [5.0] * 15),
        SweepEnd(1, 30, 0.25),
        SweepEnd(0, 30, 0.75),
        SweepEnd(2, 4, None),
    ):
        grid.add(record)
    _, done, _, half = grid.cells()
    assert (done.loss, done.losses, done.diverged, done.done, done.ended) == (0.5, [0.75, 0.25], 0, 1, True)
    assert (half.loss, half.diverged, half.done, half.ended) == (None, 1, 0.5, False)
    assert grid.ended == 3
