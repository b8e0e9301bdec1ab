"""The merging instrument: every state has its sentence, its code prints what it says, and it ships what it draws."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from compute.experiments.merging import LAYER, TASKS, load_layer, load_record
from compute.model.layers import LAYERS
from compute.numbers.precision import PRECISIONS
from helpers import ROOT
from helpers.instruments import decoded, gaps, is_shown, numbers, printed_by, states, templates
from widgets.kit.text import fill
from widgets.merging import ASKED, SENTENCES, Merging
from widgets.merging.words import WORDS

# What the browser alone knows: the cell under the cursor, the guess, the place of a probe, the chosen precision.
BROWSER = {"row", "column", "name", "value", "first", "second", "result", "difference", "guess", "truth"}
BROWSER |= {"at", "fp32", "bf16", "fp16"}
LARGEST_FILE = 200_000


def test_every_state_has_a_sentence_and_a_row():
    for state in states(Merging):
        figure = Merging(**state)
        said = figure.sentence()
        assert said.endswith(".")
        assert not gaps(said)
        assert "nan" not in said
        assert not re.search(r"-\d", said), "a minus is another sign in the browser"
    head, rows = Merging().table()
    assert len(rows) == len(PRECISIONS) * 4
    assert all(len(row) == len(head) == len(set(head)) and all(row) for row in rows)
    assert not any(gaps(cell) or re.search(r"-\d", cell) for row in rows for cell in row)


def test_every_gap_has_a_value():
    for path, template in templates(WORDS):
        assert gaps(fill(template, Merging().values("bf16", "0.01"))) <= BROWSER, path
    assert len(WORDS["stages"]) == len(WORDS["maps"]) == len(WORDS["legends"]) == len(SENTENCES) == 6
    assert len(WORDS["cells"]) == len(WORDS["steps"]) == 6


def test_the_browser_is_given_what_python_says():
    for task in TASKS:
        figure = Merging(task=task)
        arrays = json.loads(figure.arrays)
        for key, state in arrays["states"].items():
            precision, strength = key.split("-")
            named = dict(zip(arrays["fields"], state, strict=True))
            assert arrays["common"] | named == figure.values(precision, strength)


def test_it_ships_the_layer_and_both_adapters():
    arrays = Merging(task="facts").make_arrays()
    layer, other = load_layer("facts"), load_layer("formal")
    for name, values in {
        "W": layer.W,
        "x": layer.x,
        "lora_A": layer.lora_A,
        "lora_B": layer.lora_B,
        "second_A": other.lora_A,
        "second_B": other.lora_B,
    }.items():
        np.testing.assert_array_equal(decoded(arrays[name]), values.ravel())
    assert LAYER in arrays["note"]
    assert f" {len(LAYERS)} linear layers" in arrays["note"]
    assert load_record().recorded in arrays["note"]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("strength", ["1", "0.01", "0.001"])
def test_its_code_prints_the_numbers_on_the_screen(precision, strength, monkeypatch):
    monkeypatch.chdir(ROOT)
    figure = Merging(precision=precision, strength=strength, task="facts")
    head, rows = figure.table()
    row = next(row for row in rows if row[:2] == [precision, strength])
    unchanged, difference, back = printed_by(figure.snippet()).splitlines()
    for line, column in (
        (unchanged, "unchanged"),
        (difference, "outputs differ (millionths)"),
        (back, "not given back"),
    ):
        ((value, digits, percent),) = numbers(line.split(": ", 1)[1])
        assert is_shown((value, digits, percent), row[head.index(column)]), line


def test_what_is_guessed_is_among_the_states():
    for task in TASKS:
        unchanged = Merging(task=task).values(**ASKED)["unchanged"]
        assert 0.2 < unchanged < 0.85, "worth a guess"
    assert ASKED["precision"] in WORDS["guess"]["question"]
    assert f"strength {ASKED['strength']} " in WORDS["guess"]["question"]


def test_the_gain_is_what_is_left_of_the_loss():
    state = load_record().states["formal-bf16-0.001"]
    gain = Merging().values("bf16", "0.001")["gain"]
    assert state["merged"] == pytest.approx(
        state["base"] + gain * (state["unmerged"] - state["base"]), abs=1e-7
    )  # eight digits


def test_the_single_file_is_small_and_says_which_adapter_it_has():
    figure = Merging()
    assert "“formal”" in figure.enclosed_words()
    assert len(figure.figure_html().encode()) < LARGEST_FILE
