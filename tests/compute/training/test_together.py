"""Runs that train side by side come to what each comes to alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from compute.adapters.adapted import adapted_layers
from compute.model.checkpoint import load_base
from compute.training.config import TrainConfig
from compute.training.loop import prepare, steps, steps_of, updates
from compute.training.together import Together, train_together
from helpers.cuda import on_cuda

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def exactly():
    """Compute in float64: Adam divides gradients by their own size, so that rounding is as large as a step."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def world():
    """Return the base."""
    return load_base().double()


def runs(**more) -> list[TrainConfig]:
    """Return runs that differ in all that they may differ in."""
    usual = {"task": "new facts", "n_texts": 16, "steps": 6, "batch_size": 4, "r": 2, **more}
    apart = ((1, 1e-3, 0), (8, 1e-2, 1), (0.5, 3e-2, 0))
    return [TrainConfig(**usual, alpha=alpha, learning_rate=rate, seed=seed) for alpha, rate, seed in apart]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_each_run_is_what_it_is_alone(optimizer):
    base, configs = world(), runs(optimizer=optimizer)
    for config, model in zip(configs, train_together(configs, base), strict=True):
        alone = prepare(config, base)
        for _ in updates(alone, config):
            pass
        for (name, one), (_, other) in zip(adapted_layers(model), adapted_layers(alone), strict=True):
            for part in ("lora_A", "lora_B"):
                ours, theirs = getattr(one, part), getattr(other, part)
                assert torch.allclose(ours, theirs, rtol=1e-6, atol=1e-7), (name, part)


def test_lora_b_can_have_a_learning_rate_of_its_own():
    base, configs, ratios = world(), runs(), (16, 1, 0.25)
    for config, ratio, model in zip(configs, ratios, train_together(configs, base, ratios), strict=True):
        alone = prepare(config, base)
        factors = {part: [] for part in ("lora_A", "lora_B")}
        for name, p in alone.named_parameters():
            if p.requires_grad:
                factors[name[-6:]].append(p)
        rates = {"lora_A": config.learning_rate, "lora_B": ratio * config.learning_rate}
        optimizer = torch.optim.AdamW([{"params": factors[part], "lr": rates[part]} for part in rates])
        for _ in steps(lambda batch, model=alone: model.loss(*batch), steps_of(config, 64), optimizer):
            pass
        for (name, one), (_, other) in zip(adapted_layers(model), adapted_layers(alone), strict=True):
            for part in factors:
                ours, theirs = getattr(one, part), getattr(other, part)
                assert torch.allclose(ours, theirs, rtol=1e-6, atol=1e-7), (name, part)


def test_whole_texts_are_learned_from_as_well():
    base, configs = world(), runs(task="formal voice", steps=2)
    model, *_ = train_together(configs, base)
    alone = prepare(configs[0], base)
    for _ in updates(alone, configs[0]):
        pass
    ours, theirs = (each.blocks[2].mlp.up_proj.lora_B for each in (model, alone))
    assert torch.allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def test_a_run_that_diverges_takes_no_other_along():
    calm, wild = runs(task="formal voice", optimizer="sgd", steps=6)[:2]
    wild = TrainConfig(**{**vars(wild), "learning_rate": 10, "alpha": 1024})
    one, other = train_together([calm, wild], world())
    assert other is None
    assert all(torch.isfinite(layer.lora_B).all() for _, layer in adapted_layers(one))


def test_runs_of_any_rank_and_rule_stand_beside_each_other_and_what_is_filled_up_stays_zero():
    usual = {"task": "who had it first", "n_texts": 16, "steps": 6, "batch_size": 4}
    apart = ((1, "alpha/r", 8, 1e-2, 0), (3, "alpha/sqrt(r)", 4, 3e-3, 1), (8, "alpha/r", 16, 1e-3, 2))
    configs = [
        TrainConfig(**usual, r=r, scaling_rule=rule, alpha=alpha, learning_rate=rate, seed=seed)
        for r, rule, alpha, rate, seed in apart
    ]
    runs, losses = Together(configs, world(), torch.device("cpu")), []
    for each in runs.losses():
        losses.append(each.tolist())
        for _, layer in adapted_layers(runs._joint):
            for i, config in enumerate(configs):
                for filled in (layer.lora_A[i, config.r :], layer.lora_A.grad[i, config.r :]):
                    assert not filled.any()
                for filled in (layer.lora_B[i, :, config.r :], layer.lora_B.grad[i, :, config.r :]):
                    assert not filled.any()
    for config, model, own in zip(configs, runs.models(), zip(*losses, strict=True), strict=True):
        alone = prepare(config, world())
        assert [*updates(alone, config)] == pytest.approx(own, rel=1e-9)
        for (name, one), (_, other) in zip(adapted_layers(model), adapted_layers(alone), strict=True):
            for part in ("lora_A", "lora_B"):
                ours, theirs = getattr(one, part), getattr(other, part)
                assert ours.shape == theirs.shape
                assert torch.allclose(ours, theirs, rtol=1e-6, atol=1e-7), (name, part)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_recorded_step_of_them_all_is_the_plain_one(optimizer, monkeypatch):
    configs = runs(optimizer=optimizer)
    plain = [each.tolist() for each in Together(configs, world(), torch.device("cpu")).losses()]
    graphs = on_cuda(monkeypatch)
    again = [each.tolist() for each in Together(configs, world(), torch.device("cpu")).losses()]
    assert [graph.played for graph in graphs] == [3, 3]
    for one, other in zip(again, plain, strict=True):
        assert one == pytest.approx(other, rel=1e-9)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"n_texts": 17}, "differ in r, alpha, scaling_rule, learning_rate, seed alone"),
        ({"init": "PiSSA"}, "not from PiSSA"),
        ({"train_embeddings": True}, "without embeddings"),
        ({"method": "dora"}, "are LoRA runs"),
    ],
)
def test_runs_that_cannot_train_together_are_refused(changed, told):
    one, other, _ = runs()
    with pytest.raises(ValueError, match=told):
        train_together([replace(one, **changed), other], world())
