"""Which accelerator holds so many bytes."""

import math

from compute.costs.memory import GB
from compute.numbers.bounds import number

CARDS = (8, 12, 16, 24, 40, 48, 80)  # GB, sizes in which accelerators are sold; some have a few per cent more


def smallest_card(size: float) -> int | None:
    """Return the smallest usual card that holds so many bytes.

    Parameters
    ----------
    size : float
        Bytes, 0 or more.

    Returns
    -------
    int or None
        GB of the card, one of CARDS; None if not even the largest holds it.

    Raises
    ------
    ValueError
        If size is negative or not finite.

    Notes
    -----
    It leaves no room for what an estimate leaves out: a bar that ends just below a card does not fit it in
    practice. Cost: O(1).

    References
    ----------
    Rajbhandari et al. 2019, arXiv:1910.02054, section 3.2 (buffers and fragmentation besides).

    Examples
    --------
    >>> from compute.costs.memory import GB
    >>> smallest_card(14.1 * GB), smallest_card(108 * GB)
    (16, None)
    """
    number("size", size, 0)
    return next((card for card in CARDS if size <= card * GB), None)


def cards_needed(size: float) -> int:
    """Return how many of the largest usual cards hold so many bytes, were they divided without loss.

    Parameters
    ----------
    size : float
        Bytes, 0 or more.

    Returns
    -------
    int
        0 for no bytes.

    Raises
    ------
    ValueError
        If size is negative or not finite.

    Notes
    -----
    Cost: O(1).

    References
    ----------
    Rajbhandari et al. 2019, arXiv:1910.02054, section 5 (states divided among devices).

    Examples
    --------
    >>> from compute.costs.memory import GB
    >>> cards_needed(1104 * GB)
    14
    """
    number("size", size, 0)
    return math.ceil(size / (CARDS[-1] * GB))
