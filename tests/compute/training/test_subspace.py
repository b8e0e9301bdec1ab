"""Finetuning with D numbers: the subspace is what it says, and the whole space gives full finetuning."""

from __future__ import annotations

import copy
import itertools
import json

import numpy as np
import pytest
import torch
from torch.nn.utils import parameters_to_vector

from compute.experiments import subspace as experiment
from compute.experiments.subspace import (
    DIMENSIONS,
    FULL,
    MIDDLE,
    PATH,
    SEEDS,
    TASKS,
    Asked,
    load_subspace,
    rates_of,
)
from compute.matrices.controls import noise_control
from compute.matrices.spectrum import r90
from compute.model.checkpoint import load_base
from compute.model.layers import LAYERS
from compute.numbers.records import base_sum
from compute.training.config import TrainConfig
from compute.training.loop import steps_of
from compute.training.subspace import Subspace, train_in_subspace

EACH_TASK = pytest.mark.parametrize("task", TASKS)
FEW = TrainConfig("formal voice", "full", learning_rate=1e-3, steps=3, batch_size=4, n_texts=64)


def dense(subspace: Subspace) -> torch.Tensor:
    """Return P (n, D), written out from its definition."""
    P = torch.zeros(len(subspace.index), subspace.D)
    for i, (column, sign) in enumerate(zip(subspace.index.tolist(), subspace.sign.tolist(), strict=True)):
        P[i, column] = sign
    return P


@pytest.mark.parametrize(("n", "D"), [(12, 1), (12, 5), (12, 12), (100, 7)])
def test_up_and_down_are_products_with_the_dense_matrix(n, D):
    subspace = Subspace(n, D, seed=3)
    P = dense(subspace)
    generator = torch.Generator().manual_seed(0)
    z, gradient = torch.randn(D, generator=generator), torch.randn(n, generator=generator)
    torch.testing.assert_close(subspace.up(z), P @ z)
    torch.testing.assert_close(subspace.down(gradient), P.T @ gradient)
    counts = torch.bincount(subspace.index, minlength=D)
    assert counts.max() - counts.min() <= 1
    torch.testing.assert_close(P.T @ P, torch.diag(counts.float()))


def test_the_seed_decides_the_subspace():
    one, same, other = (Subspace(50, 5, seed) for seed in (0, 0, 1))
    assert torch.equal(one.index, same.index)
    assert torch.equal(one.sign, same.sign)
    assert not torch.equal(one.index, other.index)
    assert set(one.sign.tolist()) == {-1.0, 1.0}


@pytest.mark.parametrize("D", [0, 51])
def test_more_dimensions_than_weights_are_refused(D):
    with pytest.raises(ValueError, match=f"D must be between 1 and 50, the number of weights, got {D}"):
        Subspace(50, D, 0)


def adam(config: TrainConfig, base: torch.nn.Module) -> torch.nn.Module:
    """Return the model after plain full finetuning with Adam, in torch's own words."""
    model = copy.deepcopy(base).requires_grad_()
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    for texts in steps_of(config, base.config.block_size):
        optimizer.zero_grad()
        model.loss(*texts).backward()
        optimizer.step()
    return model


def test_the_whole_space_is_full_finetuning():
    base = load_base()
    n = sum(p.numel() for p in base.parameters())
    before = parameters_to_vector(base.parameters()).detach()
    moved = [
        parameters_to_vector(model.parameters()).detach() - before
        for model in (train_in_subspace(FEW, n, 0, base), adam(FEW, base))
    ]
    assert moved[1].abs().max() > 5e-4
    assert (moved[0] - moved[1]).norm() / moved[
        1
    ].norm() < 1e-2  # words that no text has: gradients of rounding


def test_the_weights_stay_in_the_subspace_and_the_base_is_not_touched():
    base = load_base()
    before = parameters_to_vector(base.parameters()).detach().clone()
    model = train_in_subspace(FEW, D=3, seed=5, base=base)
    assert torch.equal(parameters_to_vector(base.parameters()).detach(), before)
    subspace = Subspace(len(before), 3, seed=5)
    moved = parameters_to_vector(model.parameters()).detach() - before
    z = subspace.down(moved) / torch.bincount(
        subspace.index
    )  # least squares: the columns of P are orthogonal
    torch.testing.assert_close(subspace.up(z), moved, atol=3e-6, rtol=0)  # weights are float32
    assert z.abs().min() > 1e-4


