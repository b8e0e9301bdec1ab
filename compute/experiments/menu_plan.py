"""What the comparison of all methods consists of: tasks, sizes, learning rates, seeds. Needs no torch."""

from collections.abc import Sequence
from typing import NamedTuple

from compute.training.config import TrainConfig

MENU_TASKS = ("legal", "new language")
# Ranks, widths of bottlenecks, numbers of vectors; None where there is no size to choose. The middle one is tuned.
SIZES: dict[str, tuple[int | None, ...]] = {
    "full": (None,),
    "lora": (1, 4, 16),
    "dora": (1, 4, 16),
    "adalora": (1, 4, 16),
    "bottleneck": (4, 16, 64),
    "soft prompt": (4, 16, 64),
    "ia3": (None,),
    "bitfit": (None,),
}
# Learning rates tried, about a factor of three apart; shorter runs said where the middle one should be. In the new
# language two methods take one at the end. One further end on, both do no better: (IA)3 2.345 at 1 and 2.337 at 0.3,
# the soft prompt 5.222 at 0.03 and 5.205 at 0.1.
RATES: dict[str, tuple[float, float, float]] = {
    "full": (3e-4, 1e-3, 3e-3),
    "lora": (3e-3, 1e-2, 3e-2),
    "dora": (3e-3, 1e-2, 3e-2),
    "adalora": (1e-2, 3e-2, 1e-1),
    "bottleneck": (1e-2, 3e-2, 1e-1),
    "soft prompt": (1e-1, 3e-1, 1.0),
    "ia3": (3e-2, 1e-1, 3e-1),
    "bitfit": (1e-2, 3e-2, 1e-1),
}
# The first seed for every run, all of them for the middle size at its best rate.
SEEDS: dict[str, tuple[int, ...]] = {"legal": (0,), "new language": (0, 1, 2)}
CLOSE = 0.01  # nats: a difference that no figure shows
MERGE = ("lora", "dora", "adalora", "ia3", "bitfit")  # into weights, and BitFit into biases that stay
BATCHES = (1, 32)  # texts in a timed forward pass


class MenuRun(NamedTuple):
    """Hold how one run ended.

    Attributes
    ----------
    task : str
        One of MENU_TASKS.
    method : str
        A key of SIZES.
    size : int or None
        One of its SIZES.
    rate : float
        Learning rate.
    seed : int
        One of SEEDS of the task.
    validation_loss : float or None
        On unseen texts of the task, in nats per token; None if the run diverged.
    base_loss : float or None
        On the base's own voices.
    trainable : int
        Numbers that learned.
    ranks : dict of str to int
        Of AdaLoRA, how many directions each layer kept; empty for other methods.
    """

    task: str
    method: str
    size: int | None
    rate: float
    seed: int
    validation_loss: float | None
    base_loss: float | None
    trainable: int
    ranks: dict[str, int]


def middle_of(method: str) -> int | None:
    """Return the size of a method whose learning rate is tuned.

    Parameters
    ----------
    method : str
        A key of SIZES.

    Returns
    -------
    int or None
        The middle one of its SIZES.

    Examples
    --------
    >>> middle_of("lora"), middle_of("ia3")
    (4, None)
    """
    return SIZES[method][len(SIZES[method]) // 2]


def config_of(task: str, method: str, size: int | None, rate: float, seed: int) -> TrainConfig:
    """Return a recorded run.

    Parameters
    ----------
    task : str
        One of MENU_TASKS.
    method : str
        A key of SIZES.
    size : int or None
        One of its SIZES.
    rate : float
        Learning rate.
    seed : int
        Seed of the start and of the order of the texts.

    Returns
    -------
    TrainConfig
        All that decides the run.

    Examples
    --------
    >>> config_of("legal", "bottleneck", 16, 0.03, 0).r
    16
    """
    r = TrainConfig.r if size is None else size
    return TrainConfig(task=task, method=method, r=r, learning_rate=rate, seed=seed)


def best_rate(runs: Sequence[MenuRun], task: str, method: str) -> float:
    """Return the learning rate that a method is shown with: the smallest that learns as well as any.

    Parameters
    ----------
    runs : sequence of MenuRun
        Those of all rates among them.
    task : str
        One of MENU_TASKS.
    method : str
        A key of SIZES.

    Returns
    -------
    float
        Of its RATES the smallest whose loss on the task is within CLOSE of the lowest: at the middle size, with the
        first seed.

    Raises
    ------
    ValueError
        If there is no such run, or each of them diverged.

    Notes
    -----
    Forgetting grows with the rate. To take the lowest loss whatever it is would trade much of what the base knew for
    a thousandth of a nat.

    Examples
    --------
    >>> losses = zip(RATES["ia3"], (0.56, 0.531, 0.53), strict=True)
    >>> runs = [MenuRun("legal", "ia3", None, rate, 0, loss, 2.0, 1152, {}) for rate, loss in losses]
    >>> best_rate(runs, "legal", "ia3")
    0.1
    """
    found = {
        run.rate: run.validation_loss
        for run in runs
        if (run.task, run.method, run.size, run.seed) == (task, method, middle_of(method), SEEDS[task][0])
        and run.validation_loss is not None
    }
    lowest = min(found.values())
    return min(rate for rate, loss in found.items() if loss <= lowest + CLOSE)
