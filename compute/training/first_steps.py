"""The first steps of a run, watched closely: on one small layer whose answer is known, and on the mini-model."""

import math
from collections.abc import Iterator
from itertools import repeat
from typing import NamedTuple

import torch
from torch import nn

from compute.adapters.layer import LoRALinear, delta_w, initialize, lora_layers
from compute.adapters.lora_ga import start_by_gradient
from compute.model.gpt import GPT
from compute.training.config import WATCHED, TrainConfig, refuse_unused
from compute.training.loop import OPTIMIZERS, prepare, steps, steps_of, stored, updates

SIZE = 64  # numbers that the small layer reads and writes, as the attention layers of the mini-model do
MISSING = 2  # directions that the small layer lacks
EXAMPLES = 256
# What a run on the small layer has no use for: every step sees all examples, and there is one layer.
IDLE = (
    "task",
    "method",
    "target_modules",
    "layers",
    "batch_size",
    "train_embeddings",
    "base_format",
    "n_texts",
    "base_share",
)
RUINED = 3.0  # times the first loss: a run that is worse has left for good


class SmallProblem(NamedTuple):
    """Hold a layer, and what it should answer.

    Attributes
    ----------
    layer : nn.Linear
        The layer to adapt, without bias.
    x : (EXAMPLES, SIZE) tensor
        What it reads.
    y : (EXAMPLES, SIZE) tensor
        What it should write.
    """

    layer: nn.Linear
    x: torch.Tensor
    y: torch.Tensor

    def loss(self, model: nn.Module) -> torch.Tensor:
        """Return half the mean squared length of what a model's answers miss."""
        return (model(self.x) - self.y).square().sum(1).mean() / 2


class FirstSteps(NamedTuple):
    """Hold what was measured before each of the first updates. Lists have one number for each.

    Attributes
    ----------
    loss : list of float
        On the examples of the step.
    lora_A : list of float
        Frobenius norm of the gradients of all lora_A together.
    lora_B : list of float
        The same of all lora_B.
    distance : list of float
        Frobenius norm of what all adapted weights together differ from those of the base, as the run stores it.
    moved : float
        Frobenius norm of what the first update did to these weights.
    given_up : bool
        Whether a loss, perhaps a later one, had grown to more than RUINED times the first, which ended the run.
    """

    loss: list[float]
    lora_A: list[float]
    lora_B: list[float]
    distance: list[float]
    moved: float
    given_up: bool


@torch.no_grad()
def small_problem() -> SmallProblem:
    """Return a layer that lacks a few directions, and examples that show which.

    Returns
    -------
    SmallProblem
        Always the same. The weight is drawn as a layer's usually is, with variance 1 / SIZE. What is missing has
        MISSING singular values of 1, and the examples are Gaussian, so that the loss at the start is about 1.

    Notes
    -----
    With D the part of the weight that is still missing, and C = x.T @ x / EXAMPLES, near the identity, the loss is
    tr(D @ C @ D.T) / 2 and its gradient grad_W = -D @ C: the gradient is nearly what is missing.

    Examples
    --------
    >>> problem = small_problem()
    >>> 0.8 < problem.loss(problem.layer).item() < 1.2
    True
    """
    generator = torch.Generator().manual_seed(0)
    layer = nn.utils.skip_init(nn.Linear, SIZE, SIZE, bias=False)
    layer.weight.normal_(std=SIZE**-0.5, generator=generator)
    left, right = (torch.randn(SIZE, MISSING, generator=generator) for _ in range(2))
    missing = torch.linalg.qr(left)[0] @ torch.linalg.qr(right)[0].T  # (SIZE, SIZE)
    x = torch.randn(EXAMPLES, SIZE, generator=generator)
    return SmallProblem(layer, x, x @ (layer.weight + missing).T)


