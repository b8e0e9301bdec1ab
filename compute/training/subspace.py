"""Finetune the mini-model with D numbers: its weights may only move in a random subspace of D dimensions."""

import copy

import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from compute.model.gpt import GPT
from compute.training.config import TrainConfig, refuse_unused
from compute.training.loop import steps, steps_of
from compute.world.batches import Texts

# What a run in a subspace has no use for.
IDLE = (
    "optimizer",
    "r",
    "alpha",
    "scaling_rule",
    "target_modules",
    "layers",
    "init",
    "train_embeddings",
    "base_format",
)


class Subspace:
    """Hold a random subspace of D dimensions among the n weights of a model: theta = theta_0 + P @ z.

    Each weight is dealt one of the D numbers in z, by lot and as evenly as possible, and a sign by the throw of a
    coin. Weights that were dealt the same number move together, all by as much, some up and some down.

    Parameters
    ----------
    n : int
        Weights of the model.
    D : int
        Dimensions, 1 to n.
    seed : int
        Seed of the lot and the coins.

    Attributes
    ----------
    index : (n,) tensor of int64
        Which number each weight was dealt, 0 to D - 1.
    sign : (n,) tensor of float32
        -1 or 1.

    Raises
    ------
    ValueError
        If D is outside 1 to n.

    Notes
    -----
    P (n, D) has one entry in each row, sign[i] at column index[i], so it is never formed: a dense one of 193,408 rows
    and 10,000 columns would fill 8 GB. Its columns are orthogonal, since no two share a row, and as long as each other
    if D divides n. With D = n the subspace is the whole space: P only shuffles the weights and turns signs, which an
    optimiser that treats each number by itself, like Adam, does not notice.

    References
    ----------
    Li et al. 2018, arXiv:1804.08838, section 2 (training in a random subspace); Chen et al. 2015, arXiv:1504.04788
    (weights in random groups, each group one number).

    Examples
    --------
    >>> subspace = Subspace(n=6, D=2, seed=0)
    >>> P = torch.stack([subspace.up(row) for row in torch.eye(2)], dim=1)  # (6, 2)
    >>> (P.T @ P).tolist()
    [[3.0, 0.0], [0.0, 3.0]]
    """

    def __init__(self, n: int, D: int, seed: int):
        if not 1 <= D <= n:
            raise ValueError(f"D must be between 1 and {n:,}, the number of weights, got {D}.")
        generator = torch.Generator().manual_seed(seed)
        self.D = D
        self.index = torch.randperm(n, generator=generator) % D
        self.sign = torch.randint(2, (n,), generator=generator) * 2.0 - 1.0

    def up(self, z: torch.Tensor) -> torch.Tensor:
        """Return P @ z: how far each weight moves, (n,), for z (D,)."""
        return self.sign * z[self.index]

    def down(self, gradient: torch.Tensor) -> torch.Tensor:
        """Return P.T @ gradient: the gradient of z, (D,), for that of the weights (n,)."""
        return gradient.new_zeros(self.D).index_add_(0, self.index, self.sign * gradient)


def train_in_subspace(config: TrainConfig, D: int, seed: int, base: GPT) -> GPT:
    """Return the model finetuned with D numbers.

    Parameters
    ----------
    config : TrainConfig
        The run, whose method is "full": its task, learning_rate, steps, batch_size, seed, n_texts and base_share. The
        optimiser is Adam.
    D : int
        Dimensions of the subspace, 1 to the number of weights.
    seed : int
        Seed of the subspace; that of config decides the order of the texts.
    base : GPT
        A plain model on the CPU. It is not touched.

    Returns
    -------
    GPT
        A copy whose every weight, embeddings included, moved with the number it was dealt.

    Raises
    ------
    ValueError
        If D is outside 1 to the number of weights, or the run asks for adapters or for another optimiser.

    Notes
    -----
    Adam moves each number by about its learning rate, and so each weight, whatever D. There is no weight decay: it
    would pull z, which starts at 0, back to the base. Cost of a step: that of full finetuning, and O(n) more.

    References
    ----------
    Li et al. 2018, arXiv:1804.08838, section 2.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> base, config = load_base(), TrainConfig("new facts", "full", steps=2, batch_size=4)
    >>> model = train_in_subspace(config, D=1, seed=0, base=base)
    >>> moved = parameters_to_vector(model.parameters()) - parameters_to_vector(base.parameters())
    >>> bool(moved.abs().max() - moved.abs().min() < 1e-6)  # D = 1: all weights move by as much
    True
    """
    if config.method != "full":
        raise ValueError(
            f"A subspace holds all weights of the model: method must be 'full', got {config.method!r}."
        )
    refuse_unused(config, "train_in_subspace", *IDLE)
    model = copy.deepcopy(base).requires_grad_()
    weights = list(model.parameters())
    start = parameters_to_vector(weights).detach().clone()  # (n,)
    subspace = Subspace(len(start), D, seed)
    z = torch.zeros(D)
    optimizer = torch.optim.Adam([z], lr=config.learning_rate)

    def loss_at_z(texts: Texts) -> torch.Tensor:
        vector_to_parameters(start + subspace.up(z), weights)
        model.zero_grad()
        return model.loss(*texts)

    for _ in steps(loss_at_z, steps_of(config, base.config.block_size), optimizer):
        z.grad = subspace.down(parameters_to_vector([weight.grad for weight in weights]))
    vector_to_parameters(start + subspace.up(z), weights)
    return model
