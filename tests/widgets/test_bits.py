"""The bits figure and the quantised-base figure: sentence, table and code say what compute and the record hold."""

from __future__ import annotations

import json

import pytest

from compute.experiments.qlora import LEARNED_TASKS, load_qlora
from compute.experiments.sample_weights import SAMPLE_WEIGHTS
from compute.training.config import BASE_FORMATS
from helpers.instruments import gaps, is_shown, numbers, printed_by, templates
from widgets.bits import BLOCKS, Bits
from widgets.bits.words import FORMATS
from widgets.kit.text import fill
from widgets.quantised import Quantised

# What the browser alone knows: the cell under the cursor, the level or the step that is probed, the guess.
CELL = {"row", "column", "weight", "stored", "level", "absmax", "number", "block_error", "share", "worst"}
PROBED = {"blocks", "step", "loss", "plain_loss", "guess", "truth"}


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


@pytest.mark.parametrize("task", [task.replace(" ", "-") for task in LEARNED_TASKS])
@pytest.mark.parametrize("place", range(len(BASE_FORMATS)))
def test_the_sentence_follows_the_recorded_runs(task, place):
    figure = Quantised(task=task, format=place)
    said, runs = figure.sentence(), load_qlora().runs[task.replace("-", " ")][BASE_FORMATS[place]]
    assert not gaps(said)
    finals = sorted(run.validation_loss[-1] for run in runs)
    low, middle, high = (f"{loss:.3f}" for loss in finals)
    assert f"ends at {middle} (seeds {low} to {high})" in said


def test_the_table_has_every_format_once():
    head, rows = Quantised().table()
    assert len(rows) == len(BASE_FORMATS)
    assert all(len(row) == len(head) and all(row) for row in rows)
    assert [row[1] for row in rows] == ["32", "4.5", "4.5", "4.5", "3.5", "2.5"]


def test_the_code_stores_the_base_and_measures_it():
    for place in (1, 5):
        figure = Quantised(format=place)
        (number,) = numbers(printed_by(figure.snippet()).split(": ")[1])
        # The recorded loss has four decimals, and another machine sums in another order.
        assert number[0] == pytest.approx(figure.values()["stored"], abs=1e-3)


def test_every_gap_of_the_quantised_base_has_a_value():
    figure = Quantised()
    for path, template in templates(figure.words):
        assert gaps(fill(template, figure.values())) <= PROBED, path
    with pytest.raises(ValueError, match="guess"):
        Quantised(guess="nothing")
