"""AdaLoRA: an adapter written as singular values and directions, so that single directions can be taken away."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from compute.adapters.adapted import AdaptedLinear, adapted_layers, with_layers
from compute.adapters.rank_budget import EVERY, budget_at, phases, start_rank
from compute.model.gpt import GPT

STD = 0.02  # of both factors at the start
BETA = 0.85  # how much of the past stays in both averages, at each step
ORTHOGONALITY = 0.5  # weight of the penalty


class SVDLinear(AdaptedLinear):
    """Add P diag(lambda) Q to a linear layer, a sum of r directions that can be switched off one by one.

    Parameters
    ----------
    base : nn.Linear
        The layer, kept whole.
    r : int
        Number of directions at the start, at least 1.
    alpha : float
        Numerator of the scaling, alpha / r.
    generator : torch.Generator
        Where P and Q are drawn from, on the CPU.

    Raises
    ------
    ValueError
        If r is below 1.

    Notes
    -----
    In PEFT's names lora_B (out, r) is P, lora_E (r, 1) is lambda, lora_A (r, in) is Q. lora_E starts at zero, so the
    model starts as it was. With orthonormal P and Q it would be the SVD of delta_w; `Allocation.penalty` pulls them
    there. The scaling stays that of the first r while directions are taken away.

    References
    ----------
    Zhang et al. 2023, arXiv:2303.10512, section 3.1; huggingface/peft, tuners/adalora/layer.py (SVDLinear).

    Examples
    --------
    >>> layer = SVDLinear(nn.Linear(6, 4, bias=False), 3, 8, torch.Generator())
    >>> {name: tuple(p.shape) for name, p in layer.named_parameters() if p.requires_grad}
    {'lora_A': (3, 6), 'lora_E': (3, 1), 'lora_B': (4, 3)}
    """

    def __init__(self, base: nn.Linear, r: int, alpha: float, generator: torch.Generator):
        super().__init__(base)
        if r < 1:
            raise ValueError(f"r must be at least 1, got {r}.")
        self.r, self.scaling = r, alpha / r

        def drawn(*shape: int) -> nn.Parameter:
            return nn.Parameter(STD * torch.randn(shape, generator=generator))

        self.lora_A = drawn(r, base.in_features)
        self.lora_E = nn.Parameter(torch.zeros(r, 1))
        self.lora_B = drawn(base.out_features, r)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's answer (..., out) to x (..., in)."""
        inner = self.scaling * F.linear(x, self.lora_A * self.lora_E)  # (..., r)
        return self.base(x) + F.linear(inner, self.lora_B)

    def delta_w(self) -> torch.Tensor:
        """Return scaling * lora_B @ diag(lora_E) @ lora_A, (out, in)."""
        return self.scaling * self.lora_B @ (self.lora_A * self.lora_E)


def inject_directions(
    model: GPT, target_modules: Sequence[str], r: int, alpha: float, generator: torch.Generator
) -> GPT:
    """Return a copy of a model whose named layers have directions that can be taken away, and nothing else can learn.

    Parameters
    ----------
    model : GPT
        A plain model on the CPU. It is not touched.
    target_modules : sequence of str
        Last parts of the names of linear layers.
    r : int
        Number of directions that are to be left in a layer, on average; each starts with `start_rank(r)`.
    alpha : float
        Numerator of the scaling.
    generator : torch.Generator
        Where the directions are drawn from, on the CPU.

    Returns
    -------
    GPT
        The copy. `Allocation` takes directions away while it is trained.

    Raises
    ------
    ValueError
        If a name fits no linear layer, or r is below 1.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> adapted = inject_directions(load_base(), ["q_proj"], 4, 8, torch.Generator())
    >>> sum(p.numel() for p in adapted.parameters() if p.requires_grad)  # 3 blocks, 6 * (64 + 1 + 64)
    2322
    """
    return with_layers(
        model, target_modules, lambda name, layer: SVDLinear(layer, start_rank(r), alpha, generator)
    )


