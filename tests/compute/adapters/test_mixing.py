"""Mixes of adapters: the real peft library makes the same of the same weights, and each number has a second way."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import torch

from compute.adapters.mixed_model import mixed_model
from compute.adapters.mixing import (
    METHODS,
    Factors,
    combine,
    cosine,
    difference,
    mixed_delta_w,
    random_like,
    sum_of_products,
)
from compute.experiments.mixing import FOLDER, MIXED, load_factors
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what other libraries say while they are imported is not ours
    import peft

torch.set_num_threads(1)  # matrices this small gain nothing from a second thread, which waits for the first
PEFT_NAMES = {"factors": "linear", "concatenation": "cat", "svd": "svd"}
# Both sides add up products of a few float32 numbers of size one, peft in float32: about 100 roundings of 6e-8.
FLOAT32 = 1e-5
EXACT = 1e-12  # float64, a few hundred roundings of 1e-16


@pytest.fixture(scope="module")
def base() -> GPT:
    return load_base()


@pytest.fixture(scope="module")
def adapters():
    return {name: load_factors(name) for name in MIXED}


@pytest.fixture(scope="module")
def in_peft(base):
    """Return the base in peft, with the adapters that are kept in assets."""
    legal, *others = MIXED
    model = peft.PeftModel.from_pretrained(copy.deepcopy(base), FOLDER / legal, adapter_name=legal)
    for voice in others:
        model.load_adapter(FOLDER / voice, adapter_name=voice)
    return model


def drawn(rng, r: int = 3, out: int = 7, into: int = 5, scaling: float = 2.0) -> Factors:
    return Factors(rng.normal(size=(out, r)), rng.normal(size=(r, into)), scaling)


@pytest.mark.parametrize("method", PEFT_NAMES)
@pytest.mark.parametrize("weights", [(0.5, 0.5), (1.0, 0.25), (1.0, 1.0)])
def test_peft_mixes_as_we_do(method, weights, adapters, in_peft):
    name = f"{method} {weights}".replace(".", "_")
    in_peft.add_weighted_adapter(["legal", "facts"], list(weights), name, combination_type=PEFT_NAMES[method])
    layers = {
        key.removeprefix("base_model.model."): layer
        for key, layer in in_peft.named_modules()
        if hasattr(layer, "get_delta_weight")
    }
    assert layers.keys() == adapters["legal"].keys()
    for key, layer in layers.items():
        ours = mixed_delta_w([adapters["legal"][key], adapters["facts"][key]], weights, method)
        theirs = layer.get_delta_weight(name).double().numpy()
        np.testing.assert_allclose(ours, theirs, atol=FLOAT32 * np.abs(ours).max())
        rank = combine([adapters["legal"][key], adapters["facts"][key]], weights, method).r
        assert rank == layer.r[name]


def test_peft_gives_the_same_logits(base, adapters, in_peft):
    in_peft.add_weighted_adapter(["code", "legal"], [0.75, 0.5], "both", combination_type="cat")
    in_peft.set_adapter("both")
    ours = mixed_model(base, [adapters["code"], adapters["legal"]], [0.75, 0.5], "concatenation")
    tokens = torch.randint(base.config.vocab_size, (8, 32), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens), in_peft(tokens), atol=5e-4, rtol=0)  # logits of 20
        assert (ours(tokens) - base(tokens)).abs().max() > 1


def test_concatenation_is_the_sum_of_the_products_in_twice_the_rank(rng):
    pair = [drawn(rng), drawn(rng, scaling=0.5)]
    both = combine(pair, [0.3, 0.8], "concatenation")
    assert both.r == 6
    np.testing.assert_allclose(both.delta_w, sum_of_products(pair, [0.3, 0.8]), atol=EXACT)


def test_factors_hold_the_cross_terms_besides(rng):
    first, second = drawn(rng), drawn(rng, scaling=0.5)
    w = (0.3, 0.8)
    cross = np.sqrt(w[0] * w[1] * first.scaling * second.scaling) * (
        first.lora_B @ second.lora_A + second.lora_B @ first.lora_A
    )
    got = combine([first, second], w, "factors").delta_w - sum_of_products([first, second], w)
    np.testing.assert_allclose(got, cross, atol=EXACT)
    wanted = np.linalg.norm(cross) / np.linalg.norm(sum_of_products([first, second], w))
    assert difference([{"q": first}, {"q": second}], w, "factors") == pytest.approx(wanted, rel=1e-12)


def test_svd_is_the_closest_of_its_rank(rng):
    pair, w = [drawn(rng), drawn(rng)], (0.5, 0.5)
    exact = sum_of_products(pair, w)
    s = np.linalg.svd(exact, compute_uv=False)
    assert combine(pair, w, "svd").r == 3
    got = difference([{"q": pair[0]}, {"q": pair[1]}], w, "svd")
    assert got == pytest.approx(np.sqrt(np.sum(s[3:] ** 2) / np.sum(s**2)), rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_one_adapter_is_only_weakened(method, rng):
    one, other = drawn(rng), drawn(rng)
    np.testing.assert_allclose(mixed_delta_w([one], [0.25], method), 0.25 * one.delta_w, atol=EXACT)
    np.testing.assert_allclose(mixed_delta_w([one, other], [0.25, 0], method), 0.25 * one.delta_w, atol=EXACT)
    assert not mixed_delta_w([one, other], [0, 0], method).any()


@pytest.mark.parametrize("method", METHODS)
def test_the_order_does_not_matter(method, rng):
    one, other = drawn(rng), drawn(rng)
    there = mixed_delta_w([one, other], [0.25, 1], method)
    np.testing.assert_allclose(there, mixed_delta_w([other, one], [1, 0.25], method), atol=EXACT)


def test_random_factors_double_under_the_sum_of_factors(rng):
    pair = [{"q": drawn(rng, 8, 256, 256)} for _ in range(2)]
    # The relative difference is a ratio of two norms of 65,536 numbers of rank 16: within a tenth of 1.
    assert difference(pair, [0.5, 0.5], "factors") == pytest.approx(1, abs=0.1)


def test_the_cosine_is_that_of_the_entries(rng):
    one = {"q": drawn(rng), "k": drawn(rng, 1, 4, 4)}
    other = {"k": drawn(rng, 1, 4, 4), "q": drawn(rng)}
    first = np.concatenate([one[name].delta_w.ravel() for name in ("q", "k")])
    second = np.concatenate([other[name].delta_w.ravel() for name in ("q", "k")])
    assert cosine(one, other) == pytest.approx(
        sum(first * second) / np.sqrt(sum(first**2) * sum(second**2)), rel=1e-12
    )
    assert cosine(one, one) == pytest.approx(1, rel=1e-12)
    zero = {name: Factors(0 * each.lora_B, each.lora_A, 1.0) for name, each in one.items()}
    with pytest.raises(ValueError, match="points nowhere"):
        cosine(one, zero)
    assert difference([zero, zero], [1, 1], "svd") == 0


def test_what_cannot_be_mixed_is_refused(rng):
    one = drawn(rng)
    for weights in ([-0.5, 1], [float("nan"), 1], [float("inf"), 1]):
        with pytest.raises(ValueError, match="finite and not negative"):
            combine([one, one], weights, "svd")
    with pytest.raises(ValueError, match="one weight, got 2 and 1"):
        sum_of_products([one, one], [1])
    with pytest.raises(ValueError, match="one weight, got 0 and 0"):
        combine([], [], "svd")
    with pytest.raises(ValueError, match=r"of one layer, got the shapes \[\(7, 4\), \(7, 5\)\]"):
        combine([one, drawn(rng, into=4)], [1, 1], "svd")
    with pytest.raises(ValueError, match="same rank, got 3, 2"):
        combine([one, drawn(rng, r=2)], [1, 1], "factors")
    with pytest.raises(ValueError, match="method must be one of factors, concatenation, svd, got 'linear'"):
        combine([one], [1], "linear")


def test_the_mixed_model_is_plain_and_leaves_the_base_alone(base, adapters):
    before = {name: p.clone() for name, p in base.named_parameters()}
    mixed = mixed_model(base, [adapters["legal"], adapters["code"]], [0.5, 1], "svd")
    assert all(torch.equal(p, before[name]) for name, p in base.named_parameters())
    changed = {name for name, p in mixed.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {f"{name}.weight" for name in adapters["legal"]}
    assert all(
        torch.equal(p, before[name]) for name, p in mixed_model(base, [], [], "svd").named_parameters()
    )


def test_a_random_adapter_is_as_large_in_each_layer_and_no_like(rng, adapters):
    own = adapters["facts"]
    drawn_once = random_like(own, rng)
    for name, factors in own.items():
        random = drawn_once[name]
        assert np.linalg.norm(random.delta_w) == pytest.approx(np.linalg.norm(factors.delta_w), rel=1e-9)
        assert random.r == factors.r
    # Among some hundred thousand entries chance has a cosine of a few thousandths, of rank 4 some hundredths.
    assert abs(cosine(own, drawn_once)) < 0.05
