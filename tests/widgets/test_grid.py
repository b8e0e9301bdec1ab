"""The grid figure: its numbers are those of the record."""

from __future__ import annotations

from statistics import fmean

import pytest

from compute.experiments.grid import SCALINGS, load_grid
from helpers.instruments import gaps, is_shown, numbers, printed_by
from widgets.grid import CHOSEN, Grid

PLACES = range(len(SCALINGS))


@pytest.mark.parametrize("runs", CHOSEN)
def test_the_sentence_tells_the_best_of_a_row_and_names_a_better_scaling(runs):
    optimizer, r = CHOSEN[runs]
    found = load_grid().lora[optimizer][r]
    best = min(PLACES, key=lambda i: round(fmean(found[i].loss), 4))
    for place in PLACES:
        said = Grid(runs=runs, scaling=place).sentence()
        assert not gaps(said)
        assert f"scaling {SCALINGS[place]:g}: at {found[place].rate:g}" in said
        assert is_shown((round(fmean(found[place].loss), 4), 2, False), said)
        assert ("No other" in said) == (place == best)
        assert place == best or f"Scaling {SCALINGS[best]:g} ends" in said


@pytest.mark.parametrize("runs", CHOSEN)
def test_the_table_has_every_scaling(runs):
    head, rows = Grid(runs=runs).table()
    assert [row[0] for row in rows] == [f"{scaling:g}" for scaling in SCALINGS]
    assert all(len(row) == len(head) and all(row) for row in rows)


@pytest.mark.parametrize("runs", ["adamw-4", "adamw-64"])
def test_its_code_prints_the_numbers_of_the_sentence(runs):
    figure = Grid(runs=runs, scaling=0)
    for number in numbers(printed_by(figure.snippet())):
        assert is_shown(number, figure.sentence())


def test_the_rules_stand_where_alpha_puts_them():
    at = {runs: (grid["plain"], grid["rooted"]) for runs, grid in Grid().make_arrays()["grids"].items()}
    assert at["adamw-1"] == ("8", "8")
    assert at["adamw-64"] == ("0.125", "1")
