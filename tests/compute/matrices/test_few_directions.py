"""A made-up change has the rank it was made with, whatever its size and seed."""

import numpy as np
import pytest

from compute.matrices.few_directions import FALL, few_directions


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
