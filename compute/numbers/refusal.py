"""How a file that cannot be used is refused: one sentence for the reader, with little of the file in it."""

import numpy as np

# Squares of numbers in this range, and products of two of them, neither overflow nor vanish in float64.
MIN_MAGNITUDE, MAX_MAGNITUDE = 1e-100, 1e100


class FileRefused(ValueError):
    """Tell the reader, in one sentence, why a file cannot be used and what can be.

    The text quotes a file only through `quote` and `count`, so that no file can fill a page with its own text.

    Examples
    --------
    >>> raise FileRefused("The file is empty.")
    Traceback (most recent call last):
    compute.numbers.refusal.FileRefused: The file is empty.
    """


def quote(text: str) -> str:
    r"""Return the start of a text from a file, safe to show.

    Parameters
    ----------
    text : str
        Anything.

    Returns
    -------
    str
        At most 20 characters in quotation marks, with escapes for what cannot be printed.

    Examples
    --------
    >>> print(quote("12\x00"), quote("x" * 1000))
    '12\x00' 'xxxxxxxxxxxxxxxxxxxx'...
    """
    return repr(text) if len(text) <= 20 else repr(text[:20]) + "..."


def count(number: int, noun: str) -> str:
    """Return a number that a file declares, with its noun.

    Parameters
    ----------
    number : int
        Anything; a header can declare thousands of digits.
    noun : str
        What is counted, in the singular.

    Returns
    -------
    str
        Number and noun, which takes an s unless the number is 1.

    Examples
    --------
    >>> count(1, "row"), count(3, "row"), count(10**2000, "row")
    ('1 row', '3 rows', 'more than 10^15 rows')
    """
    if abs(number) > 10**15:
        return f"{'more' if number > 0 else 'less'} than {'' if number > 0 else '-'}10^15 {noun}s"
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def check_range(name: str, values: np.ndarray) -> None:
    """Refuse numbers that cannot be computed with: not finite, or too large or too small to be squared.

    Parameters
    ----------
    name : str
        What the numbers are, for the sentence.
    values : (rows, columns) ndarray of float64
        Numbers from a file. Zeros may be among them, and may be all there is.

    Raises
    ------
    FileRefused
        If an entry is not finite, or the largest magnitude is above zero and outside MIN_MAGNITUDE to
        MAX_MAGNITUDE.

    Examples
    --------
    >>> check_range("The matrix", np.array([[1.0, 2.0], [3.0, np.nan]]))
    Traceback (most recent call last):
    compute.numbers.refusal.FileRefused: The matrix has 1 entry that is not finite, in row 2, column 2.
    """
    finite = np.isfinite(values)
    if not finite.all():
        wrong = np.argwhere(~finite) + 1  # counted from 1, as a reader does
        place = "in row {}, column {}.".format(*wrong[0])
        if len(wrong) == 1:
            raise FileRefused(f"{name} has 1 entry that is not finite, {place}")
        raise FileRefused(f"{name} has {len(wrong):,} entries that are not finite, the first {place}")
    largest = max(values.max(), -values.min())
    if largest > 0 and not MIN_MAGNITUDE <= largest <= MAX_MAGNITUDE:
        raise FileRefused(
            f"{name} has {largest:.0e} as its largest entry; "
            f"{MIN_MAGNITUDE:.0e} to {MAX_MAGNITUDE:.0e} are allowed."
        )
