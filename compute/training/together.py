"""Many LoRA runs on one frozen base at once: grids of runs, each of which is too small to keep a core or a GPU busy."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce

import torch
from torch import nn
from torch.nn.functional import pad

from compute.adapters.adapted import AdaptedLinear, adapted_layers, with_layers
from compute.adapters.layer import LoRALinear
from compute.model.gpt import GPT
from compute.training.captured import RECORDING, in_place
from compute.training.config import TrainConfig
from compute.training.loop import longest, out_of_bounds, prepare, steps_of, stored, taken
from compute.world.batches import Texts, together
from compute.world.tasks import ANSWERING

BETAS, EPSILON, DECAY = (0.9, 0.999), 1e-8, 0.01  # of AdamW, torch's defaults
APART = ("r", "alpha", "scaling_rule", "learning_rate", "seed")  # what runs side by side may differ in


class _Beside(AdaptedLinear):
    """Hold the adapters of n runs beside one frozen layer, each for its own n-th part of the texts.

    A factor of a lower rank than the highest is filled up with zeros. Where a row of lora_A and its column of lora_B
    are both zero no gradient reaches either, and an optimiser leaves them where they are: what is filled up is exact.
    """

    scaling: torch.Tensor  # (n, 1, 1)

    def __init__(self, base: nn.Linear, layers: Sequence[LoRALinear]):
        super().__init__(base)
        r = max(layer.r for layer in layers)
        self.register_buffer("scaling", torch.tensor([layer.scaling for layer in layers])[:, None, None])
        lora_A = [pad(layer.lora_A.detach(), (0, 0, 0, r - layer.r)) for layer in layers]
        lora_B = [pad(layer.lora_B.detach(), (0, r - layer.r)) for layer in layers]
        self.lora_A = nn.Parameter(torch.stack(lora_A))  # (n, r, in)
        self.lora_B = nn.Parameter(torch.stack(lora_B))  # (n, out, r)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's answer (texts, T, out) to x (texts, T, in)."""
        own = x.reshape(len(self.scaling), -1, x.shape[-1])  # (n, texts / n * T, in)
        inner = self.scaling * torch.bmm(own, self.lora_A.mT)
        return self.base(x) + torch.bmm(inner, self.lora_B.mT).view(*x.shape[:-1], -1)


class _Rates(torch.optim.Optimizer):
    """Step as torch's AdamW or SGD does, with learning rates (n, 1, 1) by parameter, one for each of its n runs."""

    def __init__(self, rates: dict[nn.Parameter, torch.Tensor], adam: bool):
        super().__init__([*rates], {})
        self.rates, self.adam = rates, adam
        # A tensor, so that a recorded step counts on; in float64, since 1 - 0.999 ** 1 loses half of float32's digits.
        self.steps = torch.zeros((), dtype=torch.float64, device=next(iter(rates)).device)

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


def refuse_apart(configs: Sequence[TrainConfig]) -> None:
    """Refuse runs that cannot train side by side.

    Parameters
    ----------
    configs : sequence of TrainConfig
        The runs.

    Raises
    ------
    ValueError
        If there is none, if one is no LoRA run, if they differ in more than APART, or if they train what runs cannot
        have side by side: embeddings, or a base that PiSSA changes.

    Examples
    --------
    >>> refuse_apart([TrainConfig(seed=0), TrainConfig(seed=1, steps=5)])
    Traceback (most recent call last):
    ValueError: Runs that train together differ in r, alpha, scaling_rule, learning_rate, seed alone.
    """
    first = configs[0] if configs else TrainConfig(method="full")
    if first.method != "lora" or first.train_embeddings or first.init == "PiSSA":
        raise ValueError(
            "Runs that train together are LoRA runs on one frozen base: without embeddings, and not from PiSSA."
        )
    same = {name: getattr(first, name) for name in APART}
    if any(replace(config, **same) != first for config in configs):
        raise ValueError(f"Runs that train together differ in {', '.join(APART)} alone.")


