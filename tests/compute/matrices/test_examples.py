"""The matrices have the spectra that the lessons tell of."""

import numpy as np
import pytest

from compute.matrices.examples import (
    FALL,
    MAX_SEED,
    MAX_SIZE,
    MIN_SIZE,
    TASKS,
    blur,
    few_directions,
    flat,
    iid_noise,
    make_task,
    reorder,
)
from compute.matrices.spectrum import energy, flat_error, knee_rank, r90, relative_error, stable_rank
from compute.matrices.svd import factorize

ROUNDING = 1e-12  # a product or a QR of float64 matrices of this size
SIZES = [MIN_SIZE, 24, 33, MAX_SIZE]
SQUARED = np.sqrt(0.05)  # a squared loss of 5 %


def spectrum(name: str, n: int, seed: int = 0) -> np.ndarray:
    return factorize(make_task(name, n, seed)).s


def test_there_are_five_and_three_are_drawn():
    assert list(TASKS) == ["few-patterns", "blur", "reorder", "noise", "flat"]
    assert [name for name in TASKS if TASKS[name].seeded] == ["few-patterns", "noise", "flat"]


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("n", SIZES)
def test_a_task_repeats_and_depends_on_the_seed_where_it_says_so(name, n):
    matrix = make_task(name, n, MAX_SEED)
    assert matrix.shape == (n, n)
    assert matrix.dtype == np.float64
    np.testing.assert_array_equal(make_task(name, n, MAX_SEED), matrix)
    assert (make_task(name, n, 0) != matrix).any() == TASKS[name].seeded


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("seed", [0, 1, MAX_SEED])
def test_few_patterns_have_rank_three(n, seed):
    s = spectrum("few-patterns", n, seed)
    np.testing.assert_allclose(s[:4], [1.0, 0.6, 0.3, 0.0], atol=ROUNDING)
    assert np.linalg.matrix_rank(make_task("few-patterns", n, seed)) == 3
    assert (knee_rank(s), knee_rank(s, SQUARED), r90(s)) == (3, 3, 2)


@pytest.mark.parametrize("n", [24, 32, 64, 128])
def test_blur_falls_fast_whatever_its_size(n):
    s = spectrum("blur", n)
    assert (knee_rank(s), knee_rank(s, SQUARED), r90(s)) == (9, 6, 5)
    assert stable_rank(s) == pytest.approx(3.39, abs=0.005)


@pytest.mark.parametrize("n", SIZES)
def test_blur_averages_neighbours_on_a_circle(n):
    matrix, shift = blur(n), reorder(n)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=ROUNDING)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_allclose(shift @ matrix, matrix @ shift, atol=ROUNDING)  # so it is circulant
    sigma = n / 12
    assert matrix[0, 3] / matrix[0, 0] == pytest.approx(np.exp(-(3**2) / (2 * sigma**2)), rel=ROUNDING)
    np.testing.assert_allclose(
        factorize(matrix).s, np.sort(np.abs(np.fft.fft(matrix[0])))[::-1], atol=ROUNDING
    )


def test_reorder_moves_every_entry_on():
    np.testing.assert_array_equal(reorder(24) @ np.arange(24), np.roll(np.arange(24), 1))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", ["reorder", "flat"])
def test_orthogonal_tasks_have_the_worst_spectrum_there_is(name, n):
    s = spectrum(name, n)
    np.testing.assert_allclose(s, 1, rtol=ROUNDING)
    np.testing.assert_allclose(relative_error(s), [flat_error(n, r) for r in range(n + 1)], atol=1e-7)
    assert r90(s) == np.ceil(0.9 * n)


def test_a_shift_of_24_has_its_knee_at_the_end():
    s = spectrum("reorder", 24)
    assert (knee_rank(s), knee_rank(s, SQUARED)) == (24, 23)


def test_noise_has_the_knees_of_noise():
    s = [spectrum("noise", 24, seed) for seed in range(1000)]
    assert np.mean([knee_rank(row) for row in s]) == pytest.approx(21, abs=0.5)
    assert np.mean([knee_rank(row, SQUARED) for row in s]) == pytest.approx(15, abs=0.5)
    stable = [stable_rank(row) for row in s]
    assert np.mean(stable) == pytest.approx(6.75, abs=5 * 0.53 / np.sqrt(1000))
    assert np.std(stable) == pytest.approx(0.53, abs=0.06)


def test_noise_has_variance_one_over_n():
    n, entries = 128, 128**2
    matrix = iid_noise(n, 0)
    assert matrix.mean() == pytest.approx(0, abs=5 / np.sqrt(n * entries))
    assert n * matrix.var() == pytest.approx(1, abs=5 * np.sqrt(2 / entries))


def test_flat_is_uniform_over_orthogonal_matrices():
    draws, n = 1000, 16
    matrices = np.array([flat(n, seed) for seed in range(draws)])
    # The entries have mean 0 and variance 1 / n; without the fix of the signs, the diagonal would be mostly negative.
    np.testing.assert_allclose(matrices.mean(axis=0), 0, atol=6 / np.sqrt(n * draws))
    np.testing.assert_allclose(n * matrices.var(axis=0), 1, atol=6 * np.sqrt(2 / draws))
    traces = np.trace(matrices, axis1=1, axis2=2)  # mean 0 and variance 1 under the Haar measure
    assert np.var(traces) == pytest.approx(1, abs=5 * np.sqrt(2 / draws))


def test_flat_looks_like_noise_and_keeps_less():
    n = 64
    noise, orthogonal = make_task("noise", n, 1), make_task("flat", n, 1)
    assert orthogonal.std() == pytest.approx(noise.std(), rel=0.05)
    assert (energy(factorize(orthogonal).s)[1:-1] < energy(factorize(noise).s)[1:-1]).all()


@pytest.mark.parametrize(
    ("name", "n", "seed", "said"),
    [
        ("shift", 24, 0, "task must be one of few-patterns, blur, reorder, noise, flat, got 'shift'"),
        ("noise", 15, 0, "n must be between 16 and 128, got 15"),
        ("noise", 129, 0, "n must be between 16 and 128, got 129"),
        ("noise", 24, -1, "seed must be between 0 and 4294967295, got -1"),
        ("blur", 24, 2**32, "seed must be between 0 and 4294967295, got 4294967296"),
    ],
)
def test_what_cannot_be_made_is_refused(name, n, seed, said):
    with pytest.raises(ValueError, match=said):
        make_task(name, n, seed)


@pytest.mark.parametrize("n", [1, 24, 64])
@pytest.mark.parametrize("seed", [0, 7])
def test_its_singular_values_fall_geometrically_and_end(n, seed):
    for k in {1, min(n, 3), n}:
        s = np.linalg.svd(few_directions(n, k, seed), compute_uv=False)
        np.testing.assert_allclose(s[:k], FALL ** np.arange(k), atol=1e-14)  # float64 products of this size
        np.testing.assert_allclose(s[k:], 0, atol=1e-14)


def test_the_seed_decides_the_directions():
    assert (few_directions(8, 2, 0) == few_directions(8, 2, 0)).all()
    assert (few_directions(8, 2, 0) != few_directions(8, 2, 1)).any()


@pytest.mark.parametrize("k", [0, 9])
def test_more_directions_than_rows_are_refused(k):
    with pytest.raises(ValueError, match=f"k must be between 1 and 8, got {k}"):
        few_directions(8, k, 0)
