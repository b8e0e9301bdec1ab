"""The mini-model on a quantised base: only linear layers are rounded, they stay frozen, and runs begin there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from compute.experiments.sample_weights import SAMPLE_WEIGHTS, sample_weights
from compute.model.checkpoint import load_base
from compute.model.layers import TARGET_MODULES
from compute.model.quantised import quantised_model
from compute.numbers.quantising import FLOAT32, in_few_bits
from compute.training.config import BASE_FORMATS, TrainConfig
from compute.training.loop import evaluate, train
from compute.world.tasks import FACTS


@pytest.mark.parametrize("base_format", BASE_FORMATS[1:])
def test_the_linear_layers_are_rounded_and_nothing_else(base_format):
    base = load_base()
    stored = quantised_model(base, base_format)
    changed = {name for name, p in stored.named_parameters() if not torch.equal(p, base.get_parameter(name))}
    assert changed == {name for name, _ in base.named_parameters() if name.split(".")[-2] in TARGET_MODULES}
    assert len(changed) == 18
    for name in changed:
        wanted = in_few_bits(base.get_parameter(name).detach().numpy(), base_format).astype(np.float32)
        assert np.array_equal(stored.get_parameter(name).detach().numpy(), wanted)


def test_a_base_in_float32_is_the_base():
    base = load_base()
    assert quantised_model(base, FLOAT32) is base


def test_a_run_begins_at_the_base_as_it_is_stored():
    base = load_base()
    stored = quantised_model(base, "int2")
    first = next(train(TrainConfig(task=FACTS, n_texts=8, base_format="int2", steps=1, batch_size=2), base))
    assert first.evaluation == evaluate(stored, FACTS, 8) != evaluate(base, FACTS, 8)


def test_full_finetuning_has_no_frozen_layers_to_store():
    plain, asked = (
        next(train(TrainConfig(task=FACTS, method="full", steps=1, batch_size=2, base_format=base_format)))
        for base_format in (FLOAT32, "int2")
    )
    assert plain.loss == asked.loss


def test_a_format_that_is_none_is_refused():
    with pytest.raises(ValueError, match="base_format must be one of float32, nf4"):
        TrainConfig(base_format="nf5")


@pytest.mark.parametrize("name", SAMPLE_WEIGHTS)
def test_the_sample_matrices_fill_their_blocks(name):
    matrix = sample_weights(name)
    assert matrix.shape == (64, 64)
    assert matrix.dtype == np.float32
    assert not matrix.flags.writeable
    if name == "base":
        weight = load_base().blocks[1].attention.v_proj.weight.detach().numpy()
        assert np.array_equal(matrix, weight)


def test_no_other_matrix_is_known():
    with pytest.raises(ValueError, match="name must be one of base"):
        sample_weights("other")
