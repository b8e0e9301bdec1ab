"""The knee figure: its sentence, its table and its code say what compute finds, at every tolerance."""

from __future__ import annotations

import numpy as np
import pytest

from compute.matrices.controls import noise_control
from compute.matrices.examples import make_task
from compute.matrices.knee import MEASURES, find_knee
from compute.matrices.svd import factorize
from helpers.instruments import gaps, is_shown, numbers, printed_by, templates
from widgets.kit.text import fill
from widgets.knee import MOST, PUBLISHED_SIZES, Knee
from widgets.knee.words import LABELS


@pytest.mark.parametrize("task", LABELS)
@pytest.mark.parametrize("measure", MEASURES)
def test_the_sentence_says_what_is_found(task, measure):
    figure = Knee(task=task, measure=measure)
    s = factorize(make_task(task, figure.n, 0)).s
    for percent in (1, 5, 20, MOST):
        figure.tolerance = percent
        rank, verdict = find_knee(s, (figure.n, figure.n), percent / 100, measure)
        said = figure.sentence()
        assert not gaps(said)
        assert f"r = {rank}" in said or verdict == "full"
        assert f"{48 * rank:,d} numbers in place of 576" in said
        assert said.startswith("No knee") == (verdict in ("flat", "full"))
        assert ("saves nothing" in said) == (verdict == "costs")


def test_the_source_s_shift_has_no_knee():
    said = Knee().sentence()
    assert said.startswith("No knee: all 24 singular values of “shift by one place, 24 × 24” are equal")
    assert "1,152 numbers in place of 576" in said


@pytest.mark.parametrize("n", PUBLISHED_SIZES)
@pytest.mark.parametrize("measure", MEASURES)
def test_the_knee_of_noise_is_where_its_line_meets_the_tolerance(n, measure):
    # The line is the median at each rank, the knee that of the median spectrum: one rank apart at most.
    middle = noise_control((n, n)).error[1] ** (2 if measure == "squared" else 1)
    knees = Knee(n=n).make_arrays()["noise"]["knees"][measure]
    for percent, knee in enumerate(knees, 1):
        assert abs(knee - int(np.argmax(middle <= percent / 100))) <= 1


@pytest.mark.parametrize("task", LABELS)
@pytest.mark.parametrize("measure", MEASURES)
def test_its_code_prints_the_rank(task, measure):
    figure = Knee(task=task, measure=measure, tolerance=7, n=32, seed=3 if task in ("flat", "noise") else 0)
    out = printed_by(figure.snippet())
    rank = figure.found().rank
    assert f"r = {rank}, {64 * rank} numbers in place of 1024" in out
    for number in numbers(out):
        assert is_shown(number, figure.sentence()) or "full" in figure.found().verdict


def test_the_table_has_each_rank_once():
    head, rows = Knee().table()
    assert [row[0] for row in rows] == [str(r) for r in range(25)]
    assert all(len(row) == len(head) and all(row) for row in rows)
    assert rows[12][1:5] == ["70.71%", "50.00%", "1.0000", "576"]


def test_every_gap_has_a_value():
    figure = Knee()
    for path, template in templates(figure.words):
        known = {"guess", "truth"} if path.startswith("guess") else set()
        assert gaps(fill(template, figure.values())) <= known, path