def small_steps(config: TrainConfig, by_gradient: bool = False) -> FirstSteps:
    """Follow the adapter of the small layer.

    Parameters
    ----------
    config : TrainConfig
        Its r, alpha, scaling_rule, init, optimizer, learning_rate, steps and seed. Every step sees all examples.
    by_gradient : bool
        Whether the factors start as LoRA-GA has them. The config's init is then "B=0", as usual.

    Returns
    -------
    FirstSteps
        Lists of steps + 1 numbers, WATCHED + 1 at most; fewer for a run that was given up.

    Raises
    ------
    ValueError
        If another field of the config is not as usual: the small layer has no use for it.

    Examples
    --------
    >>> first = small_steps(TrainConfig(init="B=0", optimizer="sgd", learning_rate=0.1, steps=1))
    >>> [norm > 0 for norm in first.lora_A], [norm > 0 for norm in first.lora_B]
    ([False, True], [True, True])
    """
    refuse_unused(config, "small_steps", *IDLE, *["init"] * by_gradient)
    problem = small_problem()
    W = problem.layer.weight.detach().clone()
    model = LoRALinear(problem.layer, config.r, config.alpha, config.scaling_rule)
    initialize(model, config.init, torch.Generator().manual_seed(config.seed))
    if by_gradient:
        start_by_gradient(model, problem.loss)
    optimizer = OPTIMIZERS[config.optimizer]([model.lora_A, model.lora_B], lr=config.learning_rate)
    everything = repeat(problem.x, config.steps + 1)
    running = steps(lambda _: problem.loss(model), everything, optimizer)
    return _follow(config, model, running, {"": W})


def model_steps(config: TrainConfig, base: GPT, by_gradient: bool = False) -> tuple[FirstSteps, GPT]:
    """Train the adapters of a mini-model, and follow all of them through the first steps.

    Parameters
    ----------
    config : TrainConfig
        A LoRA run.
    base : GPT
        A plain model on the CPU, which is not touched.
    by_gradient : bool
        Whether the factors start as LoRA-GA has them, by the gradient of the texts of the first step. The config's
        init is then "B=0", as usual.

    Returns
    -------
    followed : FirstSteps
        Lists of steps + 1 numbers, WATCHED + 1 at most; fewer for a run that was given up. The steps are those of
        `compute.training.loop.train` with the same config.
    model : GPT
        After the last update.

    Raises
    ------
    ValueError
        If the run is no LoRA run: only factors are followed.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> config = TrainConfig(task="new facts", init="A=0", steps=1, batch_size=2)
    >>> first, _ = model_steps(config, load_base())
    >>> [norm > 0 for norm in first.lora_A], [norm > 0 for norm in first.lora_B]
    ([True, True], [False, True])
    """
    refuse_unused(config, "model_steps", "method", *["init"] * by_gradient)
    base = stored(config, base)
    model = prepare(config, base)
    if by_gradient:
        texts = next(steps_of(config, base.config.block_size, 1))
        start_by_gradient(model, lambda model: model.loss(*texts))
    before = {name: base.get_submodule(name).weight.detach() for name, _ in lora_layers(model)}
    return _follow(config, model, updates(model, config, config.steps + 1), before), model


def _follow(
    config: TrainConfig,
    model: nn.Module,
    running: Iterator[float],  # one step more than there are updates
    before: dict[str, torch.Tensor],
) -> FirstSteps:
    layers = dict(lora_layers(model))
    factors = {
        "lora_A": [each.lora_A for each in layers.values()],
        "lora_B": [each.lora_B for each in layers.values()],
    }

    def off(weights: dict[str, torch.Tensor]) -> float:
        return _norm([layer.base.weight + delta_w(layer) - weights[name] for name, layer in layers.items()])

    start = {name: layer.base.weight + delta_w(layer) for name, layer in layers.items()}
    followed = FirstSteps([], [], [], [], 0.0, False)
    for step, loss in enumerate(running):
        if step == 1:
            followed = followed._replace(moved=off(start))
        if not math.isfinite(loss) or (followed.loss and loss > RUINED * followed.loss[0]):
            return followed._replace(given_up=True)
        if step <= WATCHED:
            followed.loss.append(loss)
            for name, both in factors.items():
                getattr(followed, name).append(_norm([p.grad for p in both if p.grad is not None]))
            followed.distance.append(off(before))
        if step == config.steps:  # what stands here is the end: no update follows
            break
    return followed


def _norm(tensors: list[torch.Tensor]) -> float:
    return torch.stack([tensor.norm() for tensor in tensors]).norm().item()
