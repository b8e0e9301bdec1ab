"""Runs that share the one loop: a short run is a run, and what a caller cannot honour it refuses."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch

from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.training.config import Diverged, TrainConfig
from compute.training.first_steps import model_steps, small_steps
from compute.training.loop import evaluate, train
from compute.training.short_runs import finetuned, first_gain
from compute.training.subspace import train_in_subspace

torch.set_num_threads(1)
pytestmark = pytest.mark.usefixtures("brief_evaluations")
SHORT = TrainConfig(task="medical voice", steps=3, batch_size=4, r=2, n_texts=64)
OTHER = {
    "task": "code voice",
    "method": "dora",
    "r": 2,
    "alpha": 3.0,
    "scaling_rule": "alpha/sqrt(r)",
    "target_modules": ("q_proj",),
    "layers": (1,),
    "init": "A=0",
    "learning_rate": 1e-3,
    "optimizer": "sgd",
    "steps": 2,
    "batch_size": 3,
    "seed": 7,
    "train_embeddings": True,
    "base_format": "int2",
    "n_texts": 5,
    "base_share": 0.5,
}
ADAPTER = {
    "r",
    "alpha",
    "scaling_rule",
    "target_modules",
    "layers",
    "init",
    "train_embeddings",
    "base_format",
}
WHOLE = TrainConfig(method="full", steps=3, batch_size=4)
CALLERS = {  # what is called, with which config at first, and the fields that it refuses
    "small_steps": (
        small_steps,
        TrainConfig(steps=3),
        {"task", "method", "target_modules", "layers", "batch_size", "train_embeddings", "base_format"}
        | {"n_texts", "base_share"},
    ),
    "model_steps": (
        lambda config: model_steps(config, BASE),
        TrainConfig(steps=3, batch_size=4),
        {"method"},
    ),
    "first_gain": (
        lambda config: first_gain(config, BASE),
        TrainConfig(batch_size=4),
        {"method", "init", "train_embeddings"},
    ),
    "train_in_subspace": (
        lambda config: train_in_subspace(config, D=3, seed=0, base=BASE),
        WHOLE,
        ADAPTER | {"method", "optimizer"},
    ),
}
INDIFFERENT = {"first_gain": {"learning_rate", "steps"}}  # one step is asked about, for each rate
BASE = load_base()


def outcome(found: object) -> object:
    """Return what two calls can be compared by."""
    return [p.tolist() for p in found.parameters()] if isinstance(found, GPT) else found


def test_every_field_has_another_value_to_try():
    assert OTHER.keys() == {field.name for field in fields(TrainConfig)}


@pytest.mark.parametrize("name", OTHER)
@pytest.mark.parametrize("caller", CALLERS)
def test_a_field_changes_something_or_is_refused(caller, name):
    call, config, refused = CALLERS[caller]
    other = replace(config, **{name: OTHER[name]})
    if name in refused:
        with pytest.raises(ValueError, match=name):
            call(other)
    else:
        assert (outcome(call(other)) == outcome(call(config))) == (name in INDIFFERENT.get(caller, ()))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"method": "adalora"},
        {"base_format": "int3"},
        {"n_texts": 3},
        {"base_share": 0.5},
        {"train_embeddings": True},
    ],
    ids=str,
)
def test_a_short_run_ends_where_the_whole_one_does(changed):
    config = replace(SHORT, **changed)
    *_, result = train(config, BASE, evaluate_every=config.steps, strengths=())
    assert evaluate(finetuned(config, BASE), config.task, config.n_texts) == result.evaluation


def test_a_short_run_diverges_where_the_lab_says_so():
    config = replace(SHORT, method="full", optimizer="sgd", learning_rate=1.0, steps=9)
    *records, end = train(config, BASE, evaluate_every=config.steps)
    assert isinstance(end, Diverged)
    assert len(records) > 1
    assert finetuned(replace(config, steps=len(records)), BASE) is not None
    assert finetuned(replace(config, steps=len(records) + 1), BASE) is None
