"""The refusal figure: its numbers are those of the record, counted again from every seed."""

from __future__ import annotations

from statistics import fmean

import pytest

from compute.experiments.refusal import COUNTS, LOOKS, WRONG, load_refusal
from helpers.instruments import gaps, is_shown, numbers, printed_by
from widgets.kit.text import fill
from widgets.refusal import OPEN, PART, WAYS, Refusal

CASES = [(at, name) for at in range(len(COUNTS)) for name in WAYS]


@pytest.mark.parametrize(("at", "name"), CASES)
def test_the_sentence_says_what_comes_back_and_what_wrong_examples_do(at, name):
    recorded, count = load_refusal(), COUNTS[at]
    right, wrong = recorded.of(count, WAYS[name]), recorded.of(count, WAYS[name], WRONG)
    said = Refusal(examples=at, r=name).sentence()
    assert not gaps(said)
    assert f"From {count} example" in said
    assert f"{right.steps} step" in said
    for share in (fmean(right.right), fmean(wrong.right), fmean(wrong.refused)):
        assert is_shown((round(100 * share, 2), 0, True), said), share
    back = fmean(right.right) / recorded.before["makes"]
    assert ("is gone" in said) == (back >= OPEN)
    assert ("hardly opens" in said) == (back < PART)


@pytest.mark.parametrize("name", WAYS)
def test_the_table_has_every_number_of_examples(name):
    head, rows = Refusal(r=name).table()
    assert [row[0] for row in rows] == [*map(str, COUNTS)]
    assert all(len(row) == len(head) and all(row) for row in rows)
    for row, count in zip(rows, COUNTS, strict=True):
        opened = load_refusal().of(count, WAYS[name])
        assert row[1] == f"{opened.numbers:,}"
        assert row[3:5] == [fill("{end:.1%}", {"end": end(opened.right)}) for end in (min, max)]


@pytest.mark.parametrize(("at", "name"), [CASES[0], CASES[-1]])
def test_its_code_prints_the_numbers_of_the_sentence(at, name):
    figure = Refusal(examples=at, r=name)
    for number in numbers(printed_by(figure.snippet())):
        assert is_shown(number, figure.sentence())


def test_the_curves_have_a_value_for_every_look_and_end_where_the_steps_are_chosen():
    curves, ways = (Refusal().make_arrays()[part] for part in ("curves", "ways"))
    for name in WAYS:
        for values, lines in zip(ways[name], curves[name], strict=True):
            assert all(len(line) == len(LOOKS) for line in lines.values())
            assert lines["right"][LOOKS.index(values["steps"])] == pytest.approx(values["right"], abs=1e-3)
