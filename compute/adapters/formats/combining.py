"""Several adapters made into one: side by side, as a sum cut to a rank, by TIES or by DARE, with signed weights."""

from collections.abc import Sequence

import numpy as np

from compute.adapters.formats.comparing import common_name
from compute.adapters.formats.experts import apart
from compute.adapters.formats.layers import Layer, balanced, factors
from compute.adapters.formats.reading import Adapter, quote_end
from compute.adapters.formats.writing import Plain, kernel_of, target_of
from compute.matrices.svd import balanced_factors, factorize_product, first_directions
from compute.numbers.bounds import number, one_of, whole

WAYS = ("concatenation", "svd", "ties", "dare")
# Why experts are not merged; the page says the same.
OTHER_EXPERTS = (
    "{name} is one of several experts. They are merged with those of the same weight only: the first adapter has to "
    "have as many, in the same format and, in PEFT, with the same target_parameters."
)
NARROW = {"F8_E4M3": "BF16", "F8_E5M2": "BF16", "Q8_0": "F16"}  # a sum has more digits than eight bits hold


def combined(
    adapters: Sequence[Adapter],
    weights: Sequence[float],
    way: str,
    *,
    rank: int | None = None,
    density: float = 0.5,
    seed: int = 0,
) -> list[Plain]:
    """Return the layers of one adapter made of several.

    Parameters
    ----------
    adapters : sequence of Adapter
        At least one, of any format. A layer that only some have counts as zero in the others.
    weights : sequence of float
        One for each, finite, of either sign: 1 and -1 subtract.
    way : {"concatenation", "svd", "ties", "dare"}
        "concatenation" puts the factors side by side: exact, and the ranks add up. "svd" cuts that sum to a rank.
        "ties" and "dare" work on delta_w itself and cut to a rank.
    rank : int, optional
        What is cut to; the largest rank of the adapters if left out. Not for "concatenation".
    density : float
        Share of the entries that TIES keeps of each adapter, the largest, and that DARE keeps, drawn by lot.
    seed : int
        Of DARE's lot.

    Returns
    -------
    list of Plain
        With the scale 1: weights and scales are inside. By the names of the first adapter that has a layer.

    Raises
    ------
    ValueError
        If the weights are not possible, the way is unknown, or two layers of one name differ in shape.
    FileRefused
        If a number cannot be read.

    Notes
    -----
    The sum of products is sum(w s B A), never sum(w B) @ sum(w A), which holds every B times every other A. TIES keeps
    the largest entries of each w * delta_w, elects at each entry the sign of their sum, and takes the mean of those
    that have it. DARE drops entries by lot and divides the rest by the density, so that the mean stays. Both need
    delta_w, one layer at a time. Cost of "svd": O((out + in) * R**2), R the sum of the ranks; of the last two
    O(out * in * r).

    References
    ----------
    Yadav et al. 2023, arXiv:2306.01708, section 3 (TIES); Yu et al. 2023, arXiv:2311.03099, section 3 (DARE);
    huggingface/peft 0.21.2, src/peft/tuners/lora/model.py (add_weighted_adapter: cat, svd, ties_svd, dare_linear_svd).

    Examples
    --------
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save({"q.lora_B.weight": np.eye(6, 2), "q.lora_A.weight": np.eye(2, 4)})
    >>> adapter = read_bytes({"a.safetensors": file})
    >>> less = combined([adapter, adapter], [1, -1], "concatenation")[0]
    >>> less.lora_A.shape, float(np.abs(less.lora_B @ less.lora_A).max())
    ((4, 4), 0.0)
    """
    one_of("way", way, WAYS)
    if not adapters or len(adapters) != len(weights):
        raise ValueError(f"each adapter has one weight, got {len(adapters)} and {len(weights)}.")
    for weight in weights:
        number("each weight", weight)
    if not 0 < density <= 1:
        raise ValueError(f"density must be above 0 and at most 1, got {density!r}.")
    if rank is not None:
        whole("rank", rank, 1)
    rng = np.random.default_rng(seed)
    groups: dict[str, list[tuple[float, Layer]]] = {}
    for adapter, weight in zip(adapters, weights, strict=True):
        for layer in adapter.layers:
            name = apart(layer.name) or layer.name  # experts of MLX's stacks are those that PEFT has apart
            groups.setdefault(common_name(name), []).append((float(weight), layer))
    _check_experts(adapters)
    return [_one(group, way, rank, density, rng) for group in groups.values()]


def _check_experts(adapters: Sequence[Adapter]) -> None:
    """Refuse experts of which it is not known that they belong to the same weight.

    PEFT's names say the module and not its parameter (target_parameters in the config), and other formats stack others.
    """
    kinds = [(target_of(each), (each.told.config or {}).get("target_parameters")) for each in adapters]
    for adapter, kind in zip(adapters, kinds, strict=True):
        for layer in adapter.layers:
            if layer.expert and not apart(layer.name) and kind != kinds[0]:
                raise ValueError(OTHER_EXPERTS.format(name=quote_end(layer.name)))


