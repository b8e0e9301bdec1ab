"""The wear instrument says what was recorded, in every state, and its code prints it."""

from __future__ import annotations

import json

import pytest

from compute.adapters.merge_state import CYCLES
from compute.experiments.merging import load_record
from helpers import ROOT
from helpers.instruments import gaps, is_shown, numbers, printed_by, states, templates
from widgets.kit.text import fill
from widgets.wear import WAYS, Wear


def test_every_state_has_a_sentence_and_a_row():
    for state in states(Wear):
        said = Wear(**state).sentence()
        assert said.endswith(".")
        assert not gaps(said)
        assert "nan" not in said
    head, rows = Wear().table()
    assert [row[0] for row in rows] == [str(number) for number in CYCLES]
    assert all(len(row) == len(head) == len(set(head)) and all(row) for row in rows)


def test_every_gap_has_a_value():
    figure = Wear()
    for path, template in templates(figure.words):
        assert not gaps(fill(template, figure.values(1))), path


def test_it_ships_and_says_what_was_recorded():
    arrays = json.loads(Wear().arrays)
    for key, state in arrays["states"].items():
        recorded = load_record().states[f"{key}-1"]
        task, precision = key.split("-")
        values = Wear(task=task, precision=precision).values(len(CYCLES) - 1)
        assert values["facts_unrounded"] == load_record().worn[f"{key}-unrounded"]["facts"]
        for way in WAYS:
            assert state[way] == recorded[way]
            assert values[way] == recorded[way][-1]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_its_code_prints_the_numbers_on_the_screen(precision, monkeypatch):
    monkeypatch.chdir(ROOT)
    figure = Wear(precision=precision, rounds=3)
    said = figure.sentence()
    for line in printed_by(figure.snippet()).splitlines():
        assert is_shown(numbers(line.split(": ", 1)[1])[0], said), line
