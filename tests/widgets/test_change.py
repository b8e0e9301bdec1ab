"""The change figure: its numbers are those of the two matrices, and its code prints them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from compute.experiments.learned import LEARNED, load_learned
from compute.model.forward import base_weights
from helpers.instruments import decoded, gaps, is_shown, numbers, printed_by, templates
from widgets.change import Change
from widgets.kit.matrix import STEPS
from widgets.kit.text import fill

CELL = {"row", "column", "cell_W", "cell_after", "cell_delta"}  # what the browser alone knows
ROW = {"name", "norm", "largest"}  # of the table
EVERY = pytest.mark.parametrize("name", LEARNED)


def pair(name: str) -> tuple[np.ndarray, np.ndarray]:
    return base_weights().tensors[f"{LEARNED[name].layer}.weight"], load_learned(name)


@EVERY
def test_the_matrices_are_those_of_the_base_and_of_the_recorded_run(name):
    arrays = Change(matrix=name).make_arrays()
    assert tuple(arrays["shape"]) == pair(name)[0].shape
    for key, matrix in zip(("W", "delta_w"), pair(name), strict=True):
        top = arrays[key]["top"]
        got = decoded(arrays[key]).reshape(matrix.shape) * (top / STEPS["i2"])
        assert top == np.abs(matrix).max()
        np.testing.assert_allclose(got, matrix, rtol=0, atol=top / STEPS["i2"])
        assert top / STEPS["i2"] < 5e-5, "a cell is read with four digits after the point"


@EVERY
def test_the_difference_is_nearly_blank_on_the_scale_of_the_matrix_and_not_on_its_own(name):
    W, delta_w = pair(name)
    values = Change(matrix=name).values()
    assert values["ratio"] == pytest.approx(np.linalg.norm(delta_w) / np.linalg.norm(W))
    assert np.sqrt((delta_w**2).mean()) < 0.1 * values["top_W"]
    assert np.sqrt((delta_w**2).mean()) > 0.15 * values["top_delta"]
    assert max(np.abs(W).max(), np.abs(W + delta_w).max()) == values["top_W"] > 3 * values["top_delta"]


@EVERY
@pytest.mark.parametrize("scale", ["same", "own"])
def test_sentence_table_and_code_agree(name, scale):
    figure = Change(matrix=name, scale=scale)
    said, (head, rows) = figure.sentence(), figure.table()
    assert not gaps(said)
    assert is_shown((100 * figure.values()["ratio"], 1, True), said)
    assert [row[0] for row in rows] == ["W", "W + delta_w", "delta_w"]
    assert {len(row) for row in rows} == {len(head)}
    shown = " ".join(fill(each, figure.values()) for each in figure.words["readoutValues"].values())
    printed = [number for line in printed_by(figure.snippet()).splitlines() for number in numbers(line)]
    assert len(printed) == 3
    assert all(is_shown(number, shown) for number in printed)


def test_every_gap_has_a_value():
    figure = Change()
    for path, template in templates(figure.words):
        assert gaps(fill(template, figure.values())) <= CELL | ROW, path


def test_its_arrays_are_light_at_first():
    assert len(json.dumps(Change().make_arrays())) < 25_000
    assert set(Change(matrix="new-words-up_proj").enclosed()) == {"formal-voice-v_proj", "new-words-v_proj"}
