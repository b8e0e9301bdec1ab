"""Factor a matrix once; every rank-r copy of it is then one small matrix product.

Shapes follow the weight of a linear layer, y = x @ W.T: a matrix is (out, in). k is the number of singular
values that are stored.
"""

from typing import NamedTuple

import numpy as np

from compute.numbers.bounds import whole

# Two entries of a singular vector whose magnitudes agree to this share are a tie: rounding, which differs from
# one machine to the next, must not decide which of them sets the sign.
TIE = 1e-9
SMALL = 1024  # shorter side up to which a dense SVD is faster than an iteration


class SVD(NamedTuple):
    """Hold the thin singular value decomposition U @ diag(s) @ Vh of an (out, in) matrix.

    The arrays are read-only, so that figures can share one record.

    Attributes
    ----------
    U : (out, k) ndarray of float64
        Left singular vectors, orthonormal columns.
    s : (k,) ndarray of float64
        Singular values, descending, none negative, in the unit of the matrix.
    Vh : (k, in) ndarray of float64
        Right singular vectors, orthonormal rows.
    """

    U: np.ndarray
    s: np.ndarray
    Vh: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (out, in) of the matrix that was factored."""
        return self.U.shape[0], self.Vh.shape[1]


def factorize(delta_w: np.ndarray) -> SVD:
    """Return the thin singular value decomposition of a matrix.

    This is the expensive step, done once per matrix. What a reader then does with the rank needs only the
    record that is returned.

    Parameters
    ----------
    delta_w : (out, in) array_like of real numbers
        Any finite matrix with at least one row and one column. It is not changed.

    Returns
    -------
    SVD
        U (out, k), s (k,) descending, Vh (k, in) with k = min(out, in), float64.

    Raises
    ------
    ValueError
        If delta_w is not a 2-D array of finite real numbers, or is empty.
    numpy.linalg.LinAlgError
        If LAPACK's iteration does not converge.

    Notes
    -----
    delta_w = U @ diag(s) @ Vh, to within about 1e-15 * s[0]. A singular pair (u, v) is determined only up to a
    common sign. Here the entry of largest magnitude in each column of U is positive; where several tie, the
    first of them is. Pictures therefore do not flip when a matrix changes a little. Within a group of equal
    singular values the vectors are not determined at all: compare projections, not vectors.
    Cost: O(out * in * min(out, in)); the signs add O(out * k).

    References
    ----------
    Eckart & Young 1936, doi:10.1007/BF02288367 (the decomposition of a rectangular matrix).

    Examples
    --------
    >>> svd = factorize([[3.0, 0.0], [0.0, -2.0], [0.0, 0.0]])
    >>> svd.shape, svd.s.tolist()
    ((3, 2), [3.0, 2.0])
    >>> bool(svd.U[1, 1] == 1 and svd.Vh[1, 1] == -1)  # the sign of -2 goes to Vh
    True
    """
    delta_w = _as_matrix("delta_w", delta_w)
    return _with_fixed_signs(*np.linalg.svd(delta_w, full_matrices=False))


def factorize_product(lora_B: np.ndarray, lora_A: np.ndarray) -> SVD:
    """Return the thin SVD of lora_B @ lora_A without forming the product.

    An adapter of a 4096 x 4096 layer is two thin factors. Its update has 16.8 million entries, but all that its
    spectrum depends on fits into an r x r core.

    Parameters
    ----------
    lora_B : (out, r) array_like of real numbers
        Left factor, finite. r may be larger than out.
    lora_A : (r, in) array_like of real numbers
        Right factor, finite. r may be larger than in.

    Returns
    -------
    SVD
        U (out, k), s (k,) descending, Vh (k, in) with k = min(r, out, in), float64.

    Raises
    ------
    ValueError
        If a factor is not a 2-D array of finite real numbers or is empty, or if the inner sizes differ.

    Notes
    -----
    With lora_B = Q_B @ R_B and lora_A.T = Q_A @ R_A the product is Q_B @ (R_B @ R_A.T) @ Q_A.T. Q_B and Q_A have
    orthonormal columns, so the SVD of the core R_B @ R_A.T gives that of the product. Signs as in `factorize`.
    The factor alpha / r is not applied: multiply s by it if you want delta_w.
    Cost: O((out + in) * r**2 + r**3).

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.1 (the product); Golub & Van Loan 2013, *Matrix Computations*,
    section 5.2 (the QR factorisation).

    Examples
    --------
    >>> lora_B, lora_A = np.array([[1.0], [1.0]]), np.array([[3.0, 4.0]])
    >>> svd = factorize_product(lora_B, lora_A)
    >>> bool(np.allclose(svd.s, np.sqrt(2) * 5))  # rank one: the norms of the two factors multiply
    True
    >>> bool(np.allclose(svd.U * svd.s @ svd.Vh, lora_B @ lora_A))
    True
    """
    lora_B = _as_matrix("lora_B", lora_B)
    lora_A = _as_matrix("lora_A", lora_A)
    if lora_B.shape[1] != lora_A.shape[0]:
        raise ValueError(
            f"lora_B has {lora_B.shape[1]} columns and lora_A has {lora_A.shape[0]} rows; the two must be equal."
        )
    Q_B, R_B = np.linalg.qr(lora_B)  # (out, min(out, r)), (min(out, r), r)
    Q_A, R_A = np.linalg.qr(lora_A.T)  # (in, min(in, r)), (min(in, r), r)
    U, s, Vh = np.linalg.svd(R_B @ R_A.T, full_matrices=False)
    return _with_fixed_signs(Q_B @ U, s, Vh @ Q_A.T)


def first_directions(delta_w: np.ndarray, r: int) -> SVD:
    """Return the first r singular values of a matrix with their vectors.

    Parameters
    ----------
    delta_w : (out, in) ndarray of float64
        Finite.
    r : int
        How many, 1 to the shorter side.

    Returns
    -------
    SVD
        U (out, r), s (r,) descending, Vh (r, in).

    Raises
    ------
    ValueError
        If r is out of bounds.

    Notes
    -----
    By a dense SVD for a shorter side up to 1024 and beyond by Lanczos' iteration from a fixed start, which costs
    O(out * in * r) where the dense one costs O(out * in * min(out, in)).

    References
    ----------
    Baglama & Reichel 2005, doi:10.1137/04060593X (restarted bidiagonalisation).

    Examples
    --------
    >>> first_directions(np.diag([3.0, 2.0, 1.0]), 2).s.tolist()
    [3.0, 2.0]
    """
    delta_w = _as_matrix("delta_w", delta_w)
    short = min(delta_w.shape)
    whole("r", r, 1, short)
    if short <= SMALL or r >= short // 2 or not delta_w.any():
        U, s, Vh = factorize(delta_w)
        return SVD(U[:, :r], s[:r], Vh[:r])
    from scipy.sparse.linalg import svds  # a fifth of a second, which only this needs

    U, s, Vh = svds(delta_w, k=r, v0=np.ones(short))
    order = np.argsort(s)[::-1]
    return SVD(U[:, order], s[order], Vh[order])


def largest_singular_value(matrix: np.ndarray) -> float:
    """Return the spectral norm of a matrix.

    Parameters
    ----------
    matrix : (out, in) ndarray of float64
        Finite, at least one row and one column.

    Returns
    -------
    float
        To four digits, 0 or more.

    Raises
    ------
    ValueError
        If the matrix is not a 2-D array of finite real numbers or is empty.

    Notes
    -----
    By Lanczos' iteration from a fixed start, which costs O(out * in) a step, some twenty of them, where an SVD costs
    O(out * in * min(out, in)).

    References
    ----------
    Golub & Van Loan 2013, *Matrix Computations*, section 10.4 (Lanczos for singular values).

    Examples
    --------
    >>> round(largest_singular_value(np.diag([3.0, 2.0, 1.0])), 4)
    3.0
    """
    matrix = _as_matrix("matrix", matrix)
    largest = float(np.abs(matrix).max())
    if min(matrix.shape) < 3 or not largest:
        return float(np.linalg.norm(matrix, 2))
    from scipy.sparse.linalg import svds

    start = np.random.default_rng(0).standard_normal(min(matrix.shape))
    single = (matrix / largest).astype(np.float32)  # reads half as much at each step
    found = svds(single, k=1, v0=start, tol=1e-4, return_singular_vectors=False)
    return largest * float(found[0])


def balanced_factors(svd: SVD, r: int) -> tuple[np.ndarray, np.ndarray]:
    """Return factors of the best rank-r copy that share its size equally.

    These are the two small matrices that a LoRA adapter would store.

    Parameters
    ----------
    svd : SVD
        Record of the matrix, from `factorize` or `factorize_product`.
    r : int
        Number of singular values kept, 0 to k.

    Returns
    -------
    lora_B : (out, r) ndarray of float64
        U[:, :r] @ diag(sqrt(s[:r])).
    lora_A : (r, in) ndarray of float64
        diag(sqrt(s[:r])) @ Vh[:r].

    Raises
    ------
    ValueError
        If r is outside 0 to k.

    Notes
    -----
    lora_B @ lora_A equals U[:, :r] @ diag(s[:r]) @ Vh[:r], and no matrix of rank r or less is closer, in the Frobenius
    norm or in the spectral norm; the squared Frobenius error is the sum of the dropped s squared. The factors are not
    unique: lora_B @ G and inv(G) @ lora_A have the same product for every invertible G. These have
    lora_B.T @ lora_B = lora_A @ lora_A.T = diag(s[:r]). Training does not find this pair in general.
    Cost: O((out + in) * r).

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.1 (the factors B and A); Eckart & Young 1936, doi:10.1007/BF02288367
    (Frobenius norm); Mirsky 1960, doi:10.1093/qmath/11.1.50 (every unitarily invariant norm).

    Examples
    --------
    >>> lora_B, lora_A = balanced_factors(factorize([[4.0, 0.0], [3.0, 5.0]]), r=1)
    >>> lora_B.shape, lora_A.shape
    ((2, 1), (1, 2))
    >>> bool(np.isclose(np.linalg.norm(lora_B), np.linalg.norm(lora_A)))
    True
    """
    _check_rank(svd, r)
    root = np.sqrt(svd.s[:r])
    return svd.U[:, :r] * root, root[:, None] * svd.Vh[:r]


def _as_matrix(name: str, values: np.ndarray) -> np.ndarray:
    """Return values as a float64 matrix, or refuse them under the name given."""
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers, got dtype {values.dtype}.")
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"{name} must have two dimensions and at least one entry, got shape {values.shape}.")
    values = values.astype(np.float64, copy=False)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(f"{name} must be finite, got {values[row, column]} at index ({row}, {column}).")
    return values


def _check_rank(svd: SVD, r: int) -> None:
    if not 0 <= r <= len(svd.s):
        raise ValueError(f"r must be between 0 and {len(svd.s)}, got {r}.")


def _with_fixed_signs(U: np.ndarray, s: np.ndarray, Vh: np.ndarray) -> SVD:
    """Flip singular pairs so that the first largest entry of each column of U is positive."""
    magnitude = np.abs(U)
    leading = np.argmax(magnitude >= (1 - TIE) * magnitude.max(axis=0), axis=0)  # (k,)
    sign = np.copysign(1.0, U[leading, np.arange(len(s))])  # (k,)
    U *= sign  # in place: the arrays come fresh from LAPACK, and copies would cost a tenth of the SVD
    Vh *= sign[:, None]
    for array in (U, s, Vh):
        array.flags.writeable = False
    return SVD(U, s, Vh)
