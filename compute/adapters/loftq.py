"""LoftQ: what storing a weight in few bits loses, put into the factors of an adapter before any training."""

from typing import NamedTuple

import numpy as np

from compute.matrices.svd import factorize
from compute.numbers.bounds import whole
from compute.numbers.quantising import BLOCK, in_few_bits

ROUNDS = 5  # of storing and factorising; what its authors use


class Stored(NamedTuple):
    """Hold a weight in few bits, and the factors that stand beside it.

    Attributes
    ----------
    weight : (out, in) ndarray
        Numbers that the format has.
    lora_A : (r, in) ndarray
        Zero for a format that loses nothing.
    lora_B : (out, r) ndarray
        So that weight + lora_B @ lora_A is near to what was stored.
    """

    weight: np.ndarray
    lora_A: np.ndarray
    lora_B: np.ndarray


def loftq(W: np.ndarray, base_format: str, r: int, rounds: int = ROUNDS, block: int = BLOCK) -> Stored:
    """Store a weight in few bits beside factors that make up for the loss.

    Parameters
    ----------
    W : (out, in) ndarray of float
        The weight, finite.
    base_format : str
        A key of `compute.numbers.quantising.LEVELS`.
    r : int
        Rank of the factors, 1 to min(out, in).
    rounds : int
        How often, at least 1. One is the plain singular value decomposition of the loss.
    block : int
        Numbers that share a scale; must divide the size of W.

    Returns
    -------
    Stored
        Of the round after which the least is lost.

    Raises
    ------
    ValueError
        If r or rounds is out of range, there is no such format, or the blocks do not fill W.

    Notes
    -----
    In turn the weight less the factors is stored, Q = q(W - B A), and the best copy of rank r is taken of what is
    missing, B A = U_r diag(s_r) Vh_r of W - Q. The first round starts with B A = 0. Later rounds may lose more than
    earlier ones; the best is kept. Cost: a decomposition a round.

    References
    ----------
    Li et al. 2023, arXiv:2310.08659, algorithm 1.

    Examples
    --------
    >>> W = np.random.default_rng(0).normal(size=(8, 8))
    >>> def lost(stored):
    ...     return np.linalg.norm(W - stored.weight - stored.lora_B @ stored.lora_A)
    >>> bool(lost(loftq(W, "int3", 8, block=8)) < 1e-12 < lost(loftq(W, "int3", 2, block=8)))
    True
    """
    W = np.asarray(W, dtype=np.float64)
    whole("r", r, 1, min(W.shape))
    whole("rounds", rounds, 1)
    change, best, least = np.zeros_like(W), None, np.inf
    for _ in range(rounds):
        stored = in_few_bits(W - change, base_format, block)
        found = factorize(W - stored)
        root = np.sqrt(found.s[:r])
        lora_B, lora_A = found.U[:, :r] * root, root[:, None] * found.Vh[:r]
        change = lora_B @ lora_A
        lost = float(np.linalg.norm(W - stored - change))
        if best is None or lost < least:
            best, least = Stored(stored, lora_A, lora_B), lost
    assert best is not None
    return best