class Together:
    """Hold LoRA runs that train side by side: one model, in which each run has its own part of every batch.

    Parameters
    ----------
    configs : sequence of TrainConfig
        LoRA runs that may differ in APART.
    base : GPT
        A plain model on the CPU, which is not touched.
    where : torch.device
        What they are computed on.
    ratios : sequence of float, optional
        Of lora_B's learning rate to lora_A's, which is that of the config: one for each run. If left out, all 1.

    Raises
    ------
    ValueError
        If the runs cannot train side by side (`refuse_apart`).

    References
    ----------
    Hayou, Ghosh & Yu 2024, arXiv:2402.12354 (LoRA+: two rates).

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> from compute.numbers.records import WORLD
    >>> runs = [TrainConfig(task="new facts", steps=3, batch_size=2, r=r) for r in (1, 4)]
    >>> both = Together(runs, load_base(), torch.device("cpu"))
    >>> [losses.shape for losses in both.losses()]
    [torch.Size([2]), torch.Size([2]), torch.Size([2])]
    >>> [model.blocks[0].mlp.up_proj.lora_A.shape for model in both.models()]
    [torch.Size([1, 64]), torch.Size([4, 64])]
    """

    def __init__(
        self,
        configs: Sequence[TrainConfig],
        base: GPT,
        where: torch.device,
        ratios: Sequence[float] | None = None,
    ):
        refuse_apart(configs)
        first = configs[0]
        self.configs, self.where = configs, where
        self._models = [prepare(config, base) for config in configs]
        self._layers: dict[str, list[LoRALinear]] = {}  # of all runs, by name
        for model in self._models:
            for name, layer in adapted_layers(model):
                assert isinstance(layer, LoRALinear)
                self._layers.setdefault(name, []).append(layer)
        layers = iter(self._layers.values())  # with_layers goes through them in the same order
        self._joint = with_layers(
            stored(first, base),
            first.target_modules,
            lambda _, layer: _Beside(layer, next(layers)),
            first.layers,
        ).to(where)
        of_A = torch.tensor([config.learning_rate for config in configs])[:, None, None].to(where)
        of_B = of_A * torch.tensor(ratios or [1.0] * len(configs))[:, None, None].to(where)
        learning = [(name, p) for name, p in self._joint.named_parameters() if p.requires_grad]
        rates = {p: of_B if name.endswith("lora_B") else of_A for name, p in learning}
        self._optimizer = _Rates(rates, first.optimizer == "adamw")

    def losses(self) -> Iterator[torch.Tensor]:
        """Train, and yield the loss of each run at each step, (n,), as `compute.training.loop.taken` does."""
        block_size = self._joint.config.block_size
        batches = _joined(self.configs, block_size)
        replays = self.where.type in RECORDING
        if replays:
            batches = in_place(batches, self.where, longest(self.configs[0], block_size))
        each = torch.empty(0)

        def loss_of(texts: Texts) -> torch.Tensor:
            nonlocal each
            each = _loss(self._joint, texts.to(self.where), len(self.configs))
            return each.sum()  # so that each run has its own gradient

        return taken(loss_of, batches, self._optimizer, seen=lambda _: each.detach(), replays=replays)

    @torch.no_grad()
    def models(self) -> list[GPT]:
        """Return the model of each run as it is now, on the CPU."""
        for name, beside in adapted_layers(self._joint):
            assert isinstance(beside, _Beside)
            lora_A, lora_B = beside.lora_A.cpu(), beside.lora_B.cpu()
            for i, layer in enumerate(self._layers[name]):
                layer.lora_A.copy_(lora_A[i, : layer.r])
                layer.lora_B.copy_(lora_B[i, :, : layer.r])
        return self._models


def train_together(
    configs: Sequence[TrainConfig], base: GPT, ratios: Sequence[float] | None = None
) -> list[GPT | None]:
    """Train LoRA runs side by side on the CPU.

    Parameters
    ----------
    configs : sequence of TrainConfig
        As for `Together`.
    base : GPT
        A plain model on the CPU, which is not touched.
    ratios : sequence of float, optional
        As for `Together`.

    Returns
    -------
    list of GPT or None
        The finetuned models, each as `compute.training.loop.updates` leaves it but for rounding; None where a run
        diverged, as it does there.

    Raises
    ------
    ValueError
        If the runs cannot train side by side.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> from compute.numbers.records import WORLD
    >>> runs = [
    ...     TrainConfig(task="new facts", steps=2, batch_size=2, learning_rate=rate) for rate in (1e-3, 1e-2)
    ... ]
    >>> slow, fast = train_together(runs, load_base())
    >>> bool(slow.blocks[0].mlp.up_proj.lora_B.abs().sum() < fast.blocks[0].mlp.up_proj.lora_B.abs().sum())
    True
    """
    runs = Together(configs, base, torch.device("cpu"), ratios)
    losses = torch.stack([*runs.losses()])  # (steps, n)
    answers = configs[0].task in ANSWERING
    worst = [
        out_of_bounds(loss, base.config.vocab_size, answers) if math.isfinite(loss) else 0
        for loss in losses[0].tolist()
    ]
    good = (losses <= torch.tensor(worst)).all(0).tolist()  # a loss that is no number is not
    return [model if fine else None for model, fine in zip(runs.models(), good, strict=True)]


def _joined(configs: Sequence[TrainConfig], block_size: int) -> Iterator[Texts]:
    """Yield what all runs read in each step, one run after the other."""
    for some in zip(*(steps_of(config, block_size) for config in configs), strict=True):
        yield reduce(together, some)


def _loss(joint: GPT, texts: Texts, count: int) -> torch.Tensor:
    """Return the loss of each run, (count,), as GPT.loss has it."""
    logits, after = joint(texts.tokens[:, :-1]), texts.tokens[:, 1:]
    each = nn.functional.cross_entropy(logits.transpose(1, 2), after, reduction="none")
    own = each.mean(1) if texts.learned is None else (each * texts.learned).sum(1) / texts.learned.sum(1)
    return own.view(count, -1).mean(1)
