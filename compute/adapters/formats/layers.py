"""One adapted layer as a product of small parts, and its singular values without ever forming delta_w."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

import numpy as np

from compute.adapters.formats.containers import Tensor
from compute.matrices.svd import SVD, factorize_product
from compute.numbers.refusal import FileRefused, count

MAX_NUMBERS = (
    2**27
)  # that are made at once, a gigabyte: what a file declares in two small tensors may multiply
KINDS = ("LoRA", "AdaLoRA", "LoHa", "LoKr", "full difference")


class Parts(NamedTuple):
    """Hold delta_w, without its scale, as pairs of factors and how they are put together.

    Attributes
    ----------
    how : str
        "product" of one pair, "hadamard" for the entrywise product of two, "kronecker" for the Kronecker product of
        two.
    pairs : tuple of (ndarray, ndarray)
        Factors (out, r) and (r, in) of each, float64.
    """

    how: str
    pairs: tuple[tuple[np.ndarray, np.ndarray], ...]


@dataclass(frozen=True)
class Layer:
    """Hold one adapted layer. Its numbers are read when they are asked for.

    Attributes
    ----------
    name : str
        As the tool spells it, without PEFT's prefix. Of experts each is a layer: "mlp.experts[3]".
    shape : (int, int)
        (out, in) of the matrix that is added. A convolution is (out, in * height * width).
    kind : str
        One of KINDS.
    spelling : str
        By whose names the tensors go: "peft", "kohya", "old", "hada", "lokr", "diff", "mlx" or "gguf".
    r : int
        Rank that is paid for: the inner size of the factors. Of a full difference the shorter side.
    tensors : dict of str to Tensor
        The tensors by part (`compute.adapters.formats.keys.PARTS`).
    scale : float
        What the product of the parts is multiplied by, as PEFT does it or the tool that the format belongs to.
    alpha : float or None
        The number in the file that stands beside this layer (.alpha), None if there is none.
    told_r : int or None
        Rank that the config gives this layer.
    told_alpha : float or None
        Numerator that the config gives it.
    expert : (int, int) or None
        Which of how many experts; None where there is one matrix.
    embedding : bool
        Whether PEFT adds the transpose of the product.
    wrapped : bool
        Whether the names begin with PEFT's prefix.
    in_memory : str
        The name of the adapter within the names of the tensors, as PEFT holds them in memory; empty otherwise.
    magnitude : Tensor or None
        Magnitude of DoRA, which is not applied because it needs the weight.
    not_applied : tuple of str
        What belongs to the layer and is no part of delta_w as it is shown, each with the reason.
    """

    name: str
    shape: tuple[int, int]
    kind: str
    spelling: str
    r: int
    tensors: Mapping[str, Tensor] = field(repr=False)
    scale: float = 1.0
    alpha: float | None = None
    told_r: int | None = None
    told_alpha: float | None = None
    expert: tuple[int, int] | None = None
    embedding: bool = False
    wrapped: bool = False
    in_memory: str = ""
    magnitude: Tensor | None = field(default=None, repr=False)
    not_applied: tuple[str, ...] = ()

    @property
    def dtype(self) -> str:
        """Return the type in which the numbers are stored, the first if there are several."""
        return next(iter(self.tensors.values())).dtype

    @property
    def bytes(self) -> int:
        """Return how many bytes the parts of the layer take in the file."""
        size = sum(tensor.size for tensor in self.tensors.values())
        return size // self.expert[1] if self.expert else size

    @property
    def numbers(self) -> int:
        """Return how many numbers the parts of the layer have."""
        size = sum(int(np.prod(tensor.shape)) for tensor in self.tensors.values())
        return size // self.expert[1] if self.expert else size


def parts(layer: Layer) -> Parts:
    r"""Return the numbers of a layer as a product of small parts.

    Parameters
    ----------
    layer : Layer
        From `compute.adapters.formats.reading.read_adapter`.

    Returns
    -------
    Parts
        float64. The scale is not in them.

    Raises
    ------
    FileRefused
        If the file ends early, or a type cannot be read.

    Notes
    -----
    LoRA: lora_B @ lora_A, and with a core (LoCon, Tucker) up @ (mid x down), where mid is contracted with down first,
    into one matrix (r, in * height * width). AdaLoRA: lora_B @ (lora_E * lora_A). LoHa: (w1a @ w1b) * (w2a @ w2b), each
    with a core of its own in a convolution. LoKr: kron(w1, w2), each whole or in factors; the kernel stands behind the
    inputs, so that the flat matrix of a convolution is a Kronecker product too. Cost: O(numbers), times r with a core.

    References
    ----------
    KohakuBlueleaf/LyCORIS, lycoris/functional/general.py (rebuild_tucker, tucker_weight_from_conv), loha.py, lokr.py;
    huggingface/peft, tuners/lora/layer.py (ParamWrapper: the n-th column of lora_B belongs to an expert).

    Examples
    --------
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save({"q.lokr_w1": np.eye(2), "q.lokr_w2": np.ones((3, 2))})
    >>> layer = read_bytes({"a.safetensors": file}).layers[0]
    >>> parts(layer).how, layer.shape
    ('kronecker', (6, 4))
    """
    read = {part: tensor.read() for part, tensor in layer.tensors.items()}
    if layer.kind == "LoHa":
        return Parts("hadamard", tuple(_hada(read, i) for i in "12"))
    if layer.kind == "LoKr":
        return Parts("kronecker", tuple(_lokr(read, i) for i in "12"))
    if layer.kind == "full difference":
        return Parts("product", (_with_identity(read["diff"]),))
    if "a" in read:
        return Parts("product", (_small(layer, read["a"], read["b"]),))
    A, B = read["A"], read["B"]
    if layer.expert:
        i, n = layer.expert
        A, B = (A[i], B[i]) if A.ndim == 3 else (A.reshape(n, -1, A.shape[1])[i], B[:, i::n])
    elif "mid" in read:  # (r, r, kh, kw) with (r, in): the second side of the core meets lora_down
        A = _through_core(read["mid"], A.reshape(len(A), -1))
    A, B = A.reshape(len(A), -1), B.reshape(len(B), -1)
    if "E" in read:
        A = read["E"].reshape(-1, 1) * A
    return Parts("product", ((A.T, B.T),) if layer.embedding else ((B, A),))


def along_inputs(layer: Layer) -> bool:
    """Return whether the magnitude of DoRA has a number for each input, and not for each output.

    Parameters
    ----------
    layer : Layer
        A layer with a magnitude.

    Returns
    -------
    bool
        False of PEFT, MLX and ai-toolkit, which only know outputs, which lie along the second side of an embedding
        (words, width); of LyCORIS' dora_scale by its first side.

    References
    ----------
    huggingface/peft 0.21.2, tuners/lora/dora.py (of a convolution it is (1, out, 1, 1)); Comfy-Org/ComfyUI,
    comfy/weight_adapter/base.py (weight_decompose: by outputs if the first side is that of the weight).

    Examples
    --------
    >>> from compute.adapters.formats.containers import BytesSource
    >>> scales = [Tensor("q.dora_scale", "F32", shape, BytesSource(b"")) for shape in [(6, 1), (1, 4)]]
    >>> [along_inputs(Layer("q", (6, 4), "LoRA", "kohya", 2, {}, magnitude=scale)) for scale in scales]
    [False, True]
    """
    found = layer.magnitude
    if found is None:
        return False
    return layer.embedding or ("dora_scale" in found.name and found.shape[:1] != layer.shape[:1])


def check_room(*sides: int) -> None:
    """Refuse to make more numbers at once than there is room for.

    Parameters
    ----------
    *sides : int
        Sides of the array that would be made.

    Raises
    ------
    FileRefused
        If it has more than 2**27 entries.

    Examples
    --------
    >>> check_room(2**20, 2**10)
    Traceback (most recent call last):
    compute.numbers.refusal.FileRefused: 1,073,741,824 numbers would be made of it; at most 134,217,728 are.
    """
    if prod(sides) > MAX_NUMBERS:
        raise FileRefused(f"{count(prod(sides), 'number')} would be made of it; at most {MAX_NUMBERS:,} are.")


def _with_identity(whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a matrix as a pair of factors, of which one is the identity of the shorter side."""
    whole = whole.reshape(len(whole), -1)
    out, in_ = whole.shape
    return (whole, np.eye(in_)) if in_ <= out else (np.eye(out), whole)


