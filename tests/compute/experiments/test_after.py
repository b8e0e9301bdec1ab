"""Tasks in a row and updates taken apart: the steps are those of a run, and the figures say what is recorded."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from compute.experiments import after
from compute.experiments.after import (
    CHECKPOINTS,
    EACH,
    FILE,
    ONE,
    SEEDS,
    SEQUENCES,
    SPLIT_RUNS,
    WAYS,
    Stage,
    after_config,
    load_after,
)
from compute.model.checkpoint import load_base
from compute.model.completed import completed_share
from compute.model.gpt import GPT
from compute.model.layers import LAYERS
from compute.model.sampling import voice_shares
from compute.training.config import TrainConfig
from compute.training.loop import evaluate, learned, prepare, train, updates
from helpers.instruments import gaps, is_shown, numbers, printed_by, templates
from widgets.magnitude import Magnitude
from widgets.magnitude.words import LAYER_KINDS, TASK_NAMES
from widgets.sequence import LAST, MEASURES, ORDERS, Sequence

torch.set_num_threads(1)

ROUNDING = 1e-5  # float32 sums in another order


@pytest.fixture(scope="module")
def base() -> GPT:
    return load_base()


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_updates_are_those_of_a_run(method, base):
    config = TrainConfig(task="code", method=method, steps=3, batch_size=4, base_share=0.5)
    model = prepare(config, base)
    assert len([*updates(model, config)]) == 3
    *_, result = train(config, base)
    assert evaluate(model, "code")[:2] == pytest.approx(result.evaluation[:2], abs=ROUNDING)


def test_a_second_task_goes_on_from_the_first(base):
    first, second = (TrainConfig(task=task, steps=2, batch_size=4) for task in ("legal", "code"))
    model = prepare(first, base)
    list(updates(model, first))
    before = {name: change.clone() for name, change in learned(model, base).items()}
    list(updates(model, second))
    fresh = prepare(second, base)
    list(updates(fresh, second))
    for name, change in learned(model, base).items():
        assert not torch.equal(change, before[name])
        assert not torch.equal(change, learned(fresh, base)[name])


def test_what_is_completed_is_told_exactly(base):
    assert completed_share(base, "new language", 40, 0) == 0.0  # the base has never read it
    known = completed_share(base, "plain", 40, 0)
    assert known > 0.9
    assert known > voice_shares(base, 40, 0)["plain"]  # begun in the voice, it is ended in it
    assert completed_share(base, "plain", 40, 0) == known


def test_a_library_asks_each_adapter_for_its_own():
    def stage(value: float) -> Stage:
        return Stage({"legal": value, "code": value + 1, "base": value + 2}, {"legal": value, "code": -value})

    base, adapters = stage(0.0), {"legal": stage(5.0), "code": stage(7.0)}
    nothing, first, both = after._library(base, adapters, ("legal", "code"))
    assert (nothing.loss, nothing.share) == ({**base.loss}, {**base.share})
    assert first.loss == {"legal": 5.0, "code": 1.0, "base": 2.0}
    assert both.loss == {"legal": 5.0, "code": 8.0, "base": 2.0}
    assert both.share == {"legal": 5.0, "code": -7.0}


def test_an_update_is_taken_apart_at_each_checkpoint(base, monkeypatch):
    short = TrainConfig(task="legal", r=2, steps=3, batch_size=4)
    monkeypatch.setattr(after, "after_config", lambda *_: short)
    one, other = after._split(base, 2, "legal", steps=(1, 3))
    assert len(one) == len(other) == len(LAYERS)
    assert all(b.direction > a.direction >= 0 for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data.pop("splits"), "is damaged"),
        (lambda data: data["sequences"].pop("known"), "is not whole"),
        (lambda data: data["sequences"]["known"].pop(EACH), "is not whole"),
        (lambda data: data["sequences"]["known"][ONE][0].pop(), "is not whole"),
        (lambda data: data["sequences"]["known"][ONE][0][0]["loss"].pop("base"), "is not whole"),
        (lambda data: data["splits"]["legal"]["4"][0].pop(), "is not whole"),
        (lambda data: data["splits"]["legal"]["4"][0][0].pop(), "is damaged"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(change, told, tmp_path):
    data = json.loads(FILE.read_text(encoding="utf-8"))
    change(data)
    path = tmp_path / "after.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(
        ValueError, match=f"The file after.json {told}. Run `python -m compute.experiments.after`"
    ):
        load_after(path)


def test_what_is_recorded_is_consistent():
    assert FILE.stat().st_size < 60_000
    for name, tasks in SEQUENCES.items():
        ways = load_after().sequences[name]
        starts = [stages[0] for seeds in ways.values() for stages in seeds]
        assert all(start == starts[0] for start in starts)  # the base
        for stages in ways[EACH]:
            for task in tasks:  # nothing that was learned changes again
                learned_at = 1 + tasks.index(task)
                assert len({stage.loss[task] for stage in stages[learned_at:]}) == 1
            assert len({stage.loss["base"] for stage in stages}) == 1
        for one, each in zip(ways[ONE], ways[EACH], strict=True):
            assert one[1].loss[tasks[0]] == each[1].loss[tasks[0]]  # the same run
    assert {after_config(way, "legal").method for way in (*WAYS, *SPLIT_RUNS)} == {"lora", "full"}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("measure", MEASURES)
def test_the_sequence_says_what_is_recorded(order, measure):
    name = order.replace("-", " ")
    first = SEQUENCES[name][0]
    for stage in range(LAST + 1):
        figure = Sequence(order=order, measure=measure, stage=stage, guess="skip")
        said = figure.sentence()
        assert not gaps(said)
        printed = printed_by(figure.snippet()).splitlines()
        for way, line in zip(WAYS, printed, strict=True):
            seeds = load_after().sequences[name][way]
            mean = sum(getattr(stages[stage], measure)[first] for stages in seeds) / len(SEEDS)
            assert line == f"{way}: {mean:.3f}"
            shown = (100 * mean, 0, True) if measure == "share" else (mean, 9, False)
            assert is_shown(shown, said)
        head, rows = figure.table()
        assert len(rows) == len(WAYS) * len(SEEDS) * (LAST + 1)
        assert all(len(row) == len(head) for row in rows)
    assert "how much is left" in Sequence(order=order).sentence()
    for path, template in templates(Sequence(order=order).words["sentences"]):
        assert gaps(template) <= Sequence(order=order).values(0).keys(), path


@pytest.mark.parametrize("task", TASK_NAMES)
@pytest.mark.parametrize("layers", LAYER_KINDS)
def test_the_correlations_are_numpy_s_and_what_the_code_prints(task, layers):
    figure = Magnitude(task=task, layers=layers, rank="16", way="full-slow", checkpoint=1, guess="skip")
    said, values = figure.sentence(), figure.values(1)
    assert not gaps(said)
    _, rows = figure.table()
    for name, key, start in (("LoRA, r = 16", "correlation", 0), ("slower full finetuning", "control", 1)):
        points = np.array([[float(row[3]), float(row[4])] for row in rows if row[0] == name])
        assert len(points) == len(CHECKPOINTS) * (len(LAYERS) if layers == "all" else 3)
        assert np.corrcoef(points.T)[0, 1] == pytest.approx(
            values[key], abs=0.005
        )  # five decimals in the table
        line = printed_by(figure.snippet()).splitlines()[start]
        assert is_shown(numbers(line.split("correlation ")[1])[0], f"{abs(values[key]):.2f}")
        assert f"{values[key]:.2f}".replace("-", "−") in said
    assert "do rows that turn more" in Magnitude(task=task).sentence()
