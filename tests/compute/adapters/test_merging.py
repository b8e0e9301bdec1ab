"""Merging and unmerging are what torch and PEFT do in each precision, and what comes back is what theory says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from compute.adapters.layer import LoRALinear, delta_w, initialize
from compute.adapters.merging import (
    arrived_share,
    at_strength,
    drift,
    in_and_out,
    merge_unrounded,
    merge_weights,
    relative_change,
    rounding_error,
    same_shape,
    unchanged_share,
    unmerge_weights,
)
from compute.experiments.merging import load_layer
from compute.matrices.controls import random_change
from compute.numbers.precision import PRECISIONS, rounded, spacing

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
EACH = pytest.mark.parametrize("precision", PRECISIONS)
# Sixty-four products of numbers below 3 are added in float32: each sum is off by a unit of 2**-23 of 10 at most.
FORWARD = 64 * 10 * 2.0**-23


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Give a weight and an adapter a third as large, in float32."""
    rng = np.random.default_rng(1)
    W = rng.standard_normal((48, 40)).astype(np.float32) / 7
    change = rng.standard_normal((48, 2)) @ rng.standard_normal((2, 40)) / 30
    return W, change.astype(np.float32)


@EACH
@pytest.mark.parametrize("strength", [1, 0.1, 0.01, 0.001])
def test_it_is_what_torch_does(pair, precision, strength):
    W, change = pair
    dtype = DTYPES[precision]
    with_torch = torch.tensor(W).to(dtype)
    delta = (strength * torch.tensor(change)).to(dtype)
    merged = merge_weights(W, at_strength(change, strength), precision)
    np.testing.assert_array_equal(merged, (with_torch + delta).double().numpy())
    back = unmerge_weights(merged, at_strength(change, strength), precision)
    np.testing.assert_array_equal(back, (with_torch + delta - delta).double().numpy())