# What is recorded.


@EACH_TASK
def test_the_record_is_whole_and_of_this_model(task):
    recorded, base = load_subspace(), load_base()
    runs = recorded.tasks[task]
    assert tuple(runs.r90) == tuple(runs.rank) == LAYERS
    assert [*runs.spectra] == [*runs.full["spectra"]] == MIDDLE
    assert recorded.weights == sum(p.numel() for p in base.parameters()) > DIMENSIONS[-1]
    before = experiment._measured(base, TASKS[task])
    assert before["loss"] == pytest.approx(runs.before["loss"], abs=1e-3)
    assert before["right"] == pytest.approx(runs.before["right"], abs=0.02)
    for layer, rows in runs.spectra.items():
        for s, count in zip(rows, runs.r90[layer], strict=True):
            assert s == sorted(s, reverse=True)
            assert np.linalg.norm(s) == pytest.approx(1, abs=1e-3)
            assert abs(r90(s) - count) <= 1  # the spectrum is rounded, the count is not
    assert PATH.stat().st_size < 100_000


@EACH_TASK
def test_each_rate_is_the_best_inside_its_grid(task):
    runs = load_subspace().tasks[task]
    ways = [
        *zip(DIMENSIONS, runs.rate, runs.tried, strict=True),
        (FULL, runs.full["rate"], runs.full["tried"]),
    ]
    for D, rate, tried in ways:
        assert [*tried] == [f"{each:g}" for each in rates_of(D)]
        assert tried[f"{rate:g}"] == min(loss for loss in tried.values() if loss is not None)
        assert min(rates_of(D)) < rate < max(rates_of(D)), D


@EACH_TASK
def test_more_numbers_learn_more_and_the_rank_is_full_for_every_d(task):
    runs = load_subspace().tasks[task]
    means = [float(np.mean(row)) for row in runs.loss]
    assert all(later < earlier + 0.05 for earlier, later in itertools.pairwise(means))
    assert means[-1] < np.mean(runs.full["loss"]) + 0.15
    assert {rank for ranks in runs.rank.values() for rank in ranks} == {64}


@EACH_TASK
def test_a_change_of_few_numbers_is_like_noise(task):
    for layer, counts in load_subspace().tasks[task].r90.items():
        noise = r90(noise_control((64, 64) if "attention" in layer else (256, 64)).s[1])
        few = [count for D, count in zip(DIMENSIONS, counts, strict=True) if D <= 1000]
        assert all(abs(count - noise) <= 1 for count in few)
        assert counts[-1] <= noise


def test_trained_again_it_comes_to_the_same():
    task, D = "new-facts-64", 30000  # fewer numbers need a rate so high that a rounding can decide a run
    runs, at = load_subspace().tasks[task], DIMENSIONS.index(D)
    found = experiment._run(Asked(task, D, runs.rate[at], SEEDS[0]))
    assert found["loss"] == pytest.approx(runs.loss[at][0], abs=0.1)
    assert found["right"] == pytest.approx(runs.right[at][0], abs=0.1)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "is missing"),
        ("{", "is damaged"),
        ("[]", "is damaged"),
        (json.dumps({"base": base_sum(), "tasks": {}}), "is damaged"),
    ],
)
def test_a_file_that_is_not_the_record_is_refused(tmp_path, text, fault):
    path = tmp_path / "subspace.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(
        ValueError, match=f"subspace.json {fault}. Run `python -m compute.experiments.subspace`."
    ):
        load_subspace(path)


@pytest.mark.parametrize(
    ("change", "fault"), [("base", "started from another base model"), ("loss", "is not whole")]
)
def test_a_record_of_something_else_is_refused(tmp_path, change, fault):
    data = json.loads(PATH.read_text(encoding="utf-8"))
    if change == "base":
        data["base"] = "0" * 64
    else:
        data["tasks"]["formal-voice"]["loss"].pop()
    path = tmp_path / "subspace.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match=fault):
        load_subspace(path)
