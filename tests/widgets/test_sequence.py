"""The sequence figure: its numbers are those of the record, and its code prints them."""

from __future__ import annotations

from statistics import fmean

import pytest

from compute.experiments.retention import OLD, SEEDS, SETS, WAYS, load_retention
from helpers.instruments import gaps, is_shown, printed_by, templates
from widgets.sequence import Sequence
from widgets.sequence.words import WAYS_TOLD


@pytest.mark.parametrize("stage", range(SETS + 1))
def test_the_sentence_and_the_code_say_what_is_recorded(stage):
    figure = Sequence(stage=stage, guess="skip")
    said = figure.sentence()
    assert not gaps(said)
    for way, line in zip(WAYS, printed_by(figure.snippet()).splitlines(), strict=True):
        share = fmean(seed[stage][0] for seed in load_retention().of(way).stages)
        assert line == f"{way}: {share:.3f}"
        assert is_shown((100 * share, 0, True), said)
    assert is_shown((100 * load_retention().of(WAYS[0]).mean(stage, OLD), 0, True), said)
    assert "how much is left" in Sequence(stage=stage).sentence()


def test_the_table_has_every_stage_of_every_seed_and_the_bands_hold_the_lines():
    head, rows = Sequence().table()
    assert len(rows) == len(WAYS) * len(SEEDS) * (SETS + 1)
    assert all(len(row) == len(head) for row in rows)
    arrays = Sequence().make_arrays()
    for lines, (low, high) in zip(arrays["lines"], arrays["spans"], strict=True):
        assert lines.keys() == {key for key, *_ in WAYS_TOLD.values()}
        assert all(a <= b <= c for a, b, c in zip(low, lines["one"], high, strict=True))


def test_every_gap_has_a_value():
    values = Sequence().values(SETS).keys() | {"guess", "truth", "name", "value", "each", "high"}
    for path, template in templates(Sequence().words):
        assert gaps(template) <= values, path
