"""One base and many adapters: a batch in which every request has its own, answered in three ways."""

import copy
from collections.abc import Sequence

import torch
from torch import nn

from compute.adapters.mixing import Factors, Layers
from compute.model.gpt import GPT

Requests = dict[int, torch.Tensor]  # places in the batch, by the adapter that they ask for


class ManyLoRALinear(nn.Module):
    """Add to a linear layer what each request's own adapter adds.

    Parameters
    ----------
    base : nn.Linear
        The layer, shared by all requests. Its weight W is (out, in).
    adapters : sequence of Factors
        At least one, all of this layer and of one rank.

    Raises
    ------
    ValueError
        If the ranks differ.

    Notes
    -----
    For request i with the adapter j = which[i]: y[i] = x[i] @ W.T + scaling * (x[i] @ lora_A[j].T) @ lora_B[j].T. The
    base sees one batch. The factors are gathered for the batch and multiplied by `torch.bmm`, one small product for
    each request, however many of the adapters are the same. Cost for each token: r (in + out) multiply-accumulates
    beside in * out.

    References
    ----------
    Chen et al. 2023, arXiv:2310.18547, abstract (one kernel for a batch with many adapters; theirs gathers nothing).

    Examples
    --------
    >>> import numpy as np
    >>> one = Factors(np.ones((3, 1)), np.ones((1, 2)), 1.0)
    >>> layer = ManyLoRALinear(nn.Linear(2, 3, bias=False), [one, one._replace(scaling=2.0)])
    >>> layer.which = torch.tensor([1, 0, 1])
    >>> added = layer(torch.ones(3, 1, 2)) - layer.base(torch.ones(3, 1, 2))
    >>> added[:, 0, 0].round().tolist()
    [4.0, 2.0, 4.0]
    """

    def __init__(self, base: nn.Linear, adapters: Sequence[Factors]):
        super().__init__()
        ranks = sorted({each.r for each in adapters})
        if len(ranks) > 1:
            raise ValueError(f"adapters that are batched together must have one rank, got {ranks}.")
        self.base = base
        self.which = torch.zeros(1, dtype=torch.int64)
        self.lora_A = _kept([each.lora_A for each in adapters])  # (adapters, r, in)
        # With the scaling inside: one multiplication less for each token.
        self.lora_B = _kept([each.scaling * each.lora_B for each in adapters])  # (adapters, out, r)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the answers (n, T, out) to x (n, T, in), one request for each entry of `which`."""
        lora_A = self.lora_A.index_select(0, self.which)  # (n, r, in)
        lora_B = self.lora_B.index_select(0, self.which)  # (n, out, r)
        inner = torch.bmm(x, lora_A.mT)  # (n, T, r)
        return torch.baddbmm(self.base(x), inner, lora_B.mT)


