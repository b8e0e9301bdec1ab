"""What a function refuses: a number that is no number, or lies outside of what has a meaning."""

import math
from collections.abc import Collection

import numpy as np


def whole(name: str, value: int, low: int, high: float = math.inf) -> None:
    """Refuse what is not a whole number within bounds.

    Parameters
    ----------
    name : str
        What the number is, for the message.
    value : int
        The number; a NumPy integer is one too.
    low : int
        The least allowed.
    high : float
        The most allowed.

    Raises
    ------
    ValueError
        If the number is not whole or out of bounds.

    Examples
    --------
    >>> whole("r", 9, 1, 8)
    Traceback (most recent call last):
    ValueError: r must be a whole number from 1 to 8, got 9.
    """
    # bool is an int in Python; True is no rank
    if isinstance(value, bool) or not hasattr(value, "__index__") or not low <= value <= high:
        bounds = f"from {low} to {high}" if high < math.inf else f"of at least {low}"
        raise ValueError(f"{name} must be a whole number {bounds}, got {value!r}.")


def number(name: str, value: float, low: float = -math.inf, high: float = math.inf) -> None:
    """Refuse what is not a finite number within bounds.

    Parameters
    ----------
    name : str
        What the number is, for the message.
    value : float
        The number.
    low : float
        The least allowed.
    high : float
        The most allowed.

    Raises
    ------
    ValueError
        If the number is infinite, none at all, or out of bounds.

    Examples
    --------
    >>> number("alpha", float("nan"), 0)
    Traceback (most recent call last):
    ValueError: alpha must be a finite number of at least 0, got nan.
    """
    if not math.isfinite(value) or not low <= value <= high:
        least = f" of at least {low}" if low > -math.inf else ""
        most = f" and at most {high}" if high < math.inf else ""
        raise ValueError(f"{name} must be a finite number{least}{most}, got {value!r}.")


def one_of(name: str, value: object, allowed: Collection) -> None:
    """Refuse what is not one of a few.

    Parameters
    ----------
    name : str
        What is chosen, for the message.
    value : object
        The choice.
    allowed : collection
        What can be chosen.

    Raises
    ------
    ValueError
        If the choice is another.

    Examples
    --------
    >>> one_of("split", "test", ("training", "validation"))
    Traceback (most recent call last):
    ValueError: split must be one of training, validation, got 'test'.
    """
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(str, allowed))}, got {value!r}.")


def sides(shape: tuple[int, int]) -> None:
    """Refuse what is not the shape of a matrix with entries.

    Parameters
    ----------
    shape : (int, int)
        Shape (out, in).

    Raises
    ------
    ValueError
        If it has not two sides, or one of them is below 1.

    Examples
    --------
    >>> sides((4, 0))
    Traceback (most recent call last):
    ValueError: A matrix has two sides of at least 1, got (4, 0).
    """
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"A matrix has two sides of at least 1, got {tuple(shape)!r}.")


def finite(name: str, *arrays: np.ndarray) -> None:
    """Refuse arrays with nothing in them, or with entries that are no finite numbers.

    Parameters
    ----------
    name : str
        What they are, for the message.
    *arrays : ndarray
        Any.

    Raises
    ------
    ValueError
        If one is empty, or holds an infinite number or none at all.

    Examples
    --------
    >>> finite("delta_w", np.array([1.0, np.nan]))
    Traceback (most recent call last):
    ValueError: delta_w must hold finite numbers, and one at least.
    """
    if not all(np.size(array) and np.isfinite(array).all() for array in arrays):
        raise ValueError(f"{name} must hold finite numbers, and one at least.")
