"""Two adapters beside each other: how much they point the same way, layer by layer, without forming delta_w."""

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from compute.adapters.formats.layers import Layer, balanced, check_pairs, factors
from compute.adapters.formats.reading import Adapter
from compute.numbers.bounds import finite, whole

_PART = re.compile(
    r"(?:lora_unet_|lora_transformer_|lycoris_|unet\.|diffusion_model\.|transformer\.(?!h\.))"
    r"|(?P<text>lora_te|text_encoder)(?P<number>_?\d)?[_.]"
)


def common_name(name: str) -> str:
    """Return what a layer is called by every tool alike.

    Parameters
    ----------
    name : str
        As a tool spells it.

    Returns
    -------
    str
        Without the part of the pipeline that most layers are in, and with underscores for full stops.

    Notes
    -----
    kohya writes underscores for full stops, so that its names cannot be taken apart again; names are compared in its
    way. The first text encoder is "te1" to kohya for SDXL and "te" before it.

    References
    ----------
    kohya-ss/sd-scripts, networks/lora.py (LORA_PREFIX_UNET and so on); huggingface/diffusers,
    src/diffusers/loaders/lora_conversion_utils.py.

    Examples
    --------
    >>> common_name("unet.mid_block.attn1.processor.to_q"), common_name("lora_unet_mid_block_attn1_to_q")
    ('mid_block_attn1_to_q', 'mid_block_attn1_to_q')
    >>> common_name("text_encoder_2.text_model.q_proj"), common_name("lora_te1_text_model_q_proj")
    ('te2_text_model_q_proj', 'te1_text_model_q_proj')
    """
    found = _PART.match(name)
    rest = name[found.end() :] if found else name
    rest = rest.replace(".processor.", ".").replace(".", "_")
    if found and found["text"]:
        return f"te{(found['number'] or '1')[-1]}_{rest}"
    return rest


class Angles(NamedTuple):
    """Hold how two layers stand to each other.

    Attributes
    ----------
    cosine : float
        Inner product of all entries of both delta_w over the product of the norms, -1 to 1; 0 if one is zero.
    left : (k,) ndarray of float64
        Cosines of the principal angles between what both write, descending, 0 to 1.
    right : (k,) ndarray of float64
        The same of what both read.
    left_chance : float
        Root of what the mean squared cosine is on average for random directions of the same number.
    right_chance : float
        The same on the side of the inputs.
    kept : float
        Norm of the sum over the sum of the norms: 1 if both point the same way, 0 if they cancel.
    """

    cosine: float
    left: np.ndarray
    right: np.ndarray
    left_chance: float
    right_chance: float
    kept: float


@dataclass(frozen=True)
class Comparison:
    """Hold what two adapters have in common.

    Attributes
    ----------
    cosine : float
        Over all common layers as one long vector.
    layers : dict of str to Angles
        By the name in the first adapter.
    only_first : tuple of str
        Layers that only the first has.
    only_second : tuple of str
        Layers that only the second has.
    other_shape : tuple of str
        Layers that both have, in different shapes.
    """

    cosine: float
    layers: dict[str, Angles]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    other_shape: tuple[str, ...]


