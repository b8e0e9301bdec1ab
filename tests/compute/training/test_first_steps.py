"""The first steps against closed forms in NumPy, and against the training loop of the lessons."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from compute.adapters.inits import INITS, start
from compute.adapters.layer import lora_layers
from compute.adapters.lora_ga import gradient_start, start_by_gradient
from compute.adapters.peft_format import on_base
from compute.costs.sizes import first_step_ratio
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.training.config import WATCHED, TrainConfig
from compute.training.first_steps import EXAMPLES, MISSING, RUINED, model_steps, small_problem, small_steps
from compute.training.loop import evaluate, learned, prepare, steps_of, train

torch.set_num_threads(1)

ROUNDING = 1e-4  # relative: float32 against float64, sums of some thousand products


@pytest.fixture(scope="module")
def base() -> GPT:
    return load_base()


def config(init: str, **changed) -> TrainConfig:
    usual = {"optimizer": "sgd", "learning_rate": 0.02, "steps": 5}
    return TrainConfig(init=init, **usual | changed)


def of_model(asked: TrainConfig, **changed) -> TrainConfig:
    """Return the same run on the model."""
    return replace(asked, task="mirror voice", batch_size=4, n_texts=16, **changed)


def in_numpy(asked: TrainConfig) -> list[dict[str, float]]:
    """Return the steps of gradient descent on the small layer, with the gradients in closed form."""
    problem, scaling = small_problem(), asked.alpha / asked.r
    W0 = problem.layer.weight.detach()
    began = start(asked.init, W0, asked.r, scaling, torch.Generator().manual_seed(asked.seed))
    lora_A, lora_B, W = (each.double().numpy().copy() for each in began)
    x, y = problem.x.double().numpy(), problem.y.double().numpy()
    steps = []
    for _ in range(asked.steps + 1):
        now = W + scaling * lora_B @ lora_A
        missed = x @ now.T - y  # (EXAMPLES, SIZE)
        grad_W = missed.T @ x / EXAMPLES
        grad_lora_A = scaling * lora_B.T @ grad_W
        grad_lora_B = scaling * grad_W @ lora_A.T
        steps.append(
            {
                "loss": (missed**2).sum(1).mean() / 2,
                "lora_A": np.linalg.norm(grad_lora_A),
                "lora_B": np.linalg.norm(grad_lora_B),
                "distance": np.linalg.norm(now - W0.double().numpy()),
            }
        )
        lora_A -= asked.learning_rate * grad_lora_A
        lora_B -= asked.learning_rate * grad_lora_B
    return steps


@pytest.mark.parametrize("init", INITS)
def test_gradient_descent_in_closed_form_takes_the_same_steps(init):
    # Both random starts far away: a smaller rate, so that rounding is not amplified.
    asked = config(init, learning_rate=0.002 if init == "both random" else 0.02)
    ours, expected = small_steps(asked), in_numpy(asked)
    for name in ("loss", "lora_A", "lora_B", "distance"):
        wanted = [step[name] for step in expected]
        assert getattr(ours, name) == pytest.approx(wanted, rel=ROUNDING, abs=1e-5), name
    assert not ours.given_up


@pytest.mark.parametrize("init", INITS)
def test_a_factor_gets_a_gradient_if_the_other_one_is_not_zero(init, base):
    silent = {"B=0": ["lora_A"], "A=0": ["lora_B"], "both zero": ["lora_A", "lora_B"]}.get(init, [])
    asked = config(init, steps=1)
    for steps in (small_steps(asked), model_steps(of_model(asked), base)[0]):
        zero = [name for name in ("lora_A", "lora_B") if getattr(steps, name)[0] == 0]
        assert zero == silent  # exactly zero, not small
        later = [name for name in ("lora_A", "lora_B") if getattr(steps, name)[1] == 0]
        assert later == (silent if init == "both zero" else [])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_two_zeros_never_move(optimizer, base):
    asked = config("both zero", optimizer=optimizer, learning_rate=0.1)
    for steps in (small_steps(asked), model_steps(of_model(asked), base)[0]):
        assert {*steps.lora_A, *steps.lora_B, *steps.distance, steps.moved} == {0.0}


def test_the_gradient_of_the_small_layer_is_nearly_what_is_missing():
    problem = small_problem()
    problem.loss(problem.layer).backward()
    D = torch.linalg.lstsq(problem.x, problem.y).solution.T - problem.layer.weight.detach()
    s = torch.linalg.svdvals(D)
    torch.testing.assert_close(s[:MISSING], torch.ones(MISSING), rtol=1e-3, atol=1e-3)
    assert s[MISSING] < 1e-3
    C = problem.x.T @ problem.x / EXAMPLES
    torch.testing.assert_close(problem.layer.weight.grad, -D @ C, rtol=1e-3, atol=1e-4)


def test_loraga_gives_both_factors_a_gradient_and_starts_from_the_base(base):
    asked = config("B=0", steps=1)
    for steps in (small_steps(asked, by_gradient=True), model_steps(of_model(asked), base, True)[0]):
        assert min(steps.lora_A[0], steps.lora_B[0]) > 0
        assert steps.distance[0] < 1e-4 < steps.moved  # rounding


def test_loraga_reads_the_texts_of_the_first_step(base):
    asked = of_model(config("B=0", learning_rate=1e-3, steps=1))
    [texts] = steps_of(asked, base.config.block_size)
    expected = prepare(asked, base)
    start_by_gradient(expected, lambda model: model.loss(*texts))
    expected.loss(*texts).backward()
    steps, _ = model_steps(asked, base, by_gradient=True)
    grads = [layer.lora_B.grad for _, layer in lora_layers(expected)]
    assert steps.lora_B[0] == pytest.approx(
        torch.stack([each.norm() for each in grads]).norm().item(), rel=1e-4
    )


def test_loraga_is_no_start_beside_another(base):
    for follow in (small_steps, lambda asked, by: model_steps(of_model(asked), base, by)):
        with pytest.raises(ValueError, match="has no use for init"):
            follow(config("PiSSA"), True)


@pytest.mark.usefixtures("brief_evaluations")
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_model_takes_the_steps_of_the_training_loop(optimizer, base):
    asked = of_model(config("mixed", optimizer=optimizer, learning_rate=0.01, steps=3))
    ours, model = model_steps(asked, base)
    records = [*islice(train(replace(asked, steps=4), base), 4)]
    assert ours.loss == [record.loss for record in records]  # bit for bit
    for name in ("lora_A", "lora_B"):
        wanted = [record.gradient_norms[name] for record in records]
        assert getattr(ours, name) == pytest.approx(wanted, rel=1e-5)
    *_, result = train(asked, base)
    assert evaluate(model, asked.task).validation_loss == result.evaluation.validation_loss
    norms = [np.linalg.norm(s) for s in result.spectra.values()]
    assert ours.distance[-1] == pytest.approx(np.linalg.norm(norms), rel=ROUNDING)


@pytest.mark.usefixtures("brief_evaluations")
@pytest.mark.parametrize(
    "changed", [{"train_embeddings": True}, {"base_format": "int2", "n_texts": 9}], ids=str
)
def test_the_model_takes_the_steps_of_every_lora_run(changed, base):
    asked = replace(of_model(config("B=0", steps=3)), **changed)
    ours, model = model_steps(asked, base)
    *records, result = train(asked, base, strengths=())
    assert ours.loss[:3] == [record.loss for record in records]
    assert evaluate(model, asked.task).validation_loss == result.evaluation.validation_loss
    assert ours.distance[0] == 0  # from the base as the run stores it


def test_the_longest_run_can_be_followed(base):
    longest = of_model(TrainConfig(steps=5000, optimizer="sgd", learning_rate=10, alpha=64))
    steps = model_steps(longest, base)[0]
    assert steps.given_up
    assert len(steps.loss) < 20  # the run was soon


def test_only_the_first_steps_are_kept_and_the_run_goes_on():
    steps = small_steps(config("B=0", steps=WATCHED + 20))
    assert {len(values) for values in steps[:4]} == {WATCHED + 1}
    assert steps.loss == small_steps(config("B=0", steps=WATCHED)).loss


def test_a_pissa_start_is_the_base_and_its_distance_is_measured_from_there(base):
    asked = of_model(config("PiSSA", optimizer="adamw", learning_rate=0.01, steps=2))
    steps, _ = model_steps(asked, base)
    assert steps.distance[0] < 1e-4  # rounding
    assert steps.distance[1] == pytest.approx(steps.moved, rel=1e-3)
    changes = learned(on_base(prepare(asked, base), base), base)
    assert max(change.norm().item() for change in changes.values()) < 1e-4
    assert {layer.r for _, layer in lora_layers(on_base(prepare(asked, base), base))} == {2 * asked.r}


def test_the_first_step_of_gradient_descent_is_that_of_the_formula():
    problem = small_problem()
    problem.loss(problem.layer).backward()
    G = problem.layer.weight.grad
    for init in ("B=0", "A=0"):
        asked = config(init)
        lora_A, lora_B, _ = start(init, problem.layer.weight, 4, 2.0, torch.Generator().manual_seed(0))
        change = G @ lora_A.T @ lora_A if init == "B=0" else lora_B @ lora_B.T @ G
        expected = (asked.learning_rate * 4 * change).norm().item()
        assert small_steps(asked).moved == pytest.approx(expected, rel=ROUNDING)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("shape", [(512, 512), (256, 1024)])
def test_the_ratio_of_the_first_steps_is_that_of_the_formula(optimizer, shape):
    out_size, in_size = shape
    r, scaling, generator = 8, 1.0, torch.Generator().manual_seed(0)
    G = torch.randn(out_size, in_size, generator=generator)
    sizes = []
    for init in ("B=0", "A=0"):
        lora_A, lora_B, _ = start(init, torch.zeros(shape), r, scaling, generator)
        grad_A, grad_B = scaling * lora_B.T @ G, scaling * G @ lora_A.T
        if optimizer == "adamw":  # its first step is the sign of the gradient, but for eps and weight decay
            grad_A, grad_B = grad_A.sign(), grad_B.sign()
        sizes.append((scaling * (grad_B @ lora_A + lora_B @ grad_A)).norm().item())
    # One draw of 8 directions; their lengths vary by some hundredths at this width.
    assert sizes[1] / sizes[0] == pytest.approx(first_step_ratio(shape, r, optimizer), rel=0.1)


def test_a_run_that_leaves_for_good_is_given_up():
    steps = small_steps(config("A=0", learning_rate=0.5))
    assert steps.given_up
    assert 1 <= len(steps.loss) < 6
    assert len({len(values) for values in steps[:4]}) == 1
    assert max(steps.loss) <= RUINED * steps.loss[0]
    assert steps.moved > 0
    assert math.isfinite(steps.moved)


@pytest.mark.parametrize(("by_gradient", "least"), [(False, 0.8), (True, 0.05)])
def test_pissa_and_loraga_have_no_room_for_what_the_small_layer_lacks(by_gradient, least):
    """The product would have to hold the directions that it took out and the two missing ones: four is all it can."""
    problem, r = small_problem(), 4
    W = problem.layer.weight.detach().clone()
    if by_gradient:
        problem.loss(problem.layer.requires_grad_()).backward()
        rest = gradient_start(problem.layer.weight.grad, W, r, 2.0).W
    else:
        rest = start("PiSSA", W, r, 2.0, torch.Generator()).W
    root = torch.linalg.cholesky(
        problem.x.T @ problem.x / EXAMPLES
    )  # the loss counts directions as x has them
    wanted = torch.linalg.lstsq(problem.x, problem.y).solution.T - rest
    best = torch.linalg.svdvals(wanted @ root)[r:].square().sum().item() / 2
    assert best > least * problem.loss(problem.layer).item()
    asked = config("B=0" if by_gradient else "PiSSA", optimizer="adamw", learning_rate=0.01, steps=WATCHED)
    end = small_steps(asked, by_gradient).loss[-1]
    assert best * (1 - ROUNDING) < end < 1.05 * best
