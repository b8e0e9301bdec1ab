"""Finetuning with D numbers: the subspace is what it says, and the whole space gives full finetuning."""

from __future__ import annotations

import copy
import itertools
import json

import numpy as np
import pytest
import torch
from torch.nn.utils import parameters_to_vector

from compute.experiments.runs import FULL, load
from compute.experiments.subspace import (
    DIMENSIONS,
    FILE,
    SEEDS,
    SUBSPACE_TASKS,
    load_subspace,
)
from compute.matrices.controls import noise_control
from compute.matrices.spectrum import r90
from compute.model.checkpoint import load_base
from compute.model.layers import TARGET_MODULES
from compute.numbers.records import base_sum
from compute.text.batches import batches, windows
from compute.training.config import TrainConfig
from compute.training.loop import evaluate
from compute.training.subspace import Subspace, train_in_subspace

TASKS = pytest.mark.parametrize("task", SUBSPACE_TASKS)


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
    texts = windows(config.task, "training", base.config.block_size)
    for batch in batches(texts, config.batch_size, config.steps, config.seed):
        optimizer.zero_grad()
        model.loss(texts[batch]).backward()
        optimizer.step()
    return model


def test_the_whole_space_is_full_finetuning():
    base = load_base()
    config = TrainConfig(task="legal", method="full", learning_rate=1e-3, steps=3, batch_size=4)
    n = sum(p.numel() for p in base.parameters())
    before = parameters_to_vector(base.parameters()).detach()
    moved = [
        parameters_to_vector(model.parameters()).detach() - before
        for model in (train_in_subspace(config, n, 0, base), adam(config, base))
    ]
    assert moved[1].abs().max() > 5e-4
    assert (moved[0] - moved[1]).norm() / moved[
        1
    ].norm() < 1e-2  # words that no text has: gradients of rounding


def test_the_weights_stay_in_the_subspace_and_the_base_is_not_touched():
    base = load_base()
    before = parameters_to_vector(base.parameters()).detach().clone()
    config = TrainConfig(task="legal", method="full", learning_rate=1e-3, steps=2, batch_size=4)
    model = train_in_subspace(config, D=3, seed=5, base=base)
    assert torch.equal(parameters_to_vector(base.parameters()).detach(), before)
    subspace = Subspace(len(before), 3, seed=5)
    moved = parameters_to_vector(model.parameters()).detach() - before
    z = subspace.down(moved) / torch.bincount(
        subspace.index
    )  # least squares: the columns of P are orthogonal
    torch.testing.assert_close(subspace.up(z), moved, atol=1e-6, rtol=0)
    assert z.abs().min() > 1e-4


# What is recorded.


@TASKS
def test_the_record_is_whole_and_of_this_model(task):
    runs, base = load_subspace(task), load_base()
    layers = [name for name, _ in base.named_modules() if name.endswith(TARGET_MODULES)]
    assert list(runs.r90) == list(runs.rank) == layers
    assert list(runs.spectra) == [name for name in layers if name.startswith("blocks.1.")]
    assert {len(row) for row in runs.loss} == {len(SEEDS)}
    assert runs.weights == sum(p.numel() for p in base.parameters()) > DIMENSIONS[-1]
    assert runs.before == pytest.approx(evaluate(base, task).validation_loss, abs=1e-3)
    for layer, rows in runs.spectra.items():
        for s, count in zip(rows, runs.r90[layer], strict=True):
            assert s == sorted(s, reverse=True)
            assert np.linalg.norm(s) == pytest.approx(1, abs=1e-3)
            assert abs(r90(s) - count) <= 1  # the spectrum is rounded, the count is not
    assert FILE.stat().st_size < 100_000


@TASKS
def test_more_numbers_learn_more_and_the_rank_is_full_for_every_d(task):
    runs, floor = load_subspace(task), load(task, FULL).validation_loss[-1]
    medians = [float(np.median(row)) for row in runs.loss]
    assert all(later < earlier + 0.005 for earlier, later in itertools.pairwise(medians))
    assert medians[-1] < floor + 0.01
    assert {rank for ranks in runs.rank.values() for rank in ranks} == {64}


@TASKS
def test_up_to_ten_thousand_numbers_the_change_is_like_noise(task):
    runs = load_subspace(task)
    few = [i for i, D in enumerate(DIMENSIONS) if D <= 10_000]
    for layer, counts in runs.r90.items():
        shape = (64, 64) if "attention" in layer else (256, 64)
        noise = r90(noise_control(shape).s[1])
        assert all(abs(counts[i] - noise) <= 1 for i in few)
        assert counts[-1] < noise


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
        load_subspace("legal", path)


@pytest.mark.parametrize(
    ("change", "fault"), [("base", "started from another base model"), ("loss", "is not whole")]
)
def test_a_record_of_something_else_is_refused(tmp_path, change, fault):
    data = json.loads(FILE.read_text(encoding="utf-8"))
    assert data["base"] == base_sum()
    if change == "base":
        data["base"] = "0" * 64
    else:
        data["tasks"]["legal"]["loss"].pop()
    path = tmp_path / "subspace.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match=fault):
        load_subspace("legal", path)


def test_an_unknown_task_is_refused():
    with pytest.raises(ValueError, match="task must be one of legal, new language, got 'code'"):
        load_subspace("code")
