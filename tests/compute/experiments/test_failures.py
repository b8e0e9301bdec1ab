"""Two ways to fail: the record is whole, its best rates lie inside, the reordered base says the same."""

from __future__ import annotations

import json
from statistics import fmean

import pytest
import torch

from compute.experiments import failures
from compute.experiments.failures import (
    BASES,
    COUNTS,
    LINES,
    PATH,
    RANKS,
    RATES,
    SEEDS,
    TURNED,
    _asked,
    _MovedRun,
    _on_base,
    _questions,
    load_failures,
    turned,
)
from compute.model.checkpoint import load_base
from helpers.instruments import gaps, is_shown, numbers, printed_by
from widgets.failures import KNOBS, Failures
from widgets.failures.words import TOLD

torch.set_num_threads(1)
EVERY = [(failure, place) for failure, knobs in KNOBS.items() for place in range(len(knobs))]


def test_what_is_recorded_is_whole_and_the_best_rates_lie_inside_their_grids():
    recorded = load_failures()
    assert PATH.stat().st_size < 20_000
    for count in COUNTS:
        for r in RANKS:
            few = recorded.of(count, r)
            known = {rate: loss for rate, loss in few.tried.items() if loss is not None}
            assert [float(rate) for rate in few.tried] == list(RATES[r])
            assert few.rate == float(min(known, key=known.__getitem__))
            assert RATES[r][0] < few.rate < RATES[r][-1]
            assert len(few.unseen) == len(SEEDS)


def test_the_reordered_base_says_the_same_and_is_another_file(monkeypatch):
    monkeypatch.setattr(failures, "QUESTIONS", {"validation": 32})
    base = load_base().double()  # sums in another order round otherwise
    other = turned(base)
    texts = _questions("validation").tokens
    with torch.no_grad():
        assert torch.allclose(base(texts), other(texts), atol=1e-9)
    moved = [name for name, p in other.named_parameters() if not torch.equal(p, base.get_parameter(name))]
    assert len(moved) == len([*base.named_parameters()])


def test_on_its_own_base_an_adapter_does_what_its_own_does_and_on_the_reordered_one_less(monkeypatch):
    monkeypatch.setattr(failures, "STEPS", 12)
    monkeypatch.setattr(failures, "QUESTIONS", {"test": 128})
    ours, foreign = (_on_base(_MovedRun(base, 0)) for base in (0, TURNED))
    assert ours["moved"] == pytest.approx(ours["own"], abs=0.01)
    assert ours["alone"] == pytest.approx(foreign["alone"], abs=0.01)
    assert foreign["moved"] < foreign["own"] - 0.2


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data["few"].pop(),
        lambda data: data["few"][0]["shown"].pop(),
        lambda data: data["moved"].popitem(),
        lambda data: data["moved"]["own"].pop(),
        lambda data: data["moved"]["own"][0].pop(),
    ],
)
def test_a_record_that_is_not_whole_is_refused(tmp_path, damage):
    data = json.loads(PATH.read_text())
    damage(data)
    path = tmp_path / "failures.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="is not whole. Run `python -m compute.experiments.failures`"):
        load_failures(path)


def test_its_recipe_makes_all_of_it(tmp_path, monkeypatch):
    names = {
        "PATH": tmp_path / "failures.json",
        "KEPT": tmp_path / "failures.unfinished",
        "COUNTS": (4,),
        "SEEDS": (0, 1),
        "STEPS": 2,
        "QUESTIONS": {"validation": 8, "test": 8},
        "FURTHER": (1,),
        "BASES": (0, 1, TURNED),
    }
    for name, value in names.items():
        monkeypatch.setattr(failures, name, value)
    failures.RECIPE.make([])
    data = json.loads((tmp_path / "failures.json").read_text())
    del data["base"]
    recorded = failures._built(data)
    assert {len(bases) for bases in recorded.moved.values()} == {3}
    assert [*tmp_path.iterdir()] == [tmp_path / "failures.json"]


def test_the_share_right_is_counted():
    texts = _questions("validation")
    loss, share = _asked(load_base(), texts)
    assert loss > 1
    assert share == pytest.approx(load_failures().before, abs=0.05)


@pytest.mark.parametrize(("failure", "place"), EVERY)
def test_the_sentence_the_table_and_the_code_say_what_is_recorded(failure, place):
    figure = Failures(failure=failure, place=place)
    said = figure.sentence()
    assert not gaps(said)
    head, rows = figure.table()
    assert len(head) == len(rows[place]) == 1 + len(TOLD[failure].lines)
    assert TOLD[failure].lines.keys() <= figure.values(place).keys()
    printed = printed_by(figure.snippet()).splitlines()
    if failure == "base":
        assert [line.split(":")[0] for line in printed] == list(LINES)
        assert len(KNOBS[failure]) == len(BASES)
        for line, bases in zip(printed, load_failures().moved.values(), strict=True):
            assert is_shown((100 * fmean(bases[place]), 9, True), line)
            assert is_shown((100 * round(fmean(bases[place]), 4), 9, True), said)
    else:
        assert len(printed) == len(RANKS)
        for line, r in zip(printed, RANKS, strict=True):
            shares = numbers(line.split(": ", 1)[1])
            assert is_shown((100 * fmean(load_failures().of(COUNTS[place], r).unseen), 9, True), line)
            assert is_shown(shares[1], said)
