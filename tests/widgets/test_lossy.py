"""The figure of lossy formats: its numbers are those of the record, counted again from every seed."""

from __future__ import annotations

from statistics import fmean

import pytest

from compute.experiments.lossy import FORMATS, RANKS, REPAIRED, STARTS, load_lossy
from compute.training.config import BASE_FORMATS
from helpers.instruments import gaps, is_shown, numbers, printed_by
from widgets.lossy import Lossy

PLACES = range(len(BASE_FORMATS))


@pytest.mark.parametrize("place", PLACES)
def test_the_sentence_says_what_is_lost_and_what_comes_back(place):
    recorded, name = load_lossy(), BASE_FORMATS[place]
    said = Lossy(format=place).sentence()
    assert not gaps(said)
    shares = [recorded.stored[name].facts]
    if name in FORMATS:
        shares += [
            fmean(each.facts for each in recorded.noise[name]),
            recorded.corrected[name][str(RANKS[-1])].facts,
        ]
    if name in REPAIRED:
        shares += [recorded.facts(name, RANKS[-1], start) for start in STARTS]
    for share in shares:
        assert is_shown((round(100 * share, 2), 1, True), said), share
    assert ("Trained" in said) == (name in REPAIRED)


def test_the_table_has_every_format_and_says_what_was_not_measured():
    head, rows = Lossy().table()
    assert len(rows) == len(BASE_FORMATS)
    assert all(len(row) == len(head) and all(row) for row in rows)
    for row, name in zip(rows, BASE_FORMATS, strict=True):
        assert ("not measured" in row) == (name not in REPAIRED)
        assert row[1] == f"{100 * load_lossy().stored[name].facts:.1f}%"


def test_its_code_prints_the_numbers_of_the_sentence():
    figure = Lossy()
    for number in numbers(printed_by(figure.snippet()).split(": ", 1)[1].replace("int3", "")):
        assert is_shown(number, figure.sentence())
