"""The dice: against sfc32 written in NumPy's own words of 32 bits, and against what chance allows."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from compute.world.dice import WARM_UP, WORD, Dice

UNLIKELY = 1e-6  # a fair die fails so often; the seeds are fixed, so that a test that passes always does


def sfc32(a: int, b: int, c: int):
    """Throw as the reference does, where overflow is the machine's own."""
    a, b, c, counter = (np.uint32(word) for word in (a, b, c, 1))
    with np.errstate(over="ignore"):
        while True:
            thrown = a + b + counter
            counter += np.uint32(1)
            a = b ^ (b >> np.uint32(9))
            b = c + (c << np.uint32(3))
            c = ((c << np.uint32(21)) | (c >> np.uint32(11))) + thrown
            yield int(thrown)


@pytest.mark.parametrize("seeds", [(), (1,), (7, WORD - 1), (1, 2, 3)])
def test_it_is_sfc32(seeds):
    dice, expected = Dice(*seeds), sfc32(*(*seeds, 0, 0, 0)[:3])
    assert [dice.throw() for _ in range(1000)] == [*itertools.islice(expected, WARM_UP, WARM_UP + 1000)]


@pytest.mark.parametrize("n", [2, 6, 16, 1000])
def test_all_numbers_are_equally_likely(n):
    dice = Dice(3)
    counts = Counter(dice.below(n) for _ in range(20 * n))
    assert chisquare([counts[each] for each in range(n)]).pvalue > UNLIKELY


def test_small_numbers_are_not_favoured_where_a_remainder_would_favour_them():
    n = 3 * 2**30  # of 2**32 throws the last quarter does not count
    dice = Dice(4)
    low = sum(dice.below(n) < 2**30 for _ in range(3000))
    assert abs(low - 1000) < 5 * math.sqrt(3000 * 1 / 3 * 2 / 3)  # a remainder would give 1,500


def test_weights_are_kept_and_a_weight_of_zero_never_comes():
    dice = Dice(5)
    counts = Counter(dice.weighed((1, 0, 3, 4)) for _ in range(8000))
    assert counts[1] == 0
    assert chisquare([counts[0], counts[2], counts[3]], [1000, 3000, 4000]).pvalue > UNLIKELY


def test_all_orders_are_equally_likely():
    dice = Dice(6)
    counts = Counter(tuple(dice.shuffled("abcd")) for _ in range(2400))
    assert len(counts) == 24
    assert chisquare([*counts.values()]).pvalue > UNLIKELY


@pytest.mark.parametrize("seeds", [(-1,), (WORD,), (1, 2, 3, 4), (1.5,)])
def test_what_is_no_seed_is_refused(seeds):
    with pytest.raises(ValueError, match="seed"):
        Dice(*seeds)


@pytest.mark.parametrize("n", [0, WORD + 1, 2.5])
def test_there_is_no_number_below_nothing(n):
    with pytest.raises(ValueError, match="n must be a whole number from 1 to"):
        Dice().below(n)
