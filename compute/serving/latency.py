"""How long things take beside each other, measured so that none has the better moments."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

WARM_UP = 3  # calls before the first that counts


def processor_times(
    calls: Mapping[Any, Callable[[], object]], rounds: int, rng: np.random.Generator, at_least: float = 0.0
) -> dict[Any, np.ndarray]:
    """Return how long each of some calls takes, round by round.

    Parameters
    ----------
    calls : dict of callable
        What is timed, by any name: forward passes, as a rule.
    rounds : int
        How often each is timed, at least 1.
    rng : numpy Generator
        Draws the order within a round.
    at_least : float
        Seconds that one measurement goes on, so that what is short is called many times in it.

    Returns
    -------
    dict of (rounds,) array
        Seconds of one call, by name. What was measured in one round can be compared: the median of the ratios.

    Raises
    ------
    ValueError
        If there is no round.

    Notes
    -----
    A machine is faster at one moment than at another. So every round times every call once, in an order drawn anew, and
    a time is only ever compared with others of its round. Processor time of this thread counts, not what a clock on the
    wall says.

    Examples
    --------
    >>> calls = {"once": lambda: sum(range(1000)), "twice": lambda: sum(range(2000))}
    >>> times = processor_times(calls, 9, np.random.default_rng(0), at_least=1e-3)
    >>> times["once"].shape, bool(np.median(times["twice"] / times["once"]) > 1.2)
    ((9,), True)
    """
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}.")

    def seconds(call: Callable[[], object], passes: int) -> float:
        begun = time.thread_time()
        for _ in range(passes):
            call()
        return (time.thread_time() - begun) / passes

    names, times = [*calls], np.empty((rounds, len(calls)))
    with torch.inference_mode():
        warm = {name: seconds(call, WARM_UP) for name, call in calls.items()}
        passes = {name: max(1, round(at_least / max(each, 1e-9))) for name, each in warm.items()}
        for i in range(rounds):
            for place in rng.permutation(len(names)):
                times[i, place] = seconds(calls[names[place]], passes[names[place]])
    return dict(zip(names, times.T, strict=True))
