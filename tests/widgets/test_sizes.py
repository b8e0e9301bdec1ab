"""The sizes figure: its numbers are those of the record, counted again from every seed."""

from __future__ import annotations

from statistics import fmean, geometric_mean

import pytest

from compute.experiments.sizes import FULL, RANKS, WIDTHS, R, load_sizes
from helpers.instruments import gaps, is_shown, numbers, printed_by
from widgets.sizes import Sizes

PLACES = range(len(WIDTHS))


@pytest.mark.parametrize("place", PLACES)
def test_the_sentence_says_what_every_seed_adds_up_to(place):
    recorded, width = load_sizes(), WIDTHS[place]
    said = Sizes(wide=place).sentence()
    assert not gaps(said)
    assert said.startswith(f"A base of width {width}, {recorded.before[width].numbers:,} numbers")
    shares = [fmean(recorded.of(width, r).right) for r in RANKS]
    for share in (*shares, *(fmean(recorded.skill(width, r).facts) for r in (R, FULL))):
        assert is_shown((round(100 * share), 0, True), said), share
    ratio = geometric_mean(recorded.ratios(width))
    assert is_shown((round(ratio, 1), 1, False), said)


@pytest.mark.parametrize("place", PLACES)
def test_its_code_prints_the_numbers_of_the_sentence(place):
    figure = Sizes(wide=place)
    for number in numbers(printed_by(figure.snippet())):
        assert is_shown(number, figure.sentence())


def test_the_table_has_every_width():
    head, rows = Sizes().table()
    assert [row[0] for row in rows] == [*map(str, WIDTHS)]
    assert all(len(row) == len(head) and all(row) for row in rows)
    for row, width in zip(rows, WIDTHS, strict=True):
        ratios = load_sizes().ratios(width)
        assert row[8:10] == [f"{min(ratios):.2f}", f"{max(ratios):.2f}"]
