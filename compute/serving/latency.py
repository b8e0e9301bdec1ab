"""How long a forward pass takes, as a multiple of another model's, measured so that neither has the better moments."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from compute.model.gpt import GPT


def relative_times(
    models: Mapping[Any, GPT], control: GPT, tokens: torch.Tensor, rounds: int, rng: np.random.Generator
) -> tuple[dict[Any, np.ndarray], float]:
    """Return how long each model takes for a forward pass, over the time of the control in the same round.

    Parameters
    ----------
    models : dict of GPT
        Models on the CPU, by any name.
    control : GPT
        What they are compared with.
    tokens : (n, T) tensor of int64
        What all of them read.
    rounds : int
        How often each model is timed, at least 1.
    rng : numpy Generator
        Draws the order within a round.

    Returns
    -------
    ratios : dict of (rounds,) array
        By name.
    seconds : float
        What the control took, the median of the rounds.

    Notes
    -----
    A machine is faster at one moment than at another. So every round times every model once, in an order drawn anew,
    and a time is only ever divided by the control's of the same round. Processor time of this thread counts, not what
    a clock on the wall says. One round before the first is thrown away.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> base = load_base()
    >>> tokens = torch.zeros(1, 32, dtype=torch.int64)
    >>> ratios, seconds = relative_times({"same": base}, base, tokens, 3, np.random.default_rng(0))
    >>> ratios["same"].shape, seconds > 0
    ((3,), True)
    """
    everyone = {**models, "": control}
    names, times = [*everyone], np.empty((rounds + 1, len(everyone)))
    with torch.inference_mode():
        for i in range(rounds + 1):
            for place in rng.permutation(len(names)):
                begun = time.thread_time()
                everyone[names[place]](tokens)
                times[i, place] = time.thread_time() - begun
    times = times[1:]
    of_control = times[:, names.index("")]
    ratios = {name: times[:, names.index(name)] / of_control for name in models}
    return ratios, float(np.median(of_control))
