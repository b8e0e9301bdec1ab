"""Three bases: the record is whole, its best rates lie inside, the shipped base's runs are what training gives."""

from __future__ import annotations

import json

import pytest
import torch

from compute.experiments import sizes
from compute.experiments.sizes import (
    FULL,
    PATH,
    RANKS,
    SEEDS,
    SIZES,
    WIDTHS,
    R,
    _before,
    _learn,
    _Learning,
    _remember,
    _Remembering,
    load_sizes,
    plan,
)

torch.set_num_threads(1)
SHIPPED = SIZES["n_embd"]


def test_what_is_recorded_is_whole_and_the_best_rates_lie_inside_their_grids():
    recorded = load_sizes()
    assert PATH.stat().st_size < 20_000
    for held in recorded.held:
        rates = [float(rate) for rate in held.tried]
        assert rates == sorted(rates)
        assert rates[0] < held.rate < rates[-1], held
        assert held.tried[f"{held.rate:g}"] == max(held.tried.values())
    for skilled in recorded.skilled:
        assert len(skilled.rate) == len(skilled.tried) == len(SEEDS)
        for rate, tried in zip(skilled.rate, skilled.tried, strict=True):
            rates = [float(each) for each in tried]
            assert rates[0] < rate < rates[-1], skilled
            assert tried[f"{rate:g}"] == min(loss for loss in tried.values() if loss is not None)


def test_the_bases_grow_and_all_read_stories_and_only_the_wider_ones_know_their_facts():
    before = load_sizes().before
    assert [*before] == [*WIDTHS]
    assert [each.numbers for each in before.values()] == sorted(each.numbers for each in before.values())
    assert all(each.stories > 0.9 for each in before.values())
    narrow, *wider = (each.facts for each in before.values())
    assert narrow < 0.5 < 0.99 < min(wider)


def test_the_shipped_base_is_what_is_recorded():
    assert _before(SHIPPED) == pytest.approx(load_sizes().before[SHIPPED], abs=0.01)


def test_a_wider_base_gives_a_rank_more_numbers():
    for width in WIDTHS:
        for r in RANKS:  # three blocks, four square layers and two that are four times as wide
            assert load_sizes().of(width, r).numbers == 3 * r * (4 * 2 + 2 * 5) * width


def test_ratios_are_those_of_each_seed():
    recorded = load_sizes()
    adapted, full = (recorded.skill(SHIPPED, r).rate for r in (R, FULL))
    assert recorded.ratios(SHIPPED) == [one / other for one, other in zip(adapted, full, strict=True)]


def test_a_recorded_run_is_what_training_gives():
    recorded = load_sizes().of(SHIPPED, FULL)
    again = _remember(_Remembering(SHIPPED, FULL, recorded.rate, SEEDS[0]))
    # A hundred steps on another machine, which adds in another order.
    assert again["right"] == pytest.approx(recorded.right[0], abs=0.01)
    skilled = load_sizes().skill(SHIPPED, FULL)
    learned = _learn(_Learning(SHIPPED, FULL, SEEDS[0], skilled.rate[0], "test"))
    assert learned["right"] == pytest.approx(skilled.right[0], abs=0.03)
    assert learned["facts"] == pytest.approx(skilled.facts[0], abs=0.05)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data["held"].pop(),
        lambda data: data["skilled"][0]["right"].pop(),
        lambda data: data["before"].popitem(),
    ],
)
def test_a_record_that_is_not_whole_is_refused(tmp_path, damage):
    data = json.loads(PATH.read_text())
    damage(data)
    path = tmp_path / "sizes.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="is not whole. Run `python -m compute.experiments.sizes`"):
        load_sizes(path)


def test_its_recipe_reads_a_base_and_goes_on_where_it_was_stopped(tmp_path, monkeypatch, brief):
    """With a base of width 16 that reads for two steps, everything once."""
    small = {"WIDTHS": (16,), "RANKS": (1,), "SEEDS": (0,), "COUNT": 4, "STEPS": 2, "SKILL_STEPS": 1}
    small["READ_STEPS"] = 2
    rates = {"FACT_RATES": {"lora": (1e-3,), "full": (1e-3,)}, "FACT_LADDER": (1e-3,)}
    rates |= {"SKILL_RATES": {"lora": (1e-3,), "full": (1e-3,)}, "SKILL_LADDER": (1e-3,)}
    paths = {"PATH": tmp_path / "sizes.json", "KEPT": tmp_path / "kept", "RECORDS": tmp_path}
    for name, value in {**small, **rates, **paths}.items():
        monkeypatch.setattr(sizes, name, value)
    kept = {"right": 0.5, "nats": 1.0, "steps": 2, "numbers": 864}
    (tmp_path / "kept").write_text(json.dumps([repr(_Remembering(16, 1, 1e-3, 0)), kept]) + "\n")
    sizes.RECIPE.make([])
    data = json.loads((tmp_path / "sizes.json").read_text())
    data.pop("base")
    recorded = sizes._built(data)
    assert [(each.width, each.r) for each in recorded.held] == plan()[0]
    assert recorded.of(16, 1).right == [0.5]  # as kept, not made again
    assert recorded.of(16, FULL).right != [0.5]
    assert recorded.before[16].facts < 0.5
    assert [path.name for path in tmp_path.iterdir()] == ["sizes.json"]
