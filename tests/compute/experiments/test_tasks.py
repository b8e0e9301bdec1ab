"""What each task needs: the record is whole, its best rates lie inside their grids, its recipe makes it."""

from __future__ import annotations

import json
from dataclasses import replace
from statistics import fmean

import pytest
import torch

from compute.adapters.peft_format import EMBEDDINGS
from compute.experiments import tasks
from compute.experiments.tasks import (
    EMBEDDED,
    FULL,
    MEASURED,
    PATH,
    PER_SEED,
    RANKS,
    SEEDS,
    SUSPECTS,
    _loss,
    _tried,
    config_of,
    load_tasks,
    plan,
    rates_of,
    way_of,
    ways,
)
from compute.model.checkpoint import load_base
from compute.numbers.interval import Apart
from compute.world.tasks import NEW_WORDS, TELLING

torch.set_num_threads(1)


def test_what_is_recorded_is_whole():
    recorded = load_tasks()
    assert PATH.stat().st_size < 100_000
    assert set(recorded.floor) == set(MEASURED) & set(TELLING)
    for each in recorded.learned:
        assert all(len(getattr(each, name)) == len(SEEDS) for name in PER_SEED)
        assert all(0 <= share <= 1 for share in each.task_right + each.facts + each.stories)
        assert len({*zip(each.loss, each.base_loss, strict=True)}) == len(SEEDS), "a seed is a run of its own"
        if each.task in recorded.floor:
            assert min(each.loss) > recorded.floor[each.task]
        assert max(each.loss) < recorded.before[each.task]["loss"]


@pytest.mark.parametrize(("task", "way"), plan())
def test_the_best_rate_lies_inside_its_grid(task, way):
    learned = load_tasks().of(task, way)
    rates = rates_of(way)
    assert [float(rate) for rate in learned.tried] == list(rates)
    ended = {rate: loss for rate, loss in zip(rates, learned.tried.values(), strict=True) if loss is not None}
    assert learned.rate == min(ended, key=ended.__getitem__)
    assert rates[0] < learned.rate < rates[-1]


def test_what_learns_is_what_a_way_says():
    recorded, base = load_tasks(), load_base()
    one = recorded.of(MEASURED[0], way_of(1)).numbers
    words = sum(base.get_submodule(name).weight.numel() for name in EMBEDDINGS)
    for task in MEASURED:
        assert [recorded.of(task, way_of(r)).numbers for r in RANKS] == [one * r for r in RANKS]
        assert recorded.of(task, FULL).numbers == sum(p.numel() for p in base.parameters())
    alone, norms, beside = (recorded.of(NEW_WORDS, way).numbers for way in SUSPECTS)
    assert beside == alone + EMBEDDED * one
    assert norms < alone == words


def test_no_rank_of_new_words_comes_near_full_finetuning_and_embeddings_alone_do():
    """The sentences of the lesson, seed by seed."""
    recorded = load_tasks()
    embeddings, norms, beside = (recorded.of(NEW_WORDS, way) for way in SUSPECTS)
    best = min(min(recorded.of(NEW_WORDS, way_of(r)).loss) for r in RANKS)
    assert max(embeddings.loss) < best < min(norms.loss)
    assert max(beside.loss) < best


def test_how_far_two_ways_are_apart_is_of_their_means():
    recorded = load_tasks()
    gap = recorded.apart(NEW_WORDS, way_of(1))
    full = recorded.of(NEW_WORDS, FULL)
    assert gap.mean == pytest.approx(fmean(recorded.of(NEW_WORDS, way_of(1)).loss) - fmean(full.loss))
    assert gap.low < gap.mean < gap.high
    assert recorded.apart(NEW_WORDS, FULL) == Apart(0, 0, 0)


def test_the_least_rank_is_the_first_that_comes_close():
    recorded = load_tasks()
    for task in MEASURED:
        full = fmean(recorded.of(task, FULL).loss)
        gaps = {r: fmean(recorded.of(task, way_of(r)).loss) - full for r in RANKS}
        assert recorded.enough(task, 100) == RANKS[0]
        for nats in (0.02, 0.1):
            close = [r for r in RANKS if gaps[r] <= nats]
            assert recorded.enough(task, nats) == (close[0] if close else None)


