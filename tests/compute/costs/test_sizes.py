"""The counts against arrays that are counted, and a Jacobian whose rank is measured."""

import numpy as np
import pytest

from compute.costs.sizes import break_even_rank, rank_dimension, stored_numbers, times_smaller

SHAPES = [(6, 6), (7, 3), (3, 8), (1, 5), (1, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("r", [0, 1, 2, 9])
def test_stored_numbers_are_the_entries_of_both_factors(shape, r):
    lora_B, lora_A = np.zeros((shape[0], r)), np.zeros((r, shape[1]))
    assert stored_numbers(shape, r) == lora_B.size + lora_A.size


@pytest.mark.parametrize("shape", SHAPES)
def test_rank_dimension_is_the_rank_of_the_jacobian_of_the_product(rng, shape):
    for r in range(min(shape) + 1):
        lora_B, lora_A = rng.standard_normal((shape[0], r)), rng.standard_normal((r, shape[1]))
        by_B = np.kron(np.eye(shape[0]), lora_A.T)  # d vec(lora_B @ lora_A) / d vec(lora_B)
        by_A = np.kron(lora_B, np.eye(shape[1]))
        jacobian = np.hstack([by_B, by_A])
        measured = np.linalg.matrix_rank(jacobian) if r else 0
        assert rank_dimension(shape, r) == measured
        assert stored_numbers(shape, r) - measured == r**2


@pytest.mark.parametrize("shape", SHAPES)
def test_all_ranks_together_are_the_freedom_of_the_matrix(shape):
    assert rank_dimension(shape, min(shape)) == shape[0] * shape[1]


@pytest.mark.parametrize("shape", [*SHAPES, (4096, 4096), (49152, 12288)])
def test_factors_save_numbers_below_break_even_and_not_above(shape):
    size, limit = shape[0] * shape[1], break_even_rank(shape)
    for r in range(1, min(shape) + 1, max(1, min(shape) // 50)):
        assert (stored_numbers(shape, r) < size) == (r < limit)
        assert (times_smaller(shape, r) > 1) == (r < limit)
        assert times_smaller(shape, r) == pytest.approx(size / stored_numbers(shape, r))


def test_break_even_lies_between_half_the_shorter_side_and_all_of_it():
    assert break_even_rank((24, 24)) == 12
    assert break_even_rank((28, 28)) == 14
    assert 99 < break_even_rank((100, 10**6)) < 100


@pytest.mark.parametrize(
    ("shape", "r", "stored", "times"),
    [
        ((4096, 4096), 8, 65_536, 256),
        ((12288, 12288), 8, 196_608, 768),
        ((12288, 49152), 8, 491_520, 1228.8),
        ((32, 32), 4, 256, 4),
        ((24, 24), 24, 1152, 0.5),
        ((24, 24), 9, 432, 4 / 3),
        ((64, 64), 9, 1152, 32 / 9),
    ],
)
def test_published_counts(shape, r, stored, times):
    assert stored_numbers(shape, r) == stored
    assert times_smaller(shape, r) == pytest.approx(times)


def test_a_rank_four_pair_has_fewer_degrees_of_freedom_than_numbers():
    assert stored_numbers((4096, 4096), 4) == 32_768
    assert rank_dimension((4096, 4096), 4) == 32_752


@pytest.mark.parametrize(
    "call",
    [
        lambda shape: stored_numbers(shape, 1),
        break_even_rank,
        lambda shape: rank_dimension(shape, 1),
        lambda shape: times_smaller(shape, 1),
    ],
)
@pytest.mark.parametrize("shape", [(0, 3), (3, -1)])
def test_sides_below_one_are_refused(call, shape):
    with pytest.raises(ValueError, match=rf"both at least 1, got \({shape[0]}, {shape[1]}\)"):
        call(shape)


@pytest.mark.parametrize(
    ("function", "r", "said"),
    [
        (stored_numbers, -1, "r must be at least 0, got -1"),
        (times_smaller, 0, "r must be at least 1, got 0"),
        (rank_dimension, -1, "r must be between 0 and 3, got -1"),
        (rank_dimension, 4, "r must be between 0 and 3, got 4"),
    ],
)
def test_ranks_out_of_range_are_refused(function, r, said):
    with pytest.raises(ValueError, match=said):
        function((5, 3), r)
