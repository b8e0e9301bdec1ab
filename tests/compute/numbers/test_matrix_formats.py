"""Arrays and text: each kind of file is read back, and each way to be wrong is refused in a sentence."""

import io

import numpy as np
import pytest

from compute.numbers import files
from compute.numbers.files import MAX_SIDE, read_matrix
from helpers.foreign_files import npy, npy_header, refusal, short


@pytest.mark.parametrize("dtype", ["?", "i1", "<u2", ">i4", "<i8", "<f2", ">f4", "<f8", ">f8", np.longdouble])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_npy_of_every_real_dtype_is_read(rng, dtype, order, version):
    array = np.array(rng.integers(0, 2, (3, 5)), dtype=dtype, order=order)
    matrix = read_matrix("a.NPY", npy(array, version))
    assert matrix.dtype == np.float64
    np.testing.assert_array_equal(matrix, array)


def test_the_largest_npy_fits_the_limit_of_bytes():
    assert MAX_SIDE**2 * 8 + 128 <= files.MAX_BYTES


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (npy(np.array([[None, 1]] * 2, dtype=object)), "Python objects (a pickle), which are never opened"),
        (npy(np.ones((2, 2), dtype=[("a", "O")])), "Python objects (a pickle)"),
        (npy(np.ones((2, 2), dtype=[("a" * 99, "<f8")])), 'has dtype "[(\'aaaaaaaaaaaaaaaaa"...; booleans'),
        (npy(np.ones((2, 2), dtype=complex)), "has dtype 'complex128'"),
        (npy(np.array([["1", "2"]] * 2)), "has dtype '<U1'"),
        (npy(np.array([["2020-01-01"] * 2] * 2, dtype="M8[D]")), "has dtype 'datetime64[D]'"),
        (npy(np.ones(4)), "has 1 dimension; a matrix has 2"),
        (npy(np.float64(1)), "has 0 dimensions; a matrix has 2"),
        (npy(np.ones((2, 2, 2))), "has 3 dimensions"),
        (npy(np.ones((0, 4))), "0 rows and 4 columns; 2 to 4096 of each"),
        (npy(np.ones((1, 4))), "1 row and 4 columns"),
        (npy(np.ones((4, MAX_SIDE + 1))), "4 rows and 4,097 columns"),
        (npy(np.ones((4, 4)))[:-1], "promises 128 bytes of numbers; the file has 127"),
        (npy(np.ones((4, 4))) + b"x", "promises 128 bytes of numbers; the file has 129"),
        (npy(np.ones((4, 4)))[:60], "no .npy file, or its header is damaged"),
        (b"PK\x03\x04" + npy(np.ones((4, 4))), "no .npy file"),
        (npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (4096, 4096)}"), "134,217,728 bytes"),
        (npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (-2, -2)}"), "-2 rows and -2 columns"),
        (
            npy_header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({9**400}, 2)}}"),
            "more than 10^15 rows",
        ),
        (
            npy_header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': (-{9**400}, 2)}}"),
            "less than -10^15 rows",
        ),
        (
            npy_header("{'descr': '|O', 'fortran_order': False, 'shape': (2, 2)}", b"cos\nsystem\n."),
            "a pickle",
        ),
        (npy_header("{'descr': '<f8', 'shape': (2, 2)}"), "no .npy file, or its header is damaged"),
        (npy_header("__import__('os').system('true')"), "no .npy file, or its header is damaged"),
        (npy_header("(" * 900), "no .npy file, or its header is damaged"),
        (
            npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2)}" + " " * 5000, bytes(32)),
            "no .npy file, or its header is damaged",
        ),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}", "no .npy file, or its header is damaged"),
        (b"\x93NUMPY\x03\x00\x02\x00\x00\x00{}", "no .npy file, or its header is damaged"),
    ],
    ids=short,
)
def test_npy_that_is_no_matrix_is_refused(data, said):
    assert said in refusal(read_matrix, "a.npy", data)


def test_a_signalling_nan_is_refused_like_any_other():
    bits = np.full((2, 2), 0x7F800001, dtype=np.uint32)
    assert "4 entries that are not finite" in refusal(read_matrix, "a.npy", npy(bits.view(np.float32)))


