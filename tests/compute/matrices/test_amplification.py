"""Amplification and intruders: the closed form is the mean of draws, Table 7 is consistent, PEFT counts as we do."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from compute.experiments.mixing import load_factors
from compute.matrices.amplification import TABLE_7, WIDTH, amplified, within
from compute.matrices.controls import random_change, random_within
from compute.matrices.intruders import EPSILON, TOP, count_intruders, largest_cosines
from compute.model.forward import base_weights


def orthonormal(rng: np.random.Generator, n: int, r: int) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((n, r)))[0]


@pytest.mark.parametrize(("shape", "r"), [((12, 12), 3), ((20, 8), 4), ((8, 20), 8)])
def test_what_random_directions_hold_is_the_mean_of_draws(shape, r):
    rng = np.random.default_rng(0)
    W = rng.standard_normal(shape) @ np.diag(np.arange(1, shape[1] + 1))
    draws = [
        within(W, orthonormal(rng, shape[0], r), orthonormal(rng, shape[1], r)) ** 2 for _ in range(4000)
    ]
    # Squares of a draw spread about as wide as their mean: a mean of 4,000 is within 5 % of it, and its root in 2.5 %.
    assert np.sqrt(np.mean(draws)) == pytest.approx(random_within(shape, r, np.linalg.norm(W)), rel=0.025)


def test_no_directions_hold_more_of_w_than_its_own_strongest():
    rng = np.random.default_rng(1)
    W = rng.standard_normal((10, 6))
    for _ in range(50):
        found = amplified(W, rng.standard_normal((10, 6)), r=2)
        assert found.kept <= found.strongest <= found.whole
        assert found.factor == pytest.approx(found.size / found.kept)
    own = amplified(W, 3 * W, r=2)
    assert own.kept == pytest.approx(own.strongest)
    with pytest.raises(ValueError, match="r must be between 1 and 6"):
        amplified(W, W, r=7)
    with pytest.raises(ValueError, match="must be equal"):
        amplified(W, W.T, r=1)


def test_the_papers_table_is_consistent():
    for column in TABLE_7.values():
        assert random_within((WIDTH, WIDTH), column.r, column.whole) == pytest.approx(column.random, abs=0.01)
    assert TABLE_7[4].factor == pytest.approx(21.6, abs=0.05)
    assert TABLE_7[64].factor == pytest.approx(1.9, abs=0.05)


def test_a_strong_new_direction_is_one_intruder():
    rng = np.random.default_rng(2)
    U, V = orthonormal(rng, 200, 200), orthonormal(rng, 200, 200)
    W = (U * np.linspace(2, 1, 200)) @ V.T
    # Evenly between all old directions, so that none is near; stronger than the strongest.
    new = 50 * np.outer(U.sum(axis=1), V.sum(axis=1)) / 200
    cosines = largest_cosines(W, new)
    assert cosines[0] < 0.2
    assert count_intruders(largest_cosines(W, np.zeros_like(W))) == 0
    assert count_intruders(cosines, top=1) == 1
    assert count_intruders([0.4, 0.6, 0.4], top=2, epsilon=0.5) == 1


def test_peft_counts_the_same():
    # Read and not imported: importing peft takes seconds.
    peft = Path(importlib.util.find_spec("peft").origin).parent
    source = (peft / "tuners" / "lora" / "intruders.py").read_text(encoding="utf-8")
    assert f"top_k={TOP},\n    threshold_epsilon={EPSILON}," in source
    assert "cos_sim = (U_merged.T @ U_base).abs().max(dim=1).values" in source
    assert "cos_sim[:top_k] < threshold_epsilon" in source
    name = "blocks.0.mlp.down_proj"
    W = torch.from_numpy(np.array(base_weights().tensors[f"{name}.weight"]))
    delta_w = torch.from_numpy(load_factors("legal")[name].delta_w)
    U_base, U_merged = (torch.linalg.svd(each, full_matrices=False)[0] for each in (W, W + delta_w))
    cos_sim = (U_merged.T @ U_base).abs().max(dim=1).values
    np.testing.assert_allclose(largest_cosines(W.numpy(), delta_w.numpy()), cos_sim, atol=1e-9)


def test_a_random_change_has_the_rank_and_the_size():
    rng = np.random.default_rng(3)
    for r in (1, 4, 6):
        change = random_change((9, 6), r, 2.5, rng)
        assert np.linalg.matrix_rank(change) == r
        assert np.linalg.norm(change) == pytest.approx(2.5)
