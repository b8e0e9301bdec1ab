"""What a shipped matrix must be, whoever ships it."""

from __future__ import annotations

import numpy as np

from compute.costs.sizes import break_even_rank
from compute.matrices.controls import Band
from compute.matrices.spectrum import energy, knee_rank, relative_error
from compute.matrices.svd import SVD
from helpers.instruments import decoded
from widgets.kit.matrix import DRAWN_SIDE, TOLERANCE

# Entries of U and Vh are at most 1; rounding to float32 moves each by at most half of the last of its 24 bits.
FLOAT32 = 2.0**-25


def check_arrays(arrays: dict, svd, controls: list[Band]) -> None:
    """Check that everything in the arrays is what compute/ says of the factors given."""
    out_size, in_size = svd.shape
    down, across = arrays["steps"]
    rows, columns = arrays["drawn"]
    k = arrays["k"]
    assert tuple(arrays["shape"]) == svd.shape
    assert k == len(svd.s)
    assert (rows, columns) == (len(range(0, out_size, down)), len(range(0, in_size, across)))
    assert max(rows, columns) <= DRAWN_SIDE
    U, Vh = decoded(arrays["U"]).reshape(rows, k), decoded(arrays["Vh"]).reshape(k, columns)
    assert (U.dtype, Vh.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(U, svd.U[::down], rtol=0, atol=FLOAT32)
    np.testing.assert_allclose(Vh, svd.Vh[:, ::across], rtol=0, atol=FLOAT32)
    np.testing.assert_array_equal(decoded(arrays["s"]), svd.s)
    np.testing.assert_array_equal(decoded(arrays["error"]), relative_error(svd.s))
    np.testing.assert_array_equal(decoded(arrays["energy"]), energy(svd.s))
    assert arrays["knee"] == knee_rank(svd.s, TOLERANCE)
    assert arrays["break_even"] == break_even_rank(svd.shape)
    assert len(arrays["controls"]) == len(controls)
    for shipped, band in zip(arrays["controls"], controls, strict=True):
        assert shipped["k"] == k
        assert shipped["label"]
        for name in Band._fields:
            expected = getattr(band, name)[:, : k + (name != "s")]
            np.testing.assert_array_equal(decoded(shipped[name]).reshape(3, -1), expected)


def truncated(svd: SVD, r: int) -> np.ndarray:
    """Return the best copy of rank r, written out."""
    return (svd.U[:, :r] * svd.s[:r]) @ svd.Vh[:r]  # (out, r) @ (r, in)
