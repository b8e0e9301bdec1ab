"""A decoder-only transformer, as small as it can be and still be one, in the names of nanoGPT and PEFT.

In the shapes at line ends n is the number of texts, T the number of tokens in each, C the width n_embd, and hs the
width C / n_head of one head.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from compute.numbers.bounds import whole


@dataclass(frozen=True)
class GPTConfig:
    """Hold the sizes of a model.

    Attributes
    ----------
    vocab_size : int
        Number of tokens that it knows.
    block_size : int
        Longest text that it can look at, in tokens.
    n_layer : int
        Blocks, one after the other.
    n_head : int
        Heads of attention in a block; they divide n_embd.
    n_embd : int
        Width of the vector that a token is.

    Raises
    ------
    ValueError
        If a size is below 1, or n_head does not divide n_embd.

    Examples
    --------
    >>> GPTConfig(vocab_size=10, n_head=5)
    Traceback (most recent call last):
    ValueError: n_head must divide n_embd, 64, got 5.
    """

    vocab_size: int
    block_size: int = 64
    n_layer: int = 3
    n_head: int = 4
    n_embd: int = 64

    def __post_init__(self):
        for name, size in vars(self).items():
            whole(name, size, 1)
        if self.n_embd % self.n_head:
            raise ValueError(f"n_head must divide n_embd, {self.n_embd}, got {self.n_head}.")


class Attention(nn.Module):
    """Let each token take what it needs from the tokens before it, and from itself.

    Parameters
    ----------
    config : GPTConfig
        Sizes.

    Notes
    -----
    A head takes softmax(q @ k.T / sqrt(hs)) @ v, where a token's row is minus infinity at later tokens. Torch has
    that in one step; `compute.model.forward` writes it out.

    References
    ----------
    Vaswani et al. 2017, arXiv:1706.03762, section 3.2.

    Examples
    --------
    >>> Attention(GPTConfig(vocab_size=10))(torch.zeros(2, 7, 64)).shape
    torch.Size([2, 7, 64])
    """

    def __init__(self, config: GPTConfig):
        super().__init__()
        C = config.n_embd
        self.n_head = config.n_head
        self.q_proj = skip_init(nn.Linear, C, C, bias=False)
        self.k_proj = skip_init(nn.Linear, C, C, bias=False)
        self.v_proj = skip_init(nn.Linear, C, C, bias=False)
        self.o_proj = skip_init(nn.Linear, C, C, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what each token takes, (n, T, C)."""
        n, T, C = x.shape

        def heads(y: torch.Tensor) -> torch.Tensor:
            return y.view(n, T, self.n_head, -1).transpose(1, 2)

        q, k, v = heads(self.q_proj(x)), heads(self.k_proj(x)), heads(self.v_proj(x))  # (n, n_head, T, hs)
        taken = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # (n, n_head, T, hs)
        return self.o_proj(taken.transpose(1, 2).reshape(n, T, C))  # the heads side by side again