def _through_core(core: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Return core (r, r, kh, kw) times lora_down (r, in): (r, in, kh, kw)."""
    check_room(len(core), down.shape[1], *core.shape[2:])
    return np.einsum("ij...,jq->iq...", core, down)


def _small(layer: Layer, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the factors of MLX, which lie the other way round except for experts, or of GGUF, which do not."""
    if layer.expert:
        return b[layer.expert[0]], a[layer.expert[0]]
    return (b, a) if layer.spelling == "gguf" else (b.T, a.T)


def _hada(read: dict[str, np.ndarray], i: str) -> tuple[np.ndarray, np.ndarray]:
    a, b = read[f"w{i}a"], read[f"w{i}b"]
    if f"t{i}" in read:
        return a.T, _through_core(read[f"t{i}"], b).reshape(len(a), -1)
    return a, b.reshape(len(b), -1)


def _lokr(read: dict[str, np.ndarray], i: str) -> tuple[np.ndarray, np.ndarray]:
    if f"w{i}" in read:
        return _with_identity(read[f"w{i}"])
    a, b = read[f"w{i}a"], read[f"w{i}b"]
    if f"t{i}" in read:
        return a.T, _through_core(read[f"t{i}"], b).reshape(len(a), -1)
    return a, b.reshape(len(b), -1)


def khatri_rao(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return factors of the entrywise product of two products.

    Parameters
    ----------
    first : ((out, r) ndarray, (r, in) ndarray)
        Factors of one matrix.
    second : ((out, q) ndarray, (q, in) ndarray)
        Factors of the other.

    Returns
    -------
    lora_B : (out, r * q) ndarray
        Row by row the Kronecker product of the rows of the left factors.
    lora_A : (r * q, in) ndarray
        Column by column that of the right factors.

    Raises
    ------
    ValueError
        If the two matrices differ in shape, or the factors of one do not fit.

    Notes
    -----
    ((B1 @ A1) * (B2 @ A2))[i, j] = sum over k, l of B1[i, k] B2[i, l] A1[k, j] A2[l, j]: a sum of r * q terms, each of
    rank 1. That is why a LoHa of r pays for r and can reach the rank r squared. Cost: O((out + in) * r * q).

    References
    ----------
    Hyeon-Woo et al. 2022, arXiv:2108.06098, proposition 1 (the rank of the entrywise product).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> B1, A1, B2, A2 = (rng.standard_normal(shape) for shape in [(5, 2), (2, 4), (5, 3), (3, 4)])
    >>> lora_B, lora_A = khatri_rao((B1, A1), (B2, A2))
    >>> lora_B.shape, bool(np.allclose(lora_B @ lora_A, (B1 @ A1) * (B2 @ A2)))
    ((5, 6), True)
    """
    (B1, A1), (B2, A2) = first, second
    check_pairs(first, second)
    lora_B = (B1[:, :, None] * B2[:, None, :]).reshape(len(B1), -1)
    lora_A = (A1[:, None, :] * A2[None, :, :]).reshape(-1, A1.shape[1])
    return lora_B, lora_A


def check_pairs(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> None:
    """Refuse two pairs of factors whose products are no matrices of the same shape.

    Parameters
    ----------
    first : ((out, r) ndarray, (r, in) ndarray)
        Factors of one matrix.
    second : ((out, q) ndarray, (q, in) ndarray)
        Factors of the other.

    Raises
    ------
    ValueError
        If they are not.

    Examples
    --------
    >>> check_pairs((np.ones((3, 2)), np.ones((2, 4))), (np.ones((5, 1)), np.ones((1, 4))))
    Traceback (most recent call last):
    ValueError: both matrices must have the same shape.
    """
    for lora_B, lora_A in (first, second):
        if not lora_B.ndim == lora_A.ndim == 2 or lora_B.shape[1] != lora_A.shape[0]:
            raise ValueError("a pair must be two matrices with the same inner size.")
    if len(first[0]) != len(second[0]) or first[1].shape[1] != second[1].shape[1]:
        raise ValueError("both matrices must have the same shape.")


def as_pair(how: str, pairs: tuple[tuple[np.ndarray, np.ndarray], ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return two factors with the product that parts stand for.

    Parameters
    ----------
    how : str
        "product", "hadamard" or "kronecker", as in `Parts`.
    pairs : tuple of (ndarray, ndarray)
        The parts.

    Returns
    -------
    lora_B : (out, k) ndarray of float64
        Left factor.
    lora_A : (k, in) ndarray of float64
        Right factor.

    Raises
    ------
    FileRefused
        If they would be too large.

    Notes
    -----
    (B1 @ A1) kron (B2 @ A2) = (B1 kron B2) @ (A1 kron A2). Cost: O((out + in) * k).

    References
    ----------
    Van Loan 2000, doi:10.1016/S0377-0427(00)00393-9, section 2 (the product of Kronecker products).

    Examples
    --------
    >>> lora_B, lora_A = as_pair("kronecker", ((np.eye(2), np.eye(2)), (np.ones((3, 1)), np.ones((1, 2)))))
    >>> lora_B.shape, lora_A.shape
    ((6, 2), (2, 4))
    """
    if how == "product":
        return pairs[0]
    (B1, A1), (B2, A2) = pairs
    k = len(A1) * len(A2)
    if how == "hadamard":
        check_room(max(len(B1), A1.shape[1]), k)
        return khatri_rao(*pairs)
    check_room(max(len(B1) * len(B2), A1.shape[1] * A2.shape[1]), k)
    return np.kron(B1, B2), np.kron(A1, A2)


def factors(layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Return two factors whose product is delta_w, of whatever kind the layer is.

    Parameters
    ----------
    layer : Layer
        From `compute.adapters.formats.reading.read_adapter`.

    Returns
    -------
    lora_B : (out, k) ndarray of float64
        Left factor, the scale included.
    lora_A : (k, in) ndarray of float64
        Right factor.

    Raises
    ------
    FileRefused
        If the file ends early, or a type cannot be read.

    Notes
    -----
    k is r for LoRA, r squared for LoHa, the product of both inner sizes for LoKr: (B1 @ A1) kron (B2 @ A2) =
    (B1 kron B2) @ (A1 kron A2). Cost: O((out + in) * k).

    References
    ----------
    Van Loan 2000, doi:10.1016/S0377-0427(00)00393-9, section 2 (the product of Kronecker products).

    Examples
    --------
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save({"q.lokr_w1": np.eye(2), "q.lokr_w2": np.ones((3, 2))})
    >>> lora_B, lora_A = factors(read_bytes({"a.safetensors": file}).layers[0])
    >>> bool(np.array_equal(lora_B @ lora_A, np.kron(np.eye(2), np.ones((3, 2)))))
    True
    """
    how, pairs = parts(layer)
    lora_B, lora_A = as_pair(how, pairs)
    return layer.scale * lora_B, lora_A


def balanced(lora_B: np.ndarray, lora_A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return factors with the same product, in which each column and its row are of about the same size.

    Parameters
    ----------
    lora_B : (out, r) ndarray of float64
        Left factor, finite.
    lora_A : (r, in) ndarray of float64
        Right factor, finite.

    Returns
    -------
    lora_B : (out, r) ndarray of float64
        Left factor.
    lora_A : (r, in) ndarray of float64
        Right factor.

    Raises
    ------
    ValueError
        If the inner sizes differ, a factor is no matrix, or an entry is not finite.

    Notes
    -----
    Column k is multiplied by a power of two and row k divided by it, so that no digit is lost, and no square of what
    follows overflows because one factor holds 1e200 and the other 1e-200. A pair with a zero on either side is zero on
    both. Cost: O((out + in) * r).

    References
    ----------
    Higham 2002, *Accuracy and Stability of Numerical Algorithms*, section 19.4 (QR is stable column by column).

    Examples
    --------
    >>> lora_B, lora_A = balanced(np.array([[2.0**80]]), np.array([[2.0**-82]]))
    >>> lora_B.item(), lora_A.item()
    (0.5, 0.5)
    """
    if not lora_B.ndim == lora_A.ndim == 2:
        raise ValueError(f"both factors must be matrices, got {lora_B.ndim} and {lora_A.ndim} dimensions.")
    if lora_B.shape[1] != lora_A.shape[0]:
        raise ValueError(f"the inner sizes are {lora_B.shape[1]} and {lora_A.shape[0]}; they must be equal.")
    left = np.abs(lora_B).max(axis=0, initial=0.0)
    right = np.abs(lora_A).max(axis=1, initial=0.0)
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        raise ValueError("both factors must be finite.")
    lost = (left == 0) | (right == 0)
    shift = (np.frexp(right)[1] - np.frexp(left)[1]) // 2
    shift[lost] = 0
    if not (shift.any() or lost.any()):
        return lora_B, lora_A
    lora_B, lora_A = np.ldexp(lora_B, shift), np.ldexp(lora_A, -shift[:, None])
    lora_B[:, lost], lora_A[lost] = 0.0, 0.0
    return lora_B, lora_A


def product_spectrum(lora_B: np.ndarray, lora_A: np.ndarray) -> np.ndarray:
    """Return the singular values of a product of two factors, which is not formed.

    Parameters
    ----------
    lora_B : (out, r) ndarray of float64
        Left factor, finite.
    lora_A : (r, in) ndarray of float64
        Right factor, finite.

    Returns
    -------
    (k,) ndarray of float64
        Descending, k = min(r, out, in).

    Raises
    ------
    ValueError
        If the inner sizes differ, a factor is no matrix, or an entry of a factor or of the product is not finite.

    Notes
    -----
    With lora_B = Q @ R and lora_A.T = P @ S the product is Q @ (R @ S.T) @ P.T, and Q and P change no singular value.
    Only the triangles are computed, and balanced: QR treats each column by itself, so that its size does not matter.
    Each value is off by about 1e-15 of the largest, as in a dense SVD: the squares that a Gram matrix holds would cost
    half of the digits. Cost: O((out + in) * r**2 + r**3).

    References
    ----------
    Golub & Van Loan 2013, *Matrix Computations*, section 5.2 (QR).

    Examples
    --------
    >>> product_spectrum(np.array([[1e150], [1e150]]), np.array([[3e-150, 4e-150]])).round(12).tolist()
    [7.071067811865]
    """
    if not lora_B.ndim == lora_A.ndim == 2 or lora_B.shape[1] != lora_A.shape[0]:
        raise ValueError("both factors must be matrices with the same inner size.")
    k = min(*lora_B.shape, lora_A.shape[1])
    if not k:
        return np.zeros(0)
    with np.errstate(over="ignore", invalid="ignore"):
        left, right = (np.asarray(np.linalg.qr(factor, mode="r")) for factor in (lora_B, lora_A.T))
        left, right = balanced(left, right.T)
        core = left @ right
    if not np.isfinite(core).all():
        raise ValueError("an entry of the product is not finite.")
    return np.linalg.svd(core, compute_uv=False)[:k]


def spectrum(layer: Layer) -> np.ndarray:
    """Return the singular values of delta_w, the scale included.

    Parameters
    ----------
    layer : Layer
        From `compute.adapters.formats.reading.read_adapter`.

    Returns
    -------
    (k,) ndarray of float64
        Descending. k is min(r, out, in) for LoRA, with r squared for LoHa; for LoKr the product of the numbers of
        values of both parts; for a full difference min(out, in).

    Raises
    ------
    FileRefused
        If a number is not finite, the file ends early, or a type cannot be read.

    Notes
    -----
    The singular values of a Kronecker product are the products of those of its parts. Those of a LoHa are computed from
    the factors of `khatri_rao`, whose inner size is r squared. Cost: `product_spectrum`; a full difference costs
    O(out * in * min(out, in)), for there is nothing smaller than itself.

    References
    ----------
    Van Loan 2000, doi:10.1016/S0377-0427(00)00393-9, section 2 (the SVD of a Kronecker product).

    Examples
    --------
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save({"q.lokr_w1": np.diag([3.0, 1.0]), "q.lokr_w2": np.diag([2.0, 1.0])})
    >>> spectrum(read_bytes({"a.safetensors": file}).layers[0]).round(12).tolist()
    [6.0, 3.0, 2.0, 1.0]
    """
    how, pairs = parts(layer)
    if not all(np.isfinite(factor).all() for pair in pairs for factor in pair):
        raise FileRefused("a number is NaN or infinite")
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            if layer.kind == "full difference":
                s = np.linalg.svd(max(pairs[0], key=np.size), compute_uv=False)
            elif how == "kronecker":
                first, second = (product_spectrum(*pair) for pair in pairs)
                check_room(len(first), len(second))
                s = np.sort(np.outer(first, second).ravel())[::-1]
            else:
                s = product_spectrum(*as_pair(how, pairs))
            s = abs(layer.scale) * s
    except FileRefused:
        raise
    except (ValueError, np.linalg.LinAlgError):
        raise FileRefused("the numbers are too large to be multiplied") from None
    if not np.isfinite(s).all():
        raise FileRefused("the numbers are too large to be multiplied")
    return s


def layer_svd(layer: Layer) -> SVD:
    """Return the thin SVD of delta_w, the scale included.

    Parameters
    ----------
    layer : Layer
        From `compute.adapters.formats.reading.read_adapter`.

    Returns
    -------
    SVD
        U (out, k), s (k,) descending, Vh (k, in).

    Raises
    ------
    FileRefused
        If a number is not finite, the file ends early, or a type cannot be read.

    Notes
    -----
    Cost: `compute.matrices.svd.factorize_product` of `factors`.

    References
    ----------
    Golub & Van Loan 2013, *Matrix Computations*, section 5.2 (QR).

    Examples
    --------
    >>> from compute.adapters.formats.reading import read_bytes
    >>> from safetensors.numpy import save
    >>> file = save({"q.lora_B.weight": np.eye(3, 2), "q.lora_A.weight": np.diag([2.0, 1.0])})
    >>> layer_svd(read_bytes({"a.safetensors": file}).layers[0]).s.tolist()
    [2.0, 1.0]
    """
    lora_B, lora_A = factors(layer)
    if not (np.isfinite(lora_B).all() and np.isfinite(lora_A).all()):
        raise FileRefused("a number is NaN or infinite")
    return factorize_product(*balanced(lora_B, lora_A))
