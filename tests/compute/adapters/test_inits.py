"""Where the factors start: what is drawn, against PEFT where PEFT has it, and the weight that is left beneath."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from torch import nn

from compute.adapters.inits import INITS, start

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what other libraries say while they are imported is not ours
    import peft

torch.set_num_threads(1)

OUT, IN, R, SCALING = 300, 200, 24, 2.0
ROUNDING = 1e-5  # float32: sums of some hundred products


@pytest.fixture(scope="module")
def W() -> torch.Tensor:
    return torch.randn(OUT, IN, generator=torch.Generator().manual_seed(1)) / math.sqrt(IN)


def started(init: str, W: torch.Tensor, r: int = R, seed: int = 0):
    return start(init, W, r, SCALING, torch.Generator().manual_seed(seed))


def theirs(init: str | bool, W: torch.Tensor, r: int = R):
    """Return lora_A, lora_B and the weight of a layer that PEFT made; what it draws is that of seed 0."""
    model = nn.Sequential()
    model.add_module("q_proj", nn.utils.skip_init(nn.Linear, IN, OUT, bias=False))
    model.q_proj.weight = nn.Parameter(W.clone())
    config = peft.LoraConfig(
        r=r, lora_alpha=SCALING * r, target_modules=["q_proj"], init_lora_weights=init, lora_dropout=0.0
    )
    with torch.random.fork_rng():
        layer = peft.get_peft_model(model, config).base_model.model.q_proj
        if init == "orthogonal":  # once more: before, PEFT had drawn two layers that it threw away
            torch.manual_seed(0)
            layer.orthogonal_init("default")
    factors = [layer.lora_A["default"].weight, layer.lora_B["default"].weight]
    return [each.detach() for each in (*factors, layer.base_layer.weight)]


@pytest.mark.parametrize(
    ("init", "A_rows", "B_columns"),
    [
        ("B=0", slice(None), None),
        ("A=0", None, slice(None)),
        ("both zero", None, None),
        ("both random", slice(None), slice(None)),
        ("mixed", slice(0, R // 2), slice(R // 2, R)),
    ],
)
def test_what_is_drawn_is_uniform_and_the_rest_is_zero(init, A_rows, B_columns, W):
    lora_A, lora_B, rest = started(init, W)
    assert rest is W
    for rows, chosen, fan_in in ((lora_A, A_rows, IN), (lora_B.T, B_columns, R)):
        drawn = torch.zeros(R, dtype=torch.bool)
        drawn[chosen if chosen is not None else slice(0, 0)] = True
        assert not rows[~drawn].any()
        if chosen is None:
            continue
        values, bound = rows[drawn].flatten(), 1 / math.sqrt(fan_in)
        n = len(values)
        assert values.abs().max() <= bound
        # Uniform: variance bound**2 / 3, mean 0; five standard errors of either from n values.
        assert values.mean().abs() < 5 * bound / math.sqrt(3 * n)
        assert values.square().mean().item() == pytest.approx(bound**2 / 3, rel=5 * math.sqrt(0.8 / n))


@pytest.mark.parametrize("init", INITS)
def test_the_weight_and_the_product_make_the_weight_again(init, W):
    lora_A, lora_B, rest = started(init, W)
    assert (lora_A.shape, lora_B.shape) == ((R, IN), (OUT, R))
    product = SCALING * lora_B @ lora_A
    if init in ("B=0", "A=0", "both zero", "mixed"):
        assert not product.any()  # exactly
    elif init == "both random":
        assert product.norm() > 1
    else:
        torch.testing.assert_close(rest + product, W, rtol=0, atol=ROUNDING)


def test_the_orthogonal_start_is_that_of_peft(W):
    lora_A, lora_B, rest = theirs("orthogonal", W)
    ours = started("orthogonal", W)
    torch.testing.assert_close(ours.lora_A, lora_A)
    torch.testing.assert_close(ours.lora_B, lora_B)
    assert torch.equal(rest, W)
    # Both are there, and their product is nothing but the rounding of sums of r products.
    assert min(ours.lora_A.norm(), ours.lora_B.norm()) > 1
    assert (ours.lora_B @ ours.lora_A).abs().max() < ROUNDING


def test_the_pissa_start_is_that_of_peft(W):
    lora_A, lora_B, rest = theirs("pissa", W)
    ours = started("PiSSA", W)
    # PEFT too takes torch's SVD, so that even the signs agree.
    torch.testing.assert_close(ours.lora_A, lora_A, rtol=ROUNDING, atol=ROUNDING)
    torch.testing.assert_close(ours.lora_B, lora_B, rtol=ROUNDING, atol=ROUNDING)
    torch.testing.assert_close(ours.W, rest, rtol=ROUNDING, atol=ROUNDING)


def test_pissa_takes_the_largest_directions_out_of_the_weight(W):
    s, after = torch.linalg.svdvals(W), torch.linalg.svdvals(started("PiSSA", W).W)
    torch.testing.assert_close(after[: IN - R], s[R:], rtol=1e-4, atol=1e-4)
    assert after[IN - R :].max() < 1e-4  # rounding


def test_the_usual_start_is_that_of_peft(W):
    lora_A, lora_B, _ = theirs(True, W)
    ours = started("B=0", W)
    assert lora_A.shape == ours.lora_A.shape
    assert lora_A.abs().max() <= 1 / math.sqrt(IN)
    assert lora_A.std().item() == pytest.approx(ours.lora_A.std().item(), rel=0.05)  # 4,800 draws
    assert not lora_B.any()
    assert not ours.lora_B.any()


@pytest.mark.parametrize("init", sorted(set(INITS) - {"both zero", "PiSSA"}))
def test_the_seed_decides(init, W):
    one, same, other = (started(init, W, seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_with_one_direction_mixed_is_the_usual_start(W):
    mixed, usual = started("mixed", W, r=1), started("B=0", W, r=1)
    assert all(torch.equal(a, b) for a, b in zip(mixed, usual, strict=True))


@pytest.mark.parametrize(
    ("init", "r", "told"),
    [
        ("C=0", 2, "init must be one of B=0, .*, got 'C=0'."),
        ("orthogonal", 3, "init orthogonal needs an even r, got 3."),
        ("PiSSA", IN + 1, f"init PiSSA needs an r of at most {IN} for this layer, got {IN + 1}."),
    ],
)
def test_what_cannot_be_is_refused(init, r, told, W):
    with pytest.raises(ValueError, match=told):
        started(init, W, r)
