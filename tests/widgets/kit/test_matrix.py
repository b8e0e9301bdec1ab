"""What a matrix ships to the browser: factors, curves and control are those of compute/, and small."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest

from compute.matrices.controls import noise_control, noise_product_band
from compute.matrices.examples import TASKS, make_task
from compute.matrices.spectrum import relative_error
from compute.matrices.svd import factorize, factorize_product
from helpers.instruments import printed_by
from helpers.matrices import check_arrays
from widgets.kit.matrix import (
    DRAWN_SIDE,
    TASK_CODE,
    TASK_LABELS,
    TASK_NOTES,
    adapter_matrix,
    own_matrix,
    sampling_note,
    task_matrix,
    to_arrays,
)
from widgets.patterns import Patterns
from widgets.rank import Rank

SHAPES = [(2, 3), (3, 2), (2, 2), (40, 5), (5, 40), (128, 129), (300, 5000)]


@pytest.mark.parametrize("n", [16, 33, 128])
@pytest.mark.parametrize("task", TASKS)
def test_the_arrays_of_a_task(task, n):
    matrix = task_matrix(task, n, 3)
    check_arrays(to_arrays(matrix), factorize(make_task(task, n, 3)), [noise_control((n, n))])
    assert matrix.key == f"{task}-{n}-3"
    assert f"{n} × {n}" in matrix.label
    assert TASK_LABELS[task].lower() in matrix.label.lower()


def test_every_task_has_a_label_a_note_and_code():
    assert TASK_LABELS.keys() == TASK_NOTES.keys() == TASK_CODE.keys() == TASKS.keys()
    assert len(set(TASK_LABELS.values())) == len(TASKS)


def test_labels_in_a_sentence():
    labels = [task_matrix(task, 16, 0).label for task in TASKS]
    assert labels == [
        "few patterns, 16 × 16",
        "blur, 16 × 16",
        "reorder, 16 × 16",
        "IID noise, 16 × 16",
        "flat spectrum, 16 × 16",
    ]


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("task", TASKS)
def test_the_code_makes_the_same_matrix(task, seed):
    code = task_matrix(task, 24, seed).code
    make, _ = code.split("\nU, s, Vh = ")
    names: dict = {}
    exec(make.replace("{r}", "1"), names)
    np.testing.assert_array_equal(names["delta_w"], make_task(task, 24, seed))


def test_a_task_is_factored_once_and_cannot_be_changed():
    first = task_matrix("noise", 32, 1)
    assert task_matrix("noise", 32, 1) is first
    with pytest.raises(ValueError, match="read-only"):
        first.svd.s[0] = 0


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_arrays_of_a_matrix_of_ones_own(shape, rng):
    delta_w = rng.standard_normal(shape)
    figure = Rank.of(delta_w, "mine")
    arrays = json.loads(figure.arrays)
    check_arrays(arrays, factorize(delta_w), [noise_control(shape)])
    assert arrays["label"] == "mine"
    assert arrays["key"] == "own"
    assert figure.hide == ["matrix"]
    assert figure.enclosed() == []
    assert len(figure.table()[1]) == min(shape) + 1
    assert ("too large to draw" in arrays["note"]) == (max(shape) > DRAWN_SIDE)


def test_a_large_matrix_says_what_is_drawn_of_it(rng):
    arrays = Rank.of(rng.standard_normal((300, 5000))).make_arrays()
    assert arrays["steps"] == [3, 40]
    assert arrays["drawn"] == [100, 125]
    assert arrays["note"] == (
        "The matrix is 300 × 5,000, too large to draw: the pictures show every 3rd row and every 40th column. "
        "The curves and all numbers are those of the whole matrix."
    )


def test_one_s_own_matrix_takes_the_choices_of_any_other(rng):
    figure = Rank.of(rng.standard_normal((6, 4)), hide=["guess"], r=3)
    assert figure.hide == ["matrix", "guess"]
    assert figure.sentence().startswith("At r = 3 the copy of “delta_w”")
    figure.r = 4096
    assert figure.sentence().startswith("At r = 4 ")
    figure.matrix = None
    assert json.loads(figure.arrays)["key"] == "few-patterns-32-0"


@pytest.mark.parametrize(
    ("delta_w", "said"),
    [
        (np.ones(3), "two dimensions"),
        (np.array([[1.0, np.nan]]), "finite"),
        (np.array([["a", "b"]]), "real numbers"),
        (np.ones((2, 2)) * 1j, "real numbers"),
        (np.ones((0, 3)), "at least one entry"),
        (np.zeros((3, 3)), "zero"),
    ],
)
def test_a_matrix_that_has_no_spectrum_is_refused_in_a_sentence(delta_w, said):
    with pytest.raises(ValueError, match=said):
        Rank.of(delta_w)


def test_the_code_for_a_matrix_of_ones_own_waits_for_it(rng):
    delta_w = rng.standard_normal((6, 4))
    code = Rank.of(delta_w, r=2).snippet()
    assert "delta_w = ...  # your matrix" in code
    known = code.replace("delta_w = ...", f"delta_w = np.array({delta_w.tolist()})")
    assert printed_by(known) == f"relative error at r = 2: {relative_error(factorize(delta_w).s)[2]:.1%}\n"


@pytest.mark.parametrize("sizes", [(6, 2, 9), (3, 5, 8), (40, 4, 40), (300, 3, 200)], ids=str)
def test_an_adapter_is_the_dense_product(sizes, rng):
    out_size, r, in_size = sizes
    layer = (rng.standard_normal((out_size, r)), rng.standard_normal((r, in_size)))
    matrix = adapter_matrix(layer, "q_proj", "pass")
    k = min(sizes)
    dense = factorize(layer[0] @ layer[1])
    np.testing.assert_allclose(matrix.svd.s, dense.s[:k], rtol=1e-10)
    U, s, Vh = matrix.svd
    np.testing.assert_allclose((U * s) @ Vh, layer[0] @ layer[1], atol=1e-10 * s[0])
    shape = (out_size, in_size)
    check_arrays(
        to_arrays(matrix), factorize_product(*layer), [noise_product_band(shape, r), noise_control(shape)]
    )
    assert [control.label for control in matrix.controls] == [f"noise of rank {r}", "noise"]
    assert "alpha / r is left out" in matrix.note


def test_an_adapter_never_forms_its_product(rng):
    """Forming the product of 100,000 × 100,000 would take 80 GB."""
    n, r = 100_000, 4
    layer = (rng.standard_normal((n, r)), rng.standard_normal((r, n)))
    tracemalloc.start()
    arrays = to_arrays(adapter_matrix(layer, "lm_head", "pass"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * layer[0].nbytes
    assert arrays["drawn"] == [128, 128]
    assert arrays["k"] == r
    assert len(json.dumps(arrays)) < 100_000


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((128, 128), None),
        ((2, 3), None),
        ((129, 128), "every 2nd row and every column"),
        ((128, 129), "every row and every 2nd column"),
        ((300, 400), "every 3rd row and every 4th column"),
        ((11 * 128, 12 * 128), "every 11th row and every 12th column"),
        ((13 * 128, 20 * 128), "every 13th row and every 20th column"),
        ((21 * 128, 22 * 128), "every 21st row and every 22nd column"),
        ((23 * 128, 24 * 128), "every 23rd row and every 24th column"),
        ((101 * 128, 111 * 128), "every 101st row and every 111th column"),
        ((112 * 128, 113 * 128), "every 112th row and every 113th column"),
    ],
)
def test_what_is_not_drawn_is_said(shape, said):
    note = sampling_note(shape)
    if said is None:
        assert note == ""
    else:
        assert said in note
        assert f"{shape[0]:,} × {shape[1]:,}" in note


def test_a_note_of_ones_own_is_that_of_its_shape(rng):
    assert own_matrix(rng.standard_normal((130, 4)), "tall", "pass").note == sampling_note((130, 4))


@pytest.mark.parametrize("task", TASKS)
def test_patterns_ship_the_same_factors(task):
    arrays = Patterns(task=task).make_arrays()
    check_arrays(arrays, factorize(make_task(task, 16, 0)), [noise_control((16, 16))])
    assert arrays["key"] == task


def test_patterns_claim_no_rank_that_the_sum_has_not():
    """The sum of five patterns of a matrix that is made of three has rank 3."""
    figure = Patterns(task="few-patterns", r=5)
    assert np.linalg.matrix_rank(make_task("few-patterns", 16, 0)) == 3
    assert "Its rank is at most 5:" in figure.sentence()
