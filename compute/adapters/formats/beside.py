"""What an adapter does to its base: how large delta_w is against W, where it points, what a merge loses."""

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from compute.adapters.formats.base import matched, weight
from compute.adapters.formats.containers import Tensor
from compute.adapters.formats.contents import NUMERICAL
from compute.adapters.formats.layers import Layer, along_inputs, factors, layer_svd
from compute.adapters.formats.reading import Adapter
from compute.matrices.amplification import within
from compute.matrices.controls import random_within
from compute.matrices.intruders import EPSILON, TOP, count_intruders, largest_cosines
from compute.matrices.row_changes import magnitude
from compute.matrices.svd import first_directions, largest_singular_value
from compute.numbers.bounds import finite, one_of, whole
from compute.numbers.precision import SCALED, rounded
from compute.numbers.refusal import FileRefused

FORMATS = ("bf16", "fp16", "fp8", "int8")
AT_ONCE = 2**18  # numbers that are rounded at once, so that they stay in the cache
INT8 = 127  # the largest code


class Loss(NamedTuple):
    """Hold what a merge into a format makes of delta_w.

    Attributes
    ----------
    lost : float
        Energy of what the merge added less delta_w, over the energy of delta_w: 0 where nothing was rounded, 1 where
        nothing was added, above 1 where rounding moved the weights further than delta_w would.
    arrived : float
        Length of what the merge added along delta_w, over that of delta_w: near 1 although much is lost, where rounding
        goes up as often as down.
    """

    lost: float
    arrived: float


@dataclass(frozen=True)
class Beside:
    """Hold what a layer does to its weight. Of a DoRA delta_w is the true change, magnitude and direction.

    Attributes
    ----------
    layer : Layer
        The layer.
    weight : str
        Name of the weight in the base.
    size_W : float
        Frobenius norm of W.
    top_W : float
        Largest singular value of W.
    size : float
        Frobenius norm of delta_w.
    s : (k,) ndarray of float64
        Singular values of delta_w, descending: all that are not nought of two factors, of a DoRA the first r.
    amplification : float or None
        Size of delta_w over the part of W that lies in its directions; None where there is no such part.
    chance : float or None
        What that would be of a delta_w that points anywhere.
    losses : dict of str to (Loss or None)
        By format; None where delta_w is zero, or the format cannot hold the weight.
    intruders : int or None
        Of the first ten directions of W + delta_w those that no direction of W resembles; None if not asked for.
    """

    layer: Layer
    weight: str
    size_W: float
    top_W: float
    size: float
    s: np.ndarray = field(repr=False)
    amplification: float | None
    chance: float | None
    losses: Mapping[str, Loss | None]
    intruders: int | None


# What is said of where a change points; the page says the same. Of a number three digits, as d3-format spells it.
POINTING = {
    "said": (
        "{name}: delta_w is {amplification:.3~g} times as large as the part of W that lies in its {r} "
        "directions; by chance it would be {chance:.3~g} times."
    ),
    "nothing": "{name}: W has nothing in the directions of delta_w.",
    "intruders": (
        "Intruder dimensions among the first {top} left singular vectors of W + delta_w, those whose cosine "
        "with every one of W is below {epsilon}: {intruders}."
    ),
}


def pointing(found: Sequence[Beside]) -> str:
    """Say where the change points that points most where W has little.

    Parameters
    ----------
    found : sequence of Beside
        From `beside_base`.

    Returns
    -------
    str
        Of the layer whose amplification is the largest beside that of chance: both, and its intruder dimensions if they
        were asked for. Empty where no layer has an amplification.

    Examples
    --------
    >>> pointing([])
    ''
    """
    ratios = [times(each.amplification or 0.0, each.chance or 0.0) or 0.0 for each in found]
    if not any(ratios):
        return ""
    each = found[ratios.index(max(ratios))]
    values = {
        "name": each.layer.name,
        "r": len(each.s),
        "amplification": each.amplification,
        "chance": each.chance,
        "top": min(TOP, *each.layer.shape),
        "epsilon": EPSILON,
        "intruders": each.intruders,
    }
    parts = ["said"] if each.intruders is None else ["said", "intruders"]
    return " ".join(POINTING[part].replace(".3~g", ".3g").format(**values) for part in parts)


