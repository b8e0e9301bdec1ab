"""Soft prompts: learned vectors that stand before the words, where no word could say the same."""

import torch
from torch import nn

from compute.model.gpt import GPT


class PromptedGPT(GPT):
    """A frozen model that reads learned vectors before every text.

    Parameters
    ----------
    base : GPT
        A plain model on the CPU. It is not touched.
    length : int
        Number of vectors, at least 1.
    generator : torch.Generator
        Draws the words whose embeddings they start as, on the CPU.

    Raises
    ------
    ValueError
        If the length is below 1.

    Notes
    -----
    Every block attends to length + T places in place of T, and the answers at the first `length` of them are thrown
    away. Where a model numbers its places, as GPT-2 and PEFT's prompts on it do, the prompt takes numbers and leaves
    fewer to the text. Here it takes none, so that all methods are measured on the same texts: the words keep their
    numbers, and a learned vector needs none. What it would take of block_size stays its price.

    References
    ----------
    Lester et al. 2021, arXiv:2104.08691, section 2.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> model = PromptedGPT(load_base(), 8, torch.Generator())
    >>> model(torch.zeros(2, 64, dtype=torch.int64)).shape  # the whole block, and 8 vectors before it
    torch.Size([2, 64, 320])
    >>> [(name, tuple(p.shape)) for name, p in model.named_parameters() if p.requires_grad]
    [('prompt', (8, 64))]
    """

    def __init__(self, base: GPT, length: int, generator: torch.Generator):
        super().__init__(base.config)
        if length < 1:
            raise ValueError(f"length must be at least 1, got {length}.")
        self.load_state_dict(base.state_dict())
        self.requires_grad_(False)
        words = torch.randint(base.config.vocab_size, (length,), generator=generator)
        self.prompt = nn.Parameter(base.embed_tokens.weight.detach()[words])  # (length, C), a copy

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the logits of the token after each, (n, T, vocab_size), for tokens (n, T)."""
        x = self.embed(tokens)  # (n, T, C)
        x = torch.cat([self.prompt.expand(len(x), -1, -1), x], dim=1)  # (n, length + T, C)
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.norm(x[:, len(self.prompt) :]))
