"""The three kinds of file that hold a matrix: NumPy's own, text and images.

Each reader takes untrusted bytes and checks the sides that a file declares before it makes anything of that size.
"""

import io
from typing import NamedTuple, NoReturn

import numpy as np
from PIL import Image, ImageOps

from compute.numbers.refusal import FileRefused, count, quote

MIN_SIDE = 2  # a single row or column has rank 1, and nothing to choose
MAX_SIDE = 4096
MAX_HEADER = 1000  # bytes of a .npy header; that of a plain matrix has 118
MAX_LINE = 64 * MAX_SIDE  # characters; a longer line is not split, because its pieces could fill the memory


def read_npy(data: bytes) -> np.ndarray:
    """Return the matrix in a .npy file.

    Parameters
    ----------
    data : bytes
        Contents of the file, of format version 1.0 or 2.0.

    Returns
    -------
    (out, in) ndarray of float64
        Each side from MIN_SIDE to MAX_SIDE. Booleans, integers and real numbers of any width and byte order are
        converted. Entries may be infinite or NaN.

    Raises
    ------
    FileRefused
        If the header is damaged, or does not agree with the number of bytes; if the array holds anything but
        real numbers, has not two dimensions, or is too large or too small.

    Notes
    -----
    Objects are refused by their declared type, before a byte of them is looked at: no pickle is opened.
    Cost: O(out * in).

    References
    ----------
    NumPy enhancement proposal 1, "A Simple File Format for NumPy Arrays", section "Format Specification".

    Examples
    --------
    >>> stream = io.BytesIO()
    >>> np.save(stream, np.array([[1, 2], [3, 4]], dtype=">i2"))
    >>> read_npy(stream.getvalue()).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, columns_first, dtype = read_header(stream, max_header_size=MAX_HEADER)
    except Exception:  # the header is a Python literal: a damaged one can fail in any way a parser can
        raise FileRefused("The file is no .npy file, or its header is damaged.") from None
    if dtype.hasobject:
        raise FileRefused(
            "The array holds Python objects (a pickle), which are never opened; save numbers instead."
        )
    if dtype.kind not in "biuf":
        raise FileRefused(
            f"The array has dtype {quote(str(dtype))}; booleans, integers and real floats can be read."
        )
    if len(shape) != 2:
        raise FileRefused(f"The array has {count(len(shape), 'dimension')}; a matrix has 2.")
    _check_sides(*shape)
    start = stream.tell()
    expected = shape[0] * shape[1] * dtype.itemsize
    if len(data) - start != expected:
        raise FileRefused(
            f"The header promises {expected:,} bytes of numbers; the file has {len(data) - start:,}."
        )
    matrix = np.frombuffer(data, dtype, offset=start).reshape(shape, order="F" if columns_first else "C")
    with np.errstate(over="ignore", invalid="ignore"):  # what float64 cannot hold becomes infinite or NaN
        return matrix.astype(np.float64, order="C")


def read_text(data: bytes) -> np.ndarray:
    r"""Return the matrix in a text file, one row per line.

    Parameters
    ----------
    data : bytes
        UTF-8 text, with or without a byte order mark.

    Returns
    -------
    (out, in) ndarray of float64
        Each side from MIN_SIDE to MAX_SIDE. Entries may be infinite or NaN, if the text says so.

    Raises
    ------
    FileRefused
        If the bytes are no UTF-8 text, a cell is no number, rows differ in length (both are named by line and
        column, counted from 1), or there are too many or too few of them.

    Notes
    -----
    Cells are separated by tabs, semicolons, commas or blanks: the first of these that occurs in the last line.
    With tabs and semicolons a decimal comma is read too. A first line without a number is a header, and skipped;
    so are empty lines. Cost: O(bytes).

    References
    ----------
    Shafranovich 2005, RFC 4180, section 2 (comma-separated values); quoted cells are not read.

    Examples
    --------
    >>> read_text(b"left;right\n1,5;2\n3;4\n").tolist()
    [[1.5, 2.0], [3.0, 4.0]]
    >>> read_text(b"1 2\n3 four\n")
    Traceback (most recent call last):
    compute.numbers.refusal.FileRefused: Line 2, column 2 holds 'four', which is no number.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileRefused(f"The file is no UTF-8 text: byte {error.start + 1:,} cannot be read.") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.count("\n") > 2 * MAX_SIDE:  # before splitting: empty lines could fill the memory
        raise FileRefused(
            f"The file has more than {2 * MAX_SIDE} lines; at most {MAX_SIDE} rows are allowed."
        )
    rows = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not rows:
        raise FileRefused("The file holds only blanks; rows of numbers are expected.")
    for number, line in rows:
        if len(line) > MAX_LINE:
            raise FileRefused(f"Line {number} has {len(line):,} characters; at most {MAX_LINE:,} are read.")
    delimiter, decimal_comma, header = text_layout([line for _, line in rows])
    if decimal_comma:
        rows = [(number, line.replace(",", ".")) for number, line in rows]
    if header:
        del rows[0]
    columns = len(rows[0][1].split(delimiter))
    _check_sides(len(rows), columns)
    try:
        return np.loadtxt([line for _, line in rows], delimiter=delimiter, comments=None, ndmin=2)
    except ValueError:
        _refuse_text(rows, columns, delimiter)