class MLP(nn.Module):
    """Let each token think for itself: widen, bend, narrow.

    Parameters
    ----------
    config : GPTConfig
        Sizes.

    References
    ----------
    Hendrycks & Gimpel 2016, arXiv:1606.08415 (GELU).

    Examples
    --------
    >>> MLP(GPTConfig(vocab_size=10))(torch.zeros(2, 7, 64)).shape
    torch.Size([2, 7, 64])
    """

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.up_proj = skip_init(nn.Linear, config.n_embd, 4 * config.n_embd, bias=False)
        self.down_proj = skip_init(nn.Linear, 4 * config.n_embd, config.n_embd, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what each token thinks, (n, T, C)."""
        return self.down_proj(F.gelu(self.up_proj(x)))  # (n, T, 4 C) in between


class Block(nn.Module):
    """Add attention, then the MLP, each to what was there and each reading a normalised copy.

    Parameters
    ----------
    config : GPTConfig
        Sizes.

    References
    ----------
    Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3 (norm before, not after).

    Examples
    --------
    >>> [name for name, _ in Block(GPTConfig(vocab_size=10)).named_children()]
    ['norm_1', 'attention', 'norm_2', 'mlp']
    """

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.norm_1 = nn.LayerNorm(config.n_embd)
        self.attention = Attention(config)
        self.norm_2 = nn.LayerNorm(config.n_embd)
        self.mlp = MLP(config)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the tokens after this block, (n, T, C)."""
        x = x + self.attention(self.norm_1(x))
        return x + self.mlp(self.norm_2(x))


class GPT(nn.Module):
    """Predict the next token of a text.

    Parameters
    ----------
    config : GPTConfig
        Sizes.
    generator : torch.Generator, optional
        Where the first weights come from. If left out they are not set, which is for models that load theirs.

    Notes
    -----
    Weights start Gaussian: in linear layers with the standard deviation 0.02 of GPT-2, smaller by
    sqrt(2 n_layer) in o_proj and down_proj; embeddings and lm_head with 1 / sqrt(n_embd). With 0.02 there as
    well, words that stand in the same places keep almost the same vectors, and an adapter can hardly tell them
    apart later. A word's embedding and its row in lm_head are two things, not one as in nanoGPT: a reader can train
    both or none, and each tensor of a file stands for itself. Linear layers have no bias: delta_w is all that
    finetuning changes in them.

    References
    ----------
    Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3; karpathy/nanoGPT, model.py.

    Examples
    --------
    >>> model = GPT(GPTConfig(vocab_size=10), torch.Generator().manual_seed(0))
    >>> tokens = torch.tensor([[0, 3, 5, 2]])
    >>> model(tokens).shape
    torch.Size([1, 4, 10])
    >>> bool(1 < model.loss(tokens) < 5)  # a blind guess costs log(10), 2.3 nats
    True
    """

    def __init__(self, config: GPTConfig, generator: torch.Generator | None = None):
        super().__init__()
        self.config = config
        self.embed_tokens = skip_init(nn.Embedding, config.vocab_size, config.n_embd)
        self.embed_positions = skip_init(nn.Embedding, config.block_size, config.n_embd)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.norm = nn.LayerNorm(config.n_embd)
        self.lm_head = skip_init(nn.Linear, config.n_embd, config.vocab_size, bias=False)
        for name, weight in self.named_parameters() if generator else ():
            if weight.dim() == 2:
                std = 0.02
                if name.endswith(("o_proj.weight", "down_proj.weight")):
                    std /= math.sqrt(2 * config.n_layer)
                elif name.startswith(("embed_", "lm_head")):
                    std = 1 / math.sqrt(config.n_embd)  # vectors of length 1
                nn.init.normal_(weight, std=std, generator=generator)

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return what the first block reads, (n, T, C), for tokens (n, T): each word's vector and its place's."""
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        return self.embed_tokens(tokens) + self.embed_positions(positions)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the logits of the token after each, (n, T, vocab_size), for tokens (n, T)."""
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.norm(x))

    def loss(self, tokens: torch.Tensor, learned: torch.Tensor | None = None) -> torch.Tensor:
        """Return the mean cross-entropy in nats per token, each of (n, T) predicted from those before it.

        Where `learned`, (n, T - 1), is False, the next token does not count. Each text counts alike, however many of
        its tokens do, at least one.
        """
        logits = self(tokens[:, :-1])  # (n, T - 1, vocab_size)
        if learned is None:
            return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        each = F.cross_entropy(logits.transpose(1, 2), tokens[:, 1:], reduction="none")  # (n, T - 1)
        return ((each * learned).sum(1) / learned.sum(1)).mean()


@torch.no_grad()
def generate(
    model: GPT, tokens: torch.Tensor, length: int, generator: torch.Generator, temperature: float = 1.0
) -> torch.Tensor:
    """Return texts continued token by token.

    Parameters
    ----------
    model : GPT
        The model, with or without an adapter.
    tokens : (n, T) tensor of int64
        How each text starts, at least one token each.
    length : int
        Tokens that each text has in the end, at most the block_size of the model.
    generator : torch.Generator
        Throws the dice, on the CPU. Models that are asked with the same seed get the same throws.
    temperature : float
        Divides the logits. 1 samples as the model predicts; above 0.

    Returns
    -------
    (n, length) tensor of int64
        The texts, with how they start.

    Raises
    ------
    ValueError
        If the length is below that of the start or above block_size, or the temperature is not above 0.

    Notes
    -----
    A throw u in 0..1 picks the first token whose cumulative probability is above u. So two models that almost
    agree write almost the same text from the same seed, and what differs is what was learned.

    Examples
    --------
    >>> model = GPT(GPTConfig(vocab_size=10), torch.Generator().manual_seed(0))
    >>> generate(model, torch.zeros(2, 1, dtype=torch.int64), 5, torch.Generator().manual_seed(0)).shape
    torch.Size([2, 5])
    """
    if not tokens.shape[1] <= length <= model.config.block_size:
        raise ValueError(
            f"length must be between {tokens.shape[1]}, the tokens that are there, and {model.config.block_size}, "
            f"the block size, got {length}."
        )
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}.")
    while tokens.shape[1] < length:
        logits = model(tokens)[:, -1] / temperature  # (n, vocab_size)
        steps = logits.cpu().double().softmax(-1).cumsum(-1)
        throws = torch.rand(len(tokens), 1, generator=generator, dtype=torch.float64)
        picked = torch.searchsorted(steps, throws * steps[:, -1:], right=True)  # (n, 1)
        tokens = torch.cat([tokens, picked.to(tokens.device)], dim=1)
    return tokens
