"""Whatever it is asked for, the page's trainer gives finite numbers or one of its codes: it never traps."""

import contextlib
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.model.gpt import GPT, GPTConfig
from compute.training.config import TrainConfig
from compute.world.batches import Texts
from helpers.native import CODES, HEADER, PLAIN, RELAXED, Native, Refused

TINY = GPTConfig(vocab_size=9, block_size=6, n_layer=2, n_head=2, n_embd=8)
CONFIG = TrainConfig(layers=(0, 1), batch_size=3)
KERNELS = {  # called by the tests alone
    *"memory room_for product_of layer_norm layer_norm_back gelu multiply softmax_row attention attention_back".split(),
    *"cross_entropy embed embed_back adamw sgd".split(),
}
SOME = Texts(torch.arange(21).view(3, 7) % 9)


@pytest.fixture(scope="module")
def tiny() -> GPT:
    return GPT(TINY, torch.Generator().manual_seed(0))


@pytest.fixture
def native(tiny) -> Native:
    return Native().load(tiny).prepare(CONFIG)


def refused(code: str, native: Native, name: str, *arguments: float) -> None:
    with pytest.raises(Refused, match=f"^{code}$"):
        native.do(name, *arguments)


def test_the_header_tells_of_every_code_and_every_function():
    assert [*CODES] == [*range(9)]
    for path in (PLAIN, RELAXED):
        exported = {name for name, _ in Native(path).exports.items()}
        comment = HEADER.partition("enum {")[0]
        assert (
            set(re.findall(r"\b([a-z][a-z_]+)\((?=[a-zA-Z_, ]*\))", comment)) - {"state_dict", "sqrt"}
            <= exported
        )
        assert [name for name in sorted(exported - KERNELS) if f"{name}(" not in comment] == []


@pytest.mark.parametrize(
    "sizes",
    [(0, 6, 2, 2, 8), (9, 0, 2, 2, 8), (9, 6, 0, 2, 8), (9, 6, 2, 3, 8), (9, 6, 2, 2, 12), (9, 6, 99, 2, 8)],
)
def test_a_model_that_cannot_be(sizes):
    refused("BAD_MODEL", Native(), "create", *sizes)


def test_a_model_that_is_too_large(native):
    refused("NO_MEMORY", native, "create", 65536, 4096, 32, 32, 4096)
    assert native.call("base_count") == 0
    refused("TOO_EARLY", native, "prepare", 0, 0, 0, 0, 0, 3)
    native.do("create", 9, 6, 2, 2, 8)


def test_a_run_that_is_too_large(native):
    native.do("create", 300, 1024, 4, 2, 128)
    refused("NO_MEMORY", native, "prepare", 1, 0, 0, 0, 0, 256)
    refused("TOO_EARLY", native, "gradients", 0, 1, 0, 1)


@pytest.mark.parametrize(("place", "value"), [(0, 5), (0, -1), (1, 2), (2, 7), (2, -1), (5, 0), (5, 10**6)])
def test_a_setting_that_is_none(native, place, value):
    setting = [0, 0, 0, 0, 0, 3]
    setting[place] = value
    refused("BAD_SETTING", native, "prepare", *setting)
    assert native.call("learned_count") == native.call("gradient_at") == 0
    native.prepare(CONFIG)


Q_PROJ = "blocks.0.attention.q_proj"


@pytest.mark.parametrize(
    "adapters",
    [
        {},
        {Q_PROJ: (-1, 8.0)},
        {Q_PROJ: (65, 8.0)},
        {Q_PROJ: (4, math.nan)},
        {Q_PROJ: (4, math.inf)},
        {Q_PROJ: (4, 8.0), "embed_tokens": (4, 8.0)},
        {Q_PROJ: (4, 8.0), "blocks.0.norm_1": (4, 8.0)},
    ],
    ids=str,
)
def test_adapters_that_cannot_be(native, adapters):
    native.adapt(adapters)
    for method in (0, 4):
        refused("BAD_SETTING", native, "prepare", method, 0, 0, 0, 0, 3)
    native.do("prepare", 1, 0, 0, 0, 0, 3)  # full finetuning does not read them


def test_what_comes_too_early(tiny):
    fresh = Native()
    for name, arguments in {
        "gradients": (0, 1, 0, 1),
        "evaluate": (0, 1, 0, 1),
        "answer": (0, 1),
        "generate": (0, 0, 1, 2, 1.0),
        "update": (0, 0.1),
        "apply": (1.0,),
    }.items():
        refused("TOO_EARLY", fresh, name, *arguments)
    for name in ("base_at", "learned_at", "delta_w", "spectrum"):
        assert fresh.call(name, 0) == fresh.call(name, -1) == 0
    native = fresh.load(tiny).prepare(CONFIG)
    assert native.call("dealt", 0, 3) == 0
    refused("TOO_EARLY", native, "evaluate", 0, 1, 0, 1)  # nothing is applied
    native.do("apply", 1.0)
    native.evaluate(SOME)
    native.gradients(SOME)
    refused("TOO_EARLY", native, "answer", 0, 1)  # and not since