def test_a_run_is_measured_on_both_splits():
    config = replace(config_of(NEW_WORDS, SUSPECTS[0], 1e-2, 0), steps=2, batch_size=2)
    found = _tried(config)
    assert set(found) == {"validation", "test"}
    assert found["test"]["numbers"] == load_tasks().of(NEW_WORDS, SUSPECTS[0]).numbers
    assert found["test"]["loss"] < load_tasks().before[NEW_WORDS]["loss"]
    assert found["test"]["loss"] != found["validation"]["loss"]


def test_a_rate_is_chosen_by_validation_texts_and_not_by_the_test():
    assert _loss({"validation": {"loss": 1.0}, "test": {"loss": 3.0}}) == 1.0
    assert _loss(None) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data["learned"].pop(),
        lambda data: data["learned"][0]["loss"].pop(),
        lambda data: data["learned"][-1]["stories"].pop(),
        lambda data: data["before"].popitem(),
    ],
)
def test_a_record_that_is_not_whole_is_refused(tmp_path, damage):
    data = json.loads(PATH.read_text())
    damage(data)
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match=r"is not whole. Run `python -m compute.experiments.tasks`"):
        load_tasks(path)


def _made_up(config) -> dict | None:
    """Return what a run might come to: best at 0.003, higher with every seed; the highest rate diverges."""
    if config.learning_rate == 1e-2:
        return None
    loss = 1 + abs(config.learning_rate - 3e-3) + config.seed / 10
    end = {"loss": loss, "base_loss": 1, "task": 0.5, "facts": 0.5, "stories": 0.5, "numbers": 9}
    return {"validation": end, "test": end | {"loss": loss + 1}}


def test_its_recipe_takes_the_best_rate_to_all_seeds_and_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    path, kept = tmp_path / "tasks.json", tmp_path / "kept"
    small = {"PATH": path, "KEPT": kept, "MEASURED": ("formal voice",), "RANKS": (1,), "SEEDS": (0, 1)}
    small |= {"RATES": {"lora": (1e-3, 3e-3, 1e-2), FULL: (1e-3, 3e-3, 1e-2)}, "FLOOR_TEXTS": 2}
    for name, value in small.items():
        monkeypatch.setattr(tasks, name, value)
    monkeypatch.setattr(tasks, "_tried", _made_up)
    before = dict.fromkeys(("loss", "base_loss", "task", "facts", "stories"), 0.5)
    monkeypatch.setattr(tasks, "_before", lambda: ({"formal voice": before}, {"formal voice": 0.5}))
    done = _made_up(config_of("formal voice", "r = 1", 3e-3, 0))
    done["test"]["loss"] = 2.5  # as kept, not made again
    kept.write_text(json.dumps([repr(config_of("formal voice", "r = 1", 3e-3, 0)), done]) + "\n")
    tasks.RECIPE.make([])
    recorded = load_tasks(path)
    assert [each.way for each in recorded.learned] == ["r = 1", FULL] == list(ways("formal voice"))
    assert [each.rate for each in recorded.learned] == [3e-3, 3e-3]
    assert recorded.of("formal voice", "r = 1").loss == [2.5, 2.1]
    assert recorded.of("formal voice", FULL).loss == [2.0, 2.1]
    assert recorded.of("formal voice", FULL).tried == {"0.001": 1.002, "0.003": 1, "0.01": None}
    assert not kept.exists()


def test_the_floor_is_that_of_the_texts_and_the_base_lies_above_it(monkeypatch):
    monkeypatch.setattr(tasks, "MEASURED", (NEW_WORDS,))
    before, floors = tasks._before()
    recorded = load_tasks()
    assert floors == {NEW_WORDS: recorded.floor[NEW_WORDS]}
    assert before[NEW_WORDS]["loss"] == pytest.approx(recorded.before[NEW_WORDS]["loss"], abs=0.002)
    assert before[NEW_WORDS]["facts"] == pytest.approx(recorded.before[NEW_WORDS]["facts"], abs=0.01)