def times(one: float, other: float) -> float | None:
    """Return how many times as large one number is as another.

    Parameters
    ----------
    one : float
        0 or more, finite.
    other : float
        0 or more, finite.

    Returns
    -------
    float or None
        None where the other is 0, or so small that no number says it.

    Examples
    --------
    >>> times(3.0, 2.0), times(3.0, 0.0), times(3.0, 1e-320)
    (1.5, None, None)
    """
    ratio = float(one) / other if other else math.inf
    return ratio if math.isfinite(ratio) else None


def in_format(values: np.ndarray, format: str, largest: float) -> np.ndarray:
    """Return weights as a format stores them.

    Parameters
    ----------
    values : (n, in) ndarray of float64
        Rows of a weight, finite.
    format : {"bf16", "fp16", "fp8", "int8"}
        fp8 is E4M3 with one scale for the whole weight, int8 has one for each row, as vLLM and LLM.int8() store them.
    largest : float
        Largest magnitude of the whole weight, which sets the scale of fp8.

    Returns
    -------
    (n, in) ndarray of float64
        Each number the nearest that the format has, times its scale.

    Raises
    ------
    ValueError
        If the format is unknown, or a number is too large for it.

    Notes
    -----
    Cost: O(n * in).

    References
    ----------
    Micikevicius et al. 2022, arXiv:2209.05433, table 1 (E4M3); Dettmers et al. 2022, arXiv:2208.07339, section 2.1
    (absmax quantisation, a scale for each row).

    Examples
    --------
    >>> in_format(np.array([[1.0, 0.3, -0.004]]), "int8", 1.0).round(4).tolist()
    [[1.0, 0.2992, -0.0079]]
    >>> in_format(np.array([[448.0, 17.0]]), "fp8", 448.0).tolist()
    [[448.0, 16.0]]
    """
    one_of("format", format, FORMATS)
    if format == "fp16":
        with np.errstate(over="ignore"):
            stored = values.astype(np.float16).astype(np.float64)
        if not np.isfinite(stored).all():
            raise ValueError(f"fp16 holds numbers up to 65504, got {np.abs(values).max():.4g}.")
        return stored
    if format == "fp8":
        top = SCALED["fp8"].largest
        scale = largest / top or 1.0
        return rounded(np.clip(values / scale, -top, top), "fp8") * scale
    if format == "int8":
        step = np.abs(values).max(axis=1, keepdims=True) / INT8
        return np.rint(values / np.where(step > 0, step, 1.0)) * step
    return rounded(values, "bf16")


