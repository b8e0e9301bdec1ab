"""The serving instrument: a batch of requests with ever more adapters, answered in three ways."""

from collections.abc import Iterable
from typing import Any

import param

from compute.experiments.serving import (
    ADAPTERS,
    LENGTHS,
    RANKS,
    REQUESTS,
    WAYS,
    counted_pace,
    load_serving,
    numbers_held,
)
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_option
from widgets.kit.instrument import Instrument, Values
from widgets.kit.text import fill, fill_code
from widgets.serving.words import SNIPPET, WORDS

SAME, FEW = 2.0, 8.0  # times as long: up to here it counts as the same, and as a few times


class Serving(Instrument):
    """Answer one batch with ever more adapters in it: together, one after the other, or by merged copies.

    Teal: together, one pass. Grey dots: swapped, one pass for each adapter with a merge before it. Grey dashes: merged
    copies, one pass for each adapter. Bands: the middle 90 % of the rounds. Left out: a GPU, and a cache of keys and
    values.
    """

    words_each = one_of(
        WORDS["lengths"],
        default="32",
        label="Read of each request",
        doc="How many words are read of each request in one pass.",
    )
    r = one_of({str(r): str(r) for r in RANKS}, default="4", label="Rank r", doc="Rank of each adapter.")
    doublings = param.Integer(
        default=4,
        bounds=(0, len(ADAPTERS) - 1),
        label="Adapters",
        doc="How many different adapters there are, as a power of two.",
    )
    guess = guess_option(WORDS["guess"]["options"])

    parts = ("batch", "steps", "guess", "held", "table", "code", "share")
    says = ("recorded",)
    pictured = ({"curve kept": 1, "curve control": 4, "curve lost": 7},)

    def make_arrays(self) -> dict[str, Any]:
        """Return all that was measured: it is small."""
        served = load_serving()
        return {
            "k": len(ADAPTERS) - 1,
            "adapters": ADAPTERS,
            "requests": REQUESTS,
            "recorded": served.recorded,
            "base": {str(words): served.base[words] for words in LENGTHS},
            "paces": {f"{words}-{r}": each for (words, r), each in served.paces.items()},
            "held": {
                str(r): {way: [numbers_held(way, served.model, r, n) for n in ADAPTERS] for way in WAYS}
                for r in RANKS
            },
            "counted": {str(r): counted_pace(served.model, r) for r in RANKS},
            "truths": {
                f"{words}-{r}": dict(zip(("times", "truth"), _truth(words, r), strict=True))
                for words in LENGTHS
                for r in RANKS
            },
            "snippet": SNIPPET,
        }

    def values(self, place: int) -> dict[str, Any]:
        """Return every number that a sentence may use; serving.js makes the same."""
        served, words, r = load_serving(), int(self.words_each), int(self.r)
        adapters, base = ADAPTERS[place], served.base[words]
        values = {
            "adapters": adapters,
            "asked": fill(WORDS["asked"]["several" if place else "one"], {"adapters": adapters}),
            "requests": REQUESTS,
            "length": WORDS["lengths"][self.words_each],
            "words": words,
            "r": r,
            "base_rate": base,
            "recorded": served.recorded,
        }
        for way in WAYS:
            low, middle, high = served.paces[words, r][way][place]
            values |= {way: middle, f"{way}_low": low, f"{way}_high": high, f"{way}_rate": base * middle}
            values[f"{way}_held"] = numbers_held(way, served.model, r, adapters)
        return values

    def sentence(self) -> str:
        """Say in a few words what the picture shows now."""
        return fill(WORDS["sentence"], self.values(self.doublings))

    def rows(self) -> Iterable[Values]:
        """Return the values of each number of adapters."""
        return map(self.values, range(len(ADAPTERS)))

    def snippet(self) -> str:
        """Return code that prints the shares and the numbers of the sentence."""
        told = {"adapters": ADAPTERS[self.doublings], "words": self.words_each, "r": self.r}
        return fill_code(SNIPPET, told)


def _truth(words: int, r: int) -> tuple[float, str]:
    """Return how many times as long the batch of all adapters takes as that of one, and which guess that is."""
    first, *_, last = (pace.middle for pace in load_serving().paces[words, r]["together"])
    times = first / last
    return times, "same" if times < SAME else "few" if times < FEW else "many"
