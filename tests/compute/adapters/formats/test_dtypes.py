"""Numbers of every type, against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from compute.adapters.formats.dtypes import FLOATS, ITEMSIZE, decode, encode
from compute.numbers.refusal import FileRefused

TORCH = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F8_E4M3", "F8_E5M2"])
def test_each_code_is_the_number_that_torch_reads(dtype):
    bits = 8 * ITEMSIZE[dtype]
    codes = np.arange(2**bits).astype(f"<u{ITEMSIZE[dtype]}")
    expected = torch.from_numpy(codes).view(TORCH[dtype]).double().numpy()
    found = decode(codes.tobytes(), dtype)
    np.testing.assert_array_equal(found, expected)
    finite = np.isfinite(found)
    assert encode(found[finite], dtype) == codes[finite].tobytes()


@pytest.mark.parametrize("dtype", FLOATS)
def test_rounding_is_that_of_torch(dtype):
    rng = np.random.default_rng(0)
    values = rng.standard_normal(20_000) * 10.0 ** rng.uniform(-4, 2, 20_000)
    values = np.concatenate([values.clip(-400, 400), decode(encode(values.clip(-4, 4), dtype), dtype) * 1.5])
    values = values.astype(np.float32).astype(np.float64)  # torch goes to the small types by way of float32
    expected = torch.from_numpy(values).to(TORCH[dtype]).double().numpy()
    np.testing.assert_array_equal(decode(encode(values, dtype), dtype), expected)


def test_a_float64_is_rounded_once():
    """By way of a float32 that is rounded to the nearest, the sum below would become 1."""
    above = 1 + 2.0**-8 + 2.0**-40
    assert decode(encode(np.array([above, -above]), "BF16"), "BF16").tolist() == [1.0078125, -1.0078125]


@pytest.mark.parametrize(
    ("dtype", "large"), [("F8_E4M3", 480), ("F8_E5M2", 65_000), ("F16", 70_000), ("BF16", 1e39)]
)
def test_what_is_too_large_is_refused(dtype, large):
    with pytest.raises(ValueError, match="too large"):
        encode(np.array([1.0, large]), dtype)
    for wrong in (np.nan, np.inf):
        with pytest.raises(ValueError, match="finite"):
            encode(np.array([wrong]), dtype)


def test_other_types_are_refused():
    with pytest.raises(FileRefused, match="cannot be read"):
        decode(bytes(8), "I64")
    with pytest.raises(FileRefused, match="whole number of entries"):
        decode(bytes(3), "F32")
