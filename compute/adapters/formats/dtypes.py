"""How the numbers of a tensor are stored: floats of 64, 32, 16 and 8 bits, decoded and encoded with NumPy alone."""

import numpy as np

from compute.numbers.refusal import FileRefused

FLOATS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")  # what can be read as numbers of an adapter
BLOCKS = np.dtype(
    [("scale", "<f2"), ("codes", "i1", 32)]
)  # Q8_0 of ggml: 32 whole numbers and what multiplies them
READ = (*FLOATS, "Q8_0")
# Bytes of one entry. Those of less than a byte, and unusual ones, may stand in a header; their bytes are never read.
ITEMSIZE = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1} | {
    f"{kind}{bits}": bits // 8 for kind in "IU" for bits in (8, 16, 32, 64)
}
ITEMSIZE |= {"BOOL": 1, "F8_E8M0": 1}
NUMPY = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "F8_E4M3": "u1", "F8_E5M2": "u1"}


def _eight_bits(exponent_bits: int) -> np.ndarray:
    """Return the 256 numbers of a float of eight bits (Micikevicius et al. 2022, arXiv:2209.05433, table 1).

    4 bits of exponent are E4M3, which has no infinity and one NaN of each sign; 5 are E5M2, which has both as IEEE 754
    does. With e the code of the exponent, m that of the mantissa of M bits and bias = 2**(exponent_bits - 1) - 1 the
    number is 2**(e - bias) * (1 + m / 2**M), and 2**(1 - bias) * m / 2**M for e = 0.
    """
    mantissa_bits = 7 - exponent_bits
    codes = np.arange(256)
    bias = 2 ** (exponent_bits - 1) - 1
    exponent = (codes >> mantissa_bits) & (2**exponent_bits - 1)
    mantissa = (codes & (2**mantissa_bits - 1)) / 2**mantissa_bits
    size = np.where(exponent > 0, (1 + mantissa) * 2.0 ** (exponent - bias), mantissa * 2.0 ** (1 - bias))
    top = exponent == 2**exponent_bits - 1
    if exponent_bits == 5:
        size = np.where(top, np.where(mantissa > 0, np.nan, np.inf), size)
    else:
        size[top & (codes & 7 == 7)] = np.nan
    return np.where(codes >> 7, -size, size)


EIGHT = {"F8_E4M3": _eight_bits(4), "F8_E5M2": _eight_bits(5)}


def decode(data: bytes, dtype: str) -> np.ndarray:
    r"""Return stored numbers as float64, exactly.

    Parameters
    ----------
    data : bytes
        Little-endian, a whole number of entries.
    dtype : str
        One of READ.

    Returns
    -------
    (n,) ndarray of float64
        The numbers. Entries may be infinite or NaN.

    Raises
    ------
    FileRefused
        If the type cannot be read, or the bytes are no whole number of entries.

    Notes
    -----
    A bfloat16 is the upper half of a float32. The floats of eight bits are looked up. Q8_0 has a float16 for each 32
    whole numbers of eight bits, in this order. Cost: O(n).

    References
    ----------
    ggml-org/ggml, src/ggml-common.h (block_q8_0) and src/ggml-quants.c (dequantize_row_q8_0).

    Examples
    --------
    >>> decode(bytes([0xC0, 0x3F]), "BF16").tolist(), decode(bytes([0x38, 0xB8]), "F8_E4M3").tolist()
    ([1.5], [1.0, -1.0])
    >>> decode(b"\x7e", "F8_E4M3").item(), decode(b"\x7b", "F8_E5M2").item()  # the largest
    (448.0, 57344.0)
    """
    if dtype not in READ:
        raise FileRefused(f"Numbers of the type {dtype[:20]!r} cannot be read; {', '.join(READ)} can.")
    if len(data) % (BLOCKS.itemsize if dtype == "Q8_0" else ITEMSIZE[dtype]):
        raise FileRefused(f"{len(data):,} bytes are no whole number of entries of the type {dtype}.")
    if dtype == "Q8_0":
        blocks = np.frombuffer(data, BLOCKS)
        return (blocks["scale"].astype(np.float64)[:, None] * blocks["codes"]).ravel()
    stored = np.frombuffer(data, NUMPY[dtype])
    if dtype == "BF16":
        stored = (stored.astype(np.uint32) << 16).view(np.float32)
    elif dtype in EIGHT:
        stored = EIGHT[dtype][stored]
    with np.errstate(invalid="ignore"):  # a signalling NaN
        return stored.astype(np.float64)


def encode(values: np.ndarray, dtype: str) -> bytes:
    """Return numbers as a file stores them, each rounded to the nearest that the type has.

    Parameters
    ----------
    values : ndarray of float64
        Finite numbers.
    dtype : str
        One of FLOATS.

    Returns
    -------
    bytes
        Little-endian, row after row.

    Raises
    ------
    ValueError
        If the type is not known, or a number is not finite or too large for it.

    Notes
    -----
    Of two neighbours equally near the even one is taken, as IEEE 754 does. `decode` gives back what was exact. Cost:
    O(n), with log(256) for the floats of eight bits.

    References
    ----------
    IEEE 754-2019, section 4.3.1 (roundTiesToEven).

    Examples
    --------
    >>> decode(encode(np.array([1.0, 1.00390625, 1.01171875]), "BF16"), "BF16").tolist()  # ties, to even
    [1.0, 1.0, 1.015625]
    """
    if dtype not in FLOATS:
        raise ValueError(f"dtype must be one of {', '.join(FLOATS)}, got {dtype!r}.")
    values = np.ascontiguousarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("only finite numbers can be stored.")
    with np.errstate(over="ignore"):
        if dtype == "BF16":
            bits = _to_float32_odd(values).view(np.uint32)
            # Halfway cases go to the even neighbour; the sum carries into the exponent where it must.
            stored = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
        elif dtype in EIGHT:
            stored = _to_eight(values, EIGHT[dtype])
        else:
            stored = values.astype(NUMPY[dtype])
    data = stored.tobytes()
    if not np.isfinite(decode(data, dtype)).all():
        raise ValueError(f"{np.abs(values).max():.3g} is too large for {dtype}.")
    return data


def _to_float32_odd(values: np.ndarray) -> np.ndarray:
    """Return float32 rounded to odd, so that rounding it once more is as rounding once."""
    near = values.astype(np.float32)
    off = near.astype(np.float64) != values
    bits = near.view(np.uint32).copy()
    # Step back towards zero where rounding went away from it; then set the last bit, for something was lost.
    away = off & (np.abs(near.astype(np.float64)) > np.abs(values))
    bits[away] -= 1
    bits[off] |= 1
    return bits.view(np.float32)


def _to_eight(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return the codes of the nearest of the 256 numbers; of two equally near ones that with an even code."""
    positive = table[:128][np.isfinite(table[:128])]  # ascending, and its position is its code
    size = np.abs(values)
    above = np.minimum(np.searchsorted(positive, size), len(positive) - 1)
    below = np.maximum(above - 1, 0)
    up, down = positive[above] - size, size - positive[below]
    code = np.where((up < down) | ((up == down) & (above % 2 == 0)), above, below)
    half = (positive[-1] - positive[-2]) / 2
    if (size >= positive[-1] + half).any():
        raise ValueError(f"{size.max():.3g} is too large for a float of eight bits.")
    return (code | (np.signbit(values).astype(np.int64) << 7)).astype(np.uint8)
