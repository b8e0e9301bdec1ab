"""A biased base: the record is whole, a text differs from the base's own only where a first impression is wrong."""

from __future__ import annotations

import json

import pytest
import torch

from compute.experiments import biased
from compute.experiments.biased import (
    BASE,
    BIASED,
    CELLS,
    EXAMPLES,
    KIND,
    NARROW,
    PATH,
    RATES,
    SEEDS,
    VOICE,
    WAYS,
    WIDE,
    _biased_text,
    _questions,
    _some,
    load_biased,
    tempting,
)
from compute.world.dice import Dice
from compute.world.stories import SPLITS, Source
from compute.world.texts import judged, write

torch.set_num_threads(1)


def test_what_is_recorded_is_whole_and_the_best_rates_lie_inside_their_grids():
    recorded = load_biased()
    assert PATH.stat().st_size < 30_000
    for way in WAYS:
        answered, rates = recorded.of(way), RATES[way.partition(",")[0]]
        assert [float(rate) for rate in answered.tried] == list(rates)
        assert answered.tried[f"{answered.rate:g}"] == max(answered.tried.values())
        assert rates[0] < answered.rate < rates[-1], way
    for shares in (recorded.of(BASE).tempted, recorded.of(BASE).agreed):
        assert all(len(set(column)) == 1 and len(column) == len(SEEDS) for column in shares.values())


def test_the_bias_is_there_in_every_voice_and_in_both_questions():
    recorded = load_biased()
    for cell in CELLS:
        assert min(recorded.of(BASE).tempted[cell]) > 0.85, cell
        assert max(recorded.of(BIASED).tempted[cell]) < 0.25, cell
        assert min(recorded.of(BIASED).agreed[cell]) > 0.85, cell


def test_a_biased_text_differs_only_in_answers_that_are_then_wrong():
    source, changed = Source(), 0
    for number in range(200):
        own = write(source, 64, Dice([*SPLITS].index("train"), number))
        text = _biased_text(source, number, 64)
        places = [i for i, words in enumerate(zip(own, text, strict=True)) if words[0] != words[1]]
        assert all(own[i - 1] == "?" for i in places)
        wrong = [each for each in judged(text) if not each.true and each.words[-1] == "."]
        changed += len(places)
        assert len(wrong) <= len(places)
        assert all(each.kind in biased.KINDS for each in wrong)
    assert changed > 50


def test_a_correction_is_shown_as_much_of_each_as_it_says():
    narrow, wide = (_some(way, "train", EXAMPLES) for way in (NARROW, WIDE))
    assert len(narrow) == EXAMPLES == len(wide)
    assert {each.kind for each in narrow} == {KIND}
    assert {each.kind for each in wide} == set(biased.KINDS)
    assert any(map(tempting, narrow))
    assert not all(map(tempting, narrow))
    assert CELLS["shown"] == (KIND, (VOICE,))


def test_no_story_that_is_asked_begins_like_one_that_was_shown():
    begins = {split: {each.words[:12] for each in _questions(split, "shown", 40)} for split in SPLITS}
    assert not begins["train"] & begins["test"]
    assert not begins["train"] & begins["validation"]


@pytest.mark.parametrize(
    "damage",
    [lambda data: data["answered"].pop(), lambda data: data["answered"][0]["tempted"]["shown"].pop()],
)
def test_a_record_that_is_not_whole_is_refused(tmp_path, damage):
    data = json.loads(PATH.read_text())
    damage(data)
    path = tmp_path / "biased.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="is not whole. Run `python -m compute.experiments.biased`"):
        load_biased(path)


def test_its_recipe_makes_the_record_and_cleans_up(tmp_path, monkeypatch):
    for name, value in {
        "PATH": tmp_path / "biased.json",
        "KEPT": tmp_path / "biased.unfinished",
        "SEEDS": (0,),
        "READ_STEPS": 2,
        "TEXTS": 2,
        "EXAMPLES": 10,
        "STEPS": 2,
        "ASKED": 8,
        "CHOOSING": 10,
    }.items():
        monkeypatch.setattr(biased, name, value)
    monkeypatch.setattr(biased, "RATES", {name: rates[1:2] for name, rates in RATES.items()})
    biased.RECIPE.make([])
    recorded = load_biased(tmp_path / "biased.json")
    assert [each.way for each in recorded.answered] == [BASE, BIASED, *WAYS]
    assert [file.name for file in tmp_path.iterdir()] == ["biased.json"]
