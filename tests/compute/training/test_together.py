"""Runs that train side by side come to what each comes to alone."""

from __future__ import annotations

import pytest
import torch

from compute.adapters.adapted import adapted_layers
from compute.model.checkpoint import load_base
from compute.training.config import TrainConfig
from compute.training.loop import prepare, steps, steps_of, updates
from compute.training.together import train_together

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


def test_runs_that_differ_in_more_are_refused():
    one, other, _ = runs()
    with pytest.raises(ValueError, match="differ in alpha, rate and seed alone"):
        train_together([one, TrainConfig(**{**vars(other), "r": 3})], world())
