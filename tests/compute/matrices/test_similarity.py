"""Subspace similarity: SciPy's angles give the same, chance is what draws by lot give on average."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import subspace_angles

from compute.matrices.similarity import chance_similarity, subspace_similarity
from compute.matrices.svd import factorize


def rows(rng: np.random.Generator, k: int, n: int) -> np.ndarray:
    """Return k orthonormal rows by lot."""
    return factorize(rng.standard_normal((k, n))).Vh


@pytest.mark.parametrize(("i", "j"), [(1, 1), (3, 3), (2, 5), (5, 2)])
def test_it_is_the_mean_squared_cosine_of_the_angles(i, j):
    rng = np.random.default_rng(0)
    one, other = rows(rng, 6, 20), rows(rng, 6, 20)
    cosines = np.cos(subspace_angles(one[:i].T, other[:j].T))
    assert subspace_similarity(one, other, i, j) == pytest.approx((cosines**2).mean())


def test_one_within_the_other_is_one_and_at_right_angles_is_nothing():
    directions = rows(np.random.default_rng(1), 8, 20)
    assert subspace_similarity(directions[:3], directions, 3, 8) == pytest.approx(1)
    assert subspace_similarity(directions[:4], directions[4:], 4, 4) == pytest.approx(0)


@pytest.mark.parametrize(("i", "j"), [(1, 1), (4, 4), (2, 8)])
def test_by_lot_it_is_chance(i, j):
    rng, n, draws = np.random.default_rng(2), 16, 4000
    found = [subspace_similarity(rows(rng, i, n), rows(rng, j, n), i, j) for _ in range(draws)]
    spread = np.std(found) / np.sqrt(draws)
    assert abs(np.mean(found) - chance_similarity(i, j, n)) < 5 * spread


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (lambda a: subspace_similarity(a, a, 5, 1), "i must be a whole number from 1 to 4, got 5"),
        (lambda a: subspace_similarity(a, a, 1, 0), "j must be a whole number from 1 to 4, got 0"),
        (lambda a: subspace_similarity(a, a[:, :3], 1, 1), "rows have 9 and 3 numbers"),
        (lambda a: subspace_similarity(a, a * np.nan, 1, 1), "finite"),
        (lambda a: chance_similarity(10, 1, 9), "i must be a whole number from 1 to 9, got 10"),
    ],
)
def test_what_cannot_be_is_refused(asked, said):
    with pytest.raises(ValueError, match=said):
        asked(rows(np.random.default_rng(3), 4, 9))
