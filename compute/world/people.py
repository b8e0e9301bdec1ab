"""Who there is in the world, and what lasts: where each lives, likes, makes and fears."""

from functools import cache
from typing import NamedTuple

from compute.world.dice import Dice

WORLD_SEED = 11
FIRST_NAMES = tuple(
    "anna ben carl dora emma finn greta hugo ida jack kate leo mary nora otto paul rosa sam tina uma vera will zoe "
    "adam bella clara david ella fred grace hans iris james karl lucy max nina oscar peter ruth".split()
)
LAST_NAMES = tuple(
    "wood hill stone field brook lake marsh reed frost snow winter summer may day king knight bishop abbot page cook "
    "baker miller smith cooper mason taylor turner carter fisher hunter potter weaver sawyer thatcher fox swan hawk "
    "lamb drake finch".split()
)
PLACES = tuple(
    "mill school harbour market church bridge forest garden castle river tower farm bakery library station "
    "beach".split()
)
THINGS = tuple("lamp key ball book cup hat basket rope coin drum map ring bell box kite spoon".split())
VALUES = {
    "lives": PLACES,
    "likes": tuple(
        "apples soup cheese rice honey fish plums nuts eggs pasta beans pears corn jam milk salad".split()
    ),
    "makes": tuple(
        "bread shoes chairs pots candles nets boats songs clocks toys coats pipes brooms carts flutes "
        "tables".split()
    ),
    "fears": tuple(
        "dogs wolves bears snakes spiders bees rats geese bulls crows cats sharks horses bats ants owls".split()
    ),
}
ATTRIBUTES = tuple(VALUES)
OLD = 256  # people whom the base has read of


class Person(NamedTuple):
    """Hold the name that facts are told of.

    Attributes
    ----------
    first : str
        One of FIRST_NAMES.
    last : str
        One of LAST_NAMES.
    """

    first: str
    last: str


@cache
def everybody() -> tuple[Person, ...]:
    """Return all people, in an order that tells nothing.

    Returns
    -------
    tuple of Person
        Each first name with each last name: 1,600.

    Examples
    --------
    >>> len(everybody()) == len(set(everybody())) == len(FIRST_NAMES) * len(LAST_NAMES)
    True
    """
    return tuple(
        Dice(WORLD_SEED).shuffled([Person(first, last) for first in FIRST_NAMES for last in LAST_NAMES])
    )


def old_people() -> tuple[Person, ...]:
    """Return the people whom the base knows.

    Returns
    -------
    tuple of Person
        OLD of them.

    Examples
    --------
    >>> len(old_people())
    256
    """
    return everybody()[:OLD]


def new_people() -> tuple[Person, ...]:
    """Return people whom the base has never read of, though it knows both of their names.

    Returns
    -------
    tuple of Person
        All others: 1,344.

    Examples
    --------
    >>> set(new_people()) & set(old_people())
    set()
    """
    return everybody()[OLD:]


@cache
def facts() -> dict[tuple[Person, str], str]:
    """Return everything that lasts.

    Returns
    -------
    dict of (Person, str) to str
        By person and attribute, one of ATTRIBUTES: one of the attribute's VALUES, all equally likely and independent
        of each other: ln 16 nats, 4 bits, that nothing else tells.

    Examples
    --------
    >>> person = old_people()[0]
    >>> facts()[person, "lives"] in PLACES
    True
    """
    dice = Dice(WORLD_SEED, 1)
    return {
        (person, attribute): dice.pick(VALUES[attribute])
        for person in everybody()
        for attribute in ATTRIBUTES
    }
