"""What readers bring: any kind of file."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from compute.numbers import files
from compute.numbers.files import FileRefused, read_matrix
from helpers.foreign_files import GRADIENT, image, npy, outcome, refusal

FUZZ = settings(derandomize=True, deadline=None, max_examples=300)
IMAGES = {"png": "PNG", "jpg": "JPEG", "gif": "GIF", "webp": "WEBP", "bmp": "BMP"}
VALID = {
    "a.npy": npy(np.arange(1.0, 10).reshape(3, 3)),
    "a.csv": b"x,y\n1.5,2\n3,4\n",
    **{f"a.{ending}": image(Image.fromarray(GRADIENT), kind) for ending, kind in IMAGES.items()},
}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.pkl", "ends in '.pkl'; .npy, .csv, .tsv, .txt, .png"),
        ("a", "ends in ''"),
        ("a.npy.zip", "ends in '.zip'"),
        ("a." + "z" * 99, "ends in '.zzzzzzzzzzzzzzzzzzz'..."),
    ],
)
def test_other_kinds_of_file_are_refused(name, said):
    assert said in refusal(read_matrix, name, b"1 2\n3 4")


def test_sizes_are_refused_before_anything_is_read(monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 9)
    assert refusal(read_matrix, "a.csv", b"1 2\n3 4\n\n\n") == "The file has 10 bytes; at most 9 are read."
    assert refusal(read_matrix, "a.csv", b"") == "The file is empty."


@FUZZ
@given(
    st.sampled_from(list(VALID)), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6)
)
def test_damaged_bytes_give_a_matrix_or_a_sentence(name, changes):
    data = bytearray(VALID[name])
    for place, value in changes:
        data[place % len(data)] = value
    matrix = outcome(read_matrix, name, bytes(data))
    assert matrix is None or (matrix.ndim == 2 and np.isfinite(matrix).all() and matrix.any())


@FUZZ
@given(st.sampled_from(list(VALID)), st.binary(max_size=200))
def test_any_bytes_give_a_matrix_or_a_sentence(name, data):
    matrix = outcome(read_matrix, name, data)
    assert matrix is None or matrix.ndim == 2


def test_refusals_are_value_errors():
    assert issubclass(FileRefused, ValueError)
