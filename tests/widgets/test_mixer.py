"""The mixer and the storage figure: their numbers are the measured and the counted ones, and their code prints them."""

from __future__ import annotations

import itertools
import json
from statistics import fmean

import pytest

from compute.adapters.mixing import METHODS, combine, cosine, difference
from compute.experiments.mixing import MIXED, SEEDS, TEXTS, load_factors, load_record, mix_of
from compute.numbers.interval import of_mean
from compute.world.voices import NO_VOICE
from helpers import ROOT
from helpers.instruments import gaps, is_shown, numbers, printed_by, templates
from widgets.kit.text import fill
from widgets.mixer import FACTS, ROWS, SETTINGS, STRIDE, Mixer
from widgets.mixer.words import METHOD_LABELS, NONE, SAID
from widgets.storage import Storage

PAIRS = [*itertools.permutations(MIXED, 2)]
PLACES = range(len(SETTINGS))


def measured(weights, method="products"):
    return load_record().mixes[SEEDS[0], mix_of(weights, method)]


def figure(first: str, second: str, i: int = 1, j: int = 1, method: str = "products") -> Mixer:
    return Mixer(primary=first, second=second, w1=STRIDE * i, w2=STRIDE * j, method=method)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_every_setting_shows_what_was_measured_there(first, second):
    for method, i, j in itertools.product(METHODS, PLACES, PLACES):
        shown = figure(first, second, i, j, method)
        found = measured({first: SETTINGS[i], second: SETTINGS[j]}, method)
        values = shown.values(method)
        assert (values["w1"], values["w2"]) == (SETTINGS[i], SETTINGS[j])
        for place, name in (("first", first), ("second", second)):
            share = found.facts if name == FACTS else fmean(found.shares(name))
            assert values[f"share_{place}"] == pytest.approx(share, abs=1e-6)
            assert values[f"loss_{place}"] == found.losses[name]
            own = measured({name: 1}).losses[name]
            assert values[f"more_{place}"] == found.losses[name] - own
        assert values["share_none"] == pytest.approx(fmean(found.shares(NO_VOICE)), abs=1e-6)
        low, high = of_mean(found.right())
        assert values["low_true"] == pytest.approx(max(0, low), abs=1e-6)
        assert values["high_true"] == pytest.approx(min(1, high), abs=1e-6)
        sentence = shown.sentence()
        assert not gaps(sentence)
        assert "nan" not in sentence


def test_ways_are_compared_text_by_text():
    found = {method: measured(dict.fromkeys(("legal", "facts"), 1), method).right() for method in METHODS}
    for method in METHODS:
        values = figure("legal", "facts", 2, 2).values(method)
        pairs = zip(found[method], found["products"], strict=True)
        differences = [one - other for one, other in pairs]
        assert values["more"] == pytest.approx(fmean(differences), abs=1e-6)
        assert (values["low_more"], values["high_more"]) == pytest.approx(of_mean(differences), abs=1e-6)
    assert figure("legal", "facts", 2, 2).values("concatenation")["more"] == 0


@pytest.mark.parametrize("first", MIXED)
def test_an_adapter_mixed_with_itself_or_with_none_is_shown_alone(first):
    for second, i in itertools.product((NONE, first), PLACES):
        shown = figure(first, second, i, 3, "svd")
        found = measured({first: SETTINGS[i]})
        share = found.facts if first == FACTS else fmean(found.shares(first))
        assert shown.values("svd")["share_first"] == pytest.approx(share, abs=1e-6)
        assert not gaps(shown.sentence())
        arrays = shown.make_arrays()
        assert arrays["second"] is None
        assert list(arrays["mixes"]) == ["products"]
    assert figure(first, first).make_arrays()["note"] != figure(first, NONE).make_arrays()["note"]


def test_a_weight_between_two_settings_is_the_lower_one():
    assert Mixer(w1=49, w2=149).settings() == (0, 2)
    assert Mixer(w1=50, w2=150).settings() == (1, 3)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_differences_and_cosines_are_those_of_the_adapters(first, second):
    pair = [load_factors(first), load_factors(second)]
    for method, (i, j) in itertools.product(METHODS, [(1, 3), (2, 2)]):
        shown = figure(first, second, i, j, method).values(method)
        off = difference(pair, [SETTINGS[i], SETTINGS[j]], method)
        assert shown["off"] == pytest.approx(off, abs=1e-6)  # rounded to six digits
        assert shown["cosine"] == pytest.approx(cosine(*pair), abs=1e-6)
        if method != "products":
            layer = [each["blocks.0.attention.q_proj"] for each in pair]
            assert shown["rank"] == combine(layer, [1, 1], method).r
    assert figure(first, second, 0, 2).values("factors")["off"] == 0


