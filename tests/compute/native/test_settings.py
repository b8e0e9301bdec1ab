"""A hundred settings of the page's trainer, drawn from all that can be chosen: finite numbers or a refusal."""

import contextlib
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.model.checkpoint import load_base
from compute.model.layers import BLOCKS, TARGET_MODULES
from compute.training.config import EVEN_RANK, INITS, OPTIMIZERS, SCALING_RULES, TrainConfig
from compute.training.loop import steps_of
from helpers.native import METHODS, Native, Refused

torch.set_num_threads(1)


def some(choices: tuple) -> st.SearchStrategy[tuple]:
    return st.lists(st.sampled_from(choices), min_size=1, unique=True).map(tuple)


def drawn(method: str, init: str, r: int, **fields: Any) -> TrainConfig:
    if method == "dora":
        init = "B=0"
    return TrainConfig(method=method, init=init, r=r + (init == EVEN_RANK and r % 2), **fields)


SETTINGS = st.builds(
    drawn,
    task=st.sampled_from(["new facts", "formal voice"]),
    n_texts=st.just(16),
    method=st.sampled_from(METHODS),
    r=st.integers(1, 64),
    alpha=st.floats(0.01, 1024),
    scaling_rule=st.sampled_from(SCALING_RULES),
    target_modules=some(TARGET_MODULES),
    layers=some(BLOCKS),
    init=st.sampled_from(INITS),
    learning_rate=st.floats(-6, 1).map(lambda power: 10**power),
    optimizer=st.sampled_from(OPTIMIZERS),
    steps=st.integers(1, 5),
    batch_size=st.integers(1, 8),
    seed=st.integers(0, 2**32 - 1),
    train_embeddings=st.booleans(),
)


@pytest.fixture(scope="module")
def native() -> Native:
    return Native().load(load_base())


def trained(native: Native, config: TrainConfig) -> None:
    """Train, and look at all that a page shows; a run that diverges is refused, or ended by its norms."""
    native.prepare(config)
    for texts in steps_of(config, native.block_size):
        assert math.isfinite(native.gradients(texts))
        if not all(math.isfinite(native.call("gradient_norm", kind)) for kind in range(3)):
            return
        native.update(config)
    native.do("apply", 1.0)
    assert math.isfinite(native.evaluate(texts))
    for name, value in native.tensors("learned").items():
        assert np.isfinite(value).all(), name
    for i in range(config.seed % 4, native.call("base_count"), 4):  # each of them in some of the runs
        if native.call("spectrum", i):
            spectrum = native.spectrum(i)
            assert np.isfinite(spectrum).all()
            assert (np.diff(spectrum) <= 0).all()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(SETTINGS)
def test_a_hundred_settings_give_finite_numbers_or_a_refusal(native, config):
    try:
        trained(native, config)
    except Refused:
        with pytest.raises(Refused, match="^NOT_FINITE$"):  # of which the page says that it has diverged
            trained(native, config)
    native.prepare(TrainConfig(batch_size=1))  # and it goes on


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_fastest_rate_ends_a_run(native, method):
    config = TrainConfig(
        task="new facts", n_texts=8, batch_size=8, method=method, learning_rate=10.0, steps=50
    )
    losses = []
    with contextlib.suppress(Refused):
        losses.extend(native.prepare(config).updates(config))
    assert max(losses) > math.log(320) + 1  # what the page calls diverged, at the latest
