"""What is in an adapter: how large each layer is and how many directions it uses, and what is wrong with it."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from compute.adapters.formats.layers import Layer, factors, parts, spectrum
from compute.adapters.formats.reading import FUSED, Adapter, quote_end
from compute.adapters.formats.scales import disagree, scale_audit
from compute.matrices.spectrum import energy, entropy_rank, knee_rank, r90, stable_rank
from compute.numbers.bounds import number, whole
from compute.numbers.refusal import FileRefused, check_range, count, quote

SPIKE = 0.99  # share of the energy in one direction from which on a layer is a spike
LEAST_SPIKE = 4  # r from which on: of two directions one may well hold nearly all
DEAD = 1e-3  # of the median norm: a layer below it changes next to nothing
MAX_SIDE, MAX_RANK = 262_144, 4096  # of a layer that is shown; the largest vocabularies have that many words
NUMERICAL = 1e-9  # of the largest: singular values below it are rounding


@dataclass(frozen=True)
class Measures:
    """Hold what the spectrum of a layer says.

    Attributes
    ----------
    layer : Layer
        The layer.
    s : (k,) ndarray of float64
        Singular values of delta_w, descending, the scale included; empty if a number is not finite.
    norm : float
        Frobenius norm.
    r90 : int
        Smallest rank that keeps 90 % of the energy; 0 for a layer that is zero or broken, as for the next three.
    stable_rank : float
        Squared Frobenius norm over squared spectral norm.
    entropy_rank : float
        Exponential of the entropy of the energy.
    used : int
        Smallest rank whose relative error is at most 5 %.
    numerical : int
        Number of singular values above rounding.
    broken : str
        Why there is no spectrum; empty if there is one.
    """

    layer: Layer
    s: np.ndarray = field(repr=False)
    norm: float
    r90: int
    stable_rank: float
    entropy_rank: float
    used: int
    numerical: int
    broken: str = ""


class Fault(NamedTuple):
    """Hold something that is wrong with an adapter, or worth knowing.

    Attributes
    ----------
    kind : str
        "NaN", "zero", "dead", "spike", "duplicate", "block-sparse" or "scale".
    layers : tuple of str
        Names of the layers.
    sentence : str
        What it means.
    """

    kind: str
    layers: tuple[str, ...]
    sentence: str


def measure(layer: Layer) -> Measures:
    """Return what the spectrum of a layer says.

    Parameters
    ----------
    layer : Layer
        From `compute.adapters.formats.reading.read_adapter`.

    Returns
    -------
    Measures
        Zeros where the layer is zero or broken.

    Notes
    -----
    Cost: `compute.adapters.formats.layers.spectrum`.

    References
    ----------
    `compute.matrices.spectrum` for the definitions.

    Examples
    --------
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save({"q.lora_B.weight": np.eye(6, 2), "q.lora_A.weight": np.diag([3.0, 4.0])})
    >>> found = measure(read_bytes({"a.safetensors": file}).layers[0])
    >>> found.norm, found.used, found.layer.r, round(found.stable_rank, 4)
    (5.0, 2, 2, 1.5625)
    """
    try:
        s = spectrum(layer)
    except FileRefused as refused:
        return Measures(layer, np.zeros(0), 0.0, 0, 0.0, 0.0, 0, 0, str(refused))
    if not len(s) or s[0] == 0:
        return Measures(layer, s, 0.0, 0, 0.0, 0.0, 0, 0)
    norm = float(s[0] * np.sqrt(np.sum((s / s[0]) ** 2)))
    numerical = int((s > NUMERICAL * s[0]).sum())
    return Measures(layer, s, norm, r90(s), stable_rank(s), entropy_rank(s), knee_rank(s), numerical)


def measures(
    adapter: Adapter, progress: Callable[[int], None] | None = None, workers: int = 1
) -> list[Measures]:
    """Return what the spectra of all layers say.

    Parameters
    ----------
    adapter : Adapter
        From `compute.adapters.formats.reading.read_adapter`.
    progress : function, optional
        Is told after each layer how many are done.
    workers : int
        Threads, at least 1. More than one pays only where the linear algebra behind NumPy is told to use one itself
        (OPENBLAS_NUM_THREADS=1), for the matrices are small and threads within threads wait for each other.

    Returns
    -------
    list of Measures
        In the order of the layers.

    Notes
    -----
    Cost: that of all layers. The numbers of a layer are held as long as it is computed.

    Examples
    --------
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save({"q.lora_B.weight": np.eye(6, 2), "q.lora_A.weight": np.diag([3.0, 4.0])})
    >>> [found.r90 for found in measures(read_bytes({"a.safetensors": file}))]
    [2]
    """
    whole("workers", workers, 1)
    return list(_in_order(adapter.layers, progress, workers))


def _in_order(
    layers: Sequence[Layer], progress: Callable[[int], None] | None, workers: int
) -> Iterator[Measures]:
    with ThreadPoolExecutor(workers) as pool:
        for i, found in enumerate(pool.map(measure, layers) if workers > 1 else map(measure, layers), 1):
            if progress:
                progress(i)
            yield found


def directions_for(s: np.ndarray, share: float) -> int:
    """Return the smallest rank that keeps a share of the energy.

    Parameters
    ----------
    s : (k,) array_like of real numbers
        Singular values, descending, not all zero.
    share : float
        From 0 to 1.

    Returns
    -------
    int
        From 0 to k.

    Raises
    ------
    ValueError
        If share is out of bounds, or s is no list of singular values.

    Notes
    -----
    The same as `compute.matrices.spectrum.r90` for a share of 0.9. Cost: O(k).

    References
    ----------
    Eckart & Young 1936, doi:10.1007/BF02288367.

    Examples
    --------
    >>> directions_for([3.0, 1.0], 0.9), directions_for([3.0, 1.0], 0.95), directions_for([3.0, 1.0], 0)
    (1, 2, 0)
    """
    number("share", share, 0, 1)
    return int(np.argmax(energy(s) >= share - NUMERICAL))


def doctor(adapter: Adapter, found: Sequence[Measures]) -> list[Fault]:
    """Return what is wrong with an adapter.

    Parameters
    ----------
    adapter : Adapter
        From `compute.adapters.formats.reading.read_adapter`.
    found : sequence of Measures
        From `measures`.

    Returns
    -------
    list of Fault
        The gravest first.

    Notes
    -----
    **NaN**: a number is not finite, and one is enough to spoil every answer. **zero**: a product that is 0, as lora_B
    is until it is trained. **dead**: a norm below a thousandth of the median. **spike**: r of four or more and 99 % of
    the energy in one direction. **duplicate**: two layers with the same bytes. **block-sparse**: fused projections of
    which each has columns of lora_B to itself, as kohya writes split q, k and v: cutting to a rank mixes them.
    **scale**: two runtimes that load a layer apply different scales. Cost: O(bytes).

    References
    ----------
    kohya-ss/sd-scripts, networks/lora_flux.py (split_dims: the block-diagonal lora_up of fused layers).

    Examples
    --------
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save({"q.lora_B.weight": np.zeros((6, 2)), "q.lora_A.weight": np.eye(2)})
    >>> adapter = read_bytes({"a.safetensors": file})
    >>> [fault.kind for fault in doctor(adapter, measures(adapter))]
    ['zero']
    """
    faults = []

    def add(kind: str, layers: Sequence[str], what: str) -> None:
        if layers:
            named = f"{count(len(layers), 'layer')}, as {quote_end(layers[0])}"
            faults.append(Fault(kind, tuple(layers), f"{kind}: {what} ({named})."))

    name = [each.layer.name for each in found]
    alive = [each.norm for each in found if each.norm > 0]
    median = float(np.median(alive)) if alive else 0.0
    add(
        "NaN",
        [n for n, each in zip(name, found, strict=True) if each.broken],
        "there is no delta_w; a number is broken",
    )
    zero = [n for n, each in zip(name, found, strict=True) if not each.broken and each.norm == 0]
    add("zero", zero, "delta_w is 0, as in a fresh adapter, whose lora_B is 0 until it is trained")
    dead = [n for n, each in zip(name, found, strict=True) if 0 < each.norm < DEAD * median]
    add("dead", dead, "its norm is below a thousandth of the median; it changes next to nothing")
    spikes = [
        n
        for n, each in zip(name, found, strict=True)
        if each.layer.r >= LEAST_SPIKE and each.norm > 0 and each.s[0] ** 2 > SPIKE * each.norm**2
    ]
    add("spike", spikes, "one direction holds nearly all of the energy; stacked with others it may dominate")
    add("duplicate", _duplicates(adapter), "the same numbers as in another layer")
    add(
        "block-sparse", _block_sparse(adapter), "each part of the fused layer has columns of lora_B to itself"
    )
    add(
        "scale",
        [layer.name for layer in adapter.layers if disagree(scale_audit(layer, adapter.told))],
        "runtimes that load it apply different scales",
    )
    return faults


def _duplicates(adapter: Adapter) -> list[str]:
    seen: dict[bytes, str] = {}
    found = []
    for layer in adapter.layers:
        if layer.expert and layer.expert[0]:
            continue
        digest = hashlib.blake2b()
        for part in sorted(layer.tensors):
            digest.update(layer.tensors[part].raw())
        if seen.setdefault(digest.digest(), layer.name) != layer.name:
            found.append(layer.name)
    return found


def _block_sparse(adapter: Adapter) -> list[str]:
    found = []
    for layer in adapter.layers:
        if layer.kind == "LoRA" and FUSED.search(layer.name) and layer.r > 1:
            lora_B = parts(layer).pairs[0][0]
            used = (lora_B != 0).mean(axis=0)
            if 0 < used.max() <= 0.5 + NUMERICAL:
                found.append(layer.name)
    return found


class Usable(NamedTuple):
    """Hold the layers of an adapter that a figure can show.

    Attributes
    ----------
    layers : dict of str to Layer
        By name, at least one.
    left_out : dict of str to str
        Names of the others, each with the reason.
    """

    layers: dict[str, Layer]
    left_out: dict[str, str]


def usable(adapter: Adapter) -> Usable:
    """Return the layers of an adapter that a figure can show: finite, not zero, and not too large.

    Parameters
    ----------
    adapter : Adapter
        From `compute.adapters.formats.reading.read_adapter`.

    Returns
    -------
    Usable
        The layers, and why others are left out.

    Raises
    ------
    FileRefused
        If there is none.

    Notes
    -----
    A product is taken for zero if it sends a random vector to zero, which costs less than forming it. Cost: O(numbers).

    Examples
    --------
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> pairs = {"q.lora_B.weight": np.eye(6, 2), "q.lora_A.weight": np.eye(2)}
    >>> found = usable(
    ...     read_bytes({"a.safetensors": save(pairs | {"v" + key[1:]: 0 * pairs[key] for key in pairs})})
    ... )
    >>> list(found.layers), list(found.left_out)
    (['q'], ['v'])
    """
    layers: dict[str, Layer] = {}
    left_out = dict(adapter.left_out)
    for layer in adapter.layers:
        try:
            _check(layer)
            layers[layer.name] = layer
        except FileRefused as refused:
            left_out[layer.name] = str(refused)
    if not layers:
        if not left_out:
            raise FileRefused(adapter.notes[0])
        name, why = next(iter(left_out.items()))
        raise FileRefused(f"No layer of the file can be used (of {len(left_out):,}); {quote(name)}: {why}")
    return Usable(layers, left_out)


def _check(layer: Layer) -> None:
    if max(layer.shape) > MAX_SIDE or layer.r > MAX_RANK:
        raise FileRefused(
            f"the layer is {layer.shape[0]} x {layer.shape[1]} with r = {layer.r}; "
            f"sides to {MAX_SIDE} and r to {MAX_RANK} are allowed."
        )
    lora_B, lora_A = factors(layer)
    if layer.scale:
        lora_B = lora_B / layer.scale
    check_range("lora_B", lora_B)
    check_range("lora_A", lora_A)
    probe = np.random.default_rng(0).standard_normal(layer.shape[1])
    if not (lora_B @ (lora_A @ probe)).any():
        raise FileRefused("delta_w is 0, as in a fresh adapter, whose lora_B is 0 until it is trained.")
