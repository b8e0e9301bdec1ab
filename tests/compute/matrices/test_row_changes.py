"""A change taken apart into length and direction: row by row, and changes that are only one of the two."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compute.matrices.row_changes import Split, line_through, split_change

EXACT = 1e-12  # sums of some hundred float64 products


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(2, 6))
def test_it_is_the_mean_of_what_each_row_does(seed, out, into):
    rng = np.random.default_rng(seed)
    before, after = rng.standard_normal((2, out, into))
    lengths, turns = [], []
    for one, other in zip(before, after, strict=True):
        a, b = (np.sqrt(sum(x * x for x in row)) for row in (one, other))
        lengths.append(abs(b - a))
        turns.append(1 - sum(x * y for x, y in zip(one, other, strict=True)) / (a * b))
    split = split_change(before, after)
    assert split.magnitude == pytest.approx(np.mean(lengths), abs=EXACT)
    assert split.direction == pytest.approx(np.mean(turns), abs=EXACT)


def test_the_length_is_that_of_torch_s_norm_over_the_inputs():
    W = torch.arange(1.0, 13.0, dtype=torch.float64).reshape(3, 4)
    longer = torch.linalg.norm(3 * W, dim=1) - torch.linalg.norm(W, dim=1)  # as PEFT takes it, dim=1
    assert split_change(W.numpy(), 3 * W.numpy()).magnitude == pytest.approx(longer.mean().item(), abs=EXACT)


def test_scaling_turns_nothing_and_turning_makes_nothing_longer(rng):
    W = rng.standard_normal((5, 4))
    assert split_change(W, -0.5 * W).direction == pytest.approx(2, abs=EXACT)
    assert split_change(W, W * [[2], [3], [1], [0.5], [9]]).direction == pytest.approx(0, abs=EXACT)
    Q, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    assert split_change(W, W @ Q).magnitude == pytest.approx(0, abs=EXACT)


def test_a_tiny_turn_keeps_its_digits():
    angle = 1e-7
    turned = np.array([[np.cos(angle), np.sin(angle)]])
    assert split_change(np.array([[1.0, 0.0]]), turned).direction == pytest.approx(angle**2 / 2, rel=1e-6)


def test_what_has_no_direction_is_refused():
    with pytest.raises(ValueError, match="zeros has no direction"):
        split_change(np.eye(2), np.array([[1.0, 0.0], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="one shape"):
        split_change(np.eye(2), np.eye(3))


def test_the_line_is_numpy_s(rng):
    points = [Split(*pair) for pair in rng.standard_normal((9, 2))]
    y, x = np.array(points).T
    slope, correlation = line_through(points)
    assert slope == pytest.approx(np.polyfit(x, y, 1)[0], abs=EXACT)
    assert correlation == pytest.approx(np.corrcoef(x, y)[0, 1], abs=EXACT)
