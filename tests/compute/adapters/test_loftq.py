"""LoftQ: against the plain decomposition of what storing loses, and against the written-out rounds of its paper."""

from __future__ import annotations

import numpy as np
import pytest

from compute.adapters.loftq import loftq
from compute.numbers.quantising import in_few_bits


@pytest.fixture
def W() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(32, 64))


def lost(W: np.ndarray, base_format: str, r: int, rounds: int) -> float:
    weight, lora_A, lora_B = loftq(W, base_format, r, rounds)
    return float(np.linalg.norm(W - weight - lora_B @ lora_A))


@pytest.mark.parametrize("base_format", ["int2", "int3", "nf4"])
@pytest.mark.parametrize("r", [1, 5, 32])
def test_one_round_is_the_best_copy_of_what_is_lost(W, base_format, r):
    missing = W - in_few_bits(W, base_format)
    s = np.linalg.svd(missing, compute_uv=False)
    assert lost(W, base_format, r, 1) == pytest.approx(np.sqrt((s[r:] ** 2).sum()), abs=1e-9)


def test_the_rounds_are_those_of_the_paper_and_the_best_is_kept(W):
    change, errors = np.zeros_like(W), []
    for _ in range(4):
        stored = in_few_bits(W - change, "int3")
        U, s, Vh = np.linalg.svd(W - stored, full_matrices=False)
        change = (U[:, :3] * s[:3]) @ Vh[:3]
        errors.append(np.linalg.norm(W - stored - change))
    assert lost(W, "int3", 3, 4) == pytest.approx(min(errors))
    assert all(lost(W, "int3", 3, more) <= lost(W, "int3", 3, more - 1) + 1e-12 for more in range(2, 5))


def test_the_weight_is_one_that_the_format_has(W):
    weight, lora_A, lora_B = loftq(W, "int2", 2)
    assert np.allclose(in_few_bits(weight, "int2"), weight)
    assert (lora_A.shape, lora_B.shape) == ((2, 64), (32, 2))


@pytest.mark.parametrize(
    ("r", "rounds", "told"), [(0, 1, "r must be"), (33, 1, "r must be"), (1, 0, "rounds must be")]
)
def test_what_makes_no_sense_is_refused(W, r, rounds, told):
    with pytest.raises(ValueError, match=told):
        loftq(W, "int3", r, rounds)