class Allocation:
    """Watch which directions of a model matter in training, and switch off those that matter least.

    Parameters
    ----------
    model : GPT
        A model with SVDLinear layers, which is changed in training and here.
    r : int
        Directions that are to be left in a layer, on average over the layers.
    steps : int
        Updates of the run.

    Notes
    -----
    The sensitivity of a number is its size times that of its gradient: how much the loss would change without it, to
    first order. One batch says little, so two averages are kept: of the sensitivity, and of how far it is from its own
    average. Their product is the importance of a number. That of a direction is that of its lambda, and the means of
    those of its row of lora_A and its column of lora_B. Directions compete across all layers, so the layers end with
    different ranks. One that is switched off keeps its row and column and can come back, until the run settles.

    References
    ----------
    Zhang et al. 2023, arXiv:2303.10512, sections 3.2 and 3.3; huggingface/peft, tuners/adalora (RankAllocator), whose
    steps these are.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> model = inject_directions(load_base(), ["q_proj", "v_proj"], 2, 8, torch.Generator().manual_seed(0))
    >>> allocation = Allocation(model, 2, steps=20)
    >>> for step in range(1, 21):
    ...     model.zero_grad()
    ...     (model.loss(torch.arange(66).view(2, 33)) + allocation.penalty()).backward()
    ...     with torch.no_grad():
    ...         _ = [p.sub_(p.grad) for p in model.parameters() if p.requires_grad]
    ...     allocation.after(step)
    >>> sum(allocation.ranks().values())  # 3 blocks, 2 layers, 2 directions each on average
    12
    """

    def __init__(self, model: GPT, r: int, steps: int):
        self.layers = {name: layer for name, layer in adapted_layers(model) if isinstance(layer, SVDLinear)}
        self.steps = steps
        self.first = sum(layer.r for layer in self.layers.values())
        self.last = r * len(self.layers)
        self.smoothed: dict[nn.Parameter, torch.Tensor] = {}  # the average of the sensitivity of each number
        self.unsure: dict[nn.Parameter, torch.Tensor] = {}  # and of how far it is from that
        for layer in self.layers.values():
            for p in (layer.lora_A, layer.lora_E, layer.lora_B):
                self.smoothed[p], self.unsure[p] = torch.zeros_like(p), torch.zeros_like(p)
        self.off: dict[str, torch.Tensor] = {}  # by layer: which directions are switched off, (r, 1)

    def penalty(self) -> torch.Tensor:
        """Return what is added to the loss: how far rows of lora_A and columns of lora_B are from orthonormal."""
        distances = []
        for layer in self.layers.values():
            for gram in (layer.lora_A @ layer.lora_A.T, layer.lora_B.T @ layer.lora_B):  # (r, r)
                distances.append((gram - torch.eye(layer.r, device=gram.device)).norm())
        return ORTHOGONALITY * torch.stack(distances).mean()

    @torch.no_grad()
    def after(self, step: int) -> None:
        """Take note of the gradients of a step, after its update, and switch off what the budget has no room for."""
        begin, end = phases(self.steps)
        if step < end:
            self._note()
        if step == end or (begin < step < end and step % EVERY == 0):
            self._choose(budget_at(step, self.steps, self.first, self.last))
            self._switch_off()
        elif step > end:
            self._switch_off()  # the optimiser moves them on

    def ranks(self) -> dict[str, int]:
        """Return how many directions of each layer are not switched off."""
        return {name: int(layer.lora_E.count_nonzero()) for name, layer in self.layers.items()}

    def _note(self) -> None:
        for p, smoothed in self.smoothed.items():
            sensitivity = (p * p.grad).abs()
            smoothed.lerp_(sensitivity, 1 - BETA)
            self.unsure[p].lerp_((sensitivity - smoothed).abs(), 1 - BETA)

    def _importance(self, layer: SVDLinear) -> torch.Tensor:
        """Return that of each direction of a layer, (r, 1)."""
        of_A, of_E, of_B = (
            self.smoothed[p] * self.unsure[p] for p in (layer.lora_A, layer.lora_E, layer.lora_B)
        )
        return of_E + of_A.mean(1, keepdim=True) + of_B.mean(0)[:, None]

    def _choose(self, budget: int) -> None:
        importance = torch.cat([self._importance(layer) for layer in self.layers.values()])  # (all, 1)
        off = torch.zeros_like(importance, dtype=torch.bool)
        off[importance.flatten().argsort(stable=True)[: self.first - budget]] = True
        parts = off.split([layer.r for layer in self.layers.values()])
        self.off = dict(zip(self.layers, parts, strict=True))

    def _switch_off(self) -> None:
        for name, off in self.off.items():
            self.layers[name].lora_E.masked_fill_(off, 0)
