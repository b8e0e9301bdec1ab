"""How often prompts are sent to the right adapter, and what it costs where they are not, counted on unseen prompts."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np

from compute.experiments.serving import load_serving
from compute.serving.routing import (
    ROUTES,
    RULES,
    chances,
    chosen,
    count_words,
    draw_prompts,
    exact_chances,
    extra_loss,
    word_places,
    word_weights,
)

MOST_WORDS = 8  # of a prompt that are looked at
EXAMPLES = (1, 5, 20, 100)  # beginnings of stories of each kind that the classifier learns from
SETS = 10  # of examples; the first is the one that is shown
TESTED = 100  # prompts of each kind


class Routed(NamedTuple):
    """Hold how prompts were sent by one classifier for each set of examples.

    Attributes
    ----------
    confusion : (MOST_WORDS + 1, routes, routes) ndarray of int64
        By words seen: how many prompts that ask for the row's adapter were sent to the column's, with the first set.
    right : (SETS, MOST_WORDS + 1) ndarray of float64
        Share of the prompts that were sent where they belong.
    cost : (SETS, MOST_WORDS + 1) ndarray of float64
        Nats per token above the right choice, on average over the prompts.
    """

    confusion: np.ndarray
    right: np.ndarray
    cost: np.ndarray


class Study(NamedTuple):
    """Hold everything that was counted.

    Attributes
    ----------
    counts : dict of int to (words, routes) ndarray of int64
        What the first classifier learned, by the number of examples.
    routed : dict of (int, str) to Routed
        By the number of examples and the rule.
    best : dict of str to Routed
        By the rule, of someone who knows how the texts are drawn; SETS is 1.
    extra : (routes, routes) ndarray of float64
        What a choice costs, from `compute.serving.routing.extra_loss`.
    random : float
        Nats per token above the right choice if an adapter is drawn by lot.
    never : float
        The same if no adapter is ever used.
    """

    counts: Mapping[int, np.ndarray]
    routed: Mapping[tuple[int, str], Routed]
    best: Mapping[str, Routed]
    extra: np.ndarray
    random: float
    never: float


def unseen_prompts() -> list[tuple[int, tuple[str, ...]]]:
    """Return the prompts that classifiers are tested on.

    Returns
    -------
    list of (int, tuple of str)
        TESTED for each of ROUTES: the place of the route, and the beginning of a story of the test split.

    Notes
    -----
    No story of another split begins like one of these.

    Examples
    --------
    >>> len(unseen_prompts()), unseen_prompts()[-1][0]
    (400, 3)
    """
    rng = np.random.default_rng([0])
    return [
        (i, words) for i, route in enumerate(ROUTES) for words in draw_prompts(route, "test", TESTED, rng)
    ]


def learned(examples: int, set_: int) -> np.ndarray:
    """Return what a classifier learns from one set of examples.

    Parameters
    ----------
    examples : int
        Texts of each kind, 0 or more.
    set_ : int
        Which set. Smaller ones are the beginning of larger ones.

    Returns
    -------
    (words, routes) ndarray of int64
        As `compute.serving.routing.count_words` counts them.

    Examples
    --------
    >>> bool((learned(5, 0) <= learned(20, 0)).all())
    True
    """
    drawn = {
        route: draw_prompts(route, "train", examples, np.random.default_rng([1, set_, i]))
        for i, route in enumerate(ROUTES)
    }
    return count_words(drawn)


@cache
def study() -> Study:
    """Return how prompts are sent by every classifier, and by someone who knows how the texts are drawn.

    Returns
    -------
    Study
        All of it; do not write to it: it is kept and shared.

    Raises
    ------
    ValueError
        If the recorded losses cannot be read.

    Notes
    -----
    A wrong choice costs what it costs on average for its kind of text, whatever the prompt. Seeded.

    Examples
    --------
    >>> known = study()
    >>> known.best["probable"].right[0, 2] >= known.routed[5, "probable"].right[:, 2].max()
    np.True_
    """
    prompts, extra = unseen_prompts(), extra_loss(load_serving().losses)
    asked = np.array([i for i, _ in prompts])
    counts = {(m, set_): learned(m, set_) for m in EXAMPLES for set_ in range(SETS)}
    routed = {
        (m, rule): _counted(
            [_sent(counts[m, set_], prompts, extra, rule) for set_ in range(SETS)], asked, extra
        )
        for m in EXAMPLES
        for rule in RULES
    }
    exact = np.array([[exact_chances(words[:n]) for n in range(MOST_WORDS + 1)] for _, words in prompts])
    return Study(
        counts={m: counts[m, 0] for m in EXAMPLES},
        routed=routed,
        best={rule: _counted([chosen(exact, extra, rule)], asked, extra) for rule in RULES},
        extra=extra,
        random=float(extra.mean()),
        never=float(extra[:, 0].mean()),
    )


def _sent(counts: np.ndarray, prompts: list, extra: np.ndarray, rule: str) -> np.ndarray:
    """Return where each prompt is sent, (prompts, words seen)."""
    weights = np.vstack([word_weights(counts), np.zeros(len(ROUTES))])  # the last row is no word at all
    places = np.full((len(prompts), MOST_WORDS + 1), len(counts))
    for i, (_, words) in enumerate(prompts):
        seen = words[:MOST_WORDS]
        places[i, 1 : len(seen) + 1] = [word_places()[word] for word in seen]
    return chosen(chances(weights[places].cumsum(axis=1)), extra, rule)


def _counted(sent: list[np.ndarray], asked: np.ndarray, extra: np.ndarray) -> Routed:
    """Return what is kept of choices (prompts, words seen), one array for each set of examples."""
    confusion = np.zeros((MOST_WORDS + 1, len(ROUTES), len(ROUTES)), np.int64)
    for n in range(MOST_WORDS + 1):
        np.add.at(confusion[n], (asked, sent[0][:, n]), 1)
    right = np.array([(each == asked[:, None]).mean(axis=0) for each in sent])
    cost = np.array([extra[asked[:, None], each].mean(axis=0) for each in sent])
    return Routed(confusion, right, cost)