def merge_losses(W: np.ndarray, delta_w: np.ndarray) -> dict[str, Loss | None]:
    """Return what merging loses of delta_w, by the format in which the merged weight is stored.

    Parameters
    ----------
    W : (out, in) ndarray of float64
        The weight of the base, finite.
    delta_w : (out, in) ndarray of float64
        What is added, finite.

    Returns
    -------
    dict of str to (Loss or None)
        For each of FORMATS; None where delta_w is zero, or the format cannot hold the weight.

    Raises
    ------
    ValueError
        If the shapes differ, or a number is not finite.

    Notes
    -----
    With the weight before and after as the format stores each, by a scale of its own, what the merge added is their
    difference d. lost = |d - delta_w|**2 / |delta_w|**2 and arrived = <d, delta_w> / |delta_w|**2: the square of
    `compute.adapters.merging.rounding_error`, and `arrived_share`. Cost: O(out * in).

    References
    ----------
    Goldberg 1991, doi:10.1145/103162.103163, section "Rounding Error".

    Examples
    --------
    >>> losses = merge_losses(
    ...     np.ones((1, 2)), np.full((1, 2), 2.0**-9)
    ... )  # half of the step of bf16, a tie to even
    >>> losses["bf16"], losses["fp16"]
    (Loss(lost=1.0, arrived=0.0), Loss(lost=0.0, arrived=1.0))
    """
    finite("W and delta_w", W, delta_w)
    if W.shape != delta_w.shape:
        raise ValueError(f"W is {W.shape} and delta_w is {delta_w.shape}; the two must be equal.")
    size = float(np.abs(delta_w).max())
    if not size:
        return dict.fromkeys(FORMATS)
    step = max(1, AT_ONCE // W.shape[1])
    blocks = [slice(i, i + step) for i in range(0, len(W), step)]
    before = max(float(np.abs(W[rows]).max()) for rows in blocks)
    after = max(float(np.abs(W[rows] + delta_w[rows]).max()) for rows in blocks)
    energy = sum(float(np.sum((delta_w[rows] / size) ** 2)) for rows in blocks)
    losses: dict[str, Loss | None] = {}
    for format in FORMATS:
        off = along = 0.0
        try:
            for rows in blocks:
                part = delta_w[rows] / size
                merged = in_format(W[rows] + delta_w[rows], format, after)
                added = (merged - in_format(W[rows], format, before)) / size
                off += float(np.sum((added - part) ** 2))
                along += float(np.sum(added * part))
            losses[format] = Loss(off / energy, along / energy)
        except ValueError:
            losses[format] = None
    return losses


def dora_change(layer: Layer, W: np.ndarray, delta_w: np.ndarray) -> np.ndarray:
    """Return what a DoRA changes a weight by.

    Parameters
    ----------
    layer : Layer
        A layer with a magnitude.
    W : (out, in) ndarray of float64
        The weight of the base.
    delta_w : (out, in) ndarray of float64
        The product of the factors, scale included.

    Returns
    -------
    (out, in) ndarray of float64
        Not of low rank: the length of each row may change.

    Raises
    ------
    FileRefused
        If the magnitude does not fit, or a row of W + delta_w is zero and has no direction.

    Notes
    -----
    m * V / |V| - W with V = W + delta_w, row by row; by column where the magnitude has a number for each input, which
    in a convolution is all its kernel. Cost: O(out * in).

    References
    ----------
    Liu et al. 2024, arXiv:2402.09353, equation 5; huggingface/peft 0.21.2, tuners/lora/dora.py.

    Examples
    --------
    >>> from compute.adapters.formats.containers import BytesSource
    >>> m = Tensor(
    ...     "q.lora_magnitude_vector", "F64", (2,), BytesSource(np.array([10.0, 1.0]).tobytes()), 0, 16
    ... )
    >>> layer = Layer("q", (2, 2), "LoRA", "peft", 1, {}, magnitude=m)
    >>> dora_change(layer, np.array([[3.0, 0.0], [0.0, 1.0]]), np.array([[0.0, 4.0], [0.0, 0.0]])).tolist()
    [[3.0, 8.0], [0.0, 0.0]]
    """
    assert layer.magnitude is not None
    m = layer.magnitude.read().ravel()
    V = W + delta_w
    if along_inputs(layer):
        if V.shape[1] % len(m):
            raise FileRefused(
                f"the magnitude of DoRA has {len(m)} numbers, and the weight {V.shape[1]} inputs"
            )
        kernel = V.shape[1] // len(m)
        length = np.sqrt((V.reshape(len(V), len(m), kernel) ** 2).sum((0, 2)))
    else:
        if len(m) != len(V):
            raise FileRefused(f"the magnitude of DoRA has {len(m)} numbers, and the weight {len(V)} outputs")
        length = magnitude(V)
    if not (np.isfinite(m).all() and length.all()):
        raise FileRefused("a number of the magnitude of DoRA is not finite, or a row it stretches is zero")
    ratio = m / length
    return V * (np.repeat(ratio, kernel) if along_inputs(layer) else ratio[:, None]) - W


def beside(layer: Layer, W: np.ndarray, name: str = "", intruders: bool = False) -> Beside:
    """Return what a layer does to its weight.

    Parameters
    ----------
    layer : Layer
        The layer.
    W : (out, in) ndarray of float64
        Its weight, finite.
    name : str
        What the weight is called.
    intruders : bool
        Whether to look for intruder dimensions, which costs as much as all directions of W.

    Returns
    -------
    Beside
        The numbers.

    Raises
    ------
    FileRefused
        If a number of the layer is not finite, a magnitude does not fit, or squares are too large for float64.

    Notes
    -----
    delta_w is formed, one layer at a time. Cost: O(out * in * r), of which rounding into four formats is the most.
    Intruders cost O(out * in * min(out, in)).

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 7.3 (amplification); Shuttleworth et al. 2024, arXiv:2410.21228
    (intruders).

    Examples
    --------
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save({"q.lora_B.weight": np.eye(4, 1), "q.lora_A.weight": 2 * np.eye(1, 3)})
    >>> layer = read_bytes({"a.safetensors": file}).layers[0]
    >>> found = beside(layer, np.diag([1.0, 3.0, 4.0, 0.0])[:, :3])
    >>> found.size, round(found.top_W, 3), found.amplification
    (2.0, 4.0, 2.0)
    """
    try:
        with np.errstate(over="raise", invalid="raise"):
            return _beside(layer, W, name, intruders)
    except FileRefused:
        raise
    except (ArithmeticError, ValueError, np.linalg.LinAlgError):
        raise FileRefused("the numbers are too large to be multiplied") from None


def _beside(layer: Layer, W: np.ndarray, name: str, intruders: bool) -> Beside:
    svd = layer_svd(layer)
    delta_w = np.matmul(*factors(layer))
    if layer.magnitude is not None:
        delta_w = dora_change(layer, W, delta_w)
        svd = first_directions(delta_w, min(layer.r, *layer.shape))
    size, size_W = float(np.linalg.norm(delta_w)), float(np.linalg.norm(W))
    r = int((svd.s > NUMERICAL * svd.s[0]).sum())
    kept = within(W, svd.U[:, :r], svd.Vh[:r].T) if r else 0.0
    random = random_within(layer.shape, r, size_W) if r else 0.0
    return Beside(
        layer=layer,
        weight=name,
        size_W=size_W,
        top_W=largest_singular_value(W),
        size=size,
        s=svd.s[:r],
        amplification=times(size, kept),
        chance=times(size, random),
        losses=merge_losses(W, delta_w),
        intruders=count_intruders(largest_cosines(W, delta_w, TOP)) if intruders else None,
    )


def beside_base(
    adapter: Adapter,
    base: Mapping[str, Tensor],
    *,
    intruders: bool = False,
    progress: Callable[[int], None] | None = None,
    workers: int = 1,
) -> tuple[list[Beside], dict[str, str]]:
    """Return what an adapter does to its base.

    Parameters
    ----------
    adapter : Adapter
        From `compute.adapters.formats.reading.read_adapter`.
    base : mapping of str to Tensor
        From `compute.adapters.formats.base.open_base`.
    intruders : bool
        Whether to look for intruder dimensions.
    progress : function, optional
        Is told after each layer how many are done.
    workers : int
        Threads, at least 1; see `compute.adapters.formats.contents.measures`.

    Returns
    -------
    found : list of Beside
        In the order of the layers.
    missing : dict of str to str
        The other layers, each with the reason.

    Raises
    ------
    FileRefused
        If no layer has a weight in the base.

    Notes
    -----
    The weight of a layer is held as long as it is looked at. Cost: `beside` for each layer.

    Examples
    --------
    >>> from compute.adapters.formats.containers import BytesSource, read_safetensors
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save({"q.lora_B.weight": np.eye(4, 1), "q.lora_A.weight": 2 * np.eye(1, 3)})
    >>> adapter = read_bytes({"a.safetensors": file})
    >>> base, _ = read_safetensors(BytesSource(save({"q.weight": np.ones((4, 3))})))
    >>> [found.weight for found in beside_base(adapter, base)[0]]
    ['q.weight']
    """
    whole("workers", workers, 1)
    tensors, missing = matched(adapter, base)
    if not tensors:
        why = next(iter(missing.values()), "the adapter has no layer with a delta_w")
        raise FileRefused(f"No layer has a weight in the base ({why}). Is it the base of this adapter?")

    def one(layer: Layer) -> Beside | str:
        tensor = tensors[layer.name]
        try:
            return beside(layer, weight(layer, tensor, adapter), tensor.name, intruders)
        except FileRefused as refused:
            return str(refused)

    layers = [layer for layer in adapter.layers if layer.name in tensors]
    found = []
    with ThreadPoolExecutor(workers) as pool:
        for i, each in enumerate(pool.map(one, layers) if workers > 1 else map(one, layers), 1):
            if isinstance(each, str):
                missing[layers[i - 1].name] = each
            else:
                found.append(each)
            if progress:
                progress(i)
    return found, missing
