"""Two or more adapters made into one, in four ways, and numbers that say how much they stand in each other's way."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from compute.adapters.formats.layers import parts
from compute.adapters.formats.reading import read_adapter
from compute.matrices.svd import balanced_factors, factorize_product

METHODS = ("products", "factors", "concatenation", "svd")


class Factors(NamedTuple):
    """Hold what an adapter adds to one linear layer.

    Attributes
    ----------
    lora_B : (out, r) ndarray of float64
        The factor on the side of the outputs.
    lora_A : (r, in) ndarray of float64
        The factor on the side of the inputs.
    scaling : float
        What their product is multiplied by.
    """

    lora_B: np.ndarray
    lora_A: np.ndarray
    scaling: float

    @property
    def r(self) -> int:
        """Rank of the adapter."""
        return len(self.lora_A)

    @property
    def delta_w(self) -> np.ndarray:
        """What is added to the weight, (out, in), scaling included as in PEFT."""
        return self.scaling * self.lora_B @ self.lora_A


Layers = Mapping[str, Factors]  # an adapter: its factors by the name of the layer


def combine(adapters: Sequence[Factors], weights: Sequence[float], method: str) -> Factors:
    """Return one adapter of a layer made of several.

    Parameters
    ----------
    adapters : sequence of Factors
        At least one, all of the same layer.
    weights : sequence of float
        One for each, finite and not negative.
    method : {"factors", "concatenation", "svd"}
        "factors" adds up the lora_B and, apart from them, the lora_A. "concatenation" puts them side by side.
        "svd" adds up the products and cuts the sum back to the largest rank among the adapters.

    Returns
    -------
    Factors
        With the scaling 1: weights and scalings are inside. Its rank is that of the largest adapter, or the sum
        of all ranks for "concatenation".

    Raises
    ------
    ValueError
        If the weights are not possible, the method is unknown or an adapter has another shape; for "factors" also
        if an adapter has another rank.

    Notes
    -----
    In PEFT's add_weighted_adapter these are "linear", "cat" and "svd". With s the scalings and w the weights,
    "factors" is sum(sqrt(w s) lora_B) @ sum(sqrt(w s) lora_A): besides the products that are wanted it holds every
    lora_B times every other lora_A. PEFT also takes negative weights. Cost of "svd":
    O((out + in) * R**2) with R the sum of all ranks, for the product itself is never formed.

    References
    ----------
    huggingface/peft 0.21.2, src/peft/tuners/lora/model.py, add_weighted_adapter. Eckart & Young 1936,
    doi:10.1007/BF02288367 (no matrix of that rank is closer to the sum than that of "svd").

    Examples
    --------
    >>> adapter = Factors(np.ones((3, 1)), np.ones((1, 2)), 2.0)
    >>> once = combine([adapter, adapter], [0.5, 0.5], "concatenation").delta_w / adapter.delta_w
    >>> twice = combine([adapter, adapter], [0.5, 0.5], "factors").delta_w / adapter.delta_w
    >>> bool(np.allclose(once, 1)), bool(np.allclose(twice, 2))
    (True, True)
    """
    _check(adapters, weights)
    r = max(each.r for each in adapters)
    if method in ("concatenation", "svd"):
        lora_B = np.hstack([each.lora_B for each in adapters])  # (out, sum of r)
        scaled = [w * each.scaling * each.lora_A for each, w in zip(adapters, weights, strict=True)]
        lora_A = np.vstack(scaled)  # (sum of r, in)
        if method == "svd":
            lora_B, lora_A = balanced_factors(factorize_product(lora_B, lora_A), r)
        return Factors(lora_B, lora_A, 1.0)
    if method != "factors":
        raise ValueError(f"method must be one of {', '.join(METHODS[1:])}, got {method!r}.")
    if any(each.r != r for each in adapters):
        ranks = ", ".join(str(each.r) for each in adapters)
        raise ValueError(f"factors can be added up only if all adapters have the same rank, got {ranks}.")
    roots = [np.sqrt(w * each.scaling) for each, w in zip(adapters, weights, strict=True)]
    pairs = list(zip(roots, adapters, strict=True))
    return Factors(sum(a * f.lora_B for a, f in pairs), sum(a * f.lora_A for a, f in pairs), 1.0)


def sum_of_products(adapters: Sequence[Factors], weights: Sequence[float]) -> np.ndarray:
    """Return what a mix of adapters should add to the weight of a layer.

    Parameters
    ----------
    adapters : sequence of Factors
        At least one, all of the same layer.
    weights : sequence of float
        One for each, finite and not negative.

    Returns
    -------
    (out, in) ndarray of float64
        The sum of weight * delta_w. Its rank is at most the sum of all ranks.

    Raises
    ------
    ValueError
        If the weights are not possible, or an adapter has another shape.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.1 (delta_w is added to the weight).

    Examples
    --------
    >>> adapter = Factors(np.ones((3, 1)), np.ones((1, 2)), 2.0)
    >>> sum_of_products([adapter, adapter], [0.5, 0.25]).tolist()
    [[1.5, 1.5], [1.5, 1.5], [1.5, 1.5]]
    """
    _check(adapters, weights)
    return np.sum([w * each.delta_w for each, w in zip(adapters, weights, strict=True)], axis=0)


def mixed_delta_w(adapters: Sequence[Factors], weights: Sequence[float], method: str) -> np.ndarray:
    """Return what a mix of adapters really adds to the weight of a layer.

    Parameters
    ----------
    adapters : sequence of Factors
        At least one, all of the same layer.
    weights : sequence of float
        One for each, finite and not negative.
    method : str
        One of METHODS.

    Returns
    -------
    (out, in) ndarray of float64
        `sum_of_products` for "products", and for the others delta_w of what `combine` returns.

    Raises
    ------
    ValueError
        If `combine` refuses the arguments.

    Examples
    --------
    >>> adapter = Factors(np.ones((2, 1)), np.ones((1, 2)), 1.0)
    >>> [mixed_delta_w([adapter, adapter], [1, 1], method)[0, 0].round(9).item() for method in METHODS]
    [2.0, 4.0, 2.0, 2.0]
    """
    if method == "products":
        return sum_of_products(adapters, weights)
    return combine(adapters, weights, method).delta_w


def difference(adapters: Sequence[Layers], weights: Sequence[float], method: str) -> float:
    """Return how far a way of mixing is from the sum of the products, over all layers.

    Parameters
    ----------
    adapters : sequence of Layers
        At least one, on the same layers.
    weights : sequence of float
        One for each, finite and not negative.
    method : str
        One of METHODS.

    Returns
    -------
    float
        Frobenius norm of the difference over that of the sum of the products, 0 or more: all layers count as one
        long vector. 0 where the sum itself is zero.

    Raises
    ------
    ValueError
        If `combine` refuses the arguments, or the adapters are not on the same layers.

    Notes
    -----
    For "factors" the difference is the cross terms, sqrt(w1 w2 s1 s2) (B1 A2 + B2 A1) for two adapters. For independent
    random factors of equal size and w1 = w2 they are as large as the sum itself. For "svd" it is what the rank
    cuts off, for "concatenation" rounding.

    Examples
    --------
    >>> adapter = {"q_proj": Factors(np.ones((2, 1)), np.ones((1, 2)), 1.0)}
    >>> round(difference([adapter, adapter], [0.5, 0.5], "factors"), 9)
    1.0
    """
    off = wanted = 0.0
    for name in _same_layers(adapters):
        layer = [each[name] for each in adapters]
        exact = sum_of_products(layer, weights)
        off += np.sum((mixed_delta_w(layer, weights, method) - exact) ** 2)
        wanted += np.sum(exact**2)
    return float(np.sqrt(off / wanted)) if wanted else 0.0


def cosine(first: Layers, second: Layers) -> float:
    """Return how much two adapters point the same way, over all layers.

    Parameters
    ----------
    first : Layers
        One adapter.
    second : Layers
        Another on the same layers.

    Returns
    -------
    float
        The inner product of all entries of delta_w over the product of the norms: 1 the same direction, 0 none in
        common, -1 opposite.

    Raises
    ------
    ValueError
        If one of the adapters is zero, or they are not on the same layers.

    Notes
    -----
    Two random vectors of n entries have a cosine of about 1 / sqrt(n). Cosine 0 means that the two do not touch
    in weight space; it does not mean that the model does with both what it does with each.

    Examples
    --------
    >>> adapter = {"q_proj": Factors(np.ones((2, 1)), np.ones((1, 2)), 1.0)}
    >>> round(cosine(adapter, adapter), 9)
    1.0
    """
    names = _same_layers([first, second])
    one, other = (np.concatenate([each[name].delta_w.ravel() for name in names]) for each in (first, second))
    norms = np.linalg.norm(one) * np.linalg.norm(other)
    if not norms:
        raise ValueError("an adapter that is zero points nowhere.")
    return float(one @ other / norms)


def random_like(adapter: Layers, rng: np.random.Generator) -> Layers:
    """Return the control of a second adapter: random factors, in each layer as large as those of an adapter.

    Parameters
    ----------
    adapter : Layers
        None of its factors is zero.
    rng : numpy.random.Generator
        Where the entries come from.

    Returns
    -------
    dict of str to Factors
        On the same layers and of the same rank, with the scaling 1; delta_w has the Frobenius norm of the adapter's.

    Examples
    --------
    >>> adapter = {"q_proj": Factors(np.ones((3, 1)), np.ones((1, 2)), 2.0)}
    >>> drawn = random_like(adapter, np.random.default_rng(0))["q_proj"]
    >>> drawn.r, round(float(np.linalg.norm(drawn.delta_w)) ** 2, 9)
    (1, 24.0)
    """

    def drawn(own: Factors) -> Factors:
        lora_B, lora_A = rng.standard_normal(own.lora_B.shape), rng.standard_normal(own.lora_A.shape)
        size = np.linalg.norm(own.delta_w) / np.linalg.norm(lora_B @ lora_A)
        return Factors(size * lora_B, lora_A, 1.0)

    return {name: drawn(own) for name, own in adapter.items()}


def read_factors(folder: Path, experiment: str) -> Layers:
    """Return the adapter in a folder that is written as the peft library writes one.

    Parameters
    ----------
    folder : Path
        Holds adapter_model.safetensors and adapter_config.json.
    experiment : str
        What makes it again: the name of a module of compute.experiments.

    Returns
    -------
    dict of str to Factors
        By the name of the layer.

    Raises
    ------
    ValueError
        If a file is missing or damaged: one sentence that ends with what to run.

    Examples
    --------
    >>> read_factors(Path("legal"), "mixing")
    Traceback (most recent call last):
    ValueError: The adapter legal is missing. Run `python -m compute.experiments.mixing`.
    """
    files = [folder / name for name in ("adapter_model.safetensors", "adapter_config.json")]
    if not all(file.is_file() for file in files):
        fault = "is missing"
    else:
        fault = "is damaged"
        try:
            layers = read_adapter(*files).layers
        except ValueError:
            layers = ()
        if layers and all(layer.told_alpha is not None for layer in layers):
            return {layer.name: Factors(*parts(layer).pairs[0], layer.scale) for layer in layers}
    raise ValueError(f"The adapter {folder.name} {fault}. Run `python -m compute.experiments.{experiment}`.")


def _same_layers(adapters: Sequence[Layers]) -> list[str]:
    if not adapters or not adapters[0] or any(each.keys() != adapters[0].keys() for each in adapters):
        raise ValueError("all adapters must be on the same layers, and on one at least.")
    return list(adapters[0])


def _check(adapters: Sequence[Factors], weights: Sequence[float]) -> None:
    if not adapters or len(adapters) != len(weights):
        raise ValueError(f"each adapter has one weight, got {len(adapters)} and {len(weights)}.")
    if not all(np.isfinite(w) and w >= 0 for w in weights):
        raise ValueError(f"weights must be finite and not negative, got {', '.join(map(str, weights))}.")
    shapes = {(len(each.lora_B), each.lora_A.shape[1]) for each in adapters}
    if len(shapes) > 1:
        raise ValueError(f"all adapters must be of one layer, got the shapes {sorted(shapes)}.")
