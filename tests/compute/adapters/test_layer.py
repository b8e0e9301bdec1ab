"""LoRA from scratch against merged weights and the closed forms of its gradients; the rest stays frozen."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from compute.adapters.inits import INITS
from compute.adapters.layer import LoRALinear, delta_w, initialize, inject, lora_layers, merge
from compute.adapters.scaling import SCALING_RULES
from compute.costs.sizes import stored_numbers
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.model.layers import TARGET_MODULES
from compute.training.config import AWAY_FROM_BASE
from compute.training.config import INITS as NAMES_OF_INITS
from compute.training.config import SCALING_RULES as NAMES_OF_RULES

torch.set_num_threads(1)  # matrices this small gain nothing from a second thread, which waits for the first

# Float32: sums of some hundred products in another order differ by some 1e-6 of their size.
ROUNDING = 1e-5


@pytest.fixture(scope="module")
def base() -> GPT:
    return load_base()


def make(
    out_size: int, in_size: int, r: int, init: str, rule: str = "alpha/r", alpha: float = 8.0
) -> LoRALinear:
    generator = torch.Generator().manual_seed(in_size)
    linear = nn.utils.skip_init(nn.Linear, in_size, out_size, bias=False)
    nn.init.normal_(linear.weight, std=in_size**-0.5, generator=generator)
    layer = LoRALinear(linear, r, alpha, rule)
    initialize(layer, init, generator)
    return layer


def injected(base: GPT, init: str = "B=0", r: int = 4, targets=TARGET_MODULES, seed: int = 0) -> GPT:
    return inject(base, targets, r, 8.0, "alpha/r", init, torch.Generator().manual_seed(seed))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(1, 8),
    st.sampled_from(NAMES_OF_RULES),
    st.floats(0.5, 32),
)
def test_the_layer_is_a_plain_one_with_the_merged_weight(out_size, in_size, r, rule, alpha):
    layer = make(out_size, in_size, r, "both random", rule, alpha)
    x = torch.randn(3, 5, in_size, generator=torch.Generator().manual_seed(1))
    expected = x @ (layer.base.weight + delta_w(layer)).T
    # The adapter's part grows with the scaling, and its rounding with it.
    torch.testing.assert_close(layer(x), expected, rtol=ROUNDING, atol=ROUNDING * (1 + layer.scaling))


@pytest.mark.parametrize(("rule", "scaling"), [("alpha/r", 4.0), ("alpha/sqrt(r)", 8.0)])
def test_delta_w_includes_the_scaling(rule, scaling):
    layer = make(6, 5, 4, "both random", rule, alpha=16.0)
    assert layer.scaling == scaling
    torch.testing.assert_close(delta_w(layer), scaling * layer.lora_B.detach() @ layer.lora_A.detach())
    assert torch.linalg.matrix_rank(delta_w(layer)) == 4


def test_names_are_the_same_with_and_without_torch():
    assert tuple(INITS) == NAMES_OF_INITS
    assert tuple(SCALING_RULES) == NAMES_OF_RULES


@pytest.mark.parametrize("init", INITS)
def test_gradients_of_the_first_step_are_the_closed_forms(init):
    layer = make(7, 9, 4, init)
    W = layer.base.weight.detach().clone()
    merged = (W + delta_w(layer)).requires_grad_()
    x = torch.randn(20, 9, generator=torch.Generator().manual_seed(2))

    def loss(y):
        return (y - x[:, :7].sin()).square().mean()

    loss(layer(x)).backward()
    (G,) = torch.autograd.grad(loss(x @ merged.T), merged)  # dL/dW at W0 + delta_w
    A, B = layer.lora_A.detach(), layer.lora_B.detach()
    torch.testing.assert_close(layer.lora_B.grad, layer.scaling * G @ A.T, rtol=ROUNDING, atol=ROUNDING)
    torch.testing.assert_close(layer.lora_A.grad, layer.scaling * B.T @ G, rtol=ROUNDING, atol=ROUNDING)
    live = {
        "B=0": (False, True),
        "A=0": (True, False),
        "both zero": (False, False),
    }
    assert (bool(layer.lora_A.grad.any()), bool(layer.lora_B.grad.any())) == live.get(init, (True, True))


def test_a_layer_that_was_given_no_start_is_on_a_saddle_and_stays_there():
    layer, x = LoRALinear(torch.nn.Linear(9, 7, bias=False), 2, 8, "alpha/r"), torch.ones(3, 9)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    for started in (False, True):
        if started:
            initialize(layer, "B=0", torch.Generator().manual_seed(0))
        for _ in range(3):
            optimizer.zero_grad()
            layer(x).square().sum().backward()
            optimizer.step()
        assert bool(delta_w(layer).any()) == started


@pytest.mark.parametrize("init", INITS)
def test_the_model_starts_as_the_base_unless_both_are_random(init, base):
    tokens = torch.randint(100, (2, 12), generator=torch.Generator().manual_seed(0))
    off = (injected(base, init)(tokens) - base(tokens)).abs().max().item()
    # An orthogonal or PiSSA start is the base up to rounding: logits of size 10, three blocks of float32 sums.
    allowed = {"orthogonal": 1e-4, "PiSSA": 1e-4, "both random": math.inf}.get(init, 0.0)
    assert off <= allowed
    assert (off > 0.1) == (init == "both random") == (init in AWAY_FROM_BASE)


@pytest.mark.parametrize("init", ["B=0", "both random"])
def test_only_the_factors_move(init, base):
    model = injected(base, init, targets=("q_proj", "down_proj"))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # given everything, on purpose
    tokens = torch.randint(100, (4, 16), generator=torch.Generator().manual_seed(0))
    for _ in range(2):
        optimizer.zero_grad()
        model.loss(tokens).backward()
        optimizer.step()
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    factors = {f"{name}.{factor}" for name, _ in lora_layers(model) for factor in ("lora_A", "lora_B")}
    assert moved == factors
    assert len(factors) == 2 * 2 * 3
    assert {name for name, p in model.named_parameters() if p.requires_grad} == factors


def test_injecting_leaves_the_given_model_alone(base):
    before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    model = injected(base, "both random")
    for _, layer in lora_layers(model):
        assert layer.base.weight.data_ptr() not in {p.data_ptr() for p in base.parameters()}
    assert all(torch.equal(tensor, before[name]) for name, tensor in base.state_dict().items())
    assert all(p.requires_grad for p in base.parameters())
    assert list(lora_layers(base)) == []


@pytest.mark.parametrize("r", [1, 4, 64])
def test_the_adapter_holds_as_many_numbers_as_promised(r, base):
    model = injected(base, r=r)
    shapes = [tuple(layer.base.weight.shape) for _, layer in lora_layers(model)]
    expected = sum(stored_numbers(shape, r) for shape in shapes)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == expected
    assert len(shapes) == 18


def test_merging_gives_a_plain_model_with_the_same_answers(base):
    model = injected(
        base, "both random"
    ).double()  # in float32 its logits, of size 10, differ by what a CPU rounds
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    merged = merge(model)
    tokens = torch.randint(100, (4, 30), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(merged(tokens), model(tokens), rtol=1e-9, atol=1e-9)
    assert list(merged.state_dict()) == list(base.state_dict())
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_the_strength_goes_from_the_base_through_the_adapted_model_and_beyond(base):
    model = injected(base, "both random")
    q = "blocks.1.attention.q_proj"
    W, change = base.get_submodule(q).weight, delta_w(model.get_submodule(q))
    for strength in (0.0, 0.5, 1.0, 2.0):
        merged = merge(model, strength).get_submodule(q).weight
        torch.testing.assert_close(merged, W + strength * change)
    assert torch.equal(merge(model, 0.0).get_submodule(q).weight, W)


def test_the_start_is_the_seeds(base):
    models = [injected(base, seed=seed) for seed in (0, 0, 1)]
    factors = [dict(lora_layers(model))["blocks.0.mlp.up_proj"].lora_A for model in models]
    assert torch.equal(factors[0], factors[1])
    assert not torch.equal(factors[0], factors[2])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"r": 0}, "r must be a whole number of at least 1, got 0."),
        ({"scaling_rule": "alpha"}, r"scaling_rule must be one of alpha/r, alpha/sqrt\(r\), got 'alpha'."),
        ({"init": "C=0"}, "init must be one of B=0, .*, got 'C=0'."),
        (
            {"target_modules": ["gate_proj", "q_proj"]},
            "target_modules must name linear layers, got gate_proj.",
        ),
        ({"target_modules": []}, "target_modules must name linear layers, got none."),
        ({"layers": [3]}, r"layers must be some of 0 to 2, got \(3,\)."),
        ({"layers": []}, r"layers must be some of 0 to 2, got \(\)."),
    ],
)
def test_what_cannot_be_injected_is_refused(change, told, base):
    chosen = dict(target_modules=["q_proj"], r=2, alpha=4.0, scaling_rule="alpha/r", init="B=0")
    with pytest.raises(ValueError, match=told):
        inject(base, **{**chosen, **change}, generator=torch.Generator())
