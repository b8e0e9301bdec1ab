"""The scale figure: its sentence names a rate too low or too high by the recorded losses, and its code trains one."""

from __future__ import annotations

import itertools
import json

import pytest

from compute.experiments.scale import GAIN_RANKS, RANKS, RATES, best_range, best_rate, load_scale
from compute.training.config import OPTIMIZERS, SCALING_RULES
from helpers.instruments import gaps, numbers, printed_by, templates
from widgets.kit.text import fill
from widgets.scale import FROM, TO, Scale, moved
from widgets.scale.words import RULES

# Trained again on another machine: the rounding of its matrix products, which a hundred steps amplify.
AGAIN = 0.05
CURVES = list(itertools.product(OPTIMIZERS, SCALING_RULES, RANKS))


def figure(optimizer: str, rule: str, r: int, **choices) -> Scale:
    return Scale(optimizer=optimizer, rule=RULES[rule][0], rank=str(r), **{"guess": "skip"} | choices)


@pytest.mark.parametrize(("optimizer", "rule", "r"), CURVES)
def test_the_sentence_follows_the_recorded_losses(optimizer, rule, r):
    over = load_scale().runs[optimizer][rule][r]
    best, (low, high) = best_rate(over), best_range(over)
    assert low <= best <= high
    for rate, run in enumerate(over):
        said = figure(optimizer, rule, r, rate=rate).sentence()
        assert not gaps(said)
        assert (
            f"{RULES[rule][1]}, r = {r}: after 100 steps at learning rate {RATES[optimizer][rate]:g} " in said
        )
        assert ("too low" in said) == (rate < low)
        assert ("too high" in said) == (rate > high)
        assert ("no other" in said) == (rate == best)
        assert ("diverged" in said) == (run.final is None)
        if run.final is not None:
            assert f"the loss is {run.final:.3f} nats" in said
            veiled = figure(optimizer, rule, r, rate=rate, guess="ask")
            assert veiled.sentence().endswith("Is that rate too low, too high, or right?")
            veiled.hide = ["guess"]  # nobody is asked
            assert veiled.sentence() == said


@pytest.mark.parametrize(("optimizer", "rule"), [*itertools.product(OPTIMIZERS, SCALING_RULES)])
def test_the_truth_of_the_guess_is_where_the_best_rates_lie(optimizer, rule):
    runs = load_scale().runs[optimizer][rule]
    before, after = (best_range(runs[r]) for r in (FROM, TO))
    arrays = Scale(optimizer=optimizer).make_arrays()["rules"][RULES[rule][0]]
    assert arrays["truth"] == moved(before, after)
    assert arrays["truth"] in [value for value, _ in Scale().words["guess"]["options"]]
    assert len(arrays["gains"]) == len(arrays["measured"]) == len(GAIN_RANKS)


def test_a_best_rate_moves_if_no_rate_is_the_best_before_and_after():
    assert [moved((2, 3), each) for each in ((0, 1), (1, 2), (3, 6), (4, 4))] == [
        "falls",
        "stays",
        "stays",
        "rises",
    ]


def test_its_code_trains_the_run_and_prints_its_loss():
    shown = figure("adamw", "alpha/r", 1, rate=4)
    ((printed, _, _), *_) = numbers(printed_by(shown.snippet()))
    assert printed == pytest.approx(shown.values()["final"], rel=AGAIN)


def test_every_gap_has_a_value():
    own = {"other", "other_gain", "gain", "measured", "losses", "step", "loss", "best_loss", "other_best"}
    asked = {"guess", "truth", "from_rate", "to_rate"}
    shown = Scale()
    for path, template in templates(shown.words):
        known = asked if path.startswith("guess") else own if path.startswith("charts") else {"low", "high"}
        assert gaps(fill(template, shown.values())) <= known, path
    with pytest.raises(ValueError, match="guess"):
        Scale(guess="up")


@pytest.mark.parametrize("key", Scale.published())
def test_its_arrays_are_small_and_its_table_whole(key):
    shown = Scale.from_key(key)
    assert len(json.dumps(shown.make_arrays())) < 50_000
    head, rows = shown.table()
    assert [row[0] for row in rows] == [f"{rate:g}" for rate in RATES[key]]
    assert all(len(row) == len(head) and all(row) for row in rows)
