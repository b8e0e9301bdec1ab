"""The placing figure: what is ticked is counted, what is recorded is told, and its code puts the adapters there."""

from __future__ import annotations

import json

import pytest

from compute.adapters.placing import BUDGET, as_config, code_of, numbers_at, rank_within
from compute.experiments.placing import ALL, CODES, FULL, TASKS, config_of, load_placing
from helpers.instruments import gaps, is_shown, printed_by, templates
from widgets.kit.text import fill, slug
from widgets.live.settings import FIELDS, configs
from widgets.placing import Placing, family_of, label_of, where
from widgets.placing.words import GUESSED, PAPER


@pytest.mark.parametrize("task", TASKS)
def test_the_sentence_of_a_recorded_set_tells_its_loss_and_how_far_it_is_from_all_six(task):
    for code in CODES:
        placed, gap = load_placing().runs[task][code], load_placing().apart(task, code)
        said = Placing(task=slug(task), places=code, guess="skip").sentence()
        assert not gaps(said)
        assert f"r = {rank_within(code)}: {numbers_at(code, rank_within(code)):,d} numbers learn" in said
        assert ("the budget exactly" in said) == (numbers_at(code, rank_within(code)) == BUDGET)
        assert f"At {placed.rate:g}, its best rate" in said
        assert is_shown((placed.mean(), 3, False), said)
        if code == ALL:
            assert "compared with this one" in said
            continue
        for end in gap:
            assert is_shown((abs(end), 3, False), said)
        assert ("higher (" in said) == (gap.high < 0)
        assert ("lower (" in said) == (gap.low > 0)
        assert ("cannot tell" in said) == (gap.low <= 0 <= gap.high)


def test_a_set_that_is_not_recorded_says_so():
    said = Placing(places="737000", guess="skip").sentence()
    assert said.endswith("What it comes to was not recorded.")
    assert "Adapters in 8 of 18 places" in said
    assert "nothing can learn" in Placing(places="000000", guess="skip").sentence()


def test_the_sentence_does_not_tell_what_is_asked():
    asked = Placing()
    assert asked.sentence().endswith("come down from 4.756 nats per word?")
    asked.hide = ["guess"]  # nobody is asked
    assert "its best rate" in asked.sentence()


@pytest.mark.parametrize("task", TASKS)
def test_the_truth_of_the_guess_is_the_worst_of_those_asked_for(task):
    truth = Placing(task=slug(task)).make_arrays()["truth"]
    worst = code_of(GUESSED[truth][1])
    for name in {*GUESSED} - {truth}:  # the seeds say so, or it would be no question to ask
        assert load_placing().apart(task, worst, code_of(GUESSED[name][1])).verdict == "above"


def test_the_lab_is_asked_for_the_run_that_was_recorded():
    for task in TASKS:
        lab = Placing(task=slug(task)).make_arrays()["lab"]
        asked = (
            {field.name: field.default for field in FIELDS}
            | lab
            | {"r": 4, "alpha": 8, "learning_rate": 0.01}
        )
        assert not any(field.refusal(asked[field.name]) for field in FIELDS)
        runs = configs(asked)
        assert runs["lora"] == config_of(task, ALL, 0.01, 0)
        assert runs["full"] == config_of(task, FULL, load_placing().runs[task][FULL].rate, 0)


@pytest.mark.parametrize("code", ["707000", "000022", "120004"])
def test_its_code_counts_the_numbers_with_peft(code):
    out = printed_by(Placing(places=code).snippet())
    r = rank_within(code)
    assert out == f"r = {r}: {numbers_at(code, r):,d} numbers learn\n"


def test_its_code_says_when_nothing_learns():
    assert printed_by(Placing(places="000000").snippet()) == "Nothing is ticked: no number learns.\n"


def test_every_recorded_set_has_a_name_of_its_own_and_a_comparison():
    assert len({label_of(code) for code in CODES}) == len({where(code) for code in CODES}) == len(CODES)
    assert all(family_of(code) for code in CODES)
    assert where("777700") == "all of attention in all blocks"
    assert where("500005") == "q_proj and down_proj in the first and the last block"
    assert where("700005") == "5 of 18 places"


def test_the_paper_s_sets_are_recorded_under_their_ranks():
    rows = Placing().words["paper"]["rows"]
    assert len(rows) == len(PAPER) == 7
    for code, _, r, *_ in rows:
        names, _ = as_config(code)
        assert code in CODES
        assert int(r) * len(names) == 8  # one budget


def test_every_gap_has_a_value():
    shown = Placing(guess="skip")
    cells = {"name", "block", "out", "into", "percent", "count", "all", "names", "blocks", "rate", "loss"}
    asked = {"guess", "truth", "worst", "best", "budget"}
    for path, template in templates(shown.words):
        known = asked if path.startswith("guess") else cells
        assert gaps(fill(template, shown.values())) <= known, path
    for choice, wrong in (("guess", "nothing"), ("places", "888888"), ("places", "77")):
        with pytest.raises(ValueError, match=choice):
            Placing(**{choice: wrong})


@pytest.mark.parametrize("key", Placing.published())
def test_its_arrays_are_small_and_its_table_whole(key):
    shown = Placing.from_key(key)
    assert len(json.dumps(shown.make_arrays())) < 20_000
    head, rows = shown.table()
    assert len(rows) == len(CODES)
    assert all(len(row) == len(head) and all(row) for row in rows)
