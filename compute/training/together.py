"""Many LoRA runs on one frozen base at once: grids of runs, each of which is too small to keep a core busy."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from compute.adapters.adapted import AdaptedLinear, adapted_layers, with_layers
from compute.adapters.layer import LoRALinear
from compute.model.gpt import GPT
from compute.training.config import TrainConfig
from compute.training.loop import out_of_bounds, prepare, steps, steps_of
from compute.world.batches import Texts
from compute.world.tasks import ANSWERING

BETAS, EPSILON, DECAY = (0.9, 0.999), 1e-8, 0.01  # of AdamW, torch's defaults


class _Beside(AdaptedLinear):
    """Hold the adapters of n runs beside one frozen layer, each for its own n-th part of the texts."""

    def __init__(self, base: nn.Linear, layers: Sequence[LoRALinear]):
        super().__init__(base)
        self.scaling = torch.tensor([layer.scaling for layer in layers])[:, None, None]
        self.lora_A = nn.Parameter(torch.stack([layer.lora_A.detach() for layer in layers]))  # (n, r, in)
        self.lora_B = nn.Parameter(torch.stack([layer.lora_B.detach() for layer in layers]))  # (n, out, r)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's answer (texts, T, out) to x (texts, T, in)."""
        own = x.reshape(len(self.scaling), -1, x.shape[-1])  # (n, texts / n * T, in)
        inner = self.scaling * torch.bmm(own, self.lora_A.mT)
        return self.base(x) + torch.bmm(inner, self.lora_B.mT).view(*x.shape[:-1], -1)


class _Rates(torch.optim.Optimizer):
    """Step as torch's AdamW or SGD does, with learning rates (n, 1, 1) by parameter, one for each of its n runs."""

    def __init__(self, rates: dict[nn.Parameter, torch.Tensor], adam: bool):
        super().__init__([*rates], {})
        self.rates, self.adam, self.steps = rates, adam, 0

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Make one update."""
        self.steps += 1
        first, second = (1 - beta**self.steps for beta in BETAS)
        for p, rates in self.rates.items():
            if not self.adam:
                p.sub_(rates * p.grad)
                continue
            state = self.state[p]
            if not state:
                state["mean"], state["square"] = torch.zeros_like(p), torch.zeros_like(p)
            state["mean"].lerp_(p.grad, 1 - BETAS[0])
            state["square"].mul_(BETAS[1]).addcmul_(p.grad, p.grad, value=1 - BETAS[1])
            size = (state["square"] / second).sqrt_().add_(EPSILON)
            p.mul_(1 - rates * DECAY).sub_(rates / first * state["mean"] / size)


def train_together(
    configs: Sequence[TrainConfig], base: GPT, ratios: Sequence[float] | None = None
) -> list[GPT | None]:
    """Train LoRA runs side by side that differ in alpha, learning rate and seed.

    Parameters
    ----------
    configs : sequence of TrainConfig
        At least one, of method "lora"; the rest of their fields are those of the first.
    base : GPT
        A plain model on the CPU, which is not touched.
    ratios : sequence of float, optional
        Of lora_B's learning rate to lora_A's, which is that of the config: one for each run. If left out, all 1.

    Returns
    -------
    list of GPT or None
        The finetuned models, each as `compute.training.loop.updates` leaves it but for rounding; None where a run
        diverged, as it does there.

    Raises
    ------
    ValueError
        If a run differs from the first in anything else.

    References
    ----------
    Hayou, Ghosh & Yu 2024, arXiv:2402.12354 (LoRA+: two rates).

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> runs = [TrainConfig(steps=2, batch_size=2, learning_rate=rate) for rate in (1e-3, 1e-2)]
    >>> slow, fast = train_together(runs, load_base())
    >>> bool(slow.blocks[0].mlp.up_proj.lora_B.abs().sum() < fast.blocks[0].mlp.up_proj.lora_B.abs().sum())
    True
    """
    first = configs[0]
    for config in configs:
        apart = {"alpha": first.alpha, "learning_rate": first.learning_rate, "seed": first.seed}
        if first.method != "lora" or TrainConfig(**{**vars(config), **apart}) != first:
            raise ValueError(
                "Runs that train together are LoRA runs that differ in alpha, rate and seed alone."
            )
    models = [prepare(config, base) for config in configs]
    held: dict[str, list[LoRALinear]] = {}
    for model in models:
        for name, layer in adapted_layers(model):
            assert isinstance(layer, LoRALinear)
            held.setdefault(name, []).append(layer)
    layers = iter(held.values())  # with_layers goes through them in the same order
    joint = with_layers(
        base, first.target_modules, lambda _, layer: _Beside(layer, next(layers)), first.layers
    )
    losses = _train(joint, configs, ratios or [1.0] * len(configs))
    worst = [
        out_of_bounds(own[0], base.config.vocab_size, first.task in ANSWERING) if math.isfinite(own[0]) else 0
        for own in losses
    ]
    with torch.no_grad():
        for name, beside in adapted_layers(joint):
            assert isinstance(beside, _Beside)
            for i, layer in enumerate(held[name]):
                layer.lora_A.copy_(beside.lora_A[i])
                layer.lora_B.copy_(beside.lora_B[i])
    return [
        model if all(loss <= most for loss in own) else None  # a loss that is no number is not
        for model, own, most in zip(models, losses, worst, strict=True)
    ]


def _train(joint: GPT, configs: Sequence[TrainConfig], ratios: Sequence[float]) -> list[list[float]]:
    """Train all runs and return the losses of each."""
    of_A = torch.tensor([config.learning_rate for config in configs])[:, None, None]
    of_B = of_A * torch.tensor(ratios)[:, None, None]
    learning = [(name, p) for name, p in joint.named_parameters() if p.requires_grad]
    rates = {p: of_B if name.endswith("lora_B") else of_A for name, p in learning}
    optimizer = _Rates(rates, configs[0].optimizer == "adamw")
    losses: list[list[float]] = [[] for _ in configs]

    def loss_of(texts: Texts) -> torch.Tensor:
        each = _loss(joint, texts, len(configs))
        for own, loss in zip(losses, each.tolist(), strict=True):
            own.append(loss)
        return each.sum()  # so that each run has its own gradient

    for _ in steps(loss_of, _joined(configs, joint.config.block_size), optimizer):
        pass
    return losses


def _joined(configs: Sequence[TrainConfig], block_size: int) -> Iterator[Texts]:
    """Yield what all runs read in each step, one run after the other."""
    for some in zip(*(steps_of(config, block_size) for config in configs), strict=True):
        tokens = torch.cat([texts.tokens for texts in some])
        learned = [texts.learned for texts in some if texts.learned is not None]
        yield Texts(tokens, torch.cat(learned) if learned else None)


def _loss(joint: GPT, texts: Texts, count: int) -> torch.Tensor:
    """Return the loss of each run, (count,), as GPT.loss has it."""
    logits, after = joint(texts.tokens[:, :-1]), texts.tokens[:, 1:]
    each = nn.functional.cross_entropy(logits.transpose(1, 2), after, reduction="none")
    own = each.mean(1) if texts.learned is None else (each * texts.learned).sum(1) / texts.learned.sum(1)
    return own.view(count, -1).mean(1)
