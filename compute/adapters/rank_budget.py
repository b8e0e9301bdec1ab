"""How many directions AdaLoRA leaves, and when: its budget over the steps of a run. Needs no torch."""

from compute.numbers.bounds import whole

START = 1.5  # times the rank that is to be left on average
EVERY = 10  # steps between two allocations
WARM_UP, SETTLE = 0.2, 0.3  # shares of the steps: before anything is taken away, and after the last time


def start_rank(r: int) -> int:
    """Return how many directions each layer starts with.

    Parameters
    ----------
    r : int
        Number that is to be left in a layer, on average over the layers.

    Returns
    -------
    int
        START * r, rounded up.

    Raises
    ------
    ValueError
        If r is below 1.

    Examples
    --------
    >>> start_rank(4), start_rank(1)
    (6, 2)
    """
    whole("r", r, 1)
    return int(START * r + 0.5)


def phases(steps: int) -> tuple[int, int]:
    """Return after which steps a run begins to take directions away, and ends doing so.

    Parameters
    ----------
    steps : int
        Updates of the run.

    Returns
    -------
    tuple of int
        WARM_UP of the steps are done at the first, SETTLE of them follow the second.

    Raises
    ------
    ValueError
        If steps is below 1.

    Examples
    --------
    >>> phases(300)
    (60, 210)
    """
    whole("steps", steps, 1)
    return int(WARM_UP * steps), steps - int(SETTLE * steps)


def budget_at(step: int, steps: int, first: int, last: int) -> int:
    """Return how many directions the whole model may keep after a step.

    Parameters
    ----------
    step : int
        Updates made, 1 to `steps`.
    steps : int
        Updates of the run.
    first : int
        Directions at the start, of all layers together.
    last : int
        Directions at the end.

    Returns
    -------
    int
        `first` while it warms up, `last` while it settles, and a cubic curve between them.

    Raises
    ------
    ValueError
        If step is not one of the steps, or last not one from 0 to first.

    References
    ----------
    Zhang et al. 2023, arXiv:2303.10512, section 3.3.

    Examples
    --------
    >>> [budget_at(step, 300, 108, 72) for step in (60, 61, 100, 150, 209, 210, 300)]
    [108, 107, 86, 74, 72, 72, 72]
    """
    begin, end = phases(steps)
    whole("step", step, 1, steps)
    whole("last", last, 0, first)
    if step <= begin:
        return first
    left = max(0.0, 1 - (step - begin) / (end - begin))  # 1 at the beginning, 0 at the end
    return int((first - last) * left**3 + last)
