"""The serving instrument: a batch of requests with ever more adapters, answered in three ways."""

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
from widgets.kit.instrument import Instrument, esm
from widgets.kit.text import fill

SAME, FEW = 2.0, 8.0  # times as long: up to here it counts as the same, and as a few times
WORDS: dict[str, Any] = {
    "sentence": (
        "{requests} requests, {length}, {asked} of r = {r}. Answered together, the batch goes at {together:.0%} of the "
        "base's pace, which is {together_rate:,.0f} words a second; swapped at {swapped:.0%}, as merged copies at "
        "{merged:.0%}. Held in memory are {together_held:,d}, {swapped_held:,d} and {merged_held:,d} numbers."
    ),
    "lengths": {"1": "one word each", "32": "32 words each"},
    "asked": {"one": "all for one adapter", "several": "for {adapters} different adapters"},
    "note": (
        "The base's pace is that of the same batch without any adapter, {base_rate:,.0f} words a second of one core. "
        "Recorded: {recorded}. Run python -m compute.experiments.serving to measure your own machine."
    ),
    "places": "{adapters}",
    "guess": {
        "question": (
            "Guess first. {requests} requests arrive at once and are answered together, {length}. First all of them "
            "want one adapter, then each wants another. How much longer does the second batch take?"
        ),
        "field": "My guess:",
        "options": [
            ["same", "about as long"],
            ["few", "a few times as long"],
            ["many", f"about {ADAPTERS[-1]} times as long"],
        ],
        "reveal": "Reveal",
        "skip": "Skip",
        "again": "Guess for this batch",
        "right": "You said {guess}. So it is: {times:.2f} times.",
        "wrong": "You said {guess}. It is {truth}: {times:.2f} times.",
    },
    "readouts": {"together": "Together", "swapped": "Swapped", "merged": "Merged copies"},
    "readoutValues": {way: f"{{{way}:.0%}}" for way in WAYS},
    "beside": {way: f"{{{way}_held:,d}} numbers held" for way in WAYS},
    "charts": {
        "pace": {
            "title": "Pace, as a share of the base's",
            "x": "different adapters in the batch",
            "together": "together",
            "swapped": "swapped",
            "merged": "merged copies",
            "base": "the base, no adapter",
            "counted": "by count",
            "probe": "{adapters}: together {together:.0%}, swapped {swapped:.0%}, merged copies {merged:.0%}",
        },
        "held": {
            "title": "Numbers held in memory",
            "x": "different adapters",
            "together": "together",
            "swapped": "swapped",
            "merged": "merged copies",
            "probe": (
                "{adapters}: together {together_held:,d}, swapped {swapped_held:,d}, merged copies {merged_held:,d}"
            ),
        },
    },
    "tableHead": [
        "adapters",
        *(
            cell
            for way in ("together", "swapped", "merged")
            for cell in (way, f"{way}, middle 90 %", f"{way}, numbers")
        ),
    ],
    "tableRow": [
        "{adapters}",
        *(
            cell
            for way in WAYS
            for cell in (f"{{{way}:.1%}}", f"{{{way}_low:.1%}} to {{{way}_high:.1%}}", f"{{{way}_held:,d}}")
        ),
    ],
    "downloads": {"paces": "Measurements (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """from compute.experiments.serving import ADAPTERS, load_serving, numbers_held

served = load_serving()  # kept and shared
adapters, words, r = {adapters}, {words}, {r}
for way, paces in served.paces[words, r].items():
    pace = paces[ADAPTERS.index(adapters)].middle
    held = numbers_held(way, served.model, r, adapters)
    print(f"{way}: {pace:.0%} of the base's pace, {held:,d} numbers held")
"""


class Serving(Instrument):
    """Answer one batch with ever more adapters in it: together, one after the other, or by merged copies.

    Teal: together, one pass. Grey dots: swapped, one pass for each adapter with a merge before it. Grey dashes: merged
    copies, one pass for each adapter. Bands: the middle 90 % of the rounds. Left out: a GPU, and a cache of keys and
    values.
    """

    words_each = param.Selector(
        default="32",
        objects={label: length for length, label in WORDS["lengths"].items()},
        label="Read of each request",
        doc="How many words are read of each request in one pass.",
    )
    r = param.Selector(
        default="4",
        objects={str(r): str(r) for r in RANKS},
        label="Rank r",
        doc="Rank of each adapter.",
    )
    doublings = param.Integer(
        default=4,
        bounds=(0, len(ADAPTERS) - 1),
        label="Adapters",
        doc="How many different adapters there are, as a power of two.",
    )
    guess = param.String(
        default="ask", regex="^(ask|skip|same|few|many)$", label="Guess", doc="ask, skip, same, few, many"
    )

    script = "serving"
    title = "Serve many adapters"
    caption = (
        "Horizontal: how many different adapters the requests of one batch ask for. Left, vertical: words read in a "
        "second of one core, as a share of what the base alone reads of the same batch; lines are medians, bands the "
        "middle 90 % of the rounds. Dotted: what answering together would come to if only multiplications counted. "
        "Right: numbers that must be in memory. Left out: a GPU; a cache of keys and values; requests that arrive "
        "while others are answered; and adapters of unlike rank."
    )
    choices = ("words_each", "r", "doublings", "guess")
    parts = ("batch", "steps", "guess", "held", "table", "code", "share")
    pictured = ({"curve kept": 1, "curve control": 4, "curve lost": 7},)

    _esm = esm("serving")

    def words(self) -> dict[str, Any]:
        """Return labels and templates."""
        return WORDS

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

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of the numbers behind the curves."""
        rows = map(self.values, range(len(ADAPTERS)))
        return WORDS["tableHead"], [[fill(cell, values) for cell in WORDS["tableRow"]] for values in rows]

    def snippet(self) -> str:
        """Return code that prints the shares and the numbers of the sentence."""
        told = {"adapters": ADAPTERS[self.doublings], "words": self.words_each, "r": self.r}
        return fill(SNIPPET, told)


def _truth(words: int, r: int) -> tuple[float, str]:
    """Return how many times as long the batch of all adapters takes as that of one, and which guess that is."""
    first, *_, last = (pace.middle for pace in load_serving().paces[words, r]["together"])
    times = first / last
    return times, "same" if times < SAME else "few" if times < FEW else "many"