def inner_product(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the inner product of all entries of two products, which are not formed.

    Parameters
    ----------
    first : ((out, r) ndarray, (r, in) ndarray)
        Factors of one matrix.
    second : ((out, q) ndarray, (q, in) ndarray)
        Factors of the other.

    Returns
    -------
    float
        sum(delta_w1 * delta_w2).

    Raises
    ------
    ValueError
        If the two matrices differ in shape, or the factors of one do not fit.

    Notes
    -----
    <B1 A1, B2 A2> = trace(A1.T B1.T B2 A2) = sum((B1.T @ B2) * (A1 @ A2.T)): two small matrices (r, q) are enough.
    Cost: O((out + in) * r * q), where the products would cost O(out * in * (r + q)).

    References
    ----------
    Golub & Van Loan 2013, *Matrix Computations*, section 2.3 (the Frobenius norm as a trace).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> first, second = [(rng.standard_normal((5, r)), rng.standard_normal((r, 4))) for r in (2, 3)]
    >>> bool(
    ...     np.isclose(inner_product(first, second), np.sum((first[0] @ first[1]) * (second[0] @ second[1])))
    ... )
    True
    """
    (B1, A1), (B2, A2) = first, second
    check_pairs(first, second)
    return float(np.sum((B1.T @ B2) * (A1 @ A2.T)))


def principal_cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the cosines of the principal angles between the columns of two matrices.

    Parameters
    ----------
    one : (n, r) ndarray
        Columns that span one subspace.
    other : (n, q) ndarray
        Columns that span the other.

    Returns
    -------
    (k,) ndarray of float64
        Descending, from 0 to 1, k the smaller of the two dimensions: 1 for a direction that both have.

    Raises
    ------
    ValueError
        If the columns differ in length, or an entry is not finite.

    Notes
    -----
    With orthonormal bases Q and P the cosines are the singular values of Q.T @ P. Directions below 1e-10 of the largest
    count as rounding and belong to neither. Cost: O(n * (r + q)**2).

    References
    ----------
    Björck & Golub 1973, doi:10.1090/S0025-5718-1973-0348991-3.

    Examples
    --------
    >>> principal_cosines(np.eye(4)[:, :2], np.eye(4)[:, 1:3]).tolist()
    [1.0, 0.0]
    """
    if not one.ndim == other.ndim == 2:
        raise ValueError(f"one and other must be matrices, got {one.ndim} and {other.ndim} dimensions.")
    finite("one and other", one, other)
    if len(one) != len(other):
        raise ValueError(f"the columns have {len(one)} and {len(other)} numbers; the two must be equal.")
    return np.clip(np.linalg.svd(_basis(one).T @ _basis(other), compute_uv=False), 0.0, 1.0)


def _basis(columns: np.ndarray) -> np.ndarray:
    size = np.abs(columns).max(initial=0.0)
    if not size:
        return np.zeros((len(columns), 0))
    U, s, _ = np.linalg.svd(columns / size, full_matrices=False)
    return U[:, s > 1e-10 * s[0]]


def chance_cosine(r: int, q: int, n: int) -> float:
    """Return the root of the mean squared cosine between random subspaces.

    Parameters
    ----------
    r : int
        Dimension of one, 1 to n.
    q : int
        Dimension of the other, 1 to n.
    n : int
        Dimension of the space.

    Returns
    -------
    float
        sqrt(max(r, q) / n).

    Raises
    ------
    ValueError
        If a dimension is not possible.

    Notes
    -----
    The mean squared cosine is that of `compute.matrices.similarity.chance_similarity`.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 7.2 (the similarity whose chance this is).

    Examples
    --------
    >>> chance_cosine(16, 4, 64)
    0.5
    """
    whole("n", n, 1)
    whole("r", r, 1, n)
    whole("q", q, 1, n)
    return float(np.sqrt(max(r, q) / n))


def compare(first: Adapter, second: Adapter) -> Comparison:
    """Return what two adapters have in common.

    Parameters
    ----------
    first : Adapter
        From `compute.adapters.formats.reading.read_adapter`.
    second : Adapter
        Another, of any format.

    Returns
    -------
    Comparison
        Layer by layer, and over all that both have.

    Raises
    ------
    FileRefused
        If a number in a layer that both have cannot be read.

    Notes
    -----
    Layers are matched by `common_name`. Cost: O((out + in) * (r + q)**2) a layer.

    References
    ----------
    Björck & Golub 1973, doi:10.1090/S0025-5718-1973-0348991-3.

    Examples
    --------
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save({"q.lora_B.weight": np.eye(6, 2), "q.lora_A.weight": np.eye(2, 4)})
    >>> adapter = read_bytes({"a.safetensors": file})
    >>> round(compare(adapter, adapter).cosine, 12)
    1.0
    """
    mine = {common_name(layer.name): layer for layer in first.layers}
    yours = {common_name(layer.name): layer for layer in second.layers}
    found: dict[str, Angles] = {}
    other_shape = []
    inner = one = other = 0.0
    for name in mine:
        if name not in yours:
            continue
        if mine[name].shape != yours[name].shape:
            other_shape.append(mine[name].name)
            continue
        angles, sums = _angles(mine[name], yours[name])
        found[mine[name].name] = angles
        inner, one, other = inner + sums[0], one + sums[1], other + sums[2]
    return Comparison(
        _cosine(inner, one, other),
        found,
        tuple(layer.name for name, layer in mine.items() if name not in yours),
        tuple(layer.name for name, layer in yours.items() if name not in mine),
        tuple(other_shape),
    )


def _cosine(inner: float, one: float, other: float) -> float:
    return float(np.clip(inner / np.sqrt(one) / np.sqrt(other), -1, 1)) if one > 0 and other > 0 else 0.0


def _angles(mine: Layer, yours: Layer) -> tuple[Angles, tuple[float, float, float]]:
    first, second = balanced(*factors(mine)), balanced(*factors(yours))
    inner = inner_product(first, second)
    one, other = max(inner_product(first, first), 0.0), max(inner_product(second, second), 0.0)
    left, right = principal_cosines(first[0], second[0]), principal_cosines(first[1].T, second[1].T)
    out, in_ = mine.shape
    r, q = first[0].shape[1], second[0].shape[1]
    norms = np.sqrt(one) + np.sqrt(other)
    kept = float(np.sqrt(max(one + 2 * inner + other, 0.0)) / norms) if norms else 0.0
    by_chance = [chance_cosine(min(r, n), min(q, n), n) for n in (out, in_)]
    cosine = _cosine(inner, one, other)
    return Angles(cosine, left, right, by_chance[0], by_chance[1], kept), (inner, one, other)
