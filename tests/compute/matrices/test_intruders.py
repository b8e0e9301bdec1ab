"""Intruders by the short way are those by the long one."""

from __future__ import annotations

import numpy as np
import pytest

from compute.matrices.intruders import count_intruders, largest_cosines


@pytest.mark.parametrize("shape", [(40, 60), (60, 40)])
@pytest.mark.parametrize("strength", [0.0, 3.0])
def test_the_strongest_vectors_are_those_of_all(rng, shape, strength):
    W = rng.standard_normal(shape) * 0.9 ** np.arange(shape[1])
    delta_w = strength * rng.standard_normal((shape[0], 3)) @ rng.standard_normal((3, shape[1])) / 10
    every, first = largest_cosines(W, delta_w), largest_cosines(W, delta_w, 10)
    np.testing.assert_allclose(first, every[:10], atol=1e-8)
    assert count_intruders(first) == count_intruders(every)
    assert (count_intruders(first) > 0) == (strength > 0)


def test_a_new_vector_beside_a_weight_of_low_rank_is_an_intruder(rng):
    W = np.zeros((30, 20))
    W[:3, :3] = np.diag([3.0, 2.0, 1.0])
    delta_w = np.zeros_like(W)
    delta_w[9, 9] = 5.0
    assert largest_cosines(W, delta_w, 4).round(6).tolist() == [0.0, 1.0, 1.0, 1.0]
