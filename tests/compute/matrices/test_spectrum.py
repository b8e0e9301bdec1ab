"""Each number against its definition written out, in exact fractions where rounding is the point."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy

from compute.matrices.spectrum import (
    energy,
    entropy_rank,
    flat_error,
    knee_rank,
    r90,
    relative_error,
    stable_rank,
)
from compute.matrices.svd import factorize
from helpers.matrices import truncated

ROUNDING = 1e-13  # sums of fewer than a thousand positive float64 numbers

spectra = (
    st.lists(st.floats(0, 1e3), min_size=1, max_size=30).filter(any).map(lambda s: sorted(s, reverse=True))
)
steady = settings(derandomize=True, deadline=None, max_examples=200)


def exact_shares(s) -> list[Fraction]:
    """Return the share of each squared value, in exact arithmetic."""
    squares = [Fraction(value) ** 2 for value in s]
    return [square / sum(squares) for square in squares]


@steady
@given(spectra)
def test_energy_and_error_are_the_exact_shares(s):
    shares = exact_shares(s)
    kept = [float(sum(shares[:r], Fraction(0))) for r in range(len(s) + 1)]
    lost = [math.sqrt(sum(shares[r:], Fraction(0))) for r in range(len(s) + 1)]
    np.testing.assert_allclose(energy(s), kept, rtol=ROUNDING)
    np.testing.assert_allclose(relative_error(s), lost, rtol=ROUNDING, atol=1e-150)  # below it squares vanish


@steady
@given(spectra)
def test_curves_start_and_end_exactly_and_never_turn(s):
    kept, lost = energy(s), relative_error(s)
    assert (kept[0], kept[-1], lost[0], lost[-1]) == (0, 1, 1, 0)
    assert (np.diff(kept) >= 0).all()
    assert (np.diff(lost) <= 0).all()


@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (4, 9)])
def test_energy_and_error_are_those_of_the_truncated_matrix(rng, shape):
    matrix = rng.standard_normal(shape)
    svd = factorize(matrix)
    size = np.linalg.norm(matrix)
    for r in range(len(svd.s) + 1):
        copy = truncated(svd, r)
        assert energy(svd.s)[r] == pytest.approx((np.linalg.norm(copy) / size) ** 2, rel=ROUNDING)
        assert relative_error(svd.s)[r] == pytest.approx(np.linalg.norm(matrix - copy) / size, abs=ROUNDING)


def test_small_errors_keep_their_digits():
    s = 10.0 ** -np.arange(0, 60, 2)
    expected = [math.sqrt(sum(exact_shares(s)[r:], Fraction(0))) for r in range(len(s))]
    np.testing.assert_allclose(relative_error(s)[:-1], expected, rtol=ROUNDING)


@steady
@given(spectra)
def test_ranks_are_the_first_to_meet_their_definition(s):
    shares = exact_shares(s)
    kept = [sum(shares[:r], Fraction(0)) for r in range(len(s) + 1)]
    near = Fraction(1, 10**8)  # levels that are met to nine digits count as met
    rank = r90(s)
    assert kept[rank] >= Fraction(9, 10) - near
    assert kept[rank - 1] < Fraction(9, 10)
    for tolerance in (0.01, 0.05, math.sqrt(0.05), 0.5):
        rank = knee_rank(s, tolerance)
        assert 1 - kept[rank] <= Fraction(tolerance) ** 2 * (1 + near)
        assert 1 - kept[rank - 1] > Fraction(tolerance) ** 2


@pytest.mark.parametrize("n", [1, 2, 10, 20, 24, 32, 100, 128, 400])
@pytest.mark.parametrize("noise", [0, 1e-14])
def test_a_flat_spectrum_has_the_ranks_of_its_formulas(rng, n, noise):
    s = np.sort(1 + noise * rng.standard_normal(n))[::-1]  # as an SVD of a permutation gives it
    assert r90(s) == math.ceil(Fraction(9, 10) * n)
    assert knee_rank(s) == math.ceil((1 - Fraction(1, 400)) * n)
    assert knee_rank(s, np.sqrt(0.05)) == math.ceil(Fraction(95, 100) * n)
    assert stable_rank(s) == pytest.approx(n)
    assert entropy_rank(s) == pytest.approx(n)
    np.testing.assert_allclose(relative_error(s), [flat_error(n, r) for r in range(n + 1)], atol=1e-10)


@pytest.mark.parametrize("noise", [-1e-14, 0, 1e-14])
def test_a_level_that_is_met_but_for_rounding_is_met(noise):
    assert r90([3, 1 + noise]) == 1  # nine parts of ten
    assert knee_rank([math.sqrt(399), 1 + noise]) == 1  # one part of 400


def test_stable_and_entropy_rank_are_those_of_other_libraries(rng):
    matrix = rng.standard_normal((9, 6))
    s = factorize(matrix).s
    expected = np.linalg.norm(matrix, "fro") ** 2 / np.linalg.norm(matrix, 2) ** 2
    assert stable_rank(s) == pytest.approx(expected, rel=ROUNDING)
    assert entropy_rank(s) == pytest.approx(np.exp(entropy(s**2 / (s**2).sum())), rel=ROUNDING)


def test_entropy_rank_is_not_the_one_of_roy_and_vetterli():
    s = np.array([3.0, 1.0])
    assert entropy_rank(s) == pytest.approx(np.exp(entropy([0.9, 0.1])))
    assert entropy_rank(s) < np.exp(entropy([0.75, 0.25]))


@steady
@given(spectra)
def test_effective_ranks_are_ordered(s):
    positive = np.count_nonzero(s)
    slack = 1 + 1e-12
    assert 1 <= stable_rank(s) <= entropy_rank(s) * slack
    assert entropy_rank(s) <= positive * slack


@steady
@given(spectra)
def test_no_spectrum_lies_above_the_flat_one(s):
    flat = [flat_error(len(s), r) for r in range(len(s) + 1)]
    assert (relative_error(s) <= np.array(flat) + ROUNDING).all()


@pytest.mark.parametrize("scale", [1e-250, 1e-3, 1e250])
@pytest.mark.parametrize("function", [energy, relative_error, r90, stable_rank, entropy_rank, knee_rank])
def test_the_scale_of_the_matrix_does_not_matter(function, scale):
    s = np.array([4.0, 2.0, 1.0, 0.0])
    np.testing.assert_allclose(function(scale * s), function(s), rtol=ROUNDING)


def test_one_spectrum_has_two_knees_and_the_tolerance_picks_one():
    s = [10.0] * 3 + [0.3] * 4 + [1e-4] * 9
    assert knee_rank(s) == 3
    assert knee_rank(s, 0.01) == 7


def test_the_error_of_a_shift_at_rank_four_is_the_one_that_was_called_almost_exact():
    assert flat_error(32, 4) == pytest.approx(0.93541, abs=5e-6)


@pytest.mark.parametrize("function", [energy, relative_error, r90, stable_rank, entropy_rank, knee_rank])
@pytest.mark.parametrize(
    ("s", "said"),
    [
        ([], r"at least one singular value, got shape \(0,\)"),
        (np.ones((2, 2)), r"got shape \(2, 2\)"),
        (3.0, r"got shape \(\)"),
        ([2.0, np.nan], "finite and not negative, got nan"),
        ([np.inf, 1.0], "finite and not negative, got inf"),
        ([1.0, -0.5], "finite and not negative, got -0.5"),
        ([3.0, 1.0, 2.0], "descending, got 2.0 after 1.0"),
        ([0.0, 0.0], "a value above 0, got only zeros"),
    ],
)
def test_what_is_no_spectrum_is_refused(function, s, said):
    with pytest.raises(ValueError, match=f"^s must .*{said}"):
        function(s)


@pytest.mark.parametrize("tolerance", [0, 1, -0.1, 1.5, np.nan])
def test_tolerances_out_of_range_are_refused(tolerance):
    with pytest.raises(
        ValueError, match=f"tolerance must be between 0 and 1, both excluded, got {tolerance}"
    ):
        knee_rank([1.0], tolerance)


@pytest.mark.parametrize(
    ("n", "r", "said"),
    [(0, 0, "n must be at least 1, got 0"), (4, 5, "r must be between 0 and 4, got 5"), (4, -1, "got -1")],
)
def test_flat_error_refuses_what_has_no_such_rank(n, r, said):
    with pytest.raises(ValueError, match=said):
        flat_error(n, r)
