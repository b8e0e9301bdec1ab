"""What a product of factors is multiplied by, and how far the first step gets with it. Needs no torch."""

import math
from collections.abc import Callable

from compute.numbers.bounds import number, one_of, whole

SCALING_RULES: dict[str, Callable[[float, int], float]] = {
    "alpha/r": lambda alpha, r: alpha / r,
    "alpha/sqrt(r)": lambda alpha, r: alpha / math.sqrt(r),
}


def scaling_of(scaling_rule: str, alpha: float, r: int) -> float:
    """Return what lora_B @ lora_A is multiplied by.

    Parameters
    ----------
    scaling_rule : str
        "alpha/r" or "alpha/sqrt(r)" (rsLoRA).
    alpha : float
        Numerator of the scaling.
    r : int
        Rank of the adapter, at least 1.

    Returns
    -------
    float
        alpha / r or alpha / sqrt(r).

    Raises
    ------
    ValueError
        If r is below 1, alpha is not finite, or the rule is unknown.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.1; Kalajdzievski 2023, arXiv:2312.03732 (alpha/sqrt(r)).

    Examples
    --------
    >>> scaling_of("alpha/r", 8, 64), scaling_of("alpha/sqrt(r)", 8, 64)
    (0.125, 1.0)
    """
    whole("r", r, 1)
    number("alpha", alpha)
    one_of("scaling_rule", scaling_rule, SCALING_RULES)
    return SCALING_RULES[scaling_rule](alpha, r)


def first_gain_ratio(scaling_rule: str, optimizer: str, r: int) -> float:
    """Return how many times as much the first step gains with rank r as with rank 1.

    Parameters
    ----------
    scaling_rule : str
        "alpha/r" or "alpha/sqrt(r)".
    optimizer : str
        "sgd" or "adamw".
    r : int
        Rank of the adapter, at least 1.

    Returns
    -------
    float
        Ratio of the expected decreases of the loss, to first order, at the same alpha and learning rate.

    Raises
    ------
    ValueError
        If r is below 1, or there is no such rule or optimiser.

    Notes
    -----
    lora_B starts at zero, so only lora_B moves: its gradient is scaling * G @ lora_A.T with G = dL/dW. Gradient
    descent gains lr * scaling**2 * (squared Frobenius norm of G @ lora_A.T). Adam's first step has the size lr in
    every entry and gains lr * scaling * (sum of the magnitudes of G @ lora_A.T). The r rows of lora_A are drawn
    alike, so that both sums grow as r in expectation: scaling**2 * r for SGD, scaling * r for Adam. It says
    nothing about later steps.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.1 (the start); Kalajdzievski 2023, arXiv:2312.03732.

    Examples
    --------
    >>> [first_gain_ratio(rule, "sgd", 256) for rule in SCALING_RULES]
    [0.00390625, 1.0]
    >>> [first_gain_ratio(rule, "adamw", 256) for rule in SCALING_RULES]
    [1.0, 16.0]
    """
    powers = {"sgd": 2, "adamw": 1}
    one_of("optimizer", optimizer, powers)
    return scaling_of(scaling_rule, 1.0, r) ** powers[optimizer] * r
