"""The bits figure and the quantised-base figure: sentence, table and code say what compute and the record hold."""

from __future__ import annotations

import json
from statistics import fmean

import pytest

from compute.experiments.qlora import LEARNED, load_qlora
from compute.experiments.sample_weights import SAMPLE_WEIGHTS
from compute.training.config import BASE_FORMATS
from helpers.instruments import gaps, is_shown, numbers, printed_by, templates
from widgets.bits import BLOCKS, Bits
from widgets.bits.words import FORMATS
from widgets.kit.text import fill, slug
from widgets.quantised import Quantised

# What the browser alone knows: the cell under the cursor, the level or the step that is probed, the guess.
CELL = {"row", "column", "weight", "stored", "level", "absmax", "number", "block_error", "share", "worst"}
PROBED = {"blocks", "guess", "truth"}


@pytest.mark.parametrize("matrix", SAMPLE_WEIGHTS)
@pytest.mark.parametrize("block", range(len(BLOCKS)))
def test_the_code_of_the_bits_prints_both_errors(matrix, block):
    figure = Bits(matrix=matrix, block=block, other="fp4")
    said = figure.sentence()
    assert not gaps(said)
    out = printed_by(figure.snippet())
    assert [line.split(":")[0] for line in out.splitlines()] == ["relative error, nf4", "relative error, fp4"]
    for line in out.splitlines():
        (number,) = numbers(line.split(": ")[1])
        assert is_shown(number, said)


def test_the_table_of_the_bits_has_every_format():
    head, rows = Bits(block=0).table()
    assert [row[0] for row in rows] == [name for _, name in FORMATS.values()]
    assert all(len(row) == len(head) and all(row) for row in rows)
    assert rows[0][2] == "6.000"  # 4 + 32 / 16


def test_every_gap_of_the_bits_has_a_value():
    figure = Bits()
    for path, template in templates(figure.words):
        assert gaps(fill(template, figure.values() | {"squared": 0.0})) <= CELL, path
    assert len(json.dumps(figure.make_arrays())) < 40_000


@pytest.mark.parametrize("task", LEARNED)
@pytest.mark.parametrize("place", range(len(BASE_FORMATS)))
def test_the_sentence_follows_the_recorded_runs(task, place):
    said = Quantised(task=slug(task), format=place).sentence()
    right = load_qlora().of(task, BASE_FORMATS[place]).right
    assert not gaps(said)
    low, mean, high = (f"{100 * share:.1f}%" for share in (min(right), fmean(right), max(right)))
    assert f"to {mean} right (seeds {low} to {high})" in said


def test_the_table_has_every_format_once():
    head, rows = Quantised().table()
    assert len(rows) == len(BASE_FORMATS)
    assert all(len(row) == len(head) and all(row) for row in rows)
    assert [row[1] for row in rows] == ["32", "4.5", "4.5", "4.5", "3.5", "2.5"]


def test_the_code_prints_the_shares_of_the_sentence():
    for place in (1, 5):
        figure = Quantised(format=place)
        lines = printed_by(figure.snippet()).splitlines()
        assert [line.split(":")[0] for line in lines] == [BASE_FORMATS[place], "float32"]
        for line in lines:
            (number,) = numbers(line.split(": ")[1])
            assert is_shown(number, figure.sentence())


def test_every_gap_of_the_quantised_base_has_a_value():
    figure = Quantised()
    for path, template in templates(figure.words):
        assert gaps(fill(template, figure.values())) <= PROBED, path
    with pytest.raises(ValueError, match="guess"):
        Quantised(guess="nothing")
