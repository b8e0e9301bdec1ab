"""Read a matrix that a reader brings, from bytes in memory; `compute.adapters.formats` reads adapters.

Nothing is written to disk and no pickle is opened. Whatever is wrong with a file becomes a `FileRefused`, whose
text is written for the reader.
"""

from pathlib import PurePath

import numpy as np

from compute.numbers.matrix_formats import MAX_SIDE, read_image, read_npy, read_text
from compute.numbers.refusal import FileRefused, check_range, quote

__all__ = ["MAX_BYTES", "MAX_SIDE", "FileRefused", "read_matrix"]

MAX_BYTES = 150_000_000  # a 4096 x 4096 float64 .npy has 134 million
IMAGES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".bmp": "BMP", ".gif": "GIF"}
TEXTS = (".csv", ".tsv", ".txt")


def read_matrix(name: str, data: bytes) -> np.ndarray:
    r"""Return the matrix in a .npy, text or image file.

    Parameters
    ----------
    name : str
        File name. Its ending, in small or capital letters, decides how the bytes are read: .npy; .csv, .tsv, .txt;
        .png, .jpg, .jpeg, .webp, .bmp, .gif.
    data : bytes
        Contents of the file, at most MAX_BYTES.

    Returns
    -------
    (out, in) ndarray of float64
        Finite and not all zero, each side from 2 to MAX_SIDE.

    Raises
    ------
    FileRefused
        If the file is too large, of another kind, damaged, or holds no such matrix.

    Notes
    -----
    `compute.numbers.matrix_formats` says how each kind is read. Cost: O(bytes + out * in).

    References
    ----------
    NumPy enhancement proposal 1, "A Simple File Format for NumPy Arrays", for .npy.

    Examples
    --------
    >>> read_matrix("small.csv", b"1,2\n3,4\n").tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    >>> read_matrix("one.txt", b"1 2 3")
    Traceback (most recent call last):
    compute.numbers.refusal.FileRefused: The file has 1 row and 3 columns; 2 to 4096 of each are allowed.
    """
    _check_size(data)
    ending = PurePath(name).suffix.lower()
    if ending == ".npy":
        matrix = read_npy(data)
    elif ending in TEXTS:
        matrix = read_text(data)
    elif ending in IMAGES:
        matrix = read_image(data, IMAGES[ending])
    else:
        allowed = ", ".join([".npy", *TEXTS, *IMAGES])
        raise FileRefused(f"The file name ends in {quote(ending)}; {allowed} can be read.")
    check_range("The matrix", matrix)
    if not matrix.any():
        raise FileRefused("All entries are 0; a matrix needs another number to be factored.")
    return matrix


def _check_size(data: bytes) -> None:
    if not data:
        raise FileRefused("The file is empty.")
    if len(data) > MAX_BYTES:
        raise FileRefused(f"The file has {len(data):,} bytes; at most {MAX_BYTES:,} are read.")
