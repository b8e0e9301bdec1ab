"""LoRA-GA's start: the first step of gradient descent against the best copy of the gradient, and PEFT's directions."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from compute.adapters.layer import LoRALinear, delta_w, initialize, inject, lora_layers
from compute.adapters.lora_ga import GAMMA, gradient_start, start_by_gradient
from compute.model.checkpoint import load_base
from compute.training.first_steps import small_problem
from compute.world.batches import texts_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what other libraries say while they are imported is not ours
    import peft

torch.set_num_threads(1)

OUT, IN, R, SCALING = 40, 30, 4, 2.0


def problem() -> tuple[torch.Tensor, torch.Tensor]:
    """Return a gradient whose singular values stand well apart, and a weight, in float64."""
    generator = torch.Generator().manual_seed(0)
    left, right = (
        torch.linalg.qr(torch.randn(size, IN, generator=generator, dtype=torch.float64))[0]
        for size in (OUT, IN)
    )
    grad_W = left @ torch.diag(0.8 ** torch.arange(IN, dtype=torch.float64)) @ right.T
    return grad_W, torch.randn(OUT, IN, generator=generator, dtype=torch.float64)


def best_copy(matrix: torch.Tensor, rank: int) -> torch.Tensor:
    U, s, Vh = torch.linalg.svd(matrix, full_matrices=False)
    return U[:, :rank] @ torch.diag(s[:rank]) @ Vh[:rank]


def first_move(lora_A: torch.Tensor, lora_B: torch.Tensor, grad_W: torch.Tensor, rate: float) -> torch.Tensor:
    """Return by how much a step of gradient descent on both factors changes their scaled product, by the rate."""
    grad_B, grad_A = SCALING * grad_W @ lora_A.T, SCALING * lora_B.T @ grad_W
    after = (lora_B - rate * grad_B) @ (lora_A - rate * grad_A)
    return SCALING * (after - lora_B @ lora_A) / rate


def test_together_they_are_the_weight_as_it_was():
    grad_W, W = problem()
    began = gradient_start(grad_W, W, R, SCALING)
    assert (began.lora_A.shape, began.lora_B.shape) == ((R, IN), (OUT, R))
    torch.testing.assert_close(began.W + SCALING * began.lora_B @ began.lora_A, W)
    assert (began.W - W).norm() > 0.1


def test_the_first_step_follows_the_best_copy_of_the_gradient_of_twice_the_rank():
    grad_W, W = problem()
    lora_A, lora_B, _ = gradient_start(grad_W, W, R, SCALING)
    c = OUT**0.25 / GAMMA**0.5
    wanted = -((SCALING * c) ** 2) * best_copy(grad_W, 2 * R)
    torch.testing.assert_close(first_move(lora_A, lora_B, grad_W, 1e-6), wanted, rtol=1e-4, atol=1e-5)


def test_no_other_factors_come_nearer_to_the_gradient():
    """Whatever the factors, the first step has rank 2 r at most, and Eckart and Young say which such matrix is best."""
    grad_W, W = problem()
    lora_A, lora_B, _ = gradient_start(grad_W, W, R, SCALING)

    def missed(lora_A: torch.Tensor, lora_B: torch.Tensor) -> float:
        step = -first_move(lora_A, lora_B, grad_W, 1e-9)
        return (
            (step * (step * grad_W).sum() / step.square().sum() - grad_W).norm().item()
        )  # of the best length

    ours = missed(lora_A, lora_B)
    assert ours == pytest.approx((grad_W - best_copy(grad_W, 2 * R)).norm().item(), rel=1e-5)
    generator = torch.Generator().manual_seed(1)
    for size in (0.01, 0.1, 1.0):
        for _ in range(20):
            other_A, other_B = (
                each + size * torch.randn(each.shape, generator=generator, dtype=torch.float64)
                for each in (lora_A, lora_B)
            )
            assert missed(other_A, other_B) > ours
    usual = torch.randn(R, IN, generator=generator, dtype=torch.float64)
    assert missed(usual, torch.zeros_like(lora_B)) > 1.5 * ours


def test_the_directions_are_those_of_peft_and_the_lengths_those_of_the_paper():
    grad_W, W = (each.float() for each in problem())
    model = nn.Sequential()
    model.add_module("q_proj", nn.utils.skip_init(nn.Linear, IN, OUT, bias=False))
    model.q_proj.weight = nn.Parameter(W.clone())
    config = peft.LoraConfig(
        r=R,
        lora_alpha=SCALING * R,
        target_modules=["q_proj"],
        init_lora_weights="lora_ga",
        lora_ga_config=peft.LoraGAConfig(),
        lora_dropout=0.0,
    )

    def give_gradient() -> None:
        (model.q_proj.weight * grad_W).sum().backward()  # its gradient is grad_W
        model.q_proj._peft_loraga_grad_count = 1

    peft.preprocess_loraga(model, config, give_gradient)
    with torch.random.fork_rng():
        torch.manual_seed(0)  # PEFT finds the directions with random projections
        layer = peft.get_peft_model(model, config).base_model.model.q_proj
    their_A, their_B = layer.lora_A["default"].weight.detach(), layer.lora_B["default"].weight.detach()
    ours = gradient_start(grad_W, W, R, SCALING)
    s = torch.linalg.svdvals(grad_W)
    c = OUT**0.25 / GAMMA**0.5
    for mine, theirs, length in (
        (ours.lora_A, their_A, torch.ones(R)),
        (ours.lora_B.T, their_B.T, c * s[R : 2 * R]),
    ):
        cosines = (mine * theirs).sum(1) / (mine.norm(dim=1) * theirs.norm(dim=1))
        torch.testing.assert_close(cosines.abs(), torch.ones(R), rtol=0, atol=1e-3)  # the same up to signs
        torch.testing.assert_close(theirs.norm(dim=1), length, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(mine.norm(dim=1), torch.full((R,), c), rtol=1e-4, atol=1e-4)


def test_the_gradient_is_that_of_the_whole_weight_of_every_layer():
    base = load_base()
    texts = texts_of("new facts", "train", 8, base.config.block_size)
    model = inject(base, ["q_proj", "down_proj"], R, 2 * R, "alpha/r", "B=0", torch.Generator())
    start_by_gradient(model, lambda model: model.loss(*texts))
    for parameter in base.parameters():
        parameter.requires_grad_()
    base.loss(*texts).backward()
    assert len([*lora_layers(model)]) == 6
    for name, layer in lora_layers(model):
        plain = base.get_submodule(name)
        wanted = gradient_start(plain.weight.grad, plain.weight.detach(), R, 2.0)
        # Signs of singular vectors are arbitrary: products are compared.
        torch.testing.assert_close(
            layer.lora_B @ layer.lora_A, wanted.lora_B @ wanted.lora_A, rtol=1e-3, atol=1e-4
        )
        torch.testing.assert_close(
            layer.base.weight + delta_w(layer), plain.weight.detach(), rtol=1e-5, atol=1e-5
        )
        assert not layer.base.weight.requires_grad
    with torch.no_grad():
        assert model.loss(*texts).item() == pytest.approx(base.loss(*texts).item(), rel=1e-4)


def test_one_step_of_a_run_follows_it_too():
    """What PyTorch's own gradient and optimiser make of the start on the small layer."""
    small, rate = small_problem(), 1e-3
    model = LoRALinear(small.layer, R, SCALING * R, "alpha/r")
    initialize(model, "B=0", torch.Generator())
    small.loss(small.layer.requires_grad_()).backward()
    grad_W = small.layer.weight.grad.clone()
    start_by_gradient(model, small.loss)
    before = delta_w(model)
    small.loss(model).backward()
    torch.optim.SGD([model.lora_A, model.lora_B], lr=rate).step()
    c = small.layer.weight.shape[0] ** 0.25 / GAMMA**0.5
    wanted = -rate * (SCALING * c) ** 2 * best_copy(grad_W, 2 * R)
    # float32, and the part of the step that falls with the square of the rate
    torch.testing.assert_close(delta_w(model) - before, wanted, rtol=0.02, atol=1e-6)


@pytest.mark.parametrize("r", [0, IN // 2 + 1])
def test_a_rank_that_has_no_two_sets_of_directions_is_refused(r):
    with pytest.raises(ValueError, match=f"LoRA-GA needs an r from 1 to {IN // 2} for this layer, got {r}."):
        gradient_start(*problem(), r, SCALING)
