"""The throws of the page's trainer are torch's, bit for bit."""

import numpy as np
import pytest
import torch

from compute.adapters.inits import start
from compute.model.gpt import GPT, GPTConfig, generate
from compute.training.config import INITS, TrainConfig
from compute.training.loop import prepare
from compute.world.batches import batches
from helpers.native import Native

SEEDS = [0, 1, 5, 2**31 - 1, 2**31, 2**32 - 1]
ODD = GPTConfig(vocab_size=11, block_size=12, n_layer=2, n_head=3, n_embd=36)  # no fan_in is a power of two


@pytest.fixture(scope="module")
def odd() -> GPT:
    return GPT(ODD, torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def native(odd) -> Native:
    return Native().load(odd)


def signed(seed: int) -> int:
    return seed - 2**32 * (seed >= 2**31)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n_texts", [1, 7, 4096])
def test_the_order_of_the_texts(native, odd, seed, n_texts):
    native.prepare(TrainConfig(layers=(0, 1), batch_size=5))
    native.do("deal", 0, signed(seed), n_texts)
    native.do("deal", 1, signed(seed), 3)
    wanted = batches(
        torch.zeros(n_texts, 1), 5, 300, seed
    ).numpy()  # 1,500 throws: the state turns over twice
    for step in wanted:
        native.call("dealt", 1, 2)  # another deck does not disturb this one
        assert (native.view(native.call("dealt", 0, 5), 5, kind=np.int32) == step).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("init", INITS[:5])  # orthogonal is rounded otherwise, PiSSA is not drawn
def test_the_start_of_the_factors(native, odd, seed, init):
    config = TrainConfig(init=init, seed=seed, r=5, layers=(0, 1))
    native.prepare(config)
    wanted = {name: p for name, p in prepare(config, odd).named_parameters() if p.requires_grad}
    found = native.tensors("learned")
    assert found.keys() == wanted.keys()
    for name, p in wanted.items():
        np.testing.assert_array_equal(found[name], p.detach().numpy(), err_msg=name)
        assert found[name].any() == bool(p.any())


def test_the_start_is_that_of_a_layer_by_itself(native):
    native.prepare(TrainConfig(r=3, layers=(0,), target_modules=("q_proj",), init="both random", seed=9))
    A, B, _ = start("both random", torch.zeros(36, 36), 3, 1.0, torch.Generator().manual_seed(9))
    a, b = native.tensors("learned").values()
    assert (a == A.numpy()).all()
    assert (b == B.numpy()).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("begin", "length", "temperature"), [(1, 12, 1.0), (4, 9, 0.5), (3, 3, 1.0), (1, 2, 2.0)]
)
def test_what_the_model_writes(native, odd, seed, begin, length, temperature):
    native.prepare(TrainConfig(method="full", batch_size=6))
    native.do("apply", 1.0)
    tokens = torch.arange(6 * begin).view(6, begin) % 11
    wanted = generate(odd, tokens, length, torch.Generator().manual_seed(seed), temperature)
    room = native.view(native.call("tokens_at"), 6, length, kind=np.int32)
    room[:, :begin] = tokens.numpy()
    native.do("generate", signed(seed), 6, begin, length, temperature)
    assert (room == wanted.numpy()).all()


def test_texts_of_one_seed_differ_from_those_of_another(native, odd):
    native.prepare(TrainConfig(method="full", batch_size=6))
    native.do("apply", 1.0)
    room = native.view(native.call("tokens_at"), 6, 12, kind=np.int32)
    written = []
    for seed in (0, 1):
        room[:, 0] = 0
        native.do("generate", seed, 6, 1, 12, 1.0)
        written.append(room.copy())
    assert (written[0] != written[1]).any()
