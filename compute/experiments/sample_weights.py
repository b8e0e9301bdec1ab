"""Small matrices to quantise: one of the base, one that was learned, and three that chance drew. No torch."""

from functools import cache

import numpy as np

from compute.experiments.learned import V_PROJ, load_learned
from compute.model.forward import base_weights

SAMPLE_WEIGHTS = ("base", "learned", "gaussian", "uniform", "heavy")
SIDE, SEED = 64, 0
HEAVY = 2  # degrees of freedom of Student's t: so few that its variance is infinite


@cache
def sample_weights(name: str) -> np.ndarray:
    """Return a matrix as a file would hold it, in float32.

    Parameters
    ----------
    name : str
        One of SAMPLE_WEIGHTS: "base" is v_proj in the middle block of the base of the world, "learned" what full
        finetuning on new words added to it; "gaussian", "uniform" and "heavy" (Student's t) are drawn.

    Returns
    -------
    (64, 64) ndarray of float32
        Read-only.

    Raises
    ------
    ValueError
        If there is no such matrix, or the file that holds it is not the one that its text describes.

    Examples
    --------
    >>> abs(sample_weights("uniform")).max() <= 1
    np.True_
    """
    if name not in SAMPLE_WEIGHTS:
        raise ValueError(f"name must be one of {', '.join(SAMPLE_WEIGHTS)}, got {name!r}.")
    matrix = _made(name).astype(np.float32)
    matrix.flags.writeable = False
    return matrix


def _made(name: str) -> np.ndarray:
    if name == "base":
        return base_weights().tensors[f"{V_PROJ}.weight"]
    if name == "learned":
        return load_learned("new-words-v_proj")
    rng, shape = np.random.default_rng(SEED), (SIDE, SIDE)
    if name == "gaussian":
        return rng.standard_normal(shape)
    return rng.uniform(-1, 1, shape) if name == "uniform" else rng.standard_t(HEAVY, shape)
