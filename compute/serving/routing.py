"""Which adapter a prompt asks for, told from its first words by a small classifier, and by the law of the texts."""

import math
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from compute.numbers.bounds import finite, one_of, whole
from compute.world.dice import Dice
from compute.world.stories import Source
from compute.world.texts import word_probabilities, write
from compute.world.voices import BASE_VOICES, vocabulary

NO_ADAPTER = "none"
ADAPTED = ("legal", "medical", "code")  # voices that have an adapter
ROUTES = (NO_ADAPTER, *ADAPTED)  # where a request can be sent
UNADAPTED = tuple(voice for voice in BASE_VOICES if voice not in ADAPTED)  # these need no adapter
VOICES_OF = {NO_ADAPTER: UNADAPTED} | {voice: (voice,) for voice in ADAPTED}
PROMPT = 12  # words of a prompt
RULES = ("probable", "cheapest")
SMOOTHING = 1  # Laplace's: as if each word had been seen once more in each kind
DECIMALS = 9  # of evidence: two that differ by rounding alone are a tie


def draw_prompts(route: str, split: str, number: int, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """Return texts that ask for an adapter.

    Parameters
    ----------
    route : str
        One of ROUTES.
    split : str
        Whose stories: one of `compute.world.stories.SPLITS`.
    number : int
        How many.
    rng : numpy.random.Generator
        Where the choices come from.

    Returns
    -------
    list of tuple of str
        The first PROMPT words of stories. Those that ask for no adapter are in one of UNADAPTED, each as likely.

    Raises
    ------
    ValueError
        If there is no such route or split, or number is below 0.

    Examples
    --------
    >>> " ".join(draw_prompts("medical", "train", 1, np.random.default_rng(1))[0])
    'patient emma seen at the mill . patient hugo seen at the'
    """
    one_of("route", route, VOICES_OF)
    whole("number", number, 0)
    source = _stories(VOICES_OF[route], split)
    return [tuple(write(source, PROMPT, Dice(int(rng.integers(2**32))))) for _ in range(number)]


@cache
def _stories(voices: tuple[str, ...], split: str) -> Source:
    return Source(voices, split, facts=0)


@cache
def word_places() -> Mapping[str, int]:
    """Return where each word stands in the counts.

    Returns
    -------
    dict of str to int
        In the order of `compute.world.voices.vocabulary`.

    Examples
    --------
    >>> word_places()["."]
    0
    """
    return {word: i for i, word in enumerate(vocabulary())}


def count_words(examples: Mapping[str, Sequence[Sequence[str]]]) -> np.ndarray:
    """Return all that the classifier learns: how often each word stood in the examples of each kind.

    Parameters
    ----------
    examples : dict of str to sequence of sequence of str
        Texts for each of ROUTES. Words that no voice has are left out.

    Returns
    -------
    (words, routes) ndarray of int64
        In the order of the vocabulary and of ROUTES.

    Examples
    --------
    >>> counts = count_words({"code": [["go", "(", "anna"]]})
    >>> counts[word_places()["go"]].tolist()
    [0, 0, 0, 1]
    """
    places = word_places()
    counts = np.zeros((len(places), len(ROUTES)), np.int64)
    for route, sentences in examples.items():
        known = [places[word] for words in sentences for word in words if word in places]
        np.add.at(counts[:, ROUTES.index(route)], known, 1)
    return counts


def word_weights(counts: np.ndarray) -> np.ndarray:
    """Return how much each word speaks for each adapter.

    Parameters
    ----------
    counts : (words, routes) ndarray of int
        From `count_words`.

    Returns
    -------
    (words, routes) ndarray of float64
        log((count + 1) / (all counts of the route + number of words)), below 0.

    Raises
    ------
    ValueError
        If a count is negative, or there are none.

    Notes
    -----
    Multinomial naive Bayes with Laplace smoothing. It takes the words for independent, given the kind of text, and
    does not look at their order.

    References
    ----------
    Manning, Raghavan & Schuetze 2008, "Introduction to Information Retrieval", section 13.2.

    Examples
    --------
    >>> bool(np.allclose(np.exp(word_weights(np.array([[3, 0], [0, 1]]))).sum(axis=0), 1))
    True
    """
    finite("counts", counts)
    if np.min(counts) < 0:
        raise ValueError(f"A count is 0 or more, got {np.min(counts)}.")
    smoothed = counts + SMOOTHING
    return np.log(smoothed / smoothed.sum(axis=0))


def evidence(weights: np.ndarray, words: Sequence[str]) -> np.ndarray:
    """Return how much a prompt speaks for each adapter.

    Parameters
    ----------
    weights : (words, routes) ndarray of float64
        From `word_weights`.
    words : sequence of str
        Of the prompt. Words that no voice has say nothing.

    Returns
    -------
    (routes,) ndarray of float64
        Sum of the weights, 0 for no word. All adapters are equally likely beforehand, so that only differences count.

    Raises
    ------
    ValueError
        If the weights are not of the words there are, or not finite.

    Examples
    --------
    >>> evidence(np.zeros((len(word_places()), 4)), ["the", "quark"]).tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    places = word_places()
    if np.ndim(weights) != 2 or len(weights) != len(places):
        raise ValueError(f"weights must have a row for each of {len(places)} words, got {np.shape(weights)}.")
    finite("weights", weights)
    known = [places[word] for word in words if word in places]
    return weights[known].sum(axis=0) if known else np.zeros(weights.shape[1])


def chances(evidence: np.ndarray) -> np.ndarray:
    """Return how likely each adapter is the one that is asked for.

    Parameters
    ----------
    evidence : (..., routes) ndarray of float64
        Logarithms of what is proportional to the chances.

    Returns
    -------
    (..., routes) ndarray of float64
        Above 0, summing to 1 along the last axis.

    Raises
    ------
    ValueError
        If there is no evidence, or it is not finite.

    Notes
    -----
    Bayes's rule under the classifier's own assumption. Since words are not independent, it is surer than it should be.

    Examples
    --------
    >>> chances(np.log([3.0, 1.0])).round(2).tolist()
    [0.75, 0.25]
    """
    finite("evidence", evidence)
    shifted = np.exp(evidence - evidence.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def chosen(chances: np.ndarray, extra: np.ndarray, rule: str) -> np.ndarray:
    """Return which adapter a request is sent to.

    Parameters
    ----------
    chances : (..., routes) ndarray of float64
        How likely each is the one that is asked for.
    extra : (routes, routes) ndarray of float64
        What a choice costs: row the adapter that is asked for, column the one that is chosen, from `extra_loss`.
    rule : {"probable", "cheapest"}
        "probable" takes the likeliest, "cheapest" the one whose cost is lowest on average over what is likely.

    Returns
    -------
    (...) ndarray of int64
        Places in ROUTES. Of equals the first, which is that without an adapter.

    Raises
    ------
    ValueError
        If there is no such rule.

    References
    ----------
    Berger 1985, "Statistical Decision Theory and Bayesian Analysis", section 1.3 (expected loss).

    Examples
    --------
    >>> extra = np.array([[0.0, 1.0], [0.1, 0.0]])
    >>> [chosen(np.array([0.4, 0.6]), extra, rule).item() for rule in RULES]
    [1, 0]
    """
    if rule == "probable":
        return np.argmax(chances.round(DECIMALS), axis=-1)
    if rule == "cheapest":
        return np.argmin((chances @ extra).round(DECIMALS), axis=-1)
    raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}.")


def extra_loss(losses: Mapping[str, Mapping[str, float]]) -> np.ndarray:
    """Return what a wrong choice costs.

    Parameters
    ----------
    losses : dict of str to dict of str to float
        By voice of the base and by adapter, in nats per token, as `compute.experiments.serving.Served` has them.

    Returns
    -------
    (routes, routes) ndarray of float64
        Row: the adapter that is asked for. Column: the one that is chosen. Loss with the chosen one minus loss with
        the right one, 0 on the diagonal; the voices that need none count the same.

    Raises
    ------
    ValueError
        If a loss is missing.

    Examples
    --------
    >>> from compute.experiments.serving import load_serving
    >>> extra = extra_loss(load_serving().losses)
    >>> extra.shape, extra.diagonal().tolist(), bool((extra >= 0).all())
    ((4, 4), [0.0, 0.0, 0.0, 0.0], True)
    """
    for voice in sum(VOICES_OF.values(), ()):
        if not losses.get(voice, {}).keys() >= set(ROUTES):
            raise ValueError(f"losses of the voice {voice} with each of {', '.join(ROUTES)} are needed.")
    rows = [
        np.mean([[losses[voice][route] for route in ROUTES] for voice in VOICES_OF[asked]], axis=0)
        for asked in ROUTES
    ]
    return np.array(rows) - np.diagonal(rows)[:, None]


@cache
def exact_chances(words: tuple[str, ...]) -> np.ndarray:
    """Return how likely each adapter is the one that is asked for, to someone who knows how the texts are drawn.

    Parameters
    ----------
    words : tuple of str
        How a story of the test split begins.

    Returns
    -------
    (routes,) ndarray of float64
        Summing to 1. They are kept and shared: do not change them.

    Raises
    ------
    ValueError
        If no story of the base's voices begins so.

    Notes
    -----
    Exact: no classifier that sees only these words is right more often on average, whatever it has learned from. Each
    voice begins a story with words of its own, the plain voice with a name: the first word tells.

    References
    ----------
    Berger 1985, "Statistical Decision Theory and Bayesian Analysis", section 4.4 (no rule beats the one that takes
    what is best given the observation).

    Examples
    --------
    >>> exact_chances(()).tolist(), exact_chances(("patient",)).tolist()
    ([0.25, 0.25, 0.25, 0.25], [0.0, 0.0, 1.0, 0.0])
    """
    shares = [math.prod(word_probabilities(words, _stories(VOICES_OF[route], "test"))) for route in ROUTES]
    if not any(shares):
        raise ValueError(f"no story begins with {' '.join(words)!r}.")
    return np.array(shares) / np.sum(shares)
