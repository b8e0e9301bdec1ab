"""The capacity figure: its numbers are those of the record, counted again from every seed."""

from __future__ import annotations

from statistics import fmean

import pytest

from compute.experiments.capacity import COUNTS, ENOUGH, FULL, MIXED, RANKS, load_capacity
from helpers.instruments import gaps, is_shown, numbers, printed_by
from widgets.capacity import Capacity

PLACES = range(len(COUNTS))


@pytest.mark.parametrize("facts", PLACES)
def test_the_sentence_names_the_least_rank_that_holds_them(facts):
    recorded, count = load_capacity(), COUNTS[facts]
    right = {r: fmean(recorded.of(count, r).right) for r in RANKS}
    holding = [r for r in RANKS if right[r] >= ENOUGH]
    r = holding[0] if holding else max(RANKS, key=right.__getitem__)
    said = Capacity(facts=facts).sentence()
    assert not gaps(said)
    assert said.startswith(f"{count:,} new facts")
    assert f"at r = {r}:" in said or f"at r = {r}, " in said
    assert ("no recorded r" in said) == (not holding)
    for share in (right[r], fmean(recorded.of(count, r).old), fmean(recorded.of(count, FULL).old)):
        assert is_shown((round(100 * share, 2), 1, True), said), share


@pytest.mark.parametrize("facts", PLACES)
def test_the_table_has_every_rank_and_full_finetuning(facts):
    head, rows = Capacity(facts=facts).table()
    assert [row[0] for row in rows] == [*map(str, RANKS), "full"]
    assert all(len(row) == len(head) and all(row) for row in rows)
    for row, r in zip(rows, (*RANKS, FULL), strict=True):
        held = load_capacity().of(COUNTS[facts], r)
        assert row[1] == f"{held.numbers:,}"
        assert row[3:5] == [f"{100 * end(held.right):.1f}%" for end in (min, max)]


@pytest.mark.parametrize("facts", [0, len(COUNTS) - 1])
def test_its_code_prints_the_numbers_of_the_sentence(facts):
    figure = Capacity(facts=facts)
    for number in numbers(printed_by(figure.snippet())):
        assert is_shown(number, figure.sentence())


def test_base_text_is_drawn_where_it_was_read():
    arrays = Capacity().make_arrays()
    assert arrays["mixed"]["count"] == MIXED
    for r, old in zip(RANKS, arrays["mixed"]["old"], strict=True):
        assert old == pytest.approx(fmean(load_capacity().of(MIXED, r, mixed=True).old), abs=1e-4)
