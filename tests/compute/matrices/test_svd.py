"""The decomposition against torch and brute force, then what it promises, then what it refuses."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.matrices.svd import (
    SVD,
    balanced_factors,
    factorize,
    factorize_product,
    first_directions,
    largest_singular_value,
)
from helpers.matrices import truncated

# Backward stable algorithms in float64: errors are a small multiple of 1e-16 times the largest singular value.
ROUNDING = 1e-12

KINDS = ("gaussian", "rank one", "orthogonal", "zero", "steep")


def make(kind: str, shape: tuple[int, int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    gaussian = rng.standard_normal(shape)
    if kind == "rank one":
        return np.outer(gaussian[:, 0], gaussian[0])
    if kind == "orthogonal":  # all singular values equal
        Q, _ = np.linalg.qr(gaussian if shape[0] >= shape[1] else gaussian.T)
        return Q if shape[0] >= shape[1] else Q.T
    if kind == "zero":
        return np.zeros(shape)
    if kind == "steep":
        return gaussian * 10.0 ** -np.arange(shape[1])
    return gaussian


matrices = st.builds(
    make,
    st.sampled_from(KINDS),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.integers(0, 1000),
)
steady = settings(derandomize=True, deadline=None, max_examples=150)


def product_of(svd: SVD) -> np.ndarray:
    return svd.U @ np.diag(svd.s) @ svd.Vh


def assert_is_an_svd_of(svd: SVD, matrix: np.ndarray, k: int):
    scale = max(np.linalg.norm(matrix), 1)
    assert [a.shape for a in svd] == [(matrix.shape[0], k), (k,), (k, matrix.shape[1])]
    assert [a.dtype for a in svd] == [np.float64] * 3
    assert svd.shape == matrix.shape
    np.testing.assert_allclose(svd.U.T @ svd.U, np.eye(k), atol=ROUNDING)
    np.testing.assert_allclose(svd.Vh @ svd.Vh.T, np.eye(k), atol=ROUNDING)
    np.testing.assert_allclose(product_of(svd), matrix, atol=ROUNDING * scale)
    assert (np.diff(svd.s) <= 0).all()
    assert (svd.s >= 0).all()
    top, bottom = svd.U.max(axis=0), -svd.U.min(axis=0)
    assert (top >= bottom - 1e-8).all()  # the largest entry is positive, or ties with one that is


@pytest.mark.parametrize("shape", [(7, 7), (9, 4), (4, 9), (1, 5), (5, 1), (1, 1)])
def test_singular_values_are_those_of_torch(rng, shape):
    matrix = rng.standard_normal(shape)
    expected = torch.linalg.svdvals(torch.from_numpy(matrix)).numpy()
    np.testing.assert_allclose(factorize(matrix).s, expected, rtol=ROUNDING)


@steady
@given(matrices)
def test_factorize_gives_a_decomposition(matrix):
    assert_is_an_svd_of(factorize(matrix), matrix, min(matrix.shape))


@steady
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 12), st.integers(0, 1000), st.sampled_from(KINDS))
def test_factorize_product_gives_a_decomposition_of_the_product(out_size, in_size, r, seed, kind):
    lora_B, lora_A = make("gaussian", (out_size, r), seed), make(kind, (r, in_size), seed + 1)
    svd = factorize_product(lora_B, lora_A)
    assert_is_an_svd_of(svd, lora_B @ lora_A, min(r, out_size, in_size))


def test_factorize_product_agrees_with_factorize(rng):
    lora_B, lora_A = rng.standard_normal((40, 6)), rng.standard_normal((6, 30))
    thin, full = factorize_product(lora_B, lora_A), factorize(lora_B @ lora_A)
    np.testing.assert_allclose(thin.s, full.s[:6], rtol=ROUNDING)
    np.testing.assert_allclose(thin.U, full.U[:, :6], atol=1e-10)  # vectors lose digits as s come closer
    np.testing.assert_allclose(thin.Vh, full.Vh[:6], atol=1e-10)


def test_the_product_is_never_formed(rng):
    n = 300_000  # the product would take 720 GB
    svd = factorize_product(rng.standard_normal((n, 2)), rng.standard_normal((2, n)))
    assert svd.shape == (n, n)


def test_signs_do_not_flip_under_a_small_change(rng):
    matrix = rng.standard_normal((12, 8))
    change = 1e-6 * rng.standard_normal((12, 8))
    np.testing.assert_allclose(factorize(matrix + change).U, factorize(matrix).U, atol=1e-4)


def test_the_sign_of_the_matrix_goes_to_the_right_vectors(rng):
    matrix = rng.standard_normal((6, 6))
    np.testing.assert_allclose(factorize(-matrix).U, factorize(matrix).U, atol=1e-10)
    np.testing.assert_allclose(factorize(-matrix).Vh, -factorize(matrix).Vh, atol=1e-10)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_first_of_tied_entries_is_positive(sign):
    signs = np.array([-1.0, 1.0, 1.0, 1.0]) * (1 + 1e-13 * np.array([0, 1, 2, 3]))  # a tie but for rounding
    svd = factorize(sign * np.outer(signs, [3.0, 1.0, 2.0]))
    assert svd.U[0, 0] > 0


@pytest.mark.parametrize("r", range(6))
def test_truncation_loses_the_dropped_values_and_nothing_beats_it(rng, r):
    matrix = rng.standard_normal((8, 5))
    svd = factorize(matrix)
    best = truncated(svd, r)
    lost = ((matrix - best) ** 2).sum()
    assert np.linalg.matrix_rank(best) == r
    np.testing.assert_allclose(lost, (svd.s[r:] ** 2).sum(), atol=ROUNDING)
    for _ in range(50):
        basis, _ = np.linalg.qr(rng.standard_normal((8, r)))
        other = basis @ (basis.T @ matrix)  # the best copy with these columns
        assert ((matrix - other) ** 2).sum() >= lost - ROUNDING


def test_truncation_is_what_alternating_least_squares_finds(rng):
    matrix, r = rng.standard_normal((8, 5)), 2
    lora_B = rng.standard_normal((8, r))
    for _ in range(500):
        lora_A = np.linalg.lstsq(lora_B, matrix)[0]
        lora_B = np.linalg.lstsq(lora_A.T, matrix.T)[0].T
    np.testing.assert_allclose(
        lora_B @ lora_A, truncated(factorize(matrix), r), atol=1e-8
    )  # it converges slowly


@steady
@given(matrices)
def test_all_ranks_give_the_matrix_and_none_gives_zeros(matrix):
    svd = factorize(matrix)
    scale = max(np.linalg.norm(matrix), 1)
    np.testing.assert_allclose(truncated(svd, len(svd.s)), matrix, atol=ROUNDING * scale)
    np.testing.assert_array_equal(truncated(svd, 0), np.zeros(matrix.shape))


@steady
@given(matrices, st.data())
def test_balanced_factors_multiply_to_the_truncation_and_are_equally_large(matrix, data):
    svd = factorize(matrix)
    r = data.draw(st.integers(0, len(svd.s)))
    lora_B, lora_A = balanced_factors(svd, r)
    assert lora_B.shape == (matrix.shape[0], r)
    assert lora_A.shape == (r, matrix.shape[1])
    scale = max(np.linalg.norm(matrix), 1)
    np.testing.assert_allclose(lora_B @ lora_A, truncated(svd, r), atol=ROUNDING * scale)
    np.testing.assert_allclose(lora_B.T @ lora_B, np.diag(svd.s[:r]), atol=ROUNDING * scale)
    np.testing.assert_allclose(lora_A @ lora_A.T, np.diag(svd.s[:r]), atol=ROUNDING * scale)


def test_records_are_read_only_and_inputs_stay_as_they_are(rng):
    matrix, lora_A = rng.standard_normal((5, 4)), rng.standard_normal((4, 3))
    before = matrix.copy(), lora_A.copy()
    for svd in (factorize(matrix), factorize_product(matrix, lora_A)):
        assert not any(array.flags.writeable for array in svd)
    np.testing.assert_array_equal(matrix, before[0])
    np.testing.assert_array_equal(lora_A, before[1])
    assert matrix.flags.writeable


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float16, np.float32, ">f8"])
def test_every_real_dtype_is_computed_in_float64(dtype):
    svd = factorize(np.array([[1, 0], [1, 1]], dtype=dtype))
    golden = (1 + np.sqrt(5)) / 2
    np.testing.assert_allclose(svd.s, [golden, 1 / golden], rtol=ROUNDING)


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        ([1.0, 2.0], r"two dimensions and at least one entry, got shape \(2,\)"),
        (np.ones((2, 2, 2)), r"got shape \(2, 2, 2\)"),
        (np.ones((0, 3)), r"at least one entry, got shape \(0, 3\)"),
        ([[1.0, np.nan]], r"must be finite, got nan at index \(0, 1\)"),
        ([[1.0], [-np.inf]], r"must be finite, got -inf at index \(1, 0\)"),
        ([[1j]], "must hold real numbers, got dtype complex128"),
        ([["1"]], "must hold real numbers, got dtype <U1"),
        ([[None]], "must hold real numbers, got dtype object"),
    ],
)
def test_what_is_no_matrix_is_refused(matrix, said):
    with pytest.raises(ValueError, match=f"^delta_w.*{said}"):
        factorize(matrix)
    with pytest.raises(ValueError, match=f"^lora_B.*{said}"):
        factorize_product(matrix, np.ones((2, 2)))
    with pytest.raises(ValueError, match=f"^lora_A.*{said}"):
        factorize_product(np.ones((2, 2)), matrix)


def test_factors_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="lora_B has 3 columns and lora_A has 4 rows; the two must be equal"):
        factorize_product(np.ones((5, 3)), np.ones((4, 6)))


@pytest.mark.parametrize("r", [-1, 4])
def test_ranks_out_of_range_are_refused(rng, r):
    with pytest.raises(ValueError, match=f"r must be between 0 and 3, got {r}"):
        balanced_factors(factorize(rng.standard_normal((5, 3))), r)


@pytest.mark.parametrize("shape", [(2000, 1500), (40, 30)])
def test_the_first_directions_of_a_large_matrix(shape):
    rng = np.random.default_rng(0)
    lora_B, lora_A = (
        rng.standard_normal((shape[0], 6)) * 2.0 ** -np.arange(6),
        rng.standard_normal((6, shape[1])),
    )
    delta_w = lora_B @ lora_A + 1e-3 * rng.standard_normal(shape)
    U, s, Vh = first_directions(delta_w, 4)
    expected = np.sort(np.linalg.eigvalsh(delta_w.T @ delta_w))[::-1][:4] ** 0.5
    np.testing.assert_allclose(s, expected, rtol=1e-8)
    np.testing.assert_allclose(U.T @ delta_w, s[:, None] * Vh, atol=1e-6 * s[0])


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 2), (60, 45), (45, 60)])
@pytest.mark.parametrize("kind", ["gaussian", "rank one", "orthogonal", "zero"])
def test_the_largest_singular_value_alone(kind, shape):
    matrix = make(kind, shape, 0)
    assert largest_singular_value(matrix) == pytest.approx(np.linalg.norm(matrix, 2), rel=1e-4)
