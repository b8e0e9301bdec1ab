"""Where adapters are put: which matrices of which blocks, and the rank that a budget allows them. Needs no torch."""

from compute.costs.sizes import stored_numbers
from compute.model.layers import BLOCKS, SHAPES, TARGET_MODULES

MOST = 64  # no delta_w of these matrices has a higher rank
BUDGET = 13_824  # all six matrices in all blocks at r = 4; whole ranks come close to it for the recorded sets


def code_of(target_modules: tuple[str, ...], layers: tuple[int, ...] = BLOCKS) -> str:
    """Return the code of a set of places: some matrices, in some blocks.

    Parameters
    ----------
    target_modules : tuple of str
        Some of `compute.model.layers.TARGET_MODULES`.
    layers : tuple of int
        Some of `compute.model.layers.BLOCKS`.

    Returns
    -------
    str
        One digit for each of TARGET_MODULES: the sum of 1 for the first block, 2 for the middle one, 4 for the last.

    Examples
    --------
    >>> code_of(("q_proj", "v_proj")), code_of(("down_proj",), (0, 2))
    ('707000', '000005')
    """
    digit = sum(1 << block for block in set(layers))
    return "".join(str(digit if name in target_modules else 0) for name in TARGET_MODULES)


def cells(code: str) -> tuple[tuple[str, int], ...]:
    """Return the places of a code.

    Parameters
    ----------
    code : str
        As `code_of` gives it, or any six digits from 0 to 7.

    Returns
    -------
    tuple of (str, int)
        Matrix and block of each place.

    Raises
    ------
    ValueError
        If it is no code.

    Examples
    --------
    >>> cells("000005")
    (('down_proj', 0), ('down_proj', 2))
    """
    if len(code) != len(TARGET_MODULES) or not set(code) <= set("01234567"):
        raise ValueError(f"code must be {len(TARGET_MODULES)} digits from 0 to 7, got {code!r}.")
    pairs = zip(TARGET_MODULES, code, strict=True)
    return tuple((name, block) for name, digit in pairs for block in BLOCKS if int(digit) >> block & 1)


def numbers_at(code: str, r: int) -> int:
    """Return how many numbers adapters of one rank hold at all places of a code.

    Parameters
    ----------
    code : str
        A set of places.
    r : int
        Rank of each adapter, 0 or more.

    Returns
    -------
    int
        Sum of r * (out + in).

    Raises
    ------
    ValueError
        If it is no code, or r is negative.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.2.

    Examples
    --------
    >>> numbers_at("777777", 1), numbers_at("700000", 20)
    (3456, 7680)
    """
    return sum(stored_numbers(SHAPES[name], r) for name, _ in cells(code))


def rank_within(code: str, budget: int = BUDGET) -> int:
    """Return the rank whose adapters come closest to a number of trained numbers.

    Parameters
    ----------
    code : str
        A set of places, at least one.
    budget : int
        Numbers that are to learn.

    Returns
    -------
    int
        From 1 to MOST; of two that come as close, the larger.

    Raises
    ------
    ValueError
        If it is no code, or has no place.

    Examples
    --------
    >>> [rank_within(code) for code in ("700000", "777700", "777777", "100000")]
    [36, 9, 4, 64]
    """
    each = numbers_at(code, 1)
    if not each:
        raise ValueError("At least one place must have an adapter.")
    return min(max(1, (2 * budget + each) // (2 * each)), MOST)


def as_config(code: str) -> tuple[tuple[str, ...], tuple[int, ...]] | None:
    """Return a set of places as a run can be asked for it.

    Parameters
    ----------
    code : str
        A set of places.

    Returns
    -------
    (tuple of str, tuple of int) or None
        target_modules and layers. None if the set is empty, or not the same matrices in each of its blocks.

    Raises
    ------
    ValueError
        If it is no code.

    Examples
    --------
    >>> as_config("707000")
    (('q_proj', 'v_proj'), (0, 1, 2))
    >>> as_config("100002") is None  # q_proj in the first block, down_proj in the middle one
    True
    """
    places = cells(code)
    names = tuple(name for name in TARGET_MODULES if any(name == each for each, _ in places))
    layers = tuple(block for block in BLOCKS if any(block == each for _, each in places))
    return (names, layers) if places and len(places) == len(names) * len(layers) else None
