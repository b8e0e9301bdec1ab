"""The placing figure: what is ticked is counted, what is recorded is told, and its code puts the adapters there."""

from __future__ import annotations

import json

import pytest

from compute.adapters.placing import BUDGET, as_config, numbers_at, rank_within
from compute.experiments.placing import CODES, load_placing
from compute.model.layers import TARGET_MODULES
from helpers.instruments import gaps, printed_by, templates
from widgets.kit.text import fill
from widgets.placing import Placing, family_of, label_of, where
from widgets.placing.words import PAPER, TASKS


@pytest.mark.parametrize("task", TASKS)
def test_the_sentence_of_a_recorded_set_tells_its_losses(task):
    for code in CODES:
        placed = load_placing().runs[task][code]
        said = Placing(task=TASKS[task][0], places=code, guess="skip").sentence()
        assert not gaps(said)
        assert f"r = {rank_within(code)}: {numbers_at(code, rank_within(code)):,d} numbers learn" in said
        assert ("the budget exactly" in said) == (numbers_at(code, rank_within(code)) == BUDGET)
        assert f"({placed.finals[0]:.3f} and {placed.finals[1]:.3f} with two seeds)" in said


def test_a_set_that_is_not_recorded_says_so_and_names_the_nearest():
    said = Placing(places="737000", guess="skip").sentence()
    assert "This set is not recorded. The nearest one that is, q_proj and v_proj in all blocks" in said
    assert "(places that differ: 2)" in said
    assert "Adapters in 8 of 18 places" in said
    assert "nothing can learn" in Placing(places="000000", guess="skip").sentence()


def test_the_sentence_does_not_tell_what_is_asked():
    asked = Placing()
    assert asked.sentence().endswith("come down from 11.479 nats per token?")
    asked.hide = ["guess"]  # nobody is asked
    assert "with two seeds" in asked.sentence()


@pytest.mark.parametrize("task", TASKS)
def test_the_truth_of_the_guess_is_the_worst_matrix_alone(task):
    runs = load_placing().runs[task]
    ends = dict(zip(TARGET_MODULES, (runs[code].final for code in CODES), strict=False))
    arrays = Placing(task=TASKS[task][0]).make_arrays()
    assert arrays["truth"] == max(ends, key=ends.get)
    # Both seeds say so, or it would be no question to ask.
    for seed in (0, 1):
        assert all(
            runs[CODES[TARGET_MODULES.index(arrays["truth"])]].finals[seed] >= runs[code].finals[seed]
            for code in CODES[: len(TARGET_MODULES)]
        )


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
    cells = {"name", "block", "out", "into", "percent", "count", "all", "names", "blocks", "slower", "faster"}
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
