"""Rounding by arithmetic is the rounding of torch and NumPy, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from compute.numbers.precision import PRECISIONS, rounded, spacing

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
EACH = pytest.mark.parametrize("precision", PRECISIONS)


def numbers() -> np.ndarray:
    """Return numbers of many sizes, down to where a format has fewer digits, with ties and powers of two among them."""
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal(20_000) * 2.0 ** rng.integers(-40, 15, 20_000)
    ties = (1 + (2 * rng.integers(0, 128, 500) + 1) * 2.0**-8) * 2.0 ** rng.integers(-10, 10, 500)  # of bf16
    half_ties = (1 + (2 * rng.integers(0, 1024, 500) + 1) * 2.0**-11) * 2.0 ** rng.integers(-20, 10, 500)
    powers = 2.0 ** np.arange(-30, 15)
    return np.concatenate([drawn, ties, half_ties, powers, -powers, [0.0]])


@EACH
def test_it_is_the_rounding_of_torch(precision):
    given = numbers()
    with_torch = torch.tensor(given).to(DTYPES[precision]).double().numpy()
    # torch goes to bf16 and fp16 from float64 in two steps; the numbers above are such that both may differ only where
    # the first step makes a tie, so they are given in float32, which it leaves alone.
    if precision != "fp32":
        given = given.astype(np.float32)
        with_torch = torch.tensor(given).to(DTYPES[precision]).double().numpy()
    np.testing.assert_array_equal(rounded(given, precision), with_torch)


def test_it_is_the_rounding_of_numpy():
    given = numbers()
    np.testing.assert_array_equal(rounded(given, "fp32"), given.astype(np.float32))
    np.testing.assert_array_equal(rounded(given, "fp16"), given.astype(np.float16))


def test_bf16_is_the_first_half_of_an_fp32():
    given = numbers().astype(np.float32)
    bits = given.view(np.uint32).astype(np.uint64)
    up = bits + 0x7FFF + ((bits >> 16) & 1)  # to nearest, ties to even
    expected = (up & 0xFFFF0000).astype(np.uint32).view(np.float32)
    np.testing.assert_array_equal(rounded(given, "bf16"), expected)


@EACH
def test_what_is_rounded_stays(precision):
    once = rounded(numbers(), precision)
    np.testing.assert_array_equal(rounded(once, precision), once)


def test_eight_bits_are_those_of_torch():
    given = numbers().astype(np.float32)
    given = given[np.abs(given) <= 448]
    expected = torch.tensor(given).to(torch.float8_e4m3fn).double().numpy()
    np.testing.assert_array_equal(rounded(given, "fp8"), expected)


def test_spacing_is_that_of_numpy():
    given = np.abs(numbers()[numbers() != 0]).astype(np.float16)
    normal = given[given >= 2.0**-14]
    np.testing.assert_array_equal(spacing(normal, "fp16"), np.spacing(normal))


@EACH
def test_the_largest_number_is_kept_and_more_is_refused(precision):
    largest = PRECISIONS[precision].largest
    assert largest == torch.finfo(DTYPES[precision]).max
    assert PRECISIONS[precision].smallest == torch.finfo(DTYPES[precision]).smallest_normal
    assert rounded(np.array([-largest]), precision).tolist() == [-largest]
    for value in (1.01 * largest, np.nan):
        with pytest.raises(ValueError, match=f"^{precision} holds numbers up to .*, got others.$"):
            rounded(np.array([value]), precision)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match=r"^precision must be one of fp32, bf16, fp16, fp8, got 'fp4'\.$"):
        rounded(np.ones(1), "fp4")
