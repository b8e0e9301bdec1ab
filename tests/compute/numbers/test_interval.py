"""The interval of a mean holds the true one as often as it says, and is the one that SciPy has."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from compute.numbers.interval import Apart, apart, of_mean


@pytest.mark.parametrize("n", [2, 5, 40])
def test_it_is_the_interval_that_scipy_has(n, rng):
    values = rng.standard_normal(n)
    expected = t.interval(0.95, n - 1, values.mean(), values.std(ddof=1) / np.sqrt(n))
    assert of_mean(values.tolist()) == pytest.approx(expected)


def test_it_holds_the_true_mean_about_as_often_as_it_says(rng):
    ends = [of_mean(values) for values in rng.standard_normal((4000, 5)).tolist()]
    held = np.mean([low <= 0 <= high for low, high in ends])
    assert held == pytest.approx(0.95, abs=0.015)  # exact for normal draws; 4,000 of them differ by 0.01


def test_one_value_says_nothing_of_a_spread():
    with pytest.raises(ValueError, match="number of values must be a whole number of at least 2, got 1"):
        of_mean([1.0])
    with pytest.raises(ValueError, match="value must be"):
        of_mean([1.0, float("inf")])


def test_one_is_above_another_if_the_whole_interval_of_their_difference_is():
    assert Apart(0.1, 0.05, 0.15).verdict == "above"
    assert Apart(-0.1, -0.15, -0.05).verdict == "below"
    assert Apart(0.1, -0.05, 0.25).verdict == "level"


def test_pairs_are_told_apart_where_their_spread_is_larger_than_their_difference(rng):
    shared = 10 * rng.standard_normal(20)
    ones, others = (shared + 0.1 + 0.01 * rng.standard_normal(20)).tolist(), shared.tolist()
    found = apart(ones, others)
    assert found.verdict == "above"
    assert (found.low, found.high) == of_mean([one - other for one, other in zip(ones, others, strict=True)])
    with pytest.raises(ValueError, match="zip"):
        apart(ones, others[1:])
