"""A mix of adapters put on the base model, and what that model does."""

import copy
from collections.abc import Sequence

import torch

from compute.adapters.mixing import LOSSES, Layers, Measured, mixed_delta_w
from compute.model.gpt import GPT
from compute.model.sampling import as_text, voice_shares, write_sentences
from compute.text.batches import windows
from compute.text.voices import voice_of

SAMPLES, SAMPLE_SEED = 6, 1  # sentences to read
SAMPLE_LENGTH = 21  # tokens, after which a sentence is cut


@torch.no_grad()
def mixed_model(base: GPT, adapters: Sequence[Layers], weights: Sequence[float], method: str) -> GPT:
    """Return the base model with a mix of adapters in its weights.

    Parameters
    ----------
    base : GPT
        A plain model on the CPU. It is not touched.
    adapters : sequence of Layers
        Factors by the name of the layer, all on the same layers. None gives the base.
    weights : sequence of float
        One for each, finite and not negative.
    method : str
        One of `compute.adapters.mixing.METHODS`.

    Returns
    -------
    GPT
        A plain model: W + mixed_delta_w in each adapted layer, added up in float64 and kept in float32.

    Raises
    ------
    ValueError
        If `compute.adapters.mixing.combine` refuses the arguments.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> from compute.experiments.mixing import load_factors
    >>> base = load_base()
    >>> mixed = mixed_model(base, [load_factors("legal"), load_factors("code")], [0.5, 0.5], "products")
    >>> sum(bool((a != b).any()) for a, b in zip(base.parameters(), mixed.parameters()))
    18
    """
    model = copy.deepcopy(base)
    for name in adapters[0] if adapters else ():
        weight = model.get_submodule(name).weight
        delta_w = mixed_delta_w([each[name] for each in adapters], weights, method)
        weight.copy_(weight.double() + torch.from_numpy(delta_w))
    return model


@torch.no_grad()
def measure(model: GPT, number: int, seed: int) -> Measured:
    """Return in which voices a model writes, how well it knows each, and some of what it writes.

    Parameters
    ----------
    model : GPT
        A model on the CPU.
    number : int
        Sentences that are written and told apart.
    seed : int
        Seed of the dice.

    Returns
    -------
    Measured
        Counts of all voices, losses on the voices that are mixed and on the base's own, and some sentences.

    Notes
    -----
    The losses are on the same texts as those of `compute.training.loop.evaluate`.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> measured = measure(load_base(), number=20, seed=0)
    >>> sum(measured.counts.values()), max(measured.counts, key=measured.counts.get), len(measured.samples)
    (20, 'plain', 6)
    """
    shares = voice_shares(model, number, seed)
    losses = {
        voice: model.loss(windows(voice, "validation", model.config.block_size)).item() for voice in LOSSES
    }
    counts = {voice: round(share * number) for voice, share in shares.items()}
    written = write_sentences(model, SAMPLES, SAMPLE_SEED, length=SAMPLE_LENGTH)
    return Measured(counts, losses, tuple((voice_of(words), as_text(words)) for words in written))
