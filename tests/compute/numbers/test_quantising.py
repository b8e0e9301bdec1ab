"""Quantising: the levels are those that are known, each number goes to the nearest, and bits are counted right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from compute.costs.memory import nf4_bits
from compute.numbers.quantising import (
    BLOCK,
    LEVELS,
    NF4,
    bits_per_number,
    constructed_nf4,
    double_quantised,
    in_few_bits,
    quantise,
    relative_squared_error,
    usage,
    usage_entropy,
)

# Relative squared errors of Gaussian numbers in blocks of 64, computed before this code was written, to three digits.
KNOWN = {"nf4": 0.00845, "fp4": 0.01117, "bnb-fp4": 0.01487, "int4": 0.01159, "uniform": 0.0101}
DRAWN = 2**18

finite = arrays.arrays(
    np.float64, st.sampled_from([(4,), (2, 8), (3, 4)]), elements=st.floats(-1e6, 1e6, allow_subnormal=False)
)


@pytest.fixture(scope="module")
def gaussian() -> np.ndarray:
    return np.random.default_rng(1).standard_normal(DRAWN)


@pytest.mark.parametrize("name", LEVELS)
def test_levels_ascend_to_a_largest_of_one(name):
    levels = np.array(LEVELS[name])
    assert (np.diff(levels) > 0).all()
    assert abs(levels).max() == levels.max() == 1
    assert len(levels) <= 16
    assert name == "nf4" or np.array_equal(levels, -levels[::-1])
    assert (0.0 in levels) == (name != "uniform")


def test_the_published_levels_are_quantiles():
    # The published ones are float32 and start from a rounded literal: 1.9e-7 apart.
    assert abs(constructed_nf4() - NF4).max() < 2e-7
    assert abs(constructed_nf4() - NF4).max() > 1e-8, "the published ones are not the constructed ones"


def test_e2m1_has_the_levels_that_its_bits_say():
    # Two bits of exponent, bias 1, one of mantissa; at exponent 0 there is no leading one.
    sizes = [
        mantissa / 2 if exponent == 0 else (1 + mantissa / 2) * 2 ** (exponent - 1)
        for exponent in range(4)
        for mantissa in range(2)
    ]
    assert np.allclose(LEVELS["fp4"][7:], np.array(sizes) / 6, rtol=1e-15, atol=0)


@pytest.mark.parametrize(("name", "known"), KNOWN.items())
def test_a_gaussian_matrix_loses_what_is_known(gaussian, name, known):
    # 4,096 blocks whose errors scatter by a third of their mean: 0.5 % of error, and the known ones have three digits.
    assert relative_squared_error(gaussian, in_few_bits(gaussian, name)) == pytest.approx(known, rel=0.015)


def test_the_levels_of_nf4_are_not_used_alike(gaussian):
    shares = usage(quantise(gaussian, "nf4"))
    assert shares.sum() == pytest.approx(1)
    # Standard error of a share here: 0.06 % at most.
    assert shares.min() == pytest.approx(0.017, abs=0.002)
    assert shares.max() == pytest.approx(0.092, abs=0.002)
    assert usage_entropy(shares) == pytest.approx(3.88, abs=0.01)


@pytest.mark.parametrize("name", LEVELS)
@given(values=finite)
def test_each_number_goes_to_the_nearest_level_of_its_block(name, values):
    got = in_few_bits(values, name, block=4)
    for row, copied in zip(values.reshape(-1, 4), got.reshape(-1, 4), strict=True):
        candidates = np.array(LEVELS[name]) * abs(row).max()
        nearest = abs(row[:, None] - candidates).min(axis=1)
        # Distances are computed twice, from numbers divided by the scale and from ones that are not.
        assert np.allclose(abs(row - copied), nearest, rtol=1e-9, atol=1e-12 * (1 + abs(row).max()))


@pytest.mark.parametrize("name", LEVELS)
def test_what_is_stored_once_is_stored_again_without_loss(gaussian, name):
    once = in_few_bits(gaussian[:4096], name)
    assert np.allclose(in_few_bits(once, name), once, rtol=1e-15, atol=0)


def test_a_block_of_zeros_comes_back_as_zeros():
    values = np.array([0.0, 0.0, 1.0, -0.5])
    for name in LEVELS:
        assert in_few_bits(values, name, block=2)[:2].tolist() == [0, 0]


def test_blocks_do_not_touch_each_other():
    values = np.linspace(-1, 1, 128).reshape(2, 64)
    loud = values.copy()
    loud[1, 5] = 1000
    assert np.array_equal(in_few_bits(values, "nf4")[0], in_few_bits(loud, "nf4")[0])
    assert not np.array_equal(in_few_bits(values, "nf4", 128)[0], in_few_bits(loud, "nf4", 128)[0])


def test_scales_in_eight_bits_are_off_by_half_a_step_at_most():
    absmax = np.random.default_rng(0).uniform(1, 3, 600)  # two whole blocks of scales, and a part of one
    stored = double_quantised(absmax)
    middle = absmax.mean()
    for i in range(0, 600, 256):
        part = slice(i, i + 256)
        step = abs(absmax[part] - middle).max() / 127
        assert abs(stored - absmax)[part].max() <= step / 2 * (1 + 1e-9)
    assert double_quantised(np.ones(3)).tolist() == [1, 1, 1]


def test_bits_are_those_of_code_and_scales():
    assert bits_per_number("nf4") == nf4_bits(double_quantisation=False) == 4.5
    assert bits_per_number("nf4", double=True) == nf4_bits() == 4.126953125
    assert [bits_per_number(name, 32) for name in ("int3", "int2")] == [4, 3]
    assert bits_per_number("int4", 4096) == 4 + 32 / 4096


def test_what_is_not_possible_is_refused():
    values = np.ones(BLOCK)
    with pytest.raises(ValueError, match="format must be one of nf4"):
        quantise(values, "nf5")
    with pytest.raises(ValueError, match="block must divide the 64 numbers of the matrix, got 48"):
        quantise(values, "nf4", 48)
    with pytest.raises(ValueError, match="finite"):
        quantise(values * np.nan, "nf4")
    for call in (lambda: bits_per_number("nf4", 0), lambda: double_quantised(values, 0)):
        with pytest.raises(ValueError, match="block must be at least 1"):
            call()
    with pytest.raises(ValueError, match="zeros"):
        relative_squared_error(values * 0, values)
