"""Throws of the dice that come out the same in Python, C and JavaScript: whole numbers of 32 bits, nothing else."""

from collections.abc import Sequence
from typing import TypeVar

from compute.numbers.bounds import whole

WORD = 2**32
WARM_UP = 12  # throws that nobody sees: until each bit of the seeds has reached each bit of the state
T = TypeVar("T")


class Dice:
    """Throw whole numbers, all equally likely.

    Parameters
    ----------
    *seeds : int
        Up to three, each from 0 to 2**32 - 1. Other seeds, other throws: one may say which world, the next which text.

    Raises
    ------
    ValueError
        If there are more than three seeds, or one is out of range.

    Notes
    -----
    The generator is sfc32: three words that stir each other, and a counter that forbids a cycle of fewer than 2**32
    throws. It needs additions, shifts and exclusive ors of 32 bits, which every language has; PCG32 needs a product
    of 64 bits, which JavaScript has not.

    References
    ----------
    C. Doty-Humphrey, PractRand 0.95 (2018), source file sfc.cpp.

    Examples
    --------
    >>> dice = Dice(7)
    >>> [dice.below(6) for _ in range(8)] == [Dice(7).below(6), *(dice.below(6) for _ in range(7))]
    False
    >>> Dice(7).throw() == Dice(7).throw(), Dice(7).throw() == Dice(8).throw()
    (True, False)
    """

    def __init__(self, *seeds: int):
        whole("the number of seeds", len(seeds), 0, 3)
        for seed in seeds:
            whole("seed", seed, 0, WORD - 1)
        self._a, self._b, self._c = (*seeds, 0, 0, 0)[:3]
        self._counter = 1
        for _ in range(WARM_UP):
            self.throw()

    def throw(self) -> int:
        """Return a number from 0 to 2**32 - 1."""
        a, b, c, counter = self._a, self._b, self._c, self._counter
        thrown = (a + b + counter) % WORD
        self._counter = (counter + 1) % WORD
        self._a = b ^ (b >> 9)
        self._b = (c + (c << 3)) % WORD
        self._c = (((c << 21) | (c >> 11)) + thrown) % WORD
        return thrown

    def below(self, n: int) -> int:
        """Return a number from 0 to n - 1, for n from 1 to 2**32."""
        if (
            type(n) is not int or not 1 <= n <= WORD
        ):  # asked for every word: what is as usual is not looked at twice
            whole("n", n, 1, WORD)
        fair = WORD - WORD % n  # a throw from here on would favour the small numbers: it does not count
        while (thrown := self.throw()) >= fair:
            pass
        return thrown % n

    def pick(self, some: Sequence[T]) -> T:
        """Return one of some things."""
        return some[self.below(len(some))]

    def weighed(self, weights: Sequence[int]) -> int:
        """Return a place in weights, each as likely as its weight, a whole number of at least 0, says."""
        left = self.below(sum(weights))
        place = 0
        while left >= weights[place]:
            left -= weights[place]
            place += 1
        return place

    def shuffled(self, some: Sequence[T]) -> list[T]:
        """Return things in another order, all orders equally likely (Fisher and Yates, from the end)."""
        order = list(some)
        for last in range(len(order) - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order
