"""The recorded failures: what training gives; a file that is not whole is refused; the figure says them."""

from __future__ import annotations

import itertools
import json

import pytest
import torch

from compute.experiments import failures
from compute.experiments.failures import (
    FAILURES,
    FILE,
    KNOBS,
    LAST,
    LINES,
    RECORDED,
    Outcome,
    failure_config,
    load_failures,
    outcome,
)
from compute.experiments.making import Bar
from compute.experiments.runs import config_of, load
from compute.model.checkpoint import load_base
from compute.training.config import TrainConfig
from compute.training.pretraining import pretrain
from helpers.instruments import gaps, is_shown, numbers, printed_by, templates
from widgets.failures import STAYS, Failures
from widgets.failures.words import TOLD
from widgets.kit.text import fill

torch.set_num_threads(1)

BROWSER = {"recorded", "guess", "truth", "ask", "from", "to", "of", "each", "name", "loss", "label"}
EVERY = [(failure, place) for failure in FAILURES for place in range(len(KNOBS[failure]))]


def test_what_is_among_the_recorded_runs_is_taken_from_there():
    known = failures._known()
    assert failure_config("forgetting", "mixed", 0) == config_of("new language", 4)
    assert failure_config("data", "large", 4) == config_of("legal", 32)
    assert (
        failure_config("alpha", "fixed", 1) == failure_config("alpha", "matched", 1) == config_of("legal", 4)
    )
    run = load("legal", 4)
    assert known[config_of("legal", 4)].validation == run.validation_loss[-1]
    assert known[config_of("legal", 4)].train == pytest.approx(sum(run.loss[-LAST:]) / LAST)
    assert failures._follow(config_of("legal", 4), load_base(), known) is known[config_of("legal", 4)]


def test_a_run_that_diverges_has_no_outcome():
    config = failure_config("alpha", "fixed", 4)
    assert config.alpha == 512
    assert failures._follow(config, load_base(), {}) is None  # at its second step


def test_an_adapter_on_its_own_base_does_what_its_run_did_and_less_on_another(monkeypatch):
    short = TrainConfig(steps=8, batch_size=8)
    monkeypatch.setattr(failures, "failure_config", lambda *_: short)
    monkeypatch.setattr(failures, "KNOBS", {"base": (0, "another seed")})
    monkeypatch.setattr(failures, "SEEDS", {"moved": (0,)})
    base = load_base()
    bases = iter([base, pretrain(seed=1, steps=2)])
    lines = failures._on_other_bases(base, bases, Bar(2))
    (own,), (foreign,) = lines["moved"]
    assert own.validation == pytest.approx(lines["own"][0][0].validation, abs=1e-5)
    assert own.validation < lines["alone"][0][0].validation
    assert foreign.validation > lines["own"][0][0].validation + 1
    assert failures._rounded(lines)["moved"][0][0][0] is None  # nothing was trained there


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data.pop("lines"), "is damaged"),
        (lambda data: data["lines"].pop("alpha"), "is not whole"),
        (lambda data: data["lines"]["alpha"].pop("matched"), "is not whole"),
        (lambda data: data["lines"]["data"]["large"].pop(), "is not whole"),
        (lambda data: data["lines"]["data"]["large"][0].pop(), "is not whole"),
        (lambda data: data["lines"]["data"]["large"][0][0].pop(), "is damaged"),
        (lambda data: data.update(base="another"), "started from another base model"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(change, told, tmp_path):
    data = json.loads(FILE.read_text(encoding="utf-8"))
    change(data)
    path = tmp_path / "failures.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(
        ValueError, match=f"The file failures.json {told}. Run `python -m compute.experiments.failures`"
    ):
        load_failures(path)


def test_every_place_of_every_line_is_a_run_that_can_be_asked_for():
    for failure in FAILURES:
        found = load_failures().lines[failure]
        assert tuple(found) == LINES[failure]
        for line, places in found.items():
            configs = {failure_config(failure, line, place) for place in range(len(places))}
            assert len(configs) == len(places) or line in (*LINES["base"], *LINES["rank"][1:])
    assert FILE.stat().st_size < 20_000
    with pytest.raises(ValueError, match="no line 'small' of 'alpha'"):
        failure_config("alpha", "small", 0)


def test_an_outcome_is_the_end_of_a_run():
    losses = [9.0] * 5 + [1.0, 2.0] * (LAST // 2)
    assert outcome(losses, [3.0, 1.0, 2.0], [1.0, 1.5, 4.0], False) == Outcome(1.5, 2.0, 4.0, 1.0)
    assert outcome(losses, [3.0, 2.0], [1.0, 1.5], True).train is None


@pytest.mark.parametrize(("failure", "place"), EVERY)
def test_the_sentence_says_what_is_recorded(failure, place):
    said = Failures(failure=failure, place=place, guess="skip").sentence()
    assert not gaps(said)
    runs = load_failures().lines[failure][LINES[failure][0]][place]
    assert ("breaks off" in said) == (None in runs)
    for name in ("validation", "base") if None not in runs else ():
        assert is_shown((sum(getattr(run, name) for run in runs) / len(runs), 9, False), said)
    assert "what does the loss do?" in Failures(failure=failure, place=place).sentence()


@pytest.mark.parametrize("failure", FAILURES)
def test_the_answer_to_the_guess_is_that_of_every_seed(failure):
    shown = Failures(failure=failure).make_arrays()["failures"][failure]
    assert shown["truth"] in [value for value, _ in Failures().words["guess"]["options"]]
    lines = load_failures().lines[failure]
    (first, at), (second, there) = TOLD[failure].compared
    for run in lines[LINES[failure][0]][there]:
        before = shown["values"][at][first]
        change = getattr(run, second) - before
        assert {"stays": abs(change) <= STAYS, "falls": change < -STAYS, "rises": change > STAYS}[
            shown["truth"]
        ]


@pytest.mark.parametrize("failure", FAILURES)
def test_its_table_and_its_code_say_the_same(failure):
    figure = Failures(failure=failure, place=1, guess="skip")
    head, rows = figure.table()
    assert len(rows) == len(KNOBS[failure])
    assert all(len(row) == len(head) and all(row) for row in rows)
    printed = numbers(printed_by(figure.snippet()).splitlines()[0])[0]
    runs = load_failures().lines[failure][LINES[failure][0]][1]
    assert is_shown(printed, f"{runs[0].validation:.3f}")
    drawn = {key for lines in TOLD[failure].lines.values() for key in lines}
    assert drawn <= figure.values(0).keys()


def test_every_gap_has_a_value():
    for failure, place in itertools.product(FAILURES, (0, 9)):  # beyond the end is the end
        figure = Failures(failure=failure, place=min(place, 5), guess="skip")
        values = figure.values(figure.place)
        for path, template in templates(figure.words):
            if path != "guess.question":
                assert gaps(template) <= values.keys() | BROWSER, path
        assert not gaps(fill(TOLD[failure].of, values))
    assert FAILURES[1:] == RECORDED
