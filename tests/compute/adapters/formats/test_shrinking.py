"""Ranks that are spared: what is promised before is what is lost after."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from compute.adapters.formats.contents import measures
from compute.adapters.formats.layers import factors
from compute.adapters.formats.reading import read_bytes
from compute.adapters.formats.shrinking import ranks_for, truncated, truncation
from helpers.adapter_files import FIXTURES

RNG = np.random.default_rng(0)
SPECTRA = {
    name: np.sort(RNG.exponential(size, 5))[::-1] for name, size in (("a", 3.0), ("b", 1.0), ("c", 0.3))
}
SHAPES = {"a": (40, 40), "b": (10, 12), "c": (8, 4)}


def lost(ranks: dict[str, int]) -> float:
    total = sum(np.sum(s**2) for s in SPECTRA.values())
    return float(np.sqrt(sum(np.sum(SPECTRA[name][r:] ** 2) for name, r in ranks.items()) / total))


def cost(ranks: dict[str, int]) -> int:
    return sum(r * sum(SHAPES[name]) for name, r in ranks.items())


@pytest.mark.parametrize(
    "name", [name for name in FIXTURES if FIXTURES[name].delta_w and "experts" not in name]
)
def test_the_error_that_is_promised_is_the_error_that_is_made(name):
    adapter = read_bytes(FIXTURES[name].files)
    found = measures(adapter)
    spectra = {each.layer.name: each.s for each in found}
    ranks = ranks_for(spectra, {layer.name: layer.shape for layer in adapter.layers}, rank=1)
    kept = truncation(adapter.layers, spectra, ranks)
    off = whole = 0.0
    for layer in adapter.layers:
        lora_B, lora_A = truncated(layer, 1)
        delta_w = np.matmul(*factors(layer))
        difference = np.linalg.norm(delta_w - layer.scale * lora_B @ lora_A)
        assert difference / np.linalg.norm(delta_w) == pytest.approx(kept.errors[layer.name], abs=1e-9)
        off, whole = off + difference**2, whole + np.linalg.norm(delta_w) ** 2
    assert np.sqrt(off / whole) == pytest.approx(kept.error, abs=1e-9)
    assert kept.numbers_after == sum(sum(layer.shape) for layer in adapter.layers)


@pytest.mark.parametrize("error", [0.0, 0.01, 0.1, 0.3, 0.7, 1.0])
def test_an_error_for_each_layer_is_kept_with_the_smallest_rank(error):
    ranks = ranks_for(SPECTRA, SHAPES, error=error)
    assert ranks == ranks_for(SPECTRA, SHAPES, energy=1 - error**2)
    for name, s in SPECTRA.items():
        errors = [np.sqrt(np.sum(s[r:] ** 2) / np.sum(s**2)) for r in range(6)]
        assert errors[ranks[name]] <= error + 1e-6
        assert ranks[name] == 1 or errors[ranks[name] - 1] > error


@pytest.mark.parametrize("error", [0.05, 0.1, 0.2, 0.4])
def test_over_all_layers_ranks_are_spent_where_they_buy_most(error):
    """Nothing that costs less by more than one direction keeps the error, of all that could be chosen."""
    ranks = ranks_for(SPECTRA, SHAPES, error=error, overall=True)
    assert lost(ranks) <= error
    choices = (dict(zip(SPECTRA, each, strict=True)) for each in itertools.product(range(1, 6), repeat=3))
    best = min(cost(each) for each in choices if lost(each) <= error)
    assert best <= cost(ranks) <= best + max(map(sum, SHAPES.values()))


@pytest.mark.parametrize("numbers", [114, 150, 200, 300, 400, 570, 10_000])
def test_a_count_of_numbers_is_spent_where_it_buys_most(numbers):
    """No choice of ranks with as many numbers, less one direction of the largest layer, loses less."""
    ranks = ranks_for(SPECTRA, SHAPES, numbers=numbers)
    assert cost(ranks) <= numbers
    choices = (dict(zip(SPECTRA, each, strict=True)) for each in itertools.product(range(1, 6), repeat=3))
    best = min(
        lost(each)
        for each in choices
        if cost(each) <= numbers - max(map(sum, SHAPES.values())) or each == ranks
    )
    assert lost(ranks) <= best + 1e-12


def test_fewer_numbers_than_one_direction_takes():
    with pytest.raises(ValueError, match="numbers must be a whole number of at least 114"):
        ranks_for(SPECTRA, SHAPES, numbers=113)


def test_zero_layers_keep_one_direction_of_zeros():
    spectra = {"a": np.zeros(4), "b": np.array([1.0])}
    for overall in (False, True):
        ranks = ranks_for(spectra, {"a": (4, 4), "b": (4, 4)}, error=0.1, overall=overall)
        assert ranks == {"a": 1, "b": 1}


def test_a_larger_rank_is_filled_with_zeros():
    layer = read_bytes(FIXTURES["peft"].files).layers[0]
    lora_B, lora_A = truncated(layer, 6)
    assert lora_A.shape[0] == 6
    np.testing.assert_allclose(layer.scale * lora_B @ lora_A, np.matmul(*factors(layer)), atol=1e-12)
    assert not lora_A[3:].any()


def test_what_is_asked_for_must_be_possible():
    for wrong in ({}, {"rank": 1, "error": 0.1}, {"rank": 0}, {"energy": 2.0}, {"error": -1.0}):
        with pytest.raises(ValueError, match="needed|rank|energy|error"):
            ranks_for(SPECTRA, SHAPES, **wrong)