def test_texts_that_do_not_fit(native):
    native.do("apply", 1.0)
    for n, T, total in ((4, 6, 4), (-1, 6, 3), (3, 7, 3), (3, 0, 3), (3, 6, 2), (0, 6, 0)):
        refused("BAD_TEXTS", native, "gradients", n, T, 0, total)
        refused("BAD_TEXTS", native, "evaluate", n, T, 0, total)
    for arguments in ((4, 6), (3, 7), (-1, 1)):
        refused("BAD_TEXTS", native, "answer", *arguments)
    for arguments in ((4, 1, 6), (3, 0, 6), (3, 5, 4), (3, 1, 7)):
        refused("BAD_TEXTS", native, "generate", 0, *arguments, 1.0)
    native.view(native.call("places_at"), 3, kind=np.int32)[1] = 6
    refused("BAD_TEXTS", native, "answer", 3, 6)
    for temperature in (0.0, -1.0, math.nan, math.inf):
        refused("BAD_SETTING", native, "generate", 0, 3, 1, 6, temperature)
    for strength in (math.nan, math.inf):
        refused("BAD_SETTING", native, "apply", strength)
    for update in ((2, 0.1), (-1, 0.1), (0, math.nan)):
        refused("BAD_SETTING", native, "update", *update)
    for deal in ((2, 0, 9), (0, 0, 0)):
        refused("BAD_SETTING", native, "deal", *deal)
    native.do("deal", 0, 0, 9)
    assert native.call("dealt", 0, 4) == native.call("dealt", 2, 1) == native.call("dealt", 0, -1) == 0


@pytest.mark.parametrize("word", [9, -1, 2**31 - 1])
def test_an_unknown_word(native, word):
    tokens = SOME.tokens.clone()
    tokens[1, 2] = word
    with pytest.raises(Refused, match="UNKNOWN_WORD"):
        native.gradients(Texts(tokens))
    native.do("apply", 1.0)
    refused("UNKNOWN_WORD", native, "answer", 3, 6)
    refused("UNKNOWN_WORD", native, "generate", 0, 3, 6, 6, 1.0)


def test_a_text_of_which_nothing_is_learned(native):
    learned = torch.ones(3, 6, dtype=torch.bool)
    learned[2] = False
    with pytest.raises(Refused, match="NOTHING_LEARNED"):
        native.gradients(Texts(SOME.tokens, learned))


def test_a_run_that_diverges_says_so_and_another_can_follow(native):
    native.gradients(SOME)
    native.do("update", 1, 1e30)
    for _ in range(3):
        native.call("gradients", *native.write(SOME), 3)
        native.do("update", 1, 1e30)
    with pytest.raises(Refused, match="NOT_FINITE"):
        native.gradients(SOME)
    native.do("apply", 1.0)
    for name, arguments in {
        "evaluate": (3, 6, 0, 3),
        "answer": (3, 6),
        "generate": (0, 3, 1, 6, 1.0),
    }.items():
        refused("NOT_FINITE", native, name, *arguments)
    native.prepare(CONFIG)
    assert math.isfinite(native.gradients(SOME))


ANY = st.one_of(st.integers(-2, 70), st.integers(-(2**31), 2**31 - 1))
NUMBER = st.floats(allow_nan=True, allow_infinity=True)


def mostly(usual: st.SearchStrategy, other: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(usual, usual, usual, usual, usual, usual, other)


ADAPTERS = st.dictionaries(
    st.sampled_from(
        [f"blocks.{block}.{name}" for block in range(2) for name in ("attention.q_proj", "mlp.up_proj")]
    ),
    st.tuples(mostly(st.integers(0, 64), ANY), mostly(st.floats(0.01, 1024), NUMBER)),
)
RUN = st.tuples(
    mostly(st.integers(0, 4), ANY),
    mostly(st.integers(0, 1), ANY),
    mostly(st.integers(0, 6), ANY),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(0, 1),
    mostly(st.integers(3, 5), ANY),
)


@settings(max_examples=100, deadline=None)
@given(
    ADAPTERS,
    RUN,
    mostly(st.integers(0, 1), ANY),
    mostly(st.floats(1e-6, 10), NUMBER),
    mostly(st.floats(-2, 2), NUMBER),
)
def test_a_hundred_random_settings(tiny, adapters, run, optimizer, rate, strength):
    """Finite numbers, or a code that says why not; hypothesis finds the corners."""
    native = Native().load(tiny)
    native.adapt(adapters)
    with contextlib.suppress(Refused):  # which knows the codes, and no others
        native.do("prepare", *run)
        for _ in range(4):
            loss = native.gradients(SOME)
            assert math.isfinite(loss)
            native.do("update", optimizer, rate)
        native.do("apply", strength)
        assert math.isfinite(native.evaluate(SOME))
        native.do("answer", 3, 6)
        assert np.isfinite(native.view(native.call("chances_at"), 3, 9)).all()
        native.do("generate", 7, 3, 1, 6, 1.0)
        written = native.view(native.call("tokens_at"), 3, 6, kind=np.int32)
        assert ((written >= 0) & (written < 9)).all()
        for i in range(native.call("base_count")):
            if native.call("spectrum", i):
                assert np.isfinite(native.spectrum(i)).all()


def test_starts_that_a_rank_does_not_allow(native):
    orthogonal, pissa = 5, 6
    for r, alpha, init in (
        (9, 18.0, pissa),
        (3, 6.0, orthogonal),  # it pairs directions
        (4, -8.0, pissa),  # no root of s / scaling
    ):
        native.adapt({Q_PROJ: (r, alpha)})
        refused("BAD_SETTING", native, "prepare", 0, 0, init, 0, 0, 3)
    native.adapt({Q_PROJ: (8, 16.0)})
    for init in range(1, 7):
        refused("BAD_SETTING", native, "prepare", 4, 0, init, 0, 0, 3)  # of DoRA
        native.do("prepare", 0, 0, init, 0, 0, 3)
