"""The merged model is the adapted one up to rounding, and each precision rounds the stored weights and nothing else."""

from __future__ import annotations

import pytest
import torch

from compute.adapters.layer import inject, lora_layers, merge
from compute.adapters.merged_model import WAYS, beside, layer_input, merged_losses, with_weights, worn
from compute.model.checkpoint import load_base
from compute.world.batches import texts_of

TASKS = ("formal voice", "new facts")
TEXTS = {task: texts_of(task, "test", 32, 64) for task in TASKS}
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
# Two losses of one model computed on two paths in float32, a mean of 2,048 terms of size 1: some units of 2**-24.
SAME_LOSS = 1e-5


@pytest.fixture(scope="module")
def adapted():
    """Give the base and two adapters that do something, drawn by chance."""
    base = load_base()
    models = {}
    for seed, task in enumerate(TASKS):
        draw = torch.Generator().manual_seed(seed)
        models[task] = inject(base, ["v_proj", "up_proj"], 4, 1, "alpha/r", "both random", draw)
    return base, models


@torch.no_grad()
def loss(model, task: str) -> float:
    return model.loss(*TEXTS[task]).item()


def losses_of(adapted, precision: str, strength: float) -> dict[str, float]:
    base, models = adapted
    return merged_losses(base, [models[t] for t in TASKS], [TEXTS[t] for t in TASKS], precision, strength)


def test_in_fp32_merging_changes_no_loss(adapted):
    base, models = adapted
    losses = losses_of(adapted, "fp32", 1.0)
    assert losses["base"] == loss(base, TASKS[0])
    assert losses["unmerged"] == loss(models[TASKS[0]], TASKS[0]) != losses["base"]
    assert losses["merged"] == pytest.approx(losses["unmerged"], abs=SAME_LOSS)
    assert losses["second_alone"] == pytest.approx(loss(models[TASKS[1]], TASKS[1]), abs=SAME_LOSS)
    assert losses["restored"] == pytest.approx(losses["base"], abs=SAME_LOSS)
    assert losses["second_peeled"] == pytest.approx(losses["second_alone"], abs=SAME_LOSS)
    assert abs(losses["stacked"] - losses["merged"]) > 100 * SAME_LOSS, "the second adapter does something"


@pytest.mark.parametrize("precision", DTYPES)
def test_half_precision_rounds_the_adapted_layers_as_torch_does(adapted, precision):
    base, models = adapted
    losses = losses_of(adapted, precision, 0.5)
    plain = merge(models[TASKS[0]], 0)  # a copy of the base
    for name, _ in lora_layers(models[TASKS[0]]):
        weight = plain.get_submodule(name).weight
        with torch.no_grad():
            weight.copy_(weight.to(DTYPES[precision]).float())
        assert torch.equal(weight, beside(models[TASKS[0]], precision, 1).get_submodule(name).base.weight)
    assert losses["base"] == loss(plain, TASKS[0])
    # The base of the world is stored in fp16, so that there nothing is rounded.
    assert (losses["base"] == loss(base, TASKS[0])) == (precision == "fp16")


def test_strength_scales_what_the_adapter_adds(adapted):
    base, models = adapted
    assert loss(beside(models[TASKS[1]], "fp32", 0), TASKS[1]) == loss(base, TASKS[1])
    half = loss(merge(models[TASKS[1]], 0.5), TASKS[1])
    assert loss(beside(models[TASKS[1]], "fp32", 0.5), TASKS[1]) == pytest.approx(half, abs=SAME_LOSS)
    assert all(layer.scaling == 0.25 for _, layer in lora_layers(models[TASKS[1]])), (
        "the model itself is untouched"
    )


def test_a_layer_is_given_what_it_is_given(adapted):
    base, _ = adapted
    name, tokens = "blocks.1.attention.v_proj", TEXTS[TASKS[0]].tokens[:2, :-1]
    given = layer_input(base, name, tokens)
    assert given.shape == (128, 64)
    block = base.blocks[1]
    with torch.no_grad():
        x = base.embed_tokens(tokens) + base.embed_positions(torch.arange(64))
        assert torch.equal(given, block.norm_1(base.blocks[0](x)).flatten(0, 1))
    assert not base.get_submodule(name)._forward_pre_hooks, "nothing is left hanging on the model"


def test_the_model_is_not_touched(adapted):
    base, _ = adapted
    name = "blocks.1.attention.v_proj"
    before = base.get_submodule(name).weight.clone()
    with_weights(base, {name: 0 * before.detach().numpy()})
    assert torch.equal(base.get_submodule(name).weight, before)


def test_a_worn_base_is_the_base_where_nothing_was_done_and_drifts_only_unrounded(adapted):
    base, models = adapted
    fresh = worn(base, models[TASKS[0]], "bf16", 0, "rounded")
    name = "blocks.1.attention.v_proj"
    start = fresh.get_submodule(name).weight
    assert torch.equal(start, base.get_submodule(name).weight.bfloat16().float())
    off = {
        (way, cycles): float(
            (worn(base, models[TASKS[0]], "bf16", cycles, way).get_submodule(name).weight - start)
            .detach()
            .norm()
        )
        for way in WAYS
        for cycles in (1, 100)
    }
    assert off["rounded", 100] == pytest.approx(off["rounded", 1], rel=0.05)
    assert off["unrounded", 100] > 1.5 * off["unrounded", 1]