class Together(nn.Module):
    """Answer a batch in one pass, each request with its own adapter beside the shared base.

    Parameters
    ----------
    base : GPT
        A plain model on the CPU. It is not touched.
    adapters : sequence of Layers
        Factors by the name of the layer, all on the same layers and of one rank.

    References
    ----------
    Sheng et al. 2023, arXiv:2311.03285, abstract (batches of different adapters on one base).

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> from compute.experiments.mixing import load_factors
    >>> server = Together(load_base(), [load_factors("legal"), load_factors("code")])
    >>> server(torch.zeros(3, 5, dtype=torch.int64), torch.tensor([0, 1, 0])).shape
    torch.Size([3, 5, 320])
    """

    def __init__(self, base: GPT, adapters: Sequence[Layers]):
        super().__init__()
        self.model = copy.deepcopy(base).requires_grad_(False)
        self.layers = []
        for name in adapters[0]:
            layer = ManyLoRALinear(self.model.get_submodule(name), [each[name] for each in adapters])
            self.model.set_submodule(name, layer)
            self.layers.append(layer)

    @torch.no_grad()
    def forward(self, tokens: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        """Return logits (n, T, vocab_size) for tokens (n, T), with the adapters of the places `which` (n,)."""
        for layer in self.layers:
            layer.which = which
        return self.model(tokens)


class Swapped(nn.Module):
    """Answer a batch adapter by adapter: merge one into the base, answer its requests, merge the next.

    Parameters
    ----------
    base : GPT
        A plain model on the CPU. It is not touched.
    adapters : sequence of Layers
        Factors by the name of the layer, all on the same layers.

    Notes
    -----
    The original weights are kept, and each adapter is merged into them anew: adding and subtracting would leave
    rounding errors behind (`compute.adapters.merging`). A merge costs in * r * out multiply-accumulates a layer.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> from compute.experiments.mixing import load_factors
    >>> server = Swapped(load_base(), [load_factors("legal"), load_factors("code")])
    >>> server(torch.zeros(3, 5, dtype=torch.int64), torch.tensor([0, 1, 0])).shape
    torch.Size([3, 5, 320])
    """

    def __init__(self, base: GPT, adapters: Sequence[Layers]):
        super().__init__()
        self.model = copy.deepcopy(base).requires_grad_(False)
        self.weights = [self.model.get_submodule(name).weight for name in adapters[0]]
        self.originals = nn.ParameterList(_kept(weight.clone()) for weight in self.weights)
        self.lora_A = nn.ParameterList(
            _kept([each[name].lora_A for each in adapters]) for name in adapters[0]
        )
        self.lora_B = nn.ParameterList(
            _kept([each[name].scaling * each[name].lora_B for each in adapters]) for name in adapters[0]
        )

    def merge(self, adapter: int) -> None:
        """Put W + delta_w of one adapter into the model."""
        for W, lora_A, lora_B, weight in zip(
            self.originals, self.lora_A, self.lora_B, self.weights, strict=True
        ):
            torch.addmm(W, lora_B[adapter], lora_A[adapter], out=weight)

    @torch.no_grad()
    def forward(self, tokens: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        """Return logits (n, T, vocab_size) for tokens (n, T), with the adapters of the places `which` (n,)."""
        answers = []
        for adapter, places in requests_of(which).items():
            self.merge(adapter)
            answers.append((places, self.model(tokens[places])))
        return _in_place(answers)


class Merged(nn.Module):
    """Answer a batch with a model for each adapter, in which it is merged.

    Parameters
    ----------
    base : GPT
        A plain model on the CPU. It is not touched.
    adapters : sequence of Layers
        Factors by the name of the layer.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.2 (a merged model answers one task at a time).

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> from compute.experiments.mixing import load_factors
    >>> server = Merged(load_base(), [load_factors("legal"), load_factors("code")])
    >>> server(torch.zeros(3, 5, dtype=torch.int64), torch.tensor([0, 1, 0])).shape
    torch.Size([3, 5, 320])
    """

    def __init__(self, base: GPT, adapters: Sequence[Layers]):
        super().__init__()
        self.models = nn.ModuleList(copy.deepcopy(base).requires_grad_(False) for _ in adapters)
        for model, adapter in zip(self.models, adapters, strict=True):
            for name, factors in adapter.items():
                model.get_submodule(name).weight += torch.tensor(factors.delta_w, dtype=torch.float32)

    @torch.no_grad()
    def forward(self, tokens: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        """Return logits (n, T, vocab_size) for tokens (n, T), with the adapters of the places `which` (n,)."""
        groups = requests_of(which).items()
        return _in_place([(places, self.models[adapter](tokens[places])) for adapter, places in groups])


SERVERS = {"together": Together, "swapped": Swapped, "merged": Merged}


def requests_of(which: torch.Tensor) -> Requests:
    """Return which requests ask for which adapter.

    Parameters
    ----------
    which : (n,) tensor of int64
        The adapter of each request.

    Returns
    -------
    dict of int to tensor of int64
        For each adapter that is asked for, the places of its requests.

    Examples
    --------
    >>> {adapter: places.tolist() for adapter, places in requests_of(torch.tensor([5, 2, 5])).items()}
    {2: [1], 5: [0, 2]}
    """
    return {adapter: (which == adapter).nonzero()[:, 0] for adapter in which.unique().tolist()}


def held(server: nn.Module) -> int:
    """Return how many numbers a server holds.

    Parameters
    ----------
    server : nn.Module
        One of SERVERS.

    Returns
    -------
    int
        Numbers of all its tensors, each tensor once.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> held(load_base())
    193408
    """
    return sum(tensor.numel() for tensor in server.parameters())


def random_adapters(base: GPT, layers: Sequence[str], r: int, number: int, seed: int) -> list[Layers]:
    """Return adapters that say nothing in particular, to measure how long a real one would take.

    Parameters
    ----------
    base : GPT
        The model that they fit.
    layers : sequence of str
        Names of linear layers.
    r : int
        Rank of each, at least 1.
    number : int
        How many.
    seed : int
        Seed of the factors.

    Returns
    -------
    list of Layers
        With Gaussian factors and the scaling 1; delta_w has a tenth of the size of a weight of variance 1 / in.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> adapters = random_adapters(load_base(), ["blocks.0.mlp.up_proj"], r=4, number=3, seed=0)
    >>> len(adapters), adapters[0]["blocks.0.mlp.up_proj"].delta_w.shape
    (3, (256, 64))
    """
    generator = torch.Generator().manual_seed(seed)

    def factors(name: str) -> Factors:
        out, into = base.get_submodule(name).weight.shape
        lora_B = torch.randn(out, r, generator=generator, dtype=torch.float64)
        lora_A = torch.randn(r, into, generator=generator, dtype=torch.float64)
        return Factors(0.1 / (r * into) ** 0.5 * lora_B.numpy(), lora_A.numpy(), 1.0)

    return [{name: factors(name) for name in layers} for _ in range(number)]


def _kept(values: Sequence | torch.Tensor) -> nn.Parameter:
    """Return what a server holds: one tensor in float32 that does not learn."""
    if not isinstance(values, torch.Tensor):
        values = torch.stack([torch.tensor(each, dtype=torch.float32) for each in values])
    return nn.Parameter(values, requires_grad=False)


def _in_place(answers: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Return answers to groups of requests in the order of the requests."""
    places, logits = (torch.cat(parts) for parts in zip(*answers, strict=True))
    return torch.empty_like(logits).index_copy_(0, places, logits)