def _one(
    group: Sequence[tuple[float, Layer]], way: str, rank: int | None, density: float, rng: np.random.Generator
) -> Plain:
    first = group[0][1]
    if any(layer.shape != first.shape for _, layer in group):
        raise ValueError(f"{quote_end(first.name)} has another shape in another adapter.")
    if len({layer.expert for _, layer in group} - {None}) > 1:
        raise ValueError(OTHER_EXPERTS.format(name=quote_end(first.name)))
    pairs = [balanced(*factors(layer)) for _, layer in group]
    weights = [weight for weight, _ in group]
    r = min(rank or max(layer.r for _, layer in group), *first.shape)
    if way in ("concatenation", "svd"):
        lora_B = np.hstack(
            [np.sign(w) * np.sqrt(abs(w)) * B for w, (B, _) in zip(weights, pairs, strict=True)]
        )
        lora_A = np.vstack([np.sqrt(abs(w)) * A for w, (_, A) in zip(weights, pairs, strict=True)])
        if way == "svd":
            svd = factorize_product(lora_B, lora_A)
            lora_B, lora_A = balanced_factors(svd, min(r, len(svd.s)))
    else:
        products = [w * (B @ A) for w, (B, A) in zip(weights, pairs, strict=True)]
        merged = ties(products, density) if way == "ties" else dare(products, density, rng)
        lora_B, lora_A = balanced_factors(first_directions(merged, r), r)
    dtype = NARROW.get(first.dtype, first.dtype)
    return Plain(
        first.name,
        lora_B,
        lora_A,
        1.0,
        (dtype, dtype),
        kernel_of(first),
        first.embedding,
        expert=first.expert,
    )


def ties(deltas: Sequence[np.ndarray], density: float) -> np.ndarray:
    """Return several changes merged by TIES.

    Parameters
    ----------
    deltas : sequence of (out, in) ndarray
        Each multiplied by its weight.
    density : float
        Share of the entries of each that is kept, the largest, above 0 to 1.

    Returns
    -------
    (out, in) ndarray of float64
        At each entry the mean of those kept values that have the elected sign, 0 where there is none.

    Raises
    ------
    ValueError
        If the density is out of bounds, or there is nothing to merge.

    Notes
    -----
    Trim, elect the sign of the sum, take the mean of those that agree. A trimmed 0 agrees with nobody. Cost:
    O(n * out * in).

    References
    ----------
    Yadav et al. 2023, arXiv:2306.01708, section 3, algorithm 1.

    Examples
    --------
    >>> ties([np.array([[3.0, 0.1, 2.0]]), np.array([[1.0, -5.0, -4.0]])], 2 / 3).tolist()
    [[3.0, -5.0, -4.0]]
    """
    _check(deltas, density)
    kept = []
    for delta in deltas:
        drop = delta.size - max(1, round(density * delta.size))
        size = np.abs(delta)
        least = np.partition(size.ravel(), drop)[drop]
        kept.append(np.where(size >= least, delta, 0.0))
    sign = np.sign(np.sum(kept, axis=0))
    agree = [np.where(np.sign(each) == sign, each, 0.0) for each in kept]
    votes = np.sum([each != 0 for each in agree], axis=0)
    return np.sum(agree, axis=0) / np.maximum(votes, 1)


def dare(deltas: Sequence[np.ndarray], density: float, rng: np.random.Generator) -> np.ndarray:
    """Return several changes merged by DARE.

    Parameters
    ----------
    deltas : sequence of (out, in) ndarray
        Each multiplied by its weight.
    density : float
        Share of the entries that is kept, above 0 to 1.
    rng : numpy.random.Generator
        Draws which.

    Returns
    -------
    (out, in) ndarray of float64
        Sum of what was kept of each, divided by the density.

    Raises
    ------
    ValueError
        If the density is out of bounds, or there is nothing to merge.

    Notes
    -----
    On average over the lot it is the plain sum. Cost: O(n * out * in).

    References
    ----------
    Yu et al. 2023, arXiv:2311.03099, section 3.

    Examples
    --------
    >>> dare([np.ones((1, 4))], 0.5, np.random.default_rng(1)).tolist()
    [[0.0, 0.0, 2.0, 0.0]]
    """
    _check(deltas, density)
    return np.sum([delta * (rng.random(delta.shape) < density) for delta in deltas], axis=0) / density


def _check(deltas: Sequence[np.ndarray], density: float) -> None:
    if not deltas or any(delta.shape != deltas[0].shape or not delta.size for delta in deltas):
        raise ValueError("all changes must be of one shape, and there must be one at least.")
    if not 0 < density <= 1:
        raise ValueError(f"density must be above 0 and at most 1, got {density!r}.")
    if not all(np.isfinite(delta).all() for delta in deltas):
        raise ValueError("all changes must be finite.")