def test_long_doubles_that_are_too_large_are_refused():
    huge = np.full((2, 2), np.finfo(np.longdouble).max)
    assert "4 entries that are not finite" in refusal(read_matrix, "a.npy", npy(huge))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("1, 2\r\n 3,4", [[1, 2], [3, 4]]),
        ("1,2\r3,4\r", [[1, 2], [3, 4]]),
        ("1;2\n3;4", [[1, 2], [3, 4]]),
        ("1,5;-2,25\n3;4e-1", [[1.5, -2.25], [3, 0.4]]),
        ("1.5;2\n3;4", [[1.5, 2], [3, 4]]),
        ("1,5\t2\n3\t4", [[1.5, 2], [3, 4]]),
        ("  1   2 \n3 4\n\n", [[1, 2], [3, 4]]),
        ("\n1 2\n\n3 4", [[1, 2], [3, 4]]),
        ("left,right\n1,2\n3,4", [[1, 2], [3, 4]]),
        ("a header with other words, and commas;x\n1;2\n3;4", [[1, 2], [3, 4]]),
        ("\ufeff1,2\n3,4", [[1, 2], [3, 4]]),
        ("1e3,+2\n-.5,4.", [[1000, 2], [-0.5, 4]]),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "TSV", "txt"])
def test_text_is_read_as_it_was_meant(text, expected, ending):
    np.testing.assert_array_equal(read_matrix(f"a.b.{ending}", text.encode()), expected)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " "])
def test_text_gives_back_every_digit(rng, delimiter):
    array = rng.standard_normal((7, 5)) * 10.0 ** rng.integers(-20, 20, (7, 5))
    stream = io.StringIO()
    np.savetxt(stream, array, fmt="%.17g", delimiter=delimiter)
    np.testing.assert_array_equal(read_matrix("a.csv", stream.getvalue().encode()), array)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b" \n\t\n", "The file holds only blanks"),
        (b"1,2\n3,x y\n", "Line 2, column 2 holds 'x y', which is no number."),
        (b"a,b\n\n1,2\n3,\n", "Line 4, column 2 holds '', which is no number."),
        (b"a,1\n1,2\n3,4\n", "Line 1, column 1 holds 'a'"),
        (b",0,1\n0,1,2\n1,3,4\n", "Line 1, column 1 holds ''"),
        (b"1,2\n3,4,5\n", "Line 2 has 3 cells, line 1 has 2; all rows must be equally long."),
        (b"a b\n1 2\n3\n", "Line 3 has 1 cell, line 2 has 2"),
        (b"1.000,5;2\n3;4\n", "Line 1, column 1 holds '1.000.5'"),
        (b"1,2\n3," + b"y" * 1000, "holds 'yyyyyyyyyyyyyyyyyyyy'..., which"),
        (b"1,2\n3,\x00\x1b[31m", r"holds '\x00\x1b[31m', which"),
        ("1,2\n3,١".encode(), "cannot be read as rows of numbers"),
        (b"1,2\n3,1_000\n", "cannot be read as rows of numbers"),
        (b"1,2\n3,\xff\n", "no UTF-8 text: byte 7 cannot be read"),
        ("1,2\n3,4".encode("utf-16"), "no UTF-8 text: byte 1 cannot be read"),
        (b"1,2\n", "1 row and 2 columns"),
        (b"1\n2\n", "2 rows and 1 column;"),
        (b"words\nonly\n", "1 row and 1 column;"),
        (b"1,2\n" * (MAX_SIDE + 1), "4,097 rows and 2 columns"),
        (b"\n" * 1_000_000, "more than 8192 lines; at most 4096 rows"),
        ((b"1" + b",1" * MAX_SIDE + b"\n") * 2, "2 rows and 4,097 columns"),
        (b"1 2\n3 4\n" + b"5 " * 1_000_000, "Line 3 has 2,000,000 characters; at most 262,144 are read"),
        (b"nan,1\n2,inf\n", "2 entries that are not finite, the first in row 1, column 1."),
        (b"1,1\n2,1e999\n", "1 entry that is not finite, in row 2, column 2."),
        (b"0,0\n-0,0.0\n", "All entries are 0"),
        (b"1,1\n2,1e101\n", "has 1e+101 as its largest entry; 1e-100 to 1e+100 are allowed"),
        (b"1e-101,0\n0,0\n", "has 1e-101 as its largest entry"),
    ],
    ids=short,
)
def test_text_that_is_no_matrix_is_refused(data, said):
    assert said in refusal(read_matrix, "a.csv", data)
