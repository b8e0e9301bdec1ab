"""The mixer and the storage figure: their numbers are the measured and the counted ones, and their code prints them."""

from __future__ import annotations

import itertools

import pytest

from compute.adapters.mixing import METHODS, combine, cosine, difference
from compute.experiments.mixing import VOICES_MIXED, load_factors, load_record, mix_of
from compute.numbers.interval import wilson
from helpers import ROOT
from helpers.instruments import gaps, is_shown, numbers, printed_by, templates
from widgets.kit.text import fill
from widgets.mixer import ROWS, SETTINGS, Mixer
from widgets.mixer.words import METHOD_LABELS, NONE
from widgets.storage import Storage

PAIRS = [*itertools.permutations(VOICES_MIXED, 2)]


def figure(first: str, second: str, i: int = 2, j: int = 2, method: str = "products") -> Mixer:
    return Mixer(primary=first, second=second, w1=25 * i, w2=25 * j, method=method)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_every_setting_shows_what_was_measured_there(first, second):
    record = load_record()
    for method, i, j in itertools.product(METHODS, range(5), range(5)):
        shown = figure(first, second, i, j, method)
        measured = record.mixes[mix_of({first: SETTINGS[i], second: SETTINGS[j]}, method)]
        values = shown.values(method)
        assert (values["w1"], values["w2"]) == (SETTINGS[i], SETTINGS[j])
        assert values["share_first"] == measured.counts[first] / record.sentences
        assert values["share_second"] == measured.counts[second] / record.sentences
        assert (values["low_first"], values["high_first"]) == wilson(measured.counts[first], record.sentences)
        assert values["loss_second"] == measured.losses[second]
        own = record.mixes[mix_of({second: 1}, "products")].losses[second]
        assert values["more_second"] == measured.losses[second] - own
        sentence = shown.sentence()
        assert not gaps(sentence)
        assert "nan" not in sentence


@pytest.mark.parametrize("first", VOICES_MIXED)
def test_an_adapter_mixed_with_itself_or_with_none_is_shown_alone(first):
    record = load_record()
    for second, i in itertools.product((NONE, first), range(5)):
        shown = figure(first, second, i, 3, "svd")
        measured = record.mixes[mix_of({first: SETTINGS[i]}, "products")]
        assert shown.values("svd")["share_first"] == measured.counts[first] / record.sentences
        assert not gaps(shown.sentence())
        arrays = shown.make_arrays()
        assert arrays["second"] is None
        assert list(arrays["mixes"]) == ["products"]
    assert figure(first, first).make_arrays()["note"] != figure(first, NONE).make_arrays()["note"]


def test_a_weight_between_two_settings_is_the_lower_one():
    assert Mixer(w1=49, w2=99).settings() == (1, 3)
    assert Mixer(w1=50, w2=100).settings() == (2, 4)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_differences_and_cosines_are_those_of_the_adapters(first, second):
    pair = [load_factors(first), load_factors(second)]
    for method, (i, j) in itertools.product(METHODS, [(1, 4), (2, 2)]):
        shown = figure(first, second, i, j, method).values(method)
        off = difference(pair, [SETTINGS[i], SETTINGS[j]], method)
        assert shown["off"] == pytest.approx(off, abs=1e-9)  # rounding, where it is the sum of the products
        assert shown["cosine"] == pytest.approx(cosine(*pair), abs=1e-9)  # rounded to nine digits
        if method != "products":
            layer = [each["blocks.0.attention.q_proj"] for each in pair]
            assert shown["rank"] == combine(layer, [1, 1], method).r
    assert figure(first, second, 0, 2).values("factors")["off"] == 0


def test_the_table_counts_every_sentence_and_the_bars_leave_out_only_what_nobody_wrote():
    record = load_record()
    for first, second in PAIRS[:2]:
        head, rows = figure(first, second, 4, 4, "factors").table()
        assert sum(int(row[1]) for row in rows) == record.sentences
        assert all(len(row) == len(head) for row in rows)
    arrays = Mixer().make_arrays()
    left_out = set(arrays["voices"]) - set(ROWS)
    assert left_out == {"dialect", "new language"}
    assert len(set(ROWS)) == len(ROWS) == len(arrays["voices"]) - 2


def test_the_four_ways_stand_side_by_side():
    rows = figure("legal", "code", 4, 4).ways()
    assert [row[0] for row in rows] == [METHOD_LABELS[method] for method in METHODS]
    assert rows[0][1:] == rows[2][1:], "concatenation is the sum of the products"
    assert rows[0][1:] != rows[1][1:]


def test_the_guess_is_about_half_of_each_whatever_the_weights():
    told = Mixer().guessed()
    assert Mixer(w1=100, w2=0, method="svd").guessed() == told
    record = load_record()
    counts = record.mixes[mix_of({"legal": 0.5, "medical": 0.5}, "products")].counts
    assert told["others"] == (record.sentences - counts["legal"] - counts["medical"]) / record.sentences
    assert told["low_others"] < told["others"] < told["high_others"]
    assert "legal" in told["mixture"]
    assert "medical" in told["mixture"]
    alone = Mixer(second=NONE).guessed()
    counts = record.mixes[mix_of({"legal": 0.5}, "products")].counts
    assert alone["others"] == (record.sentences - counts["legal"]) / record.sentences


def test_every_gap_of_the_mixer_has_a_value():
    shown = Mixer()
    # What the browser alone knows: rows of the table, guesses, and what stands in the code.
    browser = {"guess", "voice", "count", "share", "low", "high", "base"}
    known = {**shown.values("products"), **shown.guessed(), "half": 0.5}
    for path, template in templates(shown.words):
        assert gaps(fill(template, known)) <= browser, path


@pytest.mark.parametrize(
    ("first", "second", "method"),
    [("legal", "medical", "products"), ("code", "medical", "factors"), ("medical", NONE, "svd")],
)
def test_its_code_prints_the_numbers_on_the_screen(first, second, method, monkeypatch):
    monkeypatch.chdir(ROOT)
    shown = figure(first, second, 2, 4, method)
    out = printed_by(shown.snippet())
    (share, _, percent), (loss, _, _) = (numbers(line.split(": ")[1])[0] for line in out.splitlines())
    values = shown.values(method)
    assert percent
    # The same machine prints the same; another throws a few of 400 sentences on the other side of an edge.
    assert share == pytest.approx(100 * values["share_first"], abs=3)
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