class TextLayout(NamedTuple):
    """Hold how a text file spells its matrix.

    Attributes
    ----------
    delimiter : str or None
        What stands between two cells; None for any run of blanks.
    decimal_comma : bool
        Whether a comma is read as a decimal point.
    header : bool
        Whether the first line names the columns.
    """

    delimiter: str | None
    decimal_comma: bool
    header: bool


def text_layout(lines: list[str]) -> TextLayout:
    r"""Return how the lines of a text file are to be read.

    Parameters
    ----------
    lines : list of str
        The lines that are not blank, at least one.

    Returns
    -------
    TextLayout
        The layout, by the rules of `read_text`.

    References
    ----------
    Shafranovich 2005, RFC 4180, section 2 (comma-separated values).

    Examples
    --------
    >>> text_layout(["left;right", "1,5;2"])
    TextLayout(delimiter=';', decimal_comma=True, header=True)
    """
    delimiter = next((mark for mark in "\t;," if mark in lines[-1]), None)
    decimal_comma = delimiter in ("\t", ";")
    first = lines[0].replace(",", ".") if decimal_comma else lines[0]
    header = len(lines) > 1 and all(cell.strip() and not _is_number(cell) for cell in first.split(delimiter))
    return TextLayout(delimiter, decimal_comma, header)


def read_image(data: bytes, image_format: str) -> np.ndarray:
    """Return the grey values of an image.

    Parameters
    ----------
    data : bytes
        Contents of the file.
    image_format : str
        Pillow's name of the only format that is tried, such as "PNG".

    Returns
    -------
    (height, width) ndarray of float64
        From -1 (black) to 1 (white), each side from MIN_SIDE to MAX_SIDE, top row first.

    Raises
    ------
    FileRefused
        If the bytes are no such image, are damaged or cut short, or the image is too large or too small.

    Notes
    -----
    Colours become 0.299 R + 0.587 G + 0.114 B, in steps of 1/255 except for 16-bit grey. The image is laid over
    white where it is transparent, and turned as its EXIF orientation says. Of an animation the first frame is
    read. The size is checked before a pixel is decoded. Cost: O(bytes + height * width).

    References
    ----------
    ITU-R BT.601-7, section 2.5.1 (weights of the colours).

    Examples
    --------
    >>> stream = io.BytesIO()
    >>> Image.new("1", (3, 2)).save(stream, "PNG")
    >>> read_image(stream.getvalue(), "PNG").tolist()
    [[-1.0, -1.0, -1.0], [-1.0, -1.0, -1.0]]
    """
    try:
        image = Image.open(io.BytesIO(data), formats=[image_format])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise FileRefused(f"The image has more than {MAX_SIDE} pixels on a side.") from None
    except Exception:  # a decoder of untrusted bytes can fail in any way
        raise FileRefused(f"The file is no {image_format} image, or its header is damaged.") from None
    with image:
        _check_sides(image.height, image.width)
        try:
            return _grey(ImageOps.exif_transpose(image))
        except Exception:
            raise FileRefused("The image is damaged or cut short.") from None


def _check_sides(rows: int, columns: int) -> None:
    if not (MIN_SIDE <= rows <= MAX_SIDE and MIN_SIDE <= columns <= MAX_SIDE):
        raise FileRefused(
            f"The file has {count(rows, 'row')} and {count(columns, 'column')}; "
            f"{MIN_SIDE} to {MAX_SIDE} of each are allowed."
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _refuse_text(rows: list[tuple[int, str]], columns: int, delimiter: str | None) -> NoReturn:
    """Name the first row or cell that is wrong; slow, so only for a file that is refused anyway."""
    for number, line in rows:
        cells = line.split(delimiter)
        if len(cells) != columns:
            raise FileRefused(
                f"Line {number} has {count(len(cells), 'cell')}, line {rows[0][0]} has {columns}; "
                "all rows must be equally long."
            )
        for column, cell in enumerate(cells, 1):
            if not _is_number(cell):
                raise FileRefused(f"Line {number}, column {column} holds {quote(cell)}, which is no number.")
    raise FileRefused("The file cannot be read as rows of numbers.")


def _grey(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):  # 16 bits a pixel
        return np.asarray(image, dtype=np.float64) / 32767.5 - 1
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("L"), dtype=np.float64) / 127.5 - 1
