"""The settings of a live run: every field is checked, and what a run has no use for makes no other run."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.experiments.runs import RECORDED_RANKS, load
from compute.model.layers import BLOCKS, TARGET_MODULES
from compute.training.config import INITS, TrainConfig
from compute.training.config import METHODS as METHODS_OF_A_RUN
from widgets.live.settings import (
    FIELDS,
    METHODS,
    STEPS,
    USUAL,
    allow,
    configs,
    describe,
    read,
    same_but_r,
    sweep,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=9), inside, max_size=3),
    max_leaves=5,
)


def asked(**changed) -> dict:
    return read(json.dumps(USUAL | changed))


@pytest.fixture
def at_most_100_steps():
    allow(100)
    yield
    allow(STEPS[1])


def test_who_serves_says_how_many_steps_a_run_may_have(at_most_100_steps):
    assert asked()["steps"] == USUAL["steps"] == 100
    with pytest.raises(
        ValueError, match=r"^Steps = 400 is not possible: a whole number from 25 to 100, in steps of 25\.$"
    ):
        asked(steps=400)
    [field] = [field for field in describe()["fields"] if field["name"] == "steps"]
    assert (field["default"], field["allowed"]) == (100, (25, 100))
    assert {config.steps for config in sweep(asked())} == {100}


def test_the_usual_settings_are_the_recorded_runs():
    both = configs(asked())
    for name, r in (("lora", 1), ("full", "full")):
        kept = load("new facts", r).config
        assert {key: getattr(both[name], key) for key in kept} == kept


def test_the_form_has_a_field_for_every_part_of_a_config_that_it_may_change():
    left_out = {"batch_size"}  # it makes a run slow, not different
    assert {field.name for field in FIELDS} - {"full_learning_rate", "facts"} == set(
        TrainConfig.__dataclass_fields__
    ) - left_out
    assert json.loads(json.dumps(describe()))["fields"][0]["label"] == "Task"


@given(st.sampled_from([field.name for field in FIELDS]), JSON)
def test_any_value_gives_configs_or_a_sentence(name, value):
    settings = said = None
    try:
        settings = read(json.dumps(USUAL | {name: value}))
    except ValueError as refusal:
        said = str(refusal)
    if settings is None:
        assert said.endswith(".")
        return
    assert configs(settings)
    *loras, full = sweep(settings)
    assert full.method == "full"
    assert [run.r for run in loras] == [
        r for r in RECORDED_RANKS if settings["init"] != "orthogonal" or r > 1
    ]


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{}", "{", '"legal"', "[" * 10**5, json.dumps({"task": "legal"})]
)
def test_what_is_no_settings_is_refused(text):
    with pytest.raises(ValueError, match="cannot be read"):
        read(text)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"r": 65}, "Rank r = 65 is not possible: a whole number from 1 to 64."),
        ({"r": 4.5}, "Rank r = 4.5 is not possible: a whole number from 1 to 64."),
        ({"steps": 60}, "Steps = 60 is not possible: a whole number from 25 to 2,000, in steps of 25."),
        ({"learning_rate": None}, "Learning rate, adapter = None is not possible: from 1e-06 to 10."),
        ({"learning_rate": float("nan")}, "Learning rate, adapter = nan is not possible: from 1e-06 to 10."),
        (
            {"init": "orthogonal", "r": 3},
            "The orthogonal start pairs directions, so r must be even: r = 3 is not possible.",
        ),
        ({"init": "C=0"}, "These settings cannot be read."),
        ({"target_modules": []}, "LoRA needs at least one of these to adapt: Adapted matrices. Tick one."),
        ({"layers": []}, "LoRA needs at least one of these to adapt: Adapted blocks. Tick one."),
    ],
)
def test_a_refusal_names_what_is_possible(changed, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        asked(**changed)


def test_full_finetuning_is_one_run_whatever_lora_is_set_to():
    one = configs(asked())["full"]
    other = configs(
        asked(
            r=8, alpha=2.0, init="PiSSA", learning_rate=0.1, target_modules=["q_proj"], train_embeddings=True
        )
    )["full"]
    assert one == other
    assert one != configs(asked(full_learning_rate=3e-4))["full"]


OTHERS = [method for method in METHODS if method not in ("both", "lora", "full")]


@pytest.mark.parametrize("method", OTHERS)
def test_another_method_is_one_run_whatever_it_has_no_use_for(method):
    usual = configs(asked(method=method))
    assert {name: run.method for name, run in usual.items()} == {method: method}
    assert configs(asked(method=method, init="PiSSA", full_learning_rate=0.1)) == usual
    assert configs(asked(method=method, learning_rate=0.1)) != usual
    sized = method not in ("ia3", "bitfit")
    assert (configs(asked(method=method, r=8)) != usual) == sized
    assert (configs(asked(method=method, target_modules=["q_proj"])) != usual) == (
        method in ("dora", "adalora", "vera", "lora-xs")
    )
    assert dict(FIELDS[1].allowed)[method]


def test_every_method_can_be_asked_for():
    assert set(METHODS) - {"both"} == set(METHODS_OF_A_RUN)


def test_the_order_of_ticked_matrices_makes_no_other_run():
    one, other = (
        configs(asked(method="lora", target_modules=names))
        for names in (["q_proj", "v_proj"], ["v_proj", "q_proj"])
    )
    assert one == other
    assert list(one) == ["lora"]
    assert configs(asked())["lora"].target_modules == TARGET_MODULES


def test_ticked_blocks_are_numbers_in_one_order():
    assert configs(asked(layers=["2", "0"]))["lora"].layers == (0, 2)
    assert configs(asked())["lora"].layers == BLOCKS
    assert configs(asked(layers=["1"]))["full"] == configs(asked())["full"]
    with pytest.raises(ValueError, match="cannot be read"):
        asked(layers=[1])


def test_a_whole_number_that_a_browser_sends_without_a_point_is_the_same_run():
    assert configs(asked(alpha=8)) == configs(asked(alpha=8.0))
    assert isinstance(configs(asked(alpha=8))["lora"].alpha, float)


@pytest.mark.parametrize("init", INITS)
def test_every_init_can_be_asked_for(init):
    assert configs(asked(init=init, r=2))["lora"].init == init
    assert dict(next(field for field in FIELDS if field.name == "init").allowed)[init]


def test_a_curve_over_r_holds_for_other_ranks_only():
    assert same_but_r(asked(), asked(r=8, alpha=16, method="lora"))
    assert not same_but_r(asked(), asked(r=8, method="lora"))  # another scaling
    assert not same_but_r(asked(), asked(task="new words"))
    assert not same_but_r({}, asked())
