"""Where an error meets a tolerance, and by which rule there is no knee."""

from __future__ import annotations

import numpy as np
import pytest

from compute.matrices.controls import noise_band
from compute.matrices.examples import TASKS, make_task
from compute.matrices.knee import MEASURES, find_knee, first_within
from compute.matrices.svd import factorize

TOLERANCES = (0.01, 0.05, 0.1, 0.25, 0.5)


def best_copy_error(matrix: np.ndarray, r: int) -> float:
    """Return the relative error of the best copy of rank r, by building it."""
    U, s, Vh = np.linalg.svd(matrix)
    return float(np.linalg.norm(matrix - (U[:, :r] * s[:r]) @ Vh[:r]) / np.linalg.norm(matrix))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("measure", MEASURES)
def test_the_rank_is_the_first_whose_copy_is_close_enough(task, measure):
    matrix = make_task(task, 24, 0)
    errors = np.array([best_copy_error(matrix, r) for r in range(25)]) ** (2 if measure == "squared" else 1)
    for tolerance in TOLERANCES:
        # 1e-8: rounding of the copies; at a tie, such as the shift's 0.5 at r = 18, the level counts as met.
        expected = int(np.argmax(errors <= tolerance + 1e-8))
        assert find_knee(factorize(matrix).s, (24, 24), tolerance, measure).rank == expected


@pytest.mark.parametrize(
    ("task", "norm", "squared", "verdict"),
    [
        ("few-patterns", 3, 3, "saves"),
        ("blur", 9, 6, "saves"),
        ("reorder", 24, 23, "flat"),
        ("flat", 24, 23, "flat"),
    ],
)
def test_the_tasks_at_five_percent(task, norm, squared, verdict):
    s = factorize(make_task(task, 24, 0)).s
    assert find_knee(s, (24, 24), 0.05) == (norm, verdict)
    assert find_knee(s, (24, 24), 0.05, "squared") == (squared, verdict)


@pytest.mark.parametrize("tolerance", TOLERANCES)
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("task", ["reorder", "flat"])
def test_equal_values_have_no_knee_whatever_is_accepted(task, measure, tolerance):
    s = factorize(make_task(task, 32, 3)).s
    rank, verdict = find_knee(s, (32, 32), tolerance, measure)
    assert verdict == "flat"
    assert rank >= 16, "and up to a tolerance of a half they never save"


def test_a_rotation_of_every_plane_is_flat_and_of_one_plane_is_not():
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    every = np.kron(np.eye(12), turn)
    one = np.eye(24)
    one[:2, :2] = turn
    for matrix in (every, every - np.eye(24)):
        assert find_knee(factorize(matrix).s, (24, 24), 0.05).verdict == "flat"
    assert find_knee(factorize(one - np.eye(24)).s, (24, 24), 0.05) == (2, "saves")


def test_a_tolerance_met_at_full_rank_only_is_no_knee():
    s = [1.0, 0.9, 0.8, 0.7]
    assert find_knee(s, (4, 4), 0.05) == (4, "full")
    assert find_knee(s, (4, 4), 0.5).verdict == "costs"


def test_a_knee_at_break_even_saves_nothing():
    s = [1.0, 1.0, 0.1, 0.0]
    assert find_knee(s, (4, 4), 0.1) == (2, "costs")
    assert find_knee(s, (4, 40), 0.1) == (2, "saves")


def test_a_small_difference_is_a_difference():
    s = np.ones(24)
    s[0] = 1.001
    assert find_knee(s, (24, 24), 0.5).verdict == "costs"


def test_noise_at_five_percent_costs():
    s = noise_band((24, 24)).s[1]
    assert find_knee(s, (24, 24), 0.05) == (21, "costs")


@pytest.mark.parametrize("tolerance", [0, 1, -0.1, float("nan")])
def test_a_tolerance_outside_is_refused(tolerance):
    with pytest.raises(ValueError, match="tolerance must be between 0 and 1"):
        find_knee([1.0, 0.5], (2, 2), tolerance)


def test_an_unknown_measure_is_refused():
    with pytest.raises(ValueError, match="measure must be one of norm, squared, got 'loss'"):
        find_knee([1.0], (1, 1), 0.1, "loss")


def test_the_first_rank_within_a_tolerance_of_the_floor():
    losses = {4: 1.5, 1: 2.0, 16: 1.6}
    assert first_within(losses, 1.4, 0.1) == 4
    assert first_within(losses, 1.4, 0.7) == 1
    assert first_within(losses, 1.4, 0.05) is None
    assert first_within(losses, 3.0, 0.0) == 1, "below the floor is within"


def test_what_first_within_refuses():
    with pytest.raises(ValueError, match="at least one rank"):
        first_within({}, 1.0, 0.1)
    with pytest.raises(ValueError, match=r"at least 0, got -0\.1"):
        first_within({1: 1.0}, 1.0, -0.1)
