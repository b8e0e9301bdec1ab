"""Singular values from the factors, against a dense SVD: of unequal factors, clustered and zero values."""

from __future__ import annotations

import numpy as np
import pytest

from compute.adapters.formats.containers import BytesSource
from compute.adapters.formats.layers import balanced, factors, khatri_rao, product_spectrum, spectrum
from compute.adapters.formats.reading import read_bytes
from compute.numbers.refusal import FileRefused
from helpers.adapter_files import CONFIG, WEIGHTS, packed, peft_config

RELATIVE = 1e-10  # what is promised, of the largest value; both sides are off by some 1e-15


def agrees(lora_B: np.ndarray, lora_A: np.ndarray) -> None:
    dense = np.linalg.svd(lora_B @ lora_A, compute_uv=False)
    s = product_spectrum(lora_B, lora_A)
    assert len(s) == min(*lora_B.shape, lora_A.shape[1])
    np.testing.assert_allclose(s, dense[: len(s)], atol=RELATIVE * dense[0])
    assert (np.diff(s) <= 0).all()


@pytest.mark.parametrize(
    "shape", [(30, 4, 20), (4, 30, 20), (20, 30, 4), (1, 1, 1), (7, 7, 7), (1, 5, 9), (200, 16, 3)]
)
@pytest.mark.parametrize("size", [0, 5, 30, 100])
def test_factors_of_very_unequal_size(shape, size):
    out, r, in_ = shape
    rng = np.random.default_rng(0)
    lora_B, lora_A = rng.standard_normal((out, r)), rng.standard_normal((r, in_))
    agrees(lora_B * 10.0**size, lora_A * 10.0**-size)
    agrees(lora_B * 10.0**-size, lora_A * 10.0**size)
    uneven = 10.0 ** rng.uniform(-size, size, r)  # each direction by itself
    dense = np.linalg.svd(lora_B @ lora_A, compute_uv=False)
    s = product_spectrum(lora_B * uneven, lora_A / uneven[:, None])
    np.testing.assert_allclose(s, dense[: len(s)], atol=RELATIVE * dense[0])


@pytest.mark.parametrize(
    "s",
    [
        [1.0] * 6,
        [2.0, 2.0, 1.0, 1.0, 1.0, 0.0],
        [1.0, 1e-4, 1e-8, 1e-12, 0.0, 0.0],
        [0.0] * 6,
        [1.0, 1.0 - 1e-12, 0.5],
    ],
)
def test_clustered_and_zero_values(s):
    rng = np.random.default_rng(1)
    k = len(s)
    U, Vh = np.linalg.qr(rng.standard_normal((40, k)))[0], np.linalg.qr(rng.standard_normal((30, k)))[0].T
    mix = rng.standard_normal((k, k))
    found = product_spectrum(U * s @ mix, np.linalg.solve(mix, Vh))
    np.testing.assert_allclose(found, s, atol=1e-12 * np.linalg.cond(mix))


def test_small_values_keep_their_digits_where_the_factors_are_orthogonal():
    rng = np.random.default_rng(2)
    U, Vh = np.linalg.qr(rng.standard_normal((50, 5)))[0], np.linalg.qr(rng.standard_normal((40, 5)))[0].T
    s = np.array([1.0, 1e-3, 1e-6, 1e-9, 1e-12])
    np.testing.assert_allclose(product_spectrum(U, s[:, None] * Vh), s, atol=1e-15)


def test_a_direction_that_is_zero_on_one_side_is_none():
    lora_B, lora_A = np.ones((4, 2)), np.ones((2, 3))
    lora_A[1] = 0.0
    lora_B[:, 1] = 1e300
    assert product_spectrum(lora_B, lora_A)[1] == 0.0
    left, right = balanced(lora_B, lora_A)
    np.testing.assert_array_equal(left @ right, np.ones((4, 3)))


def test_balancing_loses_no_digit():
    rng = np.random.default_rng(3)
    lora_B, lora_A = rng.standard_normal((6, 3)) * 1e90, rng.standard_normal((3, 4)) * 1e-90
    left, right = balanced(lora_B, lora_A)
    np.testing.assert_array_equal(left @ right, lora_B @ lora_A)
    assert 1e-3 < np.abs(left).max() / np.abs(right).max() < 1e3


def test_inner_sizes_must_be_equal():
    with pytest.raises(ValueError, match="same inner size"):
        product_spectrum(np.ones((3, 2)), np.ones((3, 2)))
    with pytest.raises(ValueError, match="same shape"):
        khatri_rao((np.ones((3, 2)), np.ones((2, 3))), (np.ones((4, 2)), np.ones((2, 3))))


def layer_of(lora_B: np.ndarray, lora_A: np.ndarray):
    tensors = {"q.lora_B.weight": lora_B, "q.lora_A.weight": lora_A}
    files = {WEIGHTS: packed(tensors, dtype="F64"), CONFIG: peft_config()}
    return read_bytes(files).layers[0]


def test_numbers_that_are_not_finite_are_refused():
    bad = np.ones((6, 3))
    bad[2, 1] = np.nan
    with pytest.raises(FileRefused, match="NaN or infinite"):
        spectrum(layer_of(bad, np.ones((3, 5))))
    with pytest.raises(FileRefused, match="too large to be multiplied"):
        spectrum(layer_of(np.full((6, 3), 1e200), np.full((3, 5), 1e200)))


def test_a_negative_scale_turns_the_factors_and_not_the_spectrum():
    tensors = {"q.lora_B.weight": np.eye(6, 3), "q.lora_A.weight": np.eye(3, 5)}
    layer = read_bytes({WEIGHTS: packed(tensors), CONFIG: peft_config(lora_alpha=-6)}).layers[0]
    assert layer.scale == -2.0
    lora_B, lora_A = factors(layer)
    assert (lora_B @ lora_A)[0, 0] == -2.0
    np.testing.assert_allclose(spectrum(layer), [2.0, 2.0, 2.0])


def test_a_large_layer_is_never_formed():
    """Of 200,000 x 200,000 the product would take 320 gigabytes."""
    side, r = 200_000, 2
    A, B = np.zeros((r, side)), np.zeros((side, r))
    A[0, 0] = B[0, 0] = A[1, 1] = 1.0
    B[1, 1] = 0.5
    np.testing.assert_allclose(spectrum(layer_of(B, A)), [3.0, 1.5])  # alpha / r = 3
    assert BytesSource(b"abc").read(1, 5) == b"bc"