def in_peft(W: np.ndarray, lora_B: np.ndarray, lora_A: np.ndarray, precision: str):
    """Return one of peft's layers with this adapter, at scaling 2, and its weight in a precision."""
    model = nn.Sequential(nn.Linear(W.shape[1], len(W), bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor(W))
    r = len(lora_A)
    config = LoraConfig(r=r, lora_alpha=2 * r, target_modules=["0"])
    layer = get_peft_model(model.to(DTYPES[precision]), config).base_model.model[0]
    with torch.no_grad():
        layer.lora_A["default"].weight.copy_(torch.tensor(lora_A))
        layer.lora_B["default"].weight.copy_(torch.tensor(lora_B))
    return layer


WAYS = pytest.mark.parametrize(("safe", "merge"), [(True, merge_weights), (False, merge_unrounded)])


@EACH
@WAYS
def test_it_is_what_peft_does_in_both_ways_a_hundred_times(precision, safe, merge):
    rng = np.random.default_rng(2)
    W = rng.standard_normal((16, 24)).astype(np.float32)
    # Factors of few digits: their product is exact in whatever order it is added up, and has too many for bf16.
    lora_B, lora_A = (rng.integers(-48, 49, shape) / 64 for shape in ((16, 2), (2, 24)))
    delta_w = 2 * lora_B @ lora_A
    assert (rounded(delta_w, "bf16") != delta_w).any()
    layer = in_peft(W, lora_B, lora_A, precision)
    merged = merge(W, delta_w, precision)
    for ours in in_and_out(W, [delta_w] * 100, precision, merge):
        layer.merge(safe_merge=safe)
        np.testing.assert_array_equal(layer.base_layer.weight.detach().double().numpy(), merged)
        layer.unmerge()
        np.testing.assert_array_equal(layer.base_layer.weight.detach().double().numpy(), ours)
        merged = merge(ours, delta_w, precision)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@WAYS
def test_peft_takes_a_trained_adapter_in_and_out_as_we_do(precision, safe, merge):
    layer = load_layer("formal")
    theirs = in_peft(layer.W, layer.lora_B, layer.lora_A, precision)
    assert theirs.scaling["default"] == layer.scaling == 2
    for _ in range(100):
        theirs.merge(safe_merge=safe)
        theirs.unmerge()
    *_, ours = in_and_out(layer.W, [layer.delta_w] * 100, precision, merge)
    there = theirs.base_layer.weight.detach().double().numpy()
    # Their factors are multiplied in float32, ours in float64: a last digit of delta_w tips a rounding here and there,
    # and in fp32 everywhere.
    assert relative_change(rounded(layer.W, precision), there) == pytest.approx(
        relative_change(rounded(layer.W, precision), ours), rel=0.02
    )
    assert (there == ours).mean() > 0.9


def test_in_fp32_both_paths_agree():
    layer = LoRALinear(nn.Linear(64, 48, bias=False), r=4, alpha=8, scaling_rule="alpha/r")
    initialize(layer, "both random", torch.Generator().manual_seed(0))
    x = torch.randn(20, 64, generator=torch.Generator().manual_seed(1))
    merged = merge_weights(layer.base.weight.detach().numpy(), delta_w(layer).numpy(), "fp32")
    outputs = x @ torch.tensor(merged, dtype=torch.float32).T
    with torch.no_grad():
        assert float((outputs - layer(x)).abs().max()) < FORWARD


@EACH
def test_an_entry_comes_back_when_the_sum_needs_no_coarser_grid(precision):
    rng = np.random.default_rng(3)
    W, change = (
        rounded(rng.standard_normal((400, 400)) * 2.0 ** rng.integers(-6, 1, (400, 400)), precision)
        for _ in range(2)
    )
    merged = merge_weights(W, change, precision)
    back = unmerge_weights(merged, change, precision)
    units = spacing(W, precision)
    off = np.abs(merged - (W + change))  # exact: float64 has digits enough for one such sum
    exact = off == 0
    power_of_two = np.abs(W) == units * 2.0 ** (PRECISIONS[precision].bits - 1)
    no_coarser = (spacing(merged, precision) <= units) & (off < units / 2) & ~power_of_two
    assert (back == W)[exact | no_coarser].all()
    lost = back != W
    assert lost[~(exact | no_coarser)].mean() > 0.2, "the others are in danger, or the condition says nothing"
    assert 0.05 < lost.mean() < 0.6


def test_what_is_below_half_a_unit_vanishes(pair):
    W, change = pair
    stored = rounded(W, "bf16")
    small = at_strength(change, 0.001)
    merged = merge_weights(W, small, "bf16")
    below = (
        np.abs(rounded(small, "bf16")) < spacing(stored, "bf16") / 4
    )  # a quarter: below a power of two it is finer
    assert below.mean() > 0.5
    assert (merged == stored)[below].all()


def test_the_same_adapter_again_does_not_drift_and_different_ones_do(pair):
    W, change = pair
    same = drift(W, [change] * 100, "bf16")
    assert same[-1] == pytest.approx(same[0], rel=0.05)
    rng, size = np.random.default_rng(0), float(np.linalg.norm(change))
    different = drift(W, (random_change(change.shape, 2, size, rng) for _ in range(100)), "bf16")
    # A walk by chance: ten times as far after a hundred steps, less where steps cancel.
    assert 4 < different[-1] / different[0] < 12
    assert max(drift(W, [change] * 3, "fp32")) < 2.0**-22, "a few of the last digits of fp32"


def test_error_and_loss_are_two_numbers(pair):
    W, change = pair
    stored, small = rounded(W, "bf16"), at_strength(change, 0.02)
    merged = merge_weights(W, small, "bf16")
    assert rounding_error(stored, merged, small) > 0.1
    assert arrived_share(stored, merged, small) == pytest.approx(1, abs=0.03), "rounding goes both ways"
    assert rounding_error(stored, stored, small) == 1
    assert arrived_share(stored, stored, small) == 0
    assert unchanged_share(stored, merged) == (stored == merged).mean()
    assert relative_change(stored, stored) == 0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: merge_weights(np.ones((2, 2)), np.ones((2, 3)), "bf16"), "both must have one shape"),
        (lambda: rounding_error(np.ones((2, 2)), np.ones((2, 2)), np.zeros((2, 2))), "measured against zero"),
        (lambda: relative_change(np.zeros((2, 2)), np.ones((2, 2))), "measured against zero"),
        (lambda: same_shape(np.ones(2), np.ones(3)), r"\(2,\) and \(3,\)"),
        (
            lambda: merge_weights(np.full((1, 1), 6e4), np.full((1, 1), 6e4), "fp16"),
            "fp16 holds numbers up to",
        ),
    ],
)
def test_what_cannot_be_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
