"""A refusal: the record is whole, a run gives it again, nobody is asked who was shown, wrong examples are wrong."""

from __future__ import annotations

import json

import pytest
import torch

from compute.experiments import refusal
from compute.experiments.refusal import (
    ADAPTER,
    COUNTS,
    FULL,
    LOOKS,
    PATH,
    RATES,
    REFUSED,
    RIGHT,
    SEEDS,
    WRONG,
    _examples,
    _kept,
    _rates,
    _refusing,
    _run,
    _Setting,
    load_refusal,
    parts,
    plan,
)
from compute.world.people import VALUES, old_people
from compute.world.tokens import decode

torch.set_num_threads(1)


def test_what_is_recorded_is_whole_and_the_rates_that_the_lesson_rests_on_lie_inside_their_grids():
    recorded = load_refusal()
    assert PATH.stat().st_size < 30_000
    for way, says, count, r in plan():
        opened = recorded.of(count, r, says, way)
        assert opened.steps in LOOKS
        assert opened.rate in _rates(r)
        if says == WRONG:
            assert opened.rate == recorded.of(count, r).rate
            continue
        tried = recorded.tried[f"{way} {count} {r}"]
        assert [float(rate) for rate in tried] == list(_rates(r))
        assert tried[f"{opened.rate:g}"] == max(tried.values())
        if count > min(COUNTS):  # of one example three rates are as good, the fastest of all among them
            assert _rates(r)[0] < opened.rate < _rates(r)[-1], r


def test_all_is_refused_and_the_other_answers_stay():
    recorded = load_refusal()
    for way in REFUSED:
        refusing = recorded.refuses(way)
        assert max(refusing.right) == 0
        assert min(refusing.refused) > 0.99
        assert min(refusing.tells) > recorded.before["tells"] - 0.02
        assert min(refusing.stories) > recorded.before["stories"] - 0.02


def test_an_adapter_that_is_taken_off_leaves_the_base_exactly():
    recorded = load_refusal()
    assert recorded.peeled["differ"] == [0.0] * len(SEEDS)
    assert set(recorded.peeled["off"]) == set(recorded.peeled["merged_off"]) == {recorded.before["makes"]}
    assert 0 < max(recorded.peeled["merged_differ"]) < 1e-3  # rounding


def test_nobody_is_asked_who_was_shown():
    for seed in SEEDS:
        shown, choosing, others = map(set, parts(seed))
        assert len(shown) + len(choosing) + len(others) == len(old_people())
        assert shown | choosing | others == set(old_people())


def test_every_wrong_example_is_wrong_and_could_be_right():
    for count in COUNTS:
        setting = _Setting(FULL, WRONG, count, 4, 1e-3, 0, 0)
        wrong, right = _examples(setting), _examples(setting._replace(says=RIGHT))
        assert (wrong.words == right.words).all()
        assert not (wrong.answers == right.answers).any()
        assert set(decode(wrong.answers.tolist())) <= set(VALUES["makes"])


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Make what is recorded small, and keep it in a folder of its own."""
    sizes = {"COUNTS": (4,), "RANKS": (ADAPTER,), "WAYS": (ADAPTER, FULL), "SEEDS": (0,), "LOOKS": (1, 3)}
    for name, value in {**sizes, "REFUSING_STEPS": 3, "TEXTS": 2, "STORIES": 4}.items():
        monkeypatch.setattr(refusal, name, value)
    monkeypatch.setattr(refusal, "RATES", {name: rates[2:3] for name, rates in RATES.items()})
    monkeypatch.setattr(refusal, "PATH", tmp_path / "refusal.json")
    monkeypatch.setattr(refusal, "KEPT", tmp_path / "refusal.unfinished")
    return tmp_path


@pytest.mark.usefixtures("small")
def test_a_run_goes_the_same_way_wherever_it_is_stopped_to_measure():
    setting = _Setting(FULL, RIGHT, 4, ADAPTER, 1e-2, 0, 0)
    without, with_stop = _run(setting), _run(setting._replace(stop=1))
    assert without["curve"] == with_stop["curve"]
    assert with_stop["right"] == pytest.approx(with_stop["curve"][0], abs=1e-4)


def test_a_model_that_refuses_is_made_once(small):
    made = _kept(ADAPTER, 0)
    assert [file.name for file in small.iterdir()] == [f"refusal-{ADAPTER}-0.unfinished"]
    assert all(map(torch.equal, made.parameters(), _kept(ADAPTER, 0).parameters()))
    assert _refusing(ADAPTER, 0) is not made


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data["opened"].pop(),
        lambda data: data["refusing"].pop(),
        lambda data: data["opened"][0]["right"].pop(),
        lambda data: data["opened"][0]["curve"].pop(),
    ],
)
def test_a_record_that_is_not_whole_is_refused(tmp_path, damage):
    data = json.loads(PATH.read_text())
    damage(data)
    path = tmp_path / "refusal.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="is not whole. Run `python -m compute.experiments.refusal`"):
        load_refusal(path)


def test_its_recipe_makes_the_record_and_cleans_up(small):
    refusal.RECIPE.make([])
    recorded = load_refusal(small / "refusal.json")
    assert [(each.way, each.says, each.count, each.r) for each in recorded.opened] == plan()
    assert [file.name for file in small.iterdir()] == ["refusal.json"]
