"""Places and budgets: counts are those of peft and of our own adapters, and what is recorded is whole."""

from __future__ import annotations

import copy
import itertools
import json
import math
import warnings
from statistics import fmean

import pytest
import torch
from scipy import stats

from compute.adapters.layer import lora_layers
from compute.adapters.placing import BUDGET, MOST, as_config, cells, code_of, numbers_at, rank_within
from compute.experiments import placing
from compute.experiments.placing import (
    ALL,
    CODES,
    FULL,
    PATH,
    RATES,
    SEEDS,
    TASKS,
    WAYS,
    config_of,
    load_placing,
)
from compute.model.checkpoint import load_base
from compute.model.layers import BLOCKS, SHAPES, TARGET_MODULES
from compute.training.loop import prepare
from compute.training.short_runs import outcomes
from compute.world.tasks import FACTS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what other libraries say while they are imported is not ours
    import peft

torch.set_num_threads(1)

EVERY = ["".join(digits) for digits in itertools.product("0127", "05", "7", "03", "6", "4")]


@pytest.fixture(scope="module")
def base():
    return load_base()


def test_the_shapes_are_those_of_the_model(base):
    for block in BLOCKS:
        layers = dict(base.blocks[block].named_modules())
        found = {
            name.rpartition(".")[2]: (layer.out_features, layer.in_features)
            for name, layer in layers.items()
            if name.endswith("_proj")
        }
        assert found == SHAPES
    assert len(base.blocks) == len(BLOCKS)
    assert tuple(SHAPES) == TARGET_MODULES


@pytest.mark.parametrize("code", ["707000", "000033", "222222", "100000"])
def test_the_numbers_are_those_of_peft_and_of_ours(code, base):
    names, layers = as_config(code)
    r = rank_within(code)
    theirs = peft.get_peft_model(
        copy.deepcopy(base),
        peft.LoraConfig(
            r=r, target_modules=list(names), layers_to_transform=list(layers), layers_pattern="blocks"
        ),
    )
    ours = prepare(config_of("new facts", code, 1e-3, 0), base)
    assert theirs.get_nb_trainable_parameters()[0] == numbers_at(code, r)
    assert sum(p.numel() for p in ours.parameters() if p.requires_grad) == numbers_at(code, r)
    assert len(dict(lora_layers(ours))) == len(cells(code))


def test_the_rank_is_the_one_that_comes_closest():
    for code in EVERY:
        off = {r: abs(numbers_at(code, r) - BUDGET) for r in range(1, MOST + 1)}
        r = rank_within(code)
        assert off[r] == min(off.values())
        assert r == max(each for each, gap in off.items() if gap == off[r])
    for code in CODES:
        assert abs(numbers_at(code, rank_within(code)) / BUDGET - 1) < 0.03


def test_a_code_names_its_places_and_a_config_only_whole_ones():
    for names, layers in itertools.product(
        [TARGET_MODULES[:1], TARGET_MODULES[1:4], TARGET_MODULES], [(0,), (0, 2)]
    ):
        code = code_of(names, layers)
        assert as_config(code) == (names, layers)
        assert set(cells(code)) == set(itertools.product(names, layers))
    assert as_config("000000") is None
    assert as_config("120000") is None


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: cells("8"), "code must be 6 digits from 0 to 7, got '8'"),
        (lambda: cells("77777８"), "code must be 6 digits"),
        (lambda: rank_within("000000"), "At least one place must have an adapter"),
        (
            lambda: config_of("new facts", "120000", 1e-3, 0),
            "code must name the same matrices in each block, got 120000",
        ),
    ],
)
def test_what_is_no_set_of_places_is_refused(call, told):
    with pytest.raises(ValueError, match=told):
        call()


def test_what_is_recorded_is_whole_and_small():
    recorded = load_placing()
    assert PATH.stat().st_size < 50_000
    assert len(set(WAYS)) == len(WAYS)
    for task, runs in recorded.runs.items():
        assert recorded.before[task]["facts"] > 0.95
        for placed in runs.values():
            assert max(placed.loss) < recorded.before[task]["loss"]


@pytest.mark.parametrize("task", TASKS)
def test_every_rate_is_the_best_of_those_tried_and_lies_inside_them(task):
    for way, placed in load_placing().runs[task].items():
        tried = {float(rate): loss for rate, loss in placed.tried.items()}
        assert placed.rate == min(tried, key=lambda rate: math.inf if tried[rate] is None else tried[rate])
        assert min(tried) < placed.rate < max(tried), way
        at = [RATES.index(rate) for rate in sorted(tried)]
        assert at == [*range(at[0], at[-1] + 1)]  # none is left out between them


def test_recorded_is_what_training_gives(base, monkeypatch):
    short = {"steps": 2, "batch_size": 2, "n_texts": 512}
    monkeypatch.setitem(TASKS, FACTS, short)
    asked = placing._Asked(FACTS, "200000", 1e-2, SEEDS[1], "test")
    found = placing._run(asked)
    wanted = outcomes(config_of(FACTS, "200000", 1e-2, SEEDS[1]), ("test",), base)["test"]
    assert found["loss"] == pytest.approx(wanted.loss, abs=1e-3)
    assert found["right"] == pytest.approx(wanted.task, abs=1e-3)
    assert found["facts"] == pytest.approx(wanted.facts, abs=0.05)  # of fewer people
    assert placing._run(asked._replace(split="validation")) == found["loss"]  # the same facts
    monkeypatch.setitem(TASKS, FACTS, {**short, "steps": 50, "optimizer": "sgd"})
    assert placing._run(asked._replace(way=FULL, rate=10.0)) is None


@pytest.mark.parametrize("task", TASKS)
def test_differences_are_paired(task):
    recorded = load_placing()
    for code in ("700000", "000077", FULL):
        one, other = recorded.runs[task][code].loss, recorded.runs[task][ALL].loss
        gap = recorded.apart(task, code)
        theirs = stats.ttest_rel(one, other).confidence_interval(0.95)
        assert gap == pytest.approx((fmean(one) - fmean(other), theirs.low, theirs.high))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (None, "is missing"),
        (lambda data: data.pop("before"), "is damaged"),
        (lambda data: data["before"].pop("formal voice"), "is not whole"),
        (lambda data: data["runs"]["formal voice"].pop("707000"), "is not whole"),
        (lambda data: data["runs"]["formal voice"].pop("full"), "is not whole"),
        (lambda data: data["runs"]["formal voice"]["707000"]["loss"].pop(), "is not whole"),
        (lambda data: data["runs"]["formal voice"]["707000"].pop("facts"), "is damaged"),
        (lambda data: data["runs"]["formal voice"]["707000"].update(rate=0.5), "is not whole"),
        (lambda data: data.update(base="x"), "started from another base model"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(change, told, tmp_path):
    path = tmp_path / "placing.json"
    if change:
        data = json.loads(PATH.read_text(encoding="utf-8"))
        change(data)
        path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(
        ValueError, match=rf"The file placing.json {told}. Run `python -m compute.experiments.placing`."
    ):
        load_placing(path)
