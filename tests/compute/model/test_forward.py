"""The way through the model in NumPy is torch's, place by place, and one adapter by itself is what it says."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from compute.adapters.alone import plus, random_changes, relative_change, switched_on
from compute.adapters.mixed_model import mixed_model
from compute.experiments.block import load_factors
from compute.model.checkpoint import load_base
from compute.model.forward import PROJECTIONS, Places, base_weights, follow
from compute.model.layers import LAYERS, layer_name
from compute.numbers.records import WORLD
from compute.numbers.refusal import FileRefused
from compute.world.tokens import encode

TOKENS = encode("anna is at the mill. ben is at the farm. anna goes")
# torch computes in float32: each number is the sum of at most 256 products, some of size 10, rounded by 2**-24 each.
FLOAT32 = 5e-5
MODULES = {"norm_1": "norm_1", "norm_2": "norm_2"} | {
    writes: layer_name(0, projection).removeprefix("blocks.0.")
    for projection, (_, writes) in PROJECTIONS.items()
}


@pytest.mark.parametrize("adapted", [False, True])
def test_every_place_has_torchs_numbers(adapted):
    model, weights = load_base(), base_weights()
    if adapted:
        adapter = load_factors()
        model, weights = (
            mixed_model(model, [adapter], [1.0], "products"),
            switched_on(weights, adapter, adapter),
        )
    seen = {}
    for block in range(weights.n_layer):
        for place, module in MODULES.items():
            model.get_submodule(f"blocks.{block}.{module}").register_forward_hook(
                lambda _, given, written, at=(block, place): seen.update({at: written[0].detach().numpy()})
            )
        model.get_submodule(f"blocks.{block}").register_forward_hook(
            lambda _, given, written, at=block: seen.update(
                {(at, "into"): given[0][0].detach().numpy(), (at, "out"): written[0].detach().numpy()}
            )
        )
    next_word = model(torch.tensor([TOKENS]))[0].softmax(-1).detach().numpy()
    passed = follow(weights, TOKENS)
    np.testing.assert_allclose(passed.next_word, next_word, atol=FLOAT32)
    assert len(seen) == weights.n_layer * (len(MODULES) + 2)
    for (block, place), expected in seen.items():
        np.testing.assert_allclose(
            getattr(passed.blocks[block], place), expected, atol=FLOAT32, err_msg=place
        )


def test_a_block_adds_up():
    for places in follow(base_weights(), TOKENS).blocks:
        T = len(TOKENS)
        assert tuple(places._fields) == Places._fields
        np.testing.assert_allclose(places.attention.sum(axis=-1), 1)
        assert not np.triu(places.attention, 1).any(), "nothing is taken from what comes later"
        assert places.attention.shape == (4, T, T)
        np.testing.assert_allclose(places.middle, places.into + places.o)
        np.testing.assert_allclose(places.out, places.middle + places.down)


def test_a_later_word_changes_nothing_before_it():
    long, short = follow(base_weights(), TOKENS), follow(base_weights(), TOKENS[:4])
    for before, after in zip(short.blocks, long.blocks, strict=True):
        np.testing.assert_allclose(after.out[:4], before.out, atol=1e-12)


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_an_adapter_alone_adds_delta_w_times_what_its_layer_reads(projection):
    reads, writes = PROJECTIONS[projection]
    adapter, base, name = load_factors(), base_weights(), layer_name(1, projection)
    before, after = follow(base, TOKENS), follow(switched_on(base, adapter, [name]), TOKENS)
    side = getattr(before.blocks[1], reads) @ adapter[name].delta_w.T
    np.testing.assert_allclose(
        getattr(after.blocks[1], writes), getattr(before.blocks[1], writes) + side, atol=1e-12
    )
    np.testing.assert_array_equal(after.blocks[0].out, before.blocks[0].out)


def test_random_matrices_are_as_large_and_leave_the_base_alone():
    base, name = base_weights(), layer_name(2, "up_proj")
    delta_w = load_factors()[name].delta_w
    # A random matrix of norm f moves an input x by f * |x| / sqrt(in) on average.
    places = follow(base, TOKENS).blocks[2]
    expected = np.linalg.norm(delta_w) * np.linalg.norm(places.norm_2) / 8 / np.linalg.norm(places.up)
    [moved] = random_changes(base, name, delta_w, TOKENS, [(2, "up")], draws=20, seed=0)
    assert moved == pytest.approx(expected, rel=0.05)
    assert plus(base, name, delta_w).tensors[f"{name}.weight"] is not base.tensors[f"{name}.weight"]
    with pytest.raises(ValueError, match="read-only"):
        base.tensors[f"{name}.weight"][0, 0] = 1


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(ValueError, match="the adapter has no gate_proj"):
        switched_on(base_weights(), load_factors(), ["gate_proj"])
    with pytest.raises(ValueError, match="against zero"):
        relative_change(np.zeros(3), np.ones(3))
    copy = tmp_path / WORLD.name
    copy.write_bytes(WORLD.read_bytes()[:-1] + b"\0")
    shutil.copy(WORLD.with_suffix(".json"), tmp_path)
    with pytest.raises(FileRefused, match="damaged"):
        base_weights(copy)


def test_the_adapter_has_all_projections():
    assert set(LAYERS) == set(load_factors())