def test_the_table_has_a_row_for_each_bar_and_the_voices_are_all_there_are():
    for first, second in PAIRS[:2]:
        head, rows = figure(first, second, 2, 2, "factors").table()
        assert len(rows) == len(ROWS) == len({*ROWS})
        assert all(len(row) == len(head) for row in rows)
    shown = json.loads(figure("legal", "code").arrays)["mixes"]["products"][2][2]["rows"]
    assert sum(share for share, *_ in shown[:-1]) == pytest.approx(1, abs=1e-5)


def test_the_four_ways_stand_side_by_side():
    rows = figure("legal", "code", 2, 2).ways()
    assert [row[0] for row in rows] == [METHOD_LABELS[method] for method in METHODS]
    assert rows[0][1:] == rows[2][1:], "concatenation is the sum of the products"
    assert rows[0][1:] != rows[1][1:]


def test_the_guess_is_about_half_of_each_whatever_the_weights():
    told = Mixer().guessed()
    assert Mixer(w1=100, w2=0, method="svd").guessed() == told
    found = measured({"legal": 0.5, "formal": 0.5})
    others = [1 - a - b for a, b in zip(found.shares("legal"), found.shares("formal"), strict=True)]
    assert len(others) == TEXTS
    assert told["guessed"] == pytest.approx(fmean(others), abs=1e-6)
    assert told["low_guessed"] < told["guessed"] < told["high_guessed"]
    assert SAID["legal"] in told["mixture"]
    assert SAID["formal"] in told["mixture"]
    for shown in (figure("legal", FACTS), figure(FACTS, "code")):
        assert "new facts" in shown.guessed()["asked"]
        assert shown.guessed()["guessed"] == measured(dict.fromkeys((shown.primary, shown.second), 0.5)).facts


def test_every_gap_of_the_mixer_has_a_value():
    shown = Mixer()
    # What the browser alone knows: rows of the table, guesses, and what stands in the code.
    browser = {"guess", "row", "share", "low", "high", "base", "name"}
    known = {**shown.values("products"), **shown.guessed(), "half": 0.5}
    for path, template in templates(shown.words):
        assert gaps(fill(template, known)) <= browser, path


@pytest.mark.parametrize(
    ("first", "second", "method"),
    [("legal", "formal", "products"), ("code", "facts", "factors"), ("formal", NONE, "svd")],
)
def test_its_code_prints_the_numbers_on_the_screen(first, second, method, monkeypatch):
    monkeypatch.chdir(ROOT)
    shown = figure(first, second, 1, 2, method)
    out = printed_by(shown.snippet())
    (share, _, percent), (loss, _, _) = (numbers(line.split(": ")[1])[0] for line in out.splitlines())
    values = shown.values(method)
    assert percent
    # The same machine prints the same; on another a text may go another way from some word on.
    assert share == pytest.approx(100 * values["true"], abs=3)
    assert loss == pytest.approx(values["loss_first"], abs=0.02)


@pytest.mark.parametrize(
    "choices",
    [{}, {"model": "gpt2", "targets": "q-v", "r": 1, "tasks": 1}, {"model": "gpt3", "r": 256, "tasks": 1000}],
)
def test_the_storage_code_prints_the_numbers_on_the_screen(choices):
    shown = Storage(**choices)
    sentence = shown.sentence()
    assert not gaps(sentence)
    out = printed_by(shown.snippet())
    results = [number for line in out.splitlines() for number in numbers(line.split(": ")[1])]
    assert len(results) == 3
    assert all(is_shown(number, sentence) for number in results)
    head, rows = shown.table()
    assert all(len(row) == len(head) for row in rows)
    row = next(row for row in rows if row[0] == f"{shown.tasks:,d}")
    assert row[3] == fill("{ratio:,.2f}", shown.values(shown.tasks))


def test_every_gap_of_the_storage_figure_has_a_value():
    probed = {f"probed{name}" for name in ("", "_copies", "_adapters", "_ratio")}
    for path, template in templates(Storage().words):
        assert gaps(fill(template, Storage().values(30))) <= probed, path
